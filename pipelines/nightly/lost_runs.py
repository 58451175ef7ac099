"""Publishing the seals of own runs whose outputs are lost, so that nobody takes them for hidden.

Joining finds which runs are open. One that this machine began and that has no folder here any more
cannot be completed; nor can one of another machine, once it is abandoned.
"""

from __future__ import annotations

from collections.abc import Iterable

from builders.rebuild.workspace import is_alive
from pipelines.audit.center_finding import ExclusionReason
from pipelines.audit.statement_reader import LogLookup
from pipelines.consensus import ReleaseConsensus
from pipelines.evidence.release_name import ReleaseName
from pipelines.storage.names import release_run
from pipelines.verify.kept_seal import publish_seal_lines, read_kept_seal
from pipelines.verify.session import Session

_OPEN = frozenset({ExclusionReason.OPEN, ExclusionReason.ABANDONED})


def publish_lost(
    session: Session, joined: Iterable[ReleaseConsensus], logs: LogLookup
) -> tuple[str, ...]:
    """Publish the lines of the own runs that cannot be completed; returns the names of the records.

    Raises what reading the own store and log does, and what the signer does.
    """
    own = session.center.id
    published = []
    for one in joined:
        for excluded in one.excluded:
            if excluded.center == own and excluded.reason in _OPEN:
                for index in excluded.indexes:
                    run = logs.commitment(own, index).run
                    abandoned = excluded.reason is ExclusionReason.ABANDONED
                    if _is_lost(session, one.release, run, abandoned=abandoned):
                        published.append(publish_seal_lines(session, str(one.release), run))
    return tuple(name for name in published if name)


def _is_lost(session: Session, release: ReleaseName, run: str, *, abandoned: bool) -> bool:
    """Return whether nobody can complete a run any more."""
    center, store = session.center, session.store
    folder = release_run(*release.parts, center.id, run)
    if is_alive(center.runs, run) or (center.runs / run).exists():
        return False
    if store.has(f"{folder}attempt-1.dsse.json"):  # it was stated just now
        return False
    kept = read_kept_seal(store, str(release), center.id, run)
    return kept is not None and (kept.is_here or abandoned)
