"""Whether a center did the work: its keyed digests, computed again from this center's own bytes.

The key is that of the one run (`builders.rebuild.seal`), so a line can neither be copied from
another run nor made from a digest. An empty file proves nothing: its bytes are known to all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from builders.core.digest import Digest, keyed_digest_stream
from builders.core.enums import Outcome
from builders.core.errors import NotFoundError
from builders.core.runid import RunId
from builders.rebuild.rebuild_result import OutputKind
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
class OwnOutput:
    """A file that this center built; its size is in bytes."""

    name: str
    size: int
    by_product: bool
    open: Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, kw_only=True)
class OwnBuild:
    """The outputs of one run of this center, and the salt of a private release."""

    run: str
    outputs: tuple[OwnOutput, ...]
    salt: Salt | None = None

    @property
    def provable(self) -> bool:
        """Whether there is a by-product that proves anything: an empty file does not."""
        return any(output.by_product and output.size for output in self.outputs)


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
    judged = report.judged
    if report.outcome is not Outcome.BUILT or judged is None:
        return None
    outputs = [o for o in judged.rebuild.outputs if o.part is not OutputKind.IGNORED]
    if not all(store.has(cas(Visibility.PRIVATE, output.sha256)) for output in outputs):
        return None
    return OwnBuild(
        run=run,
        outputs=tuple(
            OwnOutput(
                name=output.name,
                size=output.size,
                by_product=output.part is OutputKind.BY_PRODUCT,
                open=partial(store.open, cas(Visibility.PRIVATE, output.sha256)),
            )
            for output in outputs
        ),
        salt=read_salt(store, release) if report.environment.visibility == "private" else None,
    )


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

    seal: Proof
    files: tuple[CheckedFile, ...]

    @property
    def proof(self) -> Proof:
        """The result for the run."""
        return overall((file.proof for file in self.files), self.seal)


def check_work(
    offer: WorkOffer, own: Sequence[OwnOutput], *, same_outputs: bool, salt: Salt | None = None
) -> WorkCheck:
    """Check what a run of the same claim offers against this center's `own` outputs.

    `same_outputs` means that its findings name the same digests as ours: then its whole seal can be
    computed too. With a `salt`, its lines are named by number and keyed once more.
    """
    key = seal_key(offer.center, offer.run)
    lines = sorted((_line(output, key) for output in own), key=lambda line: line.name)
    by_products = {output.name for output in own if output.by_product}
    expected = [line for line in lines if line.name in by_products]
    if salt is not None:
        expected = [
            SealedFile(name=f"by-product-{number}", size=line.size, hmac=salt.keyed(line.hmac))
            for number, line in enumerate(expected, start=1)
        ]
    seal = Proof.NONE
    if same_outputs:
        seal = Proof.PROVED if seal_digest(lines) == offer.seal else Proof.WRONG
    return WorkCheck(seal=seal, files=_compare(offer.lines, expected))


def _line(output: OwnOutput, key: bytes) -> SealedFile:
    with output.open() as stream:
        hmac = keyed_digest_stream(key, stream)
    return SealedFile(name=output.name, size=output.size, hmac=hmac)


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
