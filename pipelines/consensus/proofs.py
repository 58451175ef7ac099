"""The proofs of work behind the positions on a release.

Our own check decides where we have built the same claim. Else the cross-checks that other operators
signed are taken: one that says wrong is enough to doubt, and without any there is no proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from builders.build.seal import SealedFile
from builders.core.digest import Digest
from builders.core.enums import Outcome
from pipelines.consensus.ownbuild import OwnBuild, own_build
from pipelines.consensus.position import Basis, CountedOut, Position, Signed
from pipelines.consensus.reading import center_prefix
from pipelines.consensus.verified import IndexOf, SilentError, Source, read_signed
from pipelines.consensus.work import Claimed, WorkProof, check_work
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.signed import SUFFIX
from pipelines.evidence.statements.crosscheck import (
    CheckedRun,
    CrosscheckStatement,
    Proof,
    crosscheck,
)
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.statement import DigestSet, Resource
from pipelines.log.errors import LogError
from pipelines.storage.names import check_key, encode
from pipelines.storage.store import Store

if TYPE_CHECKING:
    from pipelines.policy import Policy

_NOTHING = Digest.of(b"")


@dataclass(frozen=True, kw_only=True)
class OwnCenter:
    """The center that joins, where it has built too: its id, and the store with its bytes."""

    id: str
    store: Store


class Proofs:
    """The proofs of work for one release; each run is checked once."""

    def __init__(
        self,
        release: ReleaseName,
        sources: Iterable[Source],
        positions: Iterable[Position],
        *,
        policy: Policy,
        index_of: IndexOf,
        own: OwnCenter | None = None,
    ) -> None:
        """Check the runs behind `positions`, which `sources` tell of."""
        self._release = release
        self._sources = tuple(sources)
        self._positions = tuple(positions)
        self._policy = policy
        self._index_of = index_of
        self._own = own
        self._build = lru_cache(self._built)
        self._offered = lru_cache(self._offer)
        self.work_of = lru_cache(self._work_of)
        """Our own check of the run behind a position; None where there is nothing to check with."""

    def proved(self, position: Position) -> Position:
        """Return a position with what is shown of the work behind it, and what shows it."""
        build = self._build(position.claim)
        if self._own and position.place.center == self._own.id:
            return replace(position, work=Proof.ABSENT if build is None else _own_proof(build))
        if build is None:
            signed = list(self._crosschecks(position))
            return replace(
                position,
                work=_joined(proof for proof, _ in signed),
                proved_by=tuple(basis for _, basis in signed),
            )
        found, offered = self.work_of(position), self._offered(position)
        if found is None or offered is None:
            return replace(position, work=Proof.ABSENT)
        return replace(position, work=found.proof, proved_by=(offered[1],))

    def crosschecks(self, now: datetime) -> Iterator[tuple[str, CrosscheckStatement]]:
        """Yield what we have found of other centers' runs, with the names of the records."""
        runs = {(p.place.center, p.run): p for p in self._positions}
        for _, position in sorted(runs.items()):
            found, build = self.work_of(position), self._build(position.claim)
            offered = self._offered(position)
            if self._own is None or found is None or build is None or offered is None:
                continue
            statement = crosscheck(
                release=str(self._release),
                center=self._own.id,
                run=build.run,
                claim=position.claim,
                checked=CheckedRun(center=position.place.center, run=position.run),
                seal=offered[0].seal,
                seal_proof=found.seal,
                files=found.files,
                now=now,
            )
            yield crosscheck_key(self._release, position, self._own.id), statement

    def _work_of(self, position: Position) -> WorkProof | None:
        build, offered = self._build(position.claim), self._offered(position)
        if self._own is None or build is None or offered is None:
            return None
        if position.place.center == self._own.id:
            return None
        theirs = self._told(position.place.center, position.run)
        return check_work(
            offered[0],
            build.files,
            same_outputs=theirs == self._told(self._own.id, build.run),
            salt=build.salt,
        )

    def _built(self, claim: DigestSet) -> OwnBuild | None:
        """Return our newest build for a claim, if its bytes are still there."""
        if self._own is None:
            return None
        ours = [
            p
            for p in self._positions
            if (p.place.center, p.claim) == (self._own.id, claim) and p.outcome is Outcome.BUILT
        ]
        newest = max(ours, key=lambda p: p.index, default=None)
        if newest is None:
            return None
        return own_build(self._own.store, self._release, self._own.id, newest.run)

    def _told(self, center: str, run: str) -> set[tuple[str, DigestSet | None]]:
        return {
            (p.artefact, p.rebuilt)
            for p in self._positions
            if (p.place.center, p.run) == (center, run)
        }

    def _offer(self, position: Position) -> tuple[Claimed, Basis] | None:
        """Return the proof that a run offers in its provenance; None without one that counts."""
        center, run = position.place.center, position.run
        folder = f"{center_prefix(self._release, center)}{encode(run)}/"
        signed = self._read(center, f"{folder}provenance-1{SUFFIX}")
        if signed is None or not isinstance(signed.statement, ProvenanceStatement):
            return None
        made = signed.statement.predicate.build_definition
        details = signed.statement.predicate.run_details
        claim, named = made.internal_parameters.claim, details.metadata.invocation_id
        if (claim, named) != (position.claim, run):
            return None
        products = details.byproducts
        seals = [r.digest.sha256 for r in products if r.name == "seal" and not r.annotations]
        if seals != [position.seal] or position.seal is None:
            return None
        lines = tuple(_line(resource) for resource in products if _is_product(resource))
        claimed = Claimed(center=center, run=run, lines=lines, seal=position.seal)
        return claimed, signed.basis

    def _crosschecks(self, position: Position) -> Iterator[tuple[Proof, Basis]]:
        """Yield what centers of other operators have signed about a run."""
        for source in self._sources:
            if self._operator(source.center) in {None, position.place.operator}:
                continue
            key = crosscheck_key(self._release, position, source.center)
            signed = self._read(source.center, key)
            if signed is None or not isinstance(signed.statement, CrosscheckStatement):
                continue
            said = signed.statement.predicate
            about = (said.release, said.claim, said.checked.center, said.checked.run)
            run = (str(self._release), position.claim, position.place.center, position.run)
            if about == run and signed.statement.subject[0].digest.sha256 == position.seal:
                yield said.proof, signed.basis

    def _read(self, center: str, key: str) -> Signed | None:
        source = next((s for s in self._sources if s.center == center), None)
        if source is None:
            return None
        try:
            found = read_signed(source, key, policy=self._policy, index_of=self._index_of)
        except (SilentError, LogError):
            return None
        return None if isinstance(found, CountedOut) else found

    def _operator(self, center: str) -> str | None:
        return next((c.operator for c in self._policy.centers if c.id == center), None)


def crosscheck_key(release: ReleaseName, position: Position, checker: str) -> str:
    """Return the name of the record in which `checker` says what it found of a run."""
    parts = (
        *(release.vendor, release.product, release.version),
        *(position.place.center, position.run, f"{checker}{SUFFIX}"),
    )
    return check_key("/".join(["public/crosschecks", *map(encode, parts)]))


def _own_proof(build: OwnBuild) -> Proof:
    return Proof.PROVED if build.provable else Proof.NONE


def _joined(proofs: Iterable[Proof]) -> Proof:
    """Return what several cross-checks of one run come to: doubt first, and never a default."""
    found = set(proofs)
    for proof in (Proof.WRONG, Proof.ABSENT, Proof.PROVED, Proof.NONE):
        if proof in found:
            return proof
    return Proof.ABSENT


def _is_product(resource: Resource) -> bool:
    return (resource.annotations or {}).get("role") == "by-product"


def _line(resource: Resource) -> SealedFile:
    """Return a line of the seal; one that is not in the form of one is wrong in any case."""
    size, digest = (resource.annotations or {}).get("size", ""), resource.digest.hmac_sha256
    if digest is None or not (size.isascii() and size.isdigit() and len(size) < 17):
        return SealedFile(name=resource.name, size=-1, hmac=_NOTHING)
    return SealedFile(name=resource.name, size=int(size), hmac=digest)
