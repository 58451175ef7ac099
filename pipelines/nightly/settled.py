"""Which releases need no joining, since nothing that their consensus depends on has changed.

A consensus is a function of the policy, the recipe, the leaves of each log about the release and
the records that they name. So a release is settled once it was joined, all of it was read, it
has no alarm and no cross-check was asked for. It stays settled until a leaf, a cosignature that
makes leaves count, a policy, a recipe or a review is new; of an update also until a release that
it is based on is not settled any more. To notice a center that removes its
records later, some settled releases are joined in each round all the same: those that were joined
longest ago.

What is kept here only says what may be skipped, and can be lost at any time.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from operator import le
from pathlib import Path

from builders.core.digest import digest_file
from builders.core.errors import SamebitsError, StoreError
from pipelines.alarms.alarm import Alarm
from pipelines.audit.center_finding import ExclusionReason
from pipelines.audit.log_index import LogIndex
from pipelines.audit.source import UnreachableError
from pipelines.consensus.joined_result import Result
from pipelines.consensus.release_consensus import ConsensusView, JoinedRelease
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.statement import DigestSet
from pipelines.log.writer_cache import remove_cache
from pipelines.policy.reviews.count import review_of
from pipelines.policy.reviews.review_records import MAX_REVIEW, REVIEWS, read_review

_LOG = logging.getLogger("samebits")
AGAIN = 500
"""Settled releases that are joined in a round all the same."""
_VERSION = 3
_TABLES = """
CREATE TABLE settled (
    release TEXT PRIMARY KEY, base TEXT NOT NULL, marks TEXT NOT NULL, claim TEXT NOT NULL,
    joined REAL NOT NULL, rests_on TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE reviews (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_LASTING = frozenset(
    {
        ExclusionReason.NOTHING,
        ExclusionReason.UNKNOWN_CENTER,
        ExclusionReason.AWAITING_WITNESS,
        ExclusionReason.OLD_EVIDENCE,
        ExclusionReason.OTHER_CLAIM,
        ExclusionReason.OTHER_SCOPE,
        ExclusionReason.OTHER_PUBLISHED,
        ExclusionReason.LATER_FAILURE,
        ExclusionReason.EQUIVALENT,
        ExclusionReason.WORK_NONE,
    }
)
"""Reasons that follow from policy, recipe and leaves alone."""
_ACCUSING = {Result.SUSPECT, Result.SPLIT, Result.NONDETERMINISTIC}
_KEYED = "keyed"
State = tuple[str, dict[str, list[int] | None]]
"""What a consensus depends on: policy and recipe, and of each center's log a mark."""


class SettledReleases:
    """The settled releases of one round, kept in a file; close them afterwards.

    Where the file cannot be read or written, a warning names it, and nothing more is kept.
    """

    def __init__(self, path: Path, view: ConsensusView, logs: LogIndex) -> None:
        """Open the file `path`; a broken one is made anew. Raises `StoreError`."""
        self._path, self._view, self._logs = path, view, logs
        self._policy = f"{view.center} {view.policy.digest} {version('samebits')}"
        self._database: sqlite3.Connection | None = None
        with self._usable():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._open()
            except sqlite3.DatabaseError:
                self.close()
                remove_cache(path)
                self._open()

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
        self._database = None

    def due(self, releases: Iterable[ReleaseName]) -> Iterator[tuple[ReleaseName, State]]:
        """Yield the releases that are to be joined now, each with what it depends on."""
        rows: list[tuple[str, str, str, str]] = []
        if (run := self._database) is not None:
            with self._usable():
                rows = run.execute(
                    "SELECT release, base, marks, rests_on FROM settled ORDER BY joined, release"
                ).fetchall()
        known = {row[0]: row[1:] for row in rows[AGAIN:]}
        del rows
        settled: dict[str, bool] = {}
        for release in releases:
            state = self._state(release)
            if not self._is_settled((release, state), known, settled):
                yield release, state

    def _is_settled(
        self,
        due: tuple[ReleaseName, State],
        known: Mapping[str, tuple[str, str, str]],
        settled: dict[str, bool],
    ) -> bool:
        """Return whether nothing has changed of a release, and of all that it is based on.

        `settled` says so of those that were looked at before.
        """
        release, state = str(due[0]), due[1]
        chain = [release]
        while chain:
            name = chain[-1]
            before = known.get(name)
            below = json.loads(before[2]) if before else []
            if name not in settled:
                now = state if name == release else self._state(ReleaseName.parse(name))
                settled[name] = before is not None and _equal(
                    (before[0], json.loads(before[1])), now
                )
                chain += below if settled[name] else []
            else:
                settled[name] = settled[name] and all(settled[one] for one in below)
                chain.pop()
        return settled[release]

    def keep(
        self, joined: JoinedRelease, raised: Collection[Alarm], state: State, now: datetime
    ) -> None:
        """Keep of a release that was joined that it is settled, if it is; `raised` are its alarms.

        Acknowledged ones count too: an acknowledgement may come to count no more.
        """
        if self._database is None:
            return
        name, (base, marks) = str(joined.read.release), state
        claims = {one.subject.claim for one in joined.consensus.artefacts}
        with self._usable(), self._database as run:
            run.execute("DELETE FROM settled WHERE release = ?", (name,))
            if (
                not raised
                and _is_settled(joined)
                and None not in marks.values()
                and len(claims) == 1
            ):
                rests_on = {one.base.base.release for one in joined.consensus.artefacts if one.base}
                row = (
                    *(name, base, json.dumps(marks), _claim(claims.pop()), now.timestamp()),
                    json.dumps(sorted(rests_on)),
                )
                run.execute("INSERT INTO settled VALUES (?, ?, ?, ?, ?, ?)", row)

    def _state(self, release: ReleaseName) -> State:
        recipe = self._view.recipes.joinpath(
            "releases", *release.parts[:2], f"{release.version}.yaml"
        )
        read = str(digest_file(recipe)) if recipe.is_file() else "none"
        return f"{self._policy} {read}", {
            source.center: self._mark(source.center, str(release)) for source in self._view.sources
        }

    def _mark(self, center: str, release: str) -> list[int] | None:
        """Return the mark of a center's log; None where it cannot be read, [] where it is bad."""
        try:
            return list(self._logs.mark(center, release))
        except UnreachableError:
            return None
        except SamebitsError:  # an unknown center, or a log that is broken
            return []

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Close a file that cannot be read or written, with a warning."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            _LOG.warning(
                "%s cannot be used, so releases that have not changed are joined too: %s",
                self._path,
                error,
            )
            self.close()

    def _open(self) -> None:
        self._database = run = sqlite3.connect(self._path, timeout=60)
        run.execute("PRAGMA journal_mode = WAL")
        run.execute("PRAGMA synchronous = NORMAL")  # a lost end is joined again
        if run.execute("PRAGMA user_version").fetchone() != (_VERSION,):
            _make(run)
        self._forget_reviewed(run)

    def _forget_reviewed(self, run: sqlite3.Connection) -> None:
        """Forget the releases whose claims have new reviews.

        A review that cannot be read now is looked at again in the next round.
        """
        store = self._view.store
        seen = {name for (name,) in run.execute("SELECT name FROM reviews")}
        new = [name for name in store.list(REVIEWS) if name not in seen]
        (some,) = run.execute("SELECT count(*) FROM settled").fetchone()
        claims = set()
        for name in tuple(new) if some else ():
            try:
                claims.add(_claim(review_of(read_review(store.get(name, MAX_REVIEW))).claim))
            except StoreError:
                new.remove(name)
            except SamebitsError:  # it counts for nothing
                continue
        with run:
            run.executemany("DELETE FROM settled WHERE claim = ?", [(claim,) for claim in claims])
            run.executemany("INSERT INTO reviews VALUES (?)", [(name,) for name in new])


def _make(database: sqlite3.Connection) -> None:
    with database as run:
        for table in ("settled", "reviews"):
            run.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in filter(str.strip, _TABLES.split(";")):
            run.execute(statement)
        run.execute(f"PRAGMA user_version = {_VERSION}")


def _equal(known: State, state: State) -> bool:
    """Return whether nothing has changed; a log that cannot be read now says nothing new."""
    if known[0] != state[0] or known[1].keys() != state[1].keys():
        return False
    return all(_says_nothing_new(known[1][center], mark) for center, mark in state[1].items())


def _says_nothing_new(known: list[int] | None, mark: list[int] | None) -> bool:
    """Compare marks of a log; what was witnessed once is, even if the witness does not answer."""
    if not mark or not known:
        return mark is None or mark == known
    return mark[:-2] == known[:-2] and all(map(le, mark[-2:], known[-2:]))


def _is_settled(joined: JoinedRelease) -> bool:
    artefacts = joined.consensus.artefacts
    excluded = [*joined.consensus.excluded, *(e for one in artefacts for e in one.excluded)]
    return not (
        joined.read.dissents
        or joined.read.proofs.asked_others
        or any(one.alarms or one.result in _ACCUSING for one in artefacts)
        or any(one.base is not None and one.base.fault is not None for one in artefacts)
        or any(e.reason not in _LASTING for e in excluded)
    )


def _claim(claim: DigestSet | None) -> str:
    """Return a claim in one word; those of private releases are all told as one."""
    return str(claim.sha256) if claim and claim.sha256 else _KEYED
