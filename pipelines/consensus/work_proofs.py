"""The proofs of work behind the findings on a release: keyed digests, made again from own bytes.

Where this center has built the same claim, its own check decides. Else the cross-checks that other
operators signed are taken: one `wrong` among them is enough to doubt, and without any there is
no proof. Matches count together only if each of their operators has checked all others: where
those who built nothing vouch for each other, one that is honest is enough to find out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.rebuild.seal import SealedFile
from pipelines.audit.center_audit import provenance_key
from pipelines.audit.center_finding import (
    MATCHES,
    CenterFinding,
    StatementRef,
    newest_findings,
)
from pipelines.audit.source import BehindError, OwnSource, Source, UnreachableError
from pipelines.audit.statement_reader import StatementReader, VerifiedStatement
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

_NOTHING = Digest.of(b"")
_Word = tuple[str, Proof, StatementRef]
"""What an operator has signed about a run, and where."""
_COUNTS = frozenset({Proof.PROVED, Proof.NONE})
_WORST_FIRST = (Proof.WRONG, Proof.ABSENT, Proof.PROVED, Proof.NONE)


class WorkProofs:
    """The proofs of work for one release; each run is checked once."""

    def __init__(
        self,
        release: ReleaseName,
        sources: Iterable[Source],
        findings: Iterable[CenterFinding],
        *,
        reader: StatementReader,
        own: OwnSource | None = None,
        provenance: Mapping[tuple[str, str], VerifiedStatement] | None = None,
    ) -> None:
        """Check the runs behind `findings`, whose statements are in `sources`.

        `own` is the center that joins, if it builds too. `provenance` is what has been read
        already, by center and run.
        """
        self._release = release
        self._sources = {source.center: source for source in sources}
        self._findings = tuple(findings)
        self._reader = reader
        self._own = own
        self._provenance = provenance or {}
        self._runs = {(f.center.id, f.run): f for f in self._findings}
        self.asked_others = False
        """Whether cross-checks of others decided over a run, more of which may come."""
        self.behind: dict[str, str] = {}
        """The centers of which more was to be read than their budgets allow, and why."""
        self._own_build = cache(self._read_own_build)
        self._check = cache(self._check_run)
        self._words = cache(self._crosschecks_of)
        self._rivals = cache(self._find_rivals)

    def proved(self, finding: CenterFinding) -> CenterFinding:
        """Return a finding with the proof of work of its run, and the statements that give it."""
        build = self._own_build(finding.claim, finding.scope)
        if self._own and finding.center.id == self._own.center:
            proof = Proof.PROVED if build and build.provable else Proof.NONE
            return replace(finding, work=Proof.ABSENT if build is None else proof)
        if build is None:
            rivals = self._rivals(*_question(finding))
            if finding not in rivals:  # a later match of its center stands for it
                return replace(finding, work=Proof.ABSENT)
            refs = tuple(ref for _, _, ref in self._words(finding.center.id, finding.run))
            work = self._work(finding)
            if work in _COUNTS and finding not in self._vouched(rivals):
                work = Proof.ABSENT
            return replace(finding, work=work, work_evidence=refs)
        checked = self._check(finding.center.id, finding.run)
        if checked is None:
            return replace(finding, work=Proof.ABSENT)
        return replace(finding, work=checked.proof, work_evidence=(checked.offer.provenance,))

    def _work(self, finding: CenterFinding) -> Proof:
        """Return the worst that other operators have signed about the run of a finding."""
        found = {proof for _, proof, _ in self._words(finding.center.id, finding.run)}
        alone = {center.operator for center in self._reader.policy.centers}
        nothing = Proof.ABSENT if len(alone) > 1 else Proof.NONE  # nobody else could sign one
        return next((proof for proof in _WORST_FIRST if proof in found), nothing)

    def _find_rivals(
        self, artefact: str, published: Digest, claim: DigestSet, scope: DigestSet | None
    ) -> tuple[CenterFinding, ...]:
        """Return the newest match of each center for the same claim and scope."""
        about = (artefact, published, claim)
        return newest_findings(
            f
            for f in self._findings
            if (f.artefact, f.published, f.claim) == about
            and (f.scope == scope or None in {f.scope, scope})
            and f.verdict in MATCHES
        )

    def _vouched(self, rivals: Iterable[CenterFinding]) -> list[CenterFinding]:
        """Return those of matches beside each other whose operators have all checked each other.

        Who lacks the most checks is left out first: one that checks nobody stops nobody else.
        """
        left = [f for f in rivals if self._work(f) in _COUNTS]
        while True:
            lacks = [(sum(self._lacks(f, other) for other in left), f.center.id) for f in left]
            most, center = max(lacks, default=(0, ""))
            if not most:
                return left
            left = [f for f in left if f.center.id != center]

    def _lacks(self, one: CenterFinding, other: CenterFinding) -> bool:
        """Return whether the operator of one of two findings has not checked the other."""
        if one.center.operator == other.center.operator:
            return False
        pairs = ((one, other), (other, one))
        return any(
            by.center.operator not in {o for o, _, _ in self._words(of.center.id, of.run)}
            for by, of in pairs
        )

    def crosschecks(self, now: datetime) -> Iterator[tuple[str, CrosscheckStatement]]:
        """Yield this center's cross-checks of others' runs, with the names of their records."""
        for (center, run), finding in sorted(self._runs.items()):
            checked = self._check(center, run)
            if checked is None:
                continue
            predicate = Crosscheck(
                release=str(self._release),
                center=checked.own.center,
                run=checked.own.run,
                claim=finding.claim,
                checked=CheckedRun(center=center, run=run),
                proof=checked.proof,
                seal=checked.seal,
                files=checked.files,
                checked_on=now,
            )
            statement = CrosscheckStatement.of(predicate, seal=checked.offer.seal)
            yield crosscheck_key(self._release, center, run, predicate.center), statement

    def _read_own_build(self, claim: DigestSet, scope: DigestSet | None) -> OwnBuild | None:
        """Return this center's newest build for claim and scope, if its bytes are still there."""
        if self._own is None:
            return None
        center = self._own.center
        ours = newest_findings(
            f
            for f in self._findings
            if (f.center.id, f.claim, f.outcome) == (center, claim, Outcome.BUILT)
            and (f.scope == scope or None in {f.scope, scope})
        )
        return read_own_build(self._own.store, self._release, center, ours[0].run) if ours else None

    def _check_run(self, center: str, run: str) -> WorkCheck | None:
        """Check what a run offers; None if it offers nothing, or we have not built its claim."""
        finding = self._runs[center, run]
        build = self._own_build(finding.claim, finding.scope)
        if build is None or center == build.center:
            return None
        offer = self._offer(finding)
        same = self._outputs(center, run) == self._outputs(build.center, build.run)
        return check_work(offer, build, same_outputs=same) if offer else None

    def _outputs(self, center: str, run: str) -> set[tuple[str, DigestSet | None]]:
        """Return the rebuilt artefacts that the findings of a run name."""
        run_findings = (f for f in self._findings if (f.center.id, f.run) == (center, run))
        return {(f.artefact, f.rebuilt) for f in run_findings}

    def _offer(self, finding: CenterFinding) -> WorkOffer | None:
        """Return what the provenance of a run offers; None without a provenance that counts."""
        center, run = finding.center.id, finding.run
        key = provenance_key(self._release, center, run)
        verified = self._provenance.get((center, run)) or self._read(center, key)
        if verified is None or not isinstance(verified.statement, ProvenanceStatement):
            return None
        made = verified.statement
        about = made.run_reference
        if (about.claim, about.run) != (finding.claim, run):
            return None
        if finding.seal is None or [d.sha256 for d in made.written("seal")] != [finding.seal]:
            return None
        lines = tuple(_line(resource) for resource in made.by_products)
        return WorkOffer(
            center=center, run=run, lines=lines, seal=finding.seal, provenance=verified.ref
        )

    def _crosschecks_of(self, checked: str, run: str) -> tuple[_Word, ...]:
        """Return what centers of other operators have signed about a run of a center."""
        finding, found = self._runs[checked, run], []
        about = (str(self._release), finding.claim, finding.center.id, finding.run)
        operators = {c.id: c.operator for c in self._reader.policy.centers}
        self.asked_others = True
        for center in self._sources:
            if operators.get(center) in {None, finding.center.operator}:
                continue
            verified = self._read(center, crosscheck_key(self._release, checked, run, center))
            if verified is None or not isinstance(verified.statement, CrosscheckStatement):
                continue
            check = verified.statement.predicate
            named = (check.release, check.claim, check.checked.center, check.checked.run)
            if named == about and verified.statement.subject[0].digest.sha256 == finding.seal:
                found.append((operators[center], check.proof, verified.ref))
        return tuple(found)

    def _read(self, center: str, key: str) -> VerifiedStatement | None:
        try:
            found = self._reader.read(self._sources[center], key)
        except BehindError as error:
            self.behind[center] = str(error.got)
            return None
        except (UnreachableError, LogError):
            return None
        return found if isinstance(found, VerifiedStatement) else None


def _question(finding: CenterFinding) -> tuple[str, Digest, DigestSet, DigestSet | None]:
    """Return what a match answers: the same question is asked of all centers."""
    return finding.artefact, finding.published, finding.claim, finding.scope


def crosscheck_key(release: ReleaseName, center: str, run: str, checker: str) -> str:
    """Return the name of the record with the cross-check of a center's run by `checker`."""
    parts = (*release.parts, center, run, f"{checker}{SUFFIX}")
    return check_key("/".join(["public/crosschecks", *map(encode, parts)]))


def _line(resource: Resource) -> SealedFile:
    """Return a line of the seal; one in another form becomes a line that is always wrong."""
    size, digest = resource.annotation("size") or "", resource.digest.hmac_sha256
    if digest is None or not (size.isascii() and size.isdigit() and len(size) < 17):
        return SealedFile(name=resource.name, size=-1, hmac=_NOTHING)
    return SealedFile(name=resource.name, size=int(size), hmac=digest)
