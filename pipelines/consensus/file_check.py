"""What the centers of a policy have found about one file, by its digest.

Each run writes an entry for every file of it into its center's store. Entries are not signed: they
only say which releases to audit, and any center's entry will do. What is said about the file comes
from the audit alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import EXIT_NOT_CHECKED
from pipelines.audit.center_finding import CenterFinding, Excluded, ExclusionReason
from pipelines.audit.source import OBJECT_ERRORS, Source, UnreachableError
from pipelines.audit.witnessed import Witnessed
from pipelines.consensus.consensus_result import Consensus, consensus_exit_code
from pipelines.consensus.release_consensus import (
    ConsensusView,
    ReleaseConsensus,
    ReleaseFindings,
    base_chains,
    join_releases,
    read_logs,
)
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.file_index import MAX_ENTRY, entry_folder, read_entry
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.statement import value_of
from pipelines.judge.finding import EXIT_FAILED, verdicts_exit_code

MAX_ENTRIES = 10_000
"""Entries of one file in one store; more than that cannot be listed."""
MAX_RELEASES = 200
"""Releases that one store can name for a file."""


class FileRole(StrEnum):
    """The place of a file in a finding."""

    PUBLISHED = "published"
    SERVED = "served"
    REBUILT = "rebuilt"


@dataclass(frozen=True, kw_only=True)
class FileFinding:
    """What one run of one center found of a file."""

    release: ReleaseName
    role: FileRole
    finding: CenterFinding
    witnessed: Witnessed
    """The part of the center's log that counts; the finding is below it."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        found = self.finding
        return {
            **asdict(self.release),
            "center": found.center.id,
            "run": found.run,
            "artefact": found.artefact,
            "met": str(self.role),
            "verdict": str(found.verdict),
            "operator": found.center.operator,
            "region": found.center.region,
            "outcome": str(found.outcome),
            "log_index": found.index,
            "witnesses": list(self.witnessed.witnesses),
            "statement": str(found.comparison.digest),
        }


@dataclass(frozen=True, kw_only=True)
class SealedFinding:
    """Whether a run whose outputs are lost had built the file, by the lines of its seal."""

    release: ReleaseName
    center: str
    run: str
    artefact: str
    matches: bool

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            **asdict(self.release),
            "center": self.center,
            "run": self.run,
            "artefact": self.artefact,
            "matches": self.matches,
        }


@dataclass(frozen=True, kw_only=True)
class FileCheck:
    """What is known of a file."""

    findings: tuple[FileFinding, ...]
    """Newest first, by the ids of their runs."""
    consensus: tuple[tuple[ReleaseName, Consensus], ...]
    """Of each release that published the file."""
    excluded: tuple[tuple[ReleaseName, Excluded], ...]
    """Statements about those releases that do not count."""
    silent: tuple[str, ...]
    """Centers whose store does not answer, or names too many releases."""
    sealed: tuple[SealedFinding, ...]
    """What is known by the seals of runs whose outputs are lost."""
    unwitnessed: bool
    """Whether the policy requires no witness of the logs."""

    @property
    def exit_code(self) -> int:
        """That of the consensus, and 1 for one that is pending where an operator dissents.

        Without a consensus, 1 for a file that was found to be another one, else 2.
        """
        if self.consensus:
            code = consensus_exit_code(one for _, one in self.consensus)
            dissent = any(one.dissenting for _, one in self.consensus)
            return EXIT_FAILED if code == EXIT_NOT_CHECKED and dissent else code
        verdicts = [found.finding.verdict for found in self.findings]
        return verdicts_exit_code(verdicts) or EXIT_NOT_CHECKED

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "runs": [found.to_dict() for found in self.findings],
            "consensus": [
                {"release": str(release), **one.to_dict()} for release, one in self.consensus
            ],
            "counted_out": [
                {"release": str(release), **one.to_dict()} for release, one in self.excluded
            ],
            "sealed": [found.to_dict() for found in self.sealed],
            "silent": list(self.silent),
            "unwitnessed": self.unwitnessed,
            "exit_code": self.exit_code,
        }


def check_file(view: ConsensusView, digest: Digest, file: Path | None = None) -> FileCheck:
    """Audit every release that a center names for a file; raises `StoreError` for the own store.

    `file` has the bytes, which are compared with the seals of runs whose outputs are lost.
    """
    named: list[set[ReleaseName]] = []
    silent = []
    for source in view.sources:
        try:
            named.append(_named(source, digest))
        except UnreachableError:
            if not source.peer:
                raise
            silent.append(source.center)
    releases = _in_turn(named)
    logs = read_logs(view, releases)
    chains = base_chains(view, logs)
    given = (digest, file) if file else None
    all_joined = [
        join() for join in join_releases(view, releases, logs=logs, chains=chains, given=given)
    ]
    findings: list[FileFinding] = []
    consensus: list[tuple[ReleaseName, Consensus]] = []
    excluded: list[tuple[ReleaseName, Excluded]] = []
    sealed: list[SealedFinding] = []
    for joined in sorted(all_joined, key=lambda one: str(one.read.release)):
        release = joined.read.release
        sealed += _sealed(joined.read, joined.consensus, digest)
        findings += (
            FileFinding(
                release=release,
                role=role,
                finding=finding,
                witnessed=logs.witnessed(finding.center.id),
            )
            for finding in joined.read.findings
            if (role := files_of(finding).get(digest))
        )
        consensus += (
            (release, one) for one in joined.consensus.artefacts if one.subject.published == digest
        )
        excluded += (
            (release, one)
            for one in joined.read.excluded
            if (one.center, one.reason) != (view.center, ExclusionReason.UNKNOWN_CENTER)
        )
    findings.sort(key=lambda found: found.finding.run, reverse=True)
    return FileCheck(
        findings=tuple(findings),
        consensus=tuple(consensus),
        excluded=tuple(excluded),
        silent=tuple(silent),
        unwitnessed=not view.policy.policy.requires_witnesses,
        sealed=tuple(sealed),
    )


def _sealed(
    read: ReleaseFindings, consensus: ReleaseConsensus, digest: Digest
) -> Iterator[SealedFinding]:
    """Yield what the lines of lost runs say of a file, for each artefact that is published so."""
    for one in consensus.artefacts:
        about = one.subject
        for dissent in read.dissents if about.published == digest else ():
            matches = read.held.has_line(dissent, about.artefact, digest)
            if matches is not None and dissent.claim == value_of(about.claim):
                yield SealedFinding(
                    release=read.release,
                    center=dissent.center.id,
                    run=dissent.run,
                    artefact=about.artefact,
                    matches=matches,
                )


def _named(source: Source, digest: Digest) -> set[ReleaseName]:
    """Return the releases that a store names for a file; raises `UnreachableError`."""
    found: set[ReleaseName] = set()
    for key in source.names(entry_folder(digest), limit=MAX_ENTRIES):
        try:
            found.add(read_entry(source.get(key, MAX_ENTRY), key).release)
        except (MalformedError, *OBJECT_ERRORS):
            continue  # it names nothing
        if len(found) > MAX_RELEASES:
            raise UnreachableError(
                "a store names too many releases for one file", got=f"more than {MAX_RELEASES}"
            )
    return found


def _in_turn(named: Iterable[set[ReleaseName]]) -> list[ReleaseName]:
    """Return the releases that stores name: the first of each store, the second of each, and so on.

    Each release costs part of every peer's budget. Releases that one store invents so leave enough
    for those that the others name.
    """
    places: dict[ReleaseName, int] = {}
    for releases in named:
        for place, release in enumerate(sorted(releases, key=str)):
            places[release] = min(place, places.get(release, place))
    return sorted(places, key=lambda release: (places[release], str(release)))


def files_of(finding: CenterFinding) -> dict[Digest, FileRole]:
    """Return the plain digests of the files that a finding is about, each with its first role."""
    rebuilt = finding.rebuilt.sha256 if finding.rebuilt else None
    roles: Iterable[tuple[Digest | None, FileRole]] = (
        (finding.published, FileRole.PUBLISHED),
        (finding.served, FileRole.SERVED),
        (rebuilt, FileRole.REBUILT),
    )
    found: dict[Digest, FileRole] = {}
    for digest, role in roles:
        if digest is not None:
            found.setdefault(digest, role)
    return found
