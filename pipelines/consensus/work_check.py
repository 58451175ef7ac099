"""Whether a center did the work: its keyed digests, computed again from this center's own bytes.

The key is that of the one run (`builders.rebuild.seal`), so a line can neither be copied from
another run nor made from a digest. An empty file proves nothing: its bytes are known to all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from builders.core.digest import Digest, keyed_digest_stream
from builders.core.enums import Outcome
from builders.core.errors import NotFoundError
from builders.core.runid import RunId
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.rebuild.seal import SealedFile, seal_digest, seal_key
from pipelines.consensus.center_finding import StatementRef
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.salt import Salt, read_salt
from pipelines.evidence.statements.consensus_results import CheckedFile, Proof, overall
from pipelines.evidence.stored_runs import RunName, read_report
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import DamagedError, Store


@dataclass(frozen=True, kw_only=True)
class OwnBuild:
    """The outputs of one run of this center, whose bytes are in `store`."""

    run: str
    outputs: tuple[Output, ...]
    store: Store
    salt: Salt | None = None
    """Of a private release."""

    @property
    def provable(self) -> bool:
        """Whether there is a by-product that proves anything: an empty file does not."""
        return any(output.part is OutputKind.BY_PRODUCT and output.size for output in self.outputs)

    def line(self, output: Output, key: bytes) -> SealedFile:
        """Return the line of the seal for one output under the key of a run."""
        with self.store.open(cas(Visibility.PRIVATE, output.sha256)) as stream:
            hmac = keyed_digest_stream(key, stream)
        return SealedFile(name=output.name, size=output.size, hmac=hmac)


def read_own_build(store: Store, release: ReleaseName, center: str, run: str) -> OwnBuild | None:
    """Return what a run of this center built, from its store.

    None for a run that built nothing, or whose full report or bytes are no longer there. Raises
    `StoreError`.
    """
    name = RunName(release=release, center=center, run=RunId(run))
    try:
        report = Report.model_validate(read_report(store, name, whole=True))
    except (NotFoundError, DamagedError, ValueError):
        return None
    built = report.judged.rebuild.outputs if report.judged else None
    if report.outcome is not Outcome.BUILT or built is None:
        return None
    outputs = tuple(o for o in built if o.part is not OutputKind.IGNORED)
    if not all(store.has(cas(Visibility.PRIVATE, output.sha256)) for output in outputs):
        return None
    salt = read_salt(store, release) if report.environment.visibility == "private" else None
    return OwnBuild(run=run, outputs=outputs, store=store, salt=salt)


@dataclass(frozen=True, kw_only=True)
class WorkOffer:
    """What a run of another center offers as its proof of work."""

    center: str
    run: str
    lines: tuple[SealedFile, ...]
    """Its by-products, as its provenance names them."""
    seal: Digest
    """What it committed to before it opened a shipped file."""
    provenance: StatementRef


@dataclass(frozen=True, kw_only=True)
class WorkCheck:
    """The result of checking an offer: of each by-product, and of the seal as a whole."""

    offer: WorkOffer
    seal: Proof
    files: tuple[CheckedFile, ...]

    @property
    def proof(self) -> Proof:
        """The result for the run."""
        return overall((file.proof for file in self.files), self.seal)


def check_work(offer: WorkOffer, own: OwnBuild, *, same_outputs: bool) -> WorkCheck:
    """Check what a run of the same claim offers against what this center built.

    `same_outputs` means that its findings name the same digests as ours: then its whole seal can be
    computed too. Of a private release its lines are named by number and keyed once more.
    """
    key, salt = seal_key(offer.center, offer.run), own.salt
    outputs = sorted(own.outputs, key=lambda output: output.name)
    lines = [own.line(output, key) for output in outputs]
    pairs = zip(outputs, lines, strict=True)
    expected = [line for output, line in pairs if output.part is OutputKind.BY_PRODUCT]
    if salt is not None:
        expected = [
            SealedFile(name=f"by-product-{number}", size=line.size, hmac=salt.keyed(line.hmac))
            for number, line in enumerate(expected, start=1)
        ]
    seal = Proof.NONE
    if same_outputs:
        seal = Proof.PROVED if seal_digest(lines) == offer.seal else Proof.WRONG
    return WorkCheck(offer=offer, seal=seal, files=_compare(offer.lines, expected))


def _compare(
    offered: Sequence[SealedFile], expected: Sequence[SealedFile]
) -> tuple[CheckedFile, ...]:
    """Compare lines by name: one that is not offered is absent, one that we lack is wrong."""
    times = Counter(line.name for line in offered)
    ours = {line.name: line for line in expected}
    theirs = {line.name: line for line in offered}
    return tuple(
        CheckedFile(
            name=name,
            proof=Proof.WRONG if times[name] > 1 else _proof(ours.get(name), theirs.get(name)),
        )
        for name in sorted(ours.keys() | theirs.keys())
    )


def _proof(ours: SealedFile | None, theirs: SealedFile | None) -> Proof:
    if theirs is None:
        return Proof.NONE if ours is not None and not ours.size else Proof.ABSENT
    if ours != theirs:
        return Proof.WRONG
    return Proof.PROVED if theirs.size else Proof.NONE
