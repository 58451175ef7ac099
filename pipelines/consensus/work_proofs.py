"""The proofs of work behind the findings on a release.

Where this center has built the same claim, its own check decides. Else the cross-checks that other
operators signed are taken: one `wrong` among them is enough to doubt, and without any there is
no proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.rebuild.seal import SealedFile
from pipelines.consensus.center_finding import CenterFinding, StatementRef, newest_findings
from pipelines.consensus.finding_reader import center_prefix
from pipelines.consensus.statement_reader import (
    Source,
    StatementReader,
    UnreachableError,
    VerifiedStatement,
)
from pipelines.consensus.work_check import (
    OwnBuild,
    WorkCheck,
    WorkOffer,
    check_work,
    read_own_build,
)
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.consensus_results import (
    CheckedRun,
    Crosscheck,
    CrosscheckStatement,
    Proof,
)
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.statements.statement import DigestSet, Resource
from pipelines.log.errors import LogError
from pipelines.storage.names import check_key, encode
from pipelines.storage.store import Store

_NOTHING = Digest.of(b"")
_WORST_FIRST = (Proof.WRONG, Proof.ABSENT, Proof.PROVED, Proof.NONE)


@dataclass(frozen=True, kw_only=True)
class OwnCenter:
    """The center that joins, if it builds too: its id, and the store with its bytes."""

    id: str
    store: Store


class WorkProofs:
    """The proofs of work for one release; each run is checked once."""

    def __init__(
        self,
        release: ReleaseName,
        sources: Iterable[Source],
        findings: Iterable[CenterFinding],
        *,
        reader: StatementReader,
        own: OwnCenter | None = None,
    ) -> None:
        """Check the runs behind `findings`, whose statements are in `sources`."""
        self._release = release
        self._sources = {source.center: source for source in sources}
        self._findings = tuple(findings)
        self._reader = reader
        self._own = own
        self._runs = {(f.center.id, f.run): f for f in self._findings}
        self._own_build = cache(self._read_own_build)
        self._check = cache(self._check_run)

    def proved(self, finding: CenterFinding) -> CenterFinding:
        """Return a finding with the proof of work of its run, and the statements that give it."""
        build = self._own_build(finding.claim)
        if self._own and finding.center.id == self._own.id:
            proof = Proof.PROVED if build and build.provable else Proof.NONE
            return replace(finding, work=Proof.ABSENT if build is None else proof)
        if build is None:
            signed = list(self._crosschecks_of(finding))
            found = {proof for proof, _ in signed}
            return replace(
                finding,
                work=next((proof for proof in _WORST_FIRST if proof in found), Proof.ABSENT),
                work_evidence=tuple(ref for _, ref in signed),
            )
        checked = self._check(finding.center.id, finding.run)
        if checked is None:
            return replace(finding, work=Proof.ABSENT)
        return replace(finding, work=checked.proof, work_evidence=(checked.offer.provenance,))

    def crosschecks(self, now: datetime) -> Iterator[tuple[str, CrosscheckStatement]]:
        """Yield this center's cross-checks of others' runs, with the names of their records."""
        for (center, run), finding in sorted(self._runs.items()):
            checked, build = self._check(center, run), self._own_build(finding.claim)
            if self._own is None or checked is None or build is None:
                continue
            predicate = Crosscheck(
                release=str(self._release),
                center=self._own.id,
                run=build.run,
                claim=finding.claim,
                checked=CheckedRun(center=center, run=run),
                proof=checked.proof,
                seal=checked.seal,
                files=checked.files,
                checked_on=now,
            )
            statement = CrosscheckStatement.of(predicate, seal=checked.offer.seal)
            yield crosscheck_key(self._release, finding, self._own.id), statement

    def _read_own_build(self, claim: DigestSet) -> OwnBuild | None:
        """Return this center's newest build for a claim, if its bytes are still there."""
        if self._own is None:
            return None
        center = self._own.id
        ours = newest_findings(
            f
            for f in self._findings
            if (f.center.id, f.claim, f.outcome) == (center, claim, Outcome.BUILT)
        )
        return read_own_build(self._own.store, self._release, center, ours[0].run) if ours else None

    def _check_run(self, center: str, run: str) -> WorkCheck | None:
        """Check what a run offers; None if it offers nothing, or we have not built its claim."""
        finding = self._runs[center, run]
        build = self._own_build(finding.claim)
        if self._own is None or build is None or center == self._own.id:
            return None
        offer = self._offer(finding)
        same = self._outputs(center, run) == self._outputs(self._own.id, build.run)
        return check_work(offer, build, same_outputs=same) if offer else None

    def _outputs(self, center: str, run: str) -> set[tuple[str, DigestSet | None]]:
        """Return the rebuilt artefacts that the findings of a run name."""
        run_findings = (f for f in self._findings if (f.center.id, f.run) == (center, run))
        return {(f.artefact, f.rebuilt) for f in run_findings}

    def _offer(self, finding: CenterFinding) -> WorkOffer | None:
        """Return what the provenance of a run offers; None without a provenance that counts."""
        center, run = finding.center.id, finding.run
        folder = f"{center_prefix(self._release, center)}{encode(run)}/"
        verified = self._read(center, f"{folder}provenance-1{SUFFIX}")
        if verified is None or not isinstance(verified.statement, ProvenanceStatement):
            return None
        about = verified.statement.run_reference
        if (about.claim, about.run) != (finding.claim, run):
            return None
        products = verified.statement.predicate.run_details.byproducts
        seals = [r.digest.sha256 for r in products if r.name == "seal" and not r.annotations]
        if seals != [finding.seal] or finding.seal is None:
            return None
        lines = tuple(_line(resource) for resource in products if _is_by_product(resource))
        return WorkOffer(
            center=center, run=run, lines=lines, seal=finding.seal, provenance=verified.ref
        )

    def _crosschecks_of(self, finding: CenterFinding) -> Iterator[tuple[Proof, StatementRef]]:
        """Yield what centers of other operators have signed about the run of a finding."""
        about = (str(self._release), finding.claim, finding.center.id, finding.run)
        operators = {c.id: c.operator for c in self._reader.policy.centers}
        for center in self._sources:
            if operators.get(center) in {None, finding.center.operator}:
                continue
            verified = self._read(center, crosscheck_key(self._release, finding, center))
            if verified is None or not isinstance(verified.statement, CrosscheckStatement):
                continue
            check = verified.statement.predicate
            named = (check.release, check.claim, check.checked.center, check.checked.run)
            if named == about and verified.statement.subject[0].digest.sha256 == finding.seal:
                yield check.proof, verified.ref

    def _read(self, center: str, key: str) -> VerifiedStatement | None:
        source = self._sources.get(center)
        if source is None:
            return None
        try:
            found = self._reader.read(source, key)
        except (UnreachableError, LogError):
            return None
        return found if isinstance(found, VerifiedStatement) else None


def crosscheck_key(release: ReleaseName, finding: CenterFinding, checker: str) -> str:
    """Return the name of the record with the cross-check of a finding's run by `checker`."""
    parts = (*release.parts, finding.center.id, finding.run, f"{checker}{SUFFIX}")
    return check_key("/".join(["public/crosschecks", *map(encode, parts)]))


def _is_by_product(resource: Resource) -> bool:
    return (resource.annotations or {}).get("role") == "by-product"


def _line(resource: Resource) -> SealedFile:
    """Return a line of the seal; one in another form becomes a line that is always wrong."""
    size, digest = (resource.annotations or {}).get("size", ""), resource.digest.hmac_sha256
    if digest is None or not (size.isascii() and size.isdigit() and len(size) < 17):
        return SealedFile(name=resource.name, size=-1, hmac=_NOTHING)
    return SealedFile(name=resource.name, size=int(size), hmac=digest)
