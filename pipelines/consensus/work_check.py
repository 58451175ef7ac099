"""What a run of another center built, checked against what this center built from the same claim.

The key is that of the one run (`builders.rebuild.seal`), so a line can neither be copied from
another run nor made from a digest. A file that is empty, shipped, or published elsewhere by the
vendor proves nothing: its bytes are known to all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from builders.core.digest import Digest, keyed_digest_stream
from builders.core.enums import Outcome
from builders.core.errors import NotFoundError
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.rebuild.seal import SealedFile, hide_names, seal_digest, seal_key
from pipelines.audit.center_finding import StatementRef
from pipelines.evidence.redaction import redact_by_products
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.salt import Salt, read_salt
from pipelines.evidence.statements.consensus_results import CheckedFile, Proof, overall
from pipelines.evidence.stored_runs import RunName, stored_report
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import DamagedError, Store


@dataclass(frozen=True, kw_only=True)
class OwnBuild:
    """The outputs of one run of this center, whose bytes are in `store`."""

    center: str
    run: str
    outputs: tuple[Output, ...]
    store: Store
    salt: Salt | None = None
    """Of a private release."""

    @property
    def provable(self) -> bool:
        """Whether there is a by-product that proves anything."""
        return any(self.proves(output) for output in self.outputs)

    def proves(self, output: Output) -> bool:
        """Whether only who built has the bytes of an output."""
        shipped = {o.sha256 for o in self.outputs if not o.part.is_by_product}
        private = output.part is OutputKind.BY_PRODUCT and output.sha256 not in shipped
        return private and output.size > 0

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
    name = RunName.of(release, center, run)
    try:
        report = stored_report(store, name, whole=True)
    except (NotFoundError, DamagedError):
        return None
    built = report.judged.rebuild.outputs if report.judged else None
    if report.outcome is not Outcome.BUILT or built is None:
        return None
    outputs = tuple(o for o in built if o.part is not OutputKind.IGNORED)
    if not all(store.has(cas(Visibility.PRIVATE, output.sha256)) for output in outputs):
        return None
    salt = read_salt(store, release) if report.environment.visibility == "private" else None
    return OwnBuild(center=center, run=run, outputs=outputs, store=store, salt=salt)


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
    own: OwnBuild
    seal: Proof
    files: tuple[CheckedFile, ...]

    @property
    def proof(self) -> Proof:
        """The result for the run."""
        return overall((file.proof for file in self.files), self.seal)


def check_work(offer: WorkOffer, own: OwnBuild, *, same_outputs: bool) -> WorkCheck:
    """Check what a run of the same claim offers against what this center built.

    `same_outputs` means that its findings name the same digests as ours: then its whole seal can be
    computed too. Of a private release its lines are named by number and keyed once more. The salt
    is part of its key, which it was not in evidence of version 0.1: such a seal counts too.
    """
    secrets = [own.salt.secret, b""] if own.salt else [b""]
    checks = [_check_under(secret, offer, own, same_outputs=same_outputs) for secret in secrets]
    return next((check for check in checks if check.proof is not Proof.WRONG), checks[0])


def _check_under(
    secret: bytes, offer: WorkOffer, own: OwnBuild, *, same_outputs: bool
) -> WorkCheck:
    key = seal_key(offer.center, offer.run, secret)
    outputs = sorted(own.outputs, key=lambda output: output.name)
    lines = [own.line(output, key) for output in outputs]
    pairs = [p for p in zip(outputs, lines, strict=True) if p[0].part.is_by_product]
    expected = [line for _, line in pairs]
    if own.salt is not None:
        expected = list(redact_by_products(expected, own.salt))
    proving = {e.name for (o, _), e in zip(pairs, expected, strict=True) if own.proves(o)}
    seal = Proof.NONE
    if same_outputs:
        found = seal_digest(hide_names(lines, key) if secret else lines)
        seal = Proof.PROVED if found == offer.seal else Proof.WRONG
    return WorkCheck(
        offer=offer, own=own, seal=seal, files=_compare(offer.lines, expected, proving)
    )


def _compare(
    offered: Sequence[SealedFile], expected: Sequence[SealedFile], proving: AbstractSet[str]
) -> tuple[CheckedFile, ...]:
    """Compare lines by name: one that is not offered is absent, one that we lack is wrong.

    Of those that are right only the lines named in `proving` prove anything.
    """
    times = Counter(line.name for line in offered)
    ours = {line.name: line for line in expected}
    theirs = {line.name: line for line in offered}
    return tuple(
        CheckedFile(
            name=name,
            proof=Proof.WRONG
            if times[name] > 1
            else _proof(ours.get(name), theirs.get(name), proves=name in proving),
        )
        for name in sorted(ours.keys() | theirs.keys())
    )


def _proof(ours: SealedFile | None, theirs: SealedFile | None, *, proves: bool) -> Proof:
    if theirs is None:
        return Proof.NONE if ours is not None and not ours.size else Proof.ABSENT
    if ours != theirs:
        return Proof.WRONG
    return Proof.PROVED if proves else Proof.NONE
