"""The evidence of a run: its recipe parsed, its bytes hashed again, and the form of conditions."""

from __future__ import annotations

import hashlib
import hmac
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from builders.archives import SoughtFile
from builders.core.digest import Digest, chunks
from builders.core.enums import Role
from builders.core.errors import (
    InputMismatchError,
    InputUnavailableError,
    NotFoundError,
    RecipeError,
)
from builders.core.yamlfile import parse_document
from builders.inputs.collect import input_name
from builders.inputs.input_file import InputFile
from builders.inputs.vault import ByteStore, Vault
from builders.jail.file_reader import Jail
from builders.locators.dsc import companions
from builders.rebuild.rebuild_result import Output, OutputKind, RebuildResult
from builders.rebuild.seal import SealedFile, seal_key
from builders.recipe.recipe import Input, LoadedRecipe, Recipe, parse_recipe
from pipelines.center.center import Center
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.run import Run
from pipelines.evidence.salt import Salt, read_salt
from pipelines.judge.compare import Declared, Facts, Unreachable, compare
from pipelines.judge.copied import (
    CheckedInput,
    Contents,
    ContentsCache,
    contents,
    input_fault,
    row_key,
)
from pipelines.judge.finding import FileFact, Finding
from pipelines.judge.grafting import with_grafts
from pipelines.signer.orders import Evidence
from pipelines.storage.names import Visibility, cas

MAX_RUN = timedelta(days=30)


@dataclass(frozen=True)
class ByteSource:
    """Outputs, logs and inputs of one run by digest; all are hashed as they are read."""

    store: ByteStore
    """Of outputs and logs."""
    vault: Vault
    """Of inputs and shipped files: a signer's `OwnCopies`."""
    jail: Jail
    """Where inputs are read."""
    cache: ContentsCache | None = None
    """The contents of inputs that were hashed before."""
    measured: dict[tuple[Digest, bytes], tuple[int, Digest]] = field(default_factory=dict)
    """What `measure` has returned by digest and key: an object is read once."""
    read: dict[Digest, tuple[int, SoughtFile | None]] = field(default_factory=dict)
    """The same of `shipped`."""

    def measure(
        self, digest: Digest, *, check: str, what: str, key: bytes = b""
    ) -> tuple[int, Digest]:
        """Return the size in bytes and the keyed digest of an object of the private evidence.

        `key` is that of the keyed digest. `what` names the object in messages. Raises
        `RefusedError` when it is not there.
        """
        if (known := self.measured.get((digest, key))) is not None:
            return known
        plain, keyed, size = hashlib.sha256(), hmac.new(key, digestmod=hashlib.sha256), 0
        try:
            with self.store.open(cas(Visibility.PRIVATE, digest)) as stream:
                for piece in chunks(stream):
                    plain.update(piece)
                    keyed.update(piece)
                    size += len(piece)
        except NotFoundError as error:
            raise _absent(check, f"{what} is not in the store", digest) from error
        found = Digest(plain.hexdigest())
        if found != digest:
            what = f"{what} has other bytes in the store"
            raise RefusedError(check, what, got=f"sha256 {found}", expected=digest)
        self.measured[digest, key] = size, Digest(keyed.hexdigest())
        return self.measured[digest, key]

    def shipped(self, digest: Digest, name: str) -> tuple[int, SoughtFile | None]:
        """Hash a shipped file; return its size in bytes, and what to search for to find it.

        Raises `RefusedError`.
        """
        if digest not in self.read:
            size = 0

            def pieces() -> Iterator[bytes]:
                nonlocal size
                for piece in self.vault.pieces(digest):
                    size += len(piece)
                    yield piece

            with _vaulted(digest, check="shipped-bytes", what=f"shipped file {name}"):
                sought = SoughtFile.of(pieces(), digest)
            self.read[digest] = size, sought
        return self.read[digest]

    @contextmanager
    def shipped_file(self, name: str, sha256: Digest) -> Iterator[BinaryIO]:
        """Open a shipped file; raises `RefusedError`."""
        with (
            _vaulted(sha256, check="shipped-bytes", what=f"shipped file {name}"),
            self.vault.open(sha256) as stream,
        ):
            yield stream

    @contextmanager
    def output_file(self, name: str, sha256: Digest) -> Iterator[BinaryIO]:
        """Open a copy of an output that was measured; raises `RefusedError`."""
        digest = hashlib.sha256()
        with (
            self.store.open(cas(Visibility.PRIVATE, sha256)) as stream,
            tempfile.TemporaryFile() as copy,
        ):
            for piece in chunks(stream):
                digest.update(piece)
                copy.write(piece)
            if (got := digest.hexdigest()) != sha256.hex:
                what = f"output {name} has other bytes by now"
                raise RefusedError("output-bytes", what, got=f"sha256 {got}", expected=sha256)
            copy.seek(0)
            yield copy

    def input_files(self, item: Input, sought: Sequence[SoughtFile] = ()) -> Iterator[InputFile]:
        """Yield the files of an input, each hashed unless it was searched for `sought` before."""
        name = input_name(item)
        yield self._input_file(item.role, name, item.sha256, sought)
        if item.role is not Role.SOURCE or not name.endswith(".dsc"):
            return
        with self._input(item.sha256, name) as dsc:
            try:
                found = companions(dsc, self.jail, what=name)
            except InputMismatchError as error:
                what = "a source package cannot be read"
                raise RefusedError("input-bytes", what, got=error) from error
        for companion in found:
            yield self._input_file(item.role, companion.name, companion.sha256, sought)

    def _input_file(
        self, role: Role, name: str, digest: Digest, sought: Sequence[SoughtFile]
    ) -> InputFile:
        if self.cache is None or self.cache.get(row_key(digest, sought)) is None:
            with self._input(digest, name):
                pass  # a signer has copied and hashed it by now
        return InputFile(role=role, name=name, sha256=digest)

    @contextmanager
    def _input(self, digest: Digest, name: str) -> Iterator[BinaryIO]:
        with (
            _vaulted(digest, check="input-bytes", what=f"input {name}"),
            self.vault.open(digest) as stream,
        ):
            yield stream


@dataclass(frozen=True)
class OpenedEvidence:
    """One run that the signer is asked to sign for."""

    evidence: Evidence
    center: Center
    source: ByteSource
    now: datetime

    @property
    def report(self) -> Report:
        """What the center claims to have found."""
        return self.evidence.report

    @cached_property
    def loaded(self) -> LoadedRecipe:
        """The recipe of the evidence, parsed, and its script; raises `RefusedError`."""
        try:
            document = parse_document(self.evidence.recipe.decode("utf-8"), file="the recipe")
            loaded = parse_recipe(document, Path("recipe.yaml"))
        except (RecipeError, UnicodeDecodeError) as error:
            raise RefusedError("recipe", "the recipe cannot be read", got=error) from error
        script = getattr(loaded.recipe.build, "script", None)
        if (script is None) != (self.evidence.script is None):
            raise RefusedError(
                "script",
                "the script is not that of the recipe",
                got="a script" if self.evidence.script is not None else "none",
                expected=script or "none",
            )
        return loaded.model_copy(update={"script": self.evidence.script})

    @property
    def recipe(self) -> Recipe:
        """What was to be rebuilt."""
        return self.loaded.recipe

    @cached_property
    def run(self) -> Run:
        """The run as statements see it."""
        return Run(
            report=self.report,
            loaded=self.loaded,
            recipe=Digest.of(self.evidence.recipe),
            image=self.evidence.image,
            center=self.center.id,
            builder=self.center.builder_id,
        )

    @cached_property
    def salt(self) -> Salt | None:
        """The salt of a private release; raises `RefusedError` where the store has none."""
        if self.recipe.visibility == "public":
            return None
        salt = read_salt(self.source.store, ReleaseName.parse(self.recipe.release))
        if salt is None:
            raise RefusedError(
                "salt",
                "the source is closed, and the store has no salt for its digests",
                got="none",
                expected="the release's salt in the private prefix",
            )
        return salt

    @property
    def rebuilds(self) -> tuple[tuple[str, RebuildResult], ...]:
        """Every rebuild by its name in messages: the attempts, then those made after the run."""
        robustness, explanation = self.evidence.robustness, self.evidence.explanation
        confirming = explanation.confirming if explanation else None
        return (
            *((f"attempt {a.number}", a.rebuild) for a in self.report.attempts),
            *([("the robustness rebuild", robustness.rebuild)] if robustness else []),
            *([("the confirming rebuild", confirming.rebuild)] if confirming else []),
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What the judged rebuild left; empty for a run that built nothing."""
        judged = self.run.judged
        return judged.outputs if judged and self.run.built else ()

    @property
    def seal_key(self) -> bytes:
        """The key of the seal; raises `RefusedError`."""
        return seal_key(self.center.id, self.report.run, self.salt.secret if self.salt else b"")

    @cached_property
    def sealed(self) -> tuple[SealedFile, ...]:
        """The lines of the seal by file name, from the bytes in the store; raises `RefusedError`.

        The outputs are known to be sorted.
        """
        return tuple(
            SealedFile(
                name=o.name,
                size=o.size,
                hmac=self.source.measure(
                    o.sha256, check="output-bytes", what=f"output {o.name}", key=self.seal_key
                )[1],
            )
            for o in self.outputs
            if o.part is not OutputKind.IGNORED
        )

    @cached_property
    def recomputed(self) -> tuple[Finding, ...]:
        """The verdict recomputed: the judge's own code, over facts that are hashed here.

        Raises `RefusedError`.
        """
        report, published = self.report, {a.name: a.published.sha256 for a in self.recipe.artefacts}
        facts = Facts(
            outcome=report.outcome,
            outcome_reason=report.reason,
            declared=tuple(Declared(name=n, published=d) for n, d in published.items()),
            rebuilt=report.judged.rebuild.outputs if report.judged else (),
            served={
                f.name: FileFact(sha256=f.shipped.sha256, size=f.shipped.size)
                if f.shipped.sha256 is not None and f.shipped.size is not None
                else Unreachable(reason="it was not served")
                for f in report.artefacts
                if f.shipped
            },
            input_fault=input_fault(self._contents(), published) if self.outputs else None,
        )
        return compare(
            with_grafts(
                facts,
                self.recipe.signatures,
                self.source.jail,
                shipped=self.source.shipped_file,
                rebuilt=self.source.output_file,
            )
        )

    def input_files(self, item: Input) -> tuple[InputFile, ...]:
        """Return the files of an input, which are listed once; see `ByteSource.input_files`."""
        if item not in self._listed:
            self._listed[item] = tuple(self.source.input_files(item, self.sought))
        return self._listed[item]

    @cached_property
    def _listed(self) -> dict[Input, tuple[InputFile, ...]]:
        return {}

    @cached_property
    def sought(self) -> tuple[SoughtFile, ...]:
        """The published files that were served, for the search of the inputs.

        Raises `RefusedError` when one is not in the vault.
        """
        served = {f.name: f.shipped.sha256 for f in self.report.artefacts if f.shipped}
        published = {a.name: a.published.sha256 for a in self.recipe.artefacts}
        found = [self.source.shipped(d, n)[1] for n, d in published.items() if served.get(n) == d]
        return tuple(file for file in found if file is not None)

    def _contents(self) -> Iterator[tuple[CheckedInput, Contents]]:
        """Yield every file of the inputs with what it contains."""
        for item in self.recipe.inputs:
            for file in self.input_files(item):
                checked = CheckedInput(
                    role=file.role,
                    name=file.name,
                    digest=file.sha256,
                    open=partial(self.source.vault.open, file.sha256),
                    opaque=bool(item.opaque),
                )
                jail, cache = self.source.jail, self.source.cache
                yield checked, contents(checked, jail, sought=self.sought, cache=cache)


@dataclass(frozen=True)
class Condition:
    """Whether evidence satisfies the rule `check`, and the error if it does not."""

    check: str
    error: str
    holds: bool
    got: object
    expected: object


def equal(check: str, error: str, got: object, expected: object) -> Condition:
    """Return the condition that both values are equal; of two lists, the first difference is shown.

    Values are escaped and shortened for the message.
    """
    holds = got == expected
    if isinstance(got, list) and isinstance(expected, list):
        pairs = zip_longest(got, expected, fillvalue=None)
        got, expected = next((pair for pair in pairs if pair[0] != pair[1]), (None, None))
    return Condition(check, error, holds, _shown(got), _shown(expected))


def enforce(conditions: Iterable[Condition]) -> None:
    """Raise `RefusedError` for the first condition that does not hold."""
    for condition in conditions:
        if not condition.holds:
            raise RefusedError(
                condition.check, condition.error, got=condition.got, expected=condition.expected
            )


def _shown(value: object) -> str:
    return "nothing" if value is None else ascii(str(value))[1:-1][:300]


@contextmanager
def _vaulted(digest: Digest, *, check: str, what: str) -> Iterator[None]:
    """Raise `RefusedError` for an object of the vault that is not there or has other bytes."""
    try:
        yield
    except InputUnavailableError as error:
        raise _absent(check, f"{what} is not in the vault", digest) from error
    except InputMismatchError as error:
        what = f"{what} has other bytes in the vault"
        raise RefusedError(check, what, got=error.got, expected=digest) from error


def _absent(check: str, what: str, digest: Digest) -> RefusedError:
    return RefusedError(check, what, got=f"sha256 {digest}", expected="its bytes")
