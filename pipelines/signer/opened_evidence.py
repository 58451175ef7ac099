"""The evidence of a run: its recipe parsed, its bytes hashed again, and the form of conditions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path

from builders.archives import SoughtFile
from builders.core.digest import Digest, chunks
from builders.core.errors import (
    RecipeError,
)
from builders.core.yamlfile import parse_document
from builders.inputs.input_file import InputFile
from builders.rebuild.rebuild_result import Output, OutputKind, RebuildResult
from builders.rebuild.seal import SealedFile, seal_key
from builders.recipe.recipe import Input, LoadedRecipe, Recipe, parse_recipe
from pipelines.audit.base_runs import IsOwn, checked_bases, first_logged_sight
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
    contents,
    input_fault,
)
from pipelines.judge.finding import FileFact, Finding
from pipelines.judge.grafting import with_grafts
from pipelines.judge.updates.checked_delta import CheckedBase
from pipelines.judge.updates.external_signatures import with_external_signatures
from pipelines.signer.byte_source import ByteSource
from pipelines.signer.orders import Evidence

MAX_RUN = timedelta(days=30)


@dataclass(frozen=True)
class OpenedEvidence:
    """One run that the signer is asked to sign for."""

    evidence: Evidence
    center: Center
    source: ByteSource
    now: datetime
    is_own: IsOwn

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
        scanned = list(self._contents()) if self.outputs else []
        facts = Facts(
            outcome=report.outcome,
            outcome_reason=report.reason,
            declared=tuple(Declared.of(a, published[a.name]) for a in self.recipe.artefacts),
            rebuilt=report.judged.rebuild.outputs if report.judged else (),
            served={
                f.name: FileFact(sha256=f.shipped.sha256, size=f.shipped.size)
                if f.shipped.sha256 is not None and f.shipped.size is not None
                else Unreachable(reason="it was not served")
                for f in report.artefacts
                if f.shipped
            },
            input_fault=input_fault(scanned, published),
        )
        facts = with_grafts(
            facts,
            self.recipe.signatures,
            self.source.jail,
            shipped=self.source.shipped_file,
            rebuilt=self.source.output_file,
            scanned=scanned,
        )
        if self.recipe.normalizers:
            from pipelines.judge.masking import with_masks  # noqa: PLC0415  # few recipes need it

            facts = with_masks(
                facts,
                self.recipe.normalizers,
                self.recipe.signatures,
                self.source.jail,
                shipped=self.source.shipped_file,
                rebuilt=self.source.output_file,
                scanned=scanned,
            )
        if deltas := self.recipe.deltas:
            from pipelines.judge.updates.check_deltas import with_deltas  # noqa: PLC0415

            facts = with_deltas(
                facts,
                deltas,
                self._bases,
                self.source.jail,
                shipped=self.source.shipped_file,
                rebuilt=self.source.output_file,
                base=self.source.base_file,
            )
        if manifests := self.recipe.manifests:
            from pipelines.judge.updates.recomputing import (  # noqa: PLC0415  # few recipes need it
                ManifestFiles,
                with_manifests,
            )

            facts = with_manifests(
                facts,
                manifests,
                self.recipe.signatures,
                self._bases,
                self.source.jail,
                ManifestFiles(
                    shipped=self.source.shipped_file,
                    rebuilt=self.source.output_file,
                    base=self.source.base_file,
                ),
                version=self.recipe.version,
                first_seen={
                    f.name: self._first_seen(f) for f in report.artefacts if f.name in manifests
                },
            )
        return compare(with_external_signatures(facts, self.recipe.signatures, manifests))

    def _first_seen(self, finding: Finding) -> datetime:
        """Return when a manifest was first compared, by the log of the center.

        Where that has nothing, it is as the report says it, but within the run.
        """
        served = finding.shipped.sha256 if finding.shipped else None
        store, center, release = self.source.store, self.center.id, self.recipe.release
        if served and (first := first_logged_sight(store, center, release, served, self.is_own)):
            return first
        seen_on = finding.manifest.seen_on if finding.manifest else None
        return min(max(seen_on or self.run.finished, self.run.started), self.run.finished)

    @cached_property
    def _bases(self) -> dict[Digest, CheckedBase]:
        """Return the bases of the recipe, each with the run that the report names, if it did so.

        A later run may have judged a base since.
        """
        found = [one.delta.base for one in self.report.artefacts if one.delta]
        found += [m.previous for f in self.report.artefacts if (m := f.manifest) and m.previous]
        named = {base.sha256: base.judged.run if base.judged else None for base in found}
        store, center = self.source.store, self.center.id
        return checked_bases(self.recipe, store, center, self.is_own, named)

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
        """The published files that were served, and rebuilt ones that may count though others.

        Inputs are searched for them. Raises `RefusedError` when one is not there.
        """
        served = {f.name: f.shipped.sha256 for f in self.report.artefacts if f.shipped}
        published = {a.name: a.published.sha256 for a in self.recipe.artefacts}
        found = [self.source.shipped(d, n)[1] for n, d in published.items() if served.get(n) == d]
        for output in self.outputs:
            if output.name in self.recipe.altered:
                with self.source.output_file(output.name, output.sha256) as rebuilt:
                    found.append(SoughtFile.of(chunks(rebuilt), output.sha256))
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
