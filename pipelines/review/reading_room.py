"""The releases that are being read: unpacked once, and compared with what was approved before.

What is unpacked stays until it is pushed out by others, or the room is closed. A recipe that was
changed meanwhile is opened anew, so that a page never shows another claim than the recipe has.

Several pages are read at once: each release is unpacked by one of them, each comparison is made by
one, and the others wait for that alone. What is pushed out is removed when no page is being made.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Self

from builders.core.errors import SamebitsError
from builders.core.yamlfile import read_text
from builders.recipe.recipe import LoadedRecipe, load_recipe
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import SourceFact
from pipelines.policy import Policy
from pipelines.policy.reviews.review_records import stored_reviews
from pipelines.verify.last_approved import ApprovedRelease, last_approved
from pipelines.verify.release_source import ReleaseSource, recipe_of, unpacked_sources
from pipelines.verify.renames import with_renames
from pipelines.verify.review_subject import ReviewSubject, subject_of
from pipelines.verify.session import Session
from pipelines.verify.source_diff import SourceChange, SourceFile, changed_files, release_tree

MAX_OPEN = 6
"""Releases whose source is unpacked at a time."""
MINE, POLICY, NOTHING = "mine", "policy", "nothing"


@dataclass(frozen=True, kw_only=True)
class OpenedSource:
    """The unpacked source of a release, and what a review of it would name."""

    loaded: LoadedRecipe
    text: str
    """The recipe as it is written."""
    sources: tuple[ReleaseSource, ...]
    subject: ReviewSubject
    held: ExitStack = field(repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Is held while one of these is found out."""
    changes: dict[str, tuple[OpenedSource | None, list[SourceChange]]] = field(
        default_factory=dict, repr=False
    )
    """By release that it was compared with, which may have been opened anew since."""
    approved: dict[str, ApprovedRelease | None] = field(default_factory=dict, repr=False)
    """What was approved last, by kind of reviewers."""

    @cached_property
    def files(self) -> dict[str, SourceFile]:
        """The files by path."""
        return release_tree(self.sources)


@dataclass(frozen=True, kw_only=True)
class Before:
    """What the source is compared with."""

    which: str
    """`mine`, `policy`, `nothing`, or a release."""
    release: str | None = None
    approved: ApprovedRelease | None = None


class ReadingRoom:
    """The releases that a reviewer reads at one center; for several threads."""

    def __init__(
        self,
        session: Session,
        *,
        reviewer: str,
        keys: Sequence[PublicKey],
        recipes: Sequence[Path] = (),
    ) -> None:
        """Read for `reviewer`, whose approvals are signed with `keys`, or with those of the policy.

        `recipes` are read beside those of the center.
        """
        self.session, self.reviewer = session, reviewer
        self._keys = list(keys)
        self._paths = {load_recipe(path).recipe.release: path.absolute() for path in recipes}
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._open: OrderedDict[str, OpenedSource] = OrderedDict()
        self._dropped: list[OpenedSource] = []
        self._reading = 0

    def __enter__(self) -> Self:
        """Return the room."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove everything that was unpacked."""
        with self.reading():
            while self._open:
                self._drop(next(iter(self._open)))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep the files of everything that is open while the block lasts."""
        with self._lock:
            self._reading += 1
        try:
            yield
        finally:
            with self._lock:
                self._reading -= 1
                gone: list[OpenedSource] = []
                if not self._reading:
                    gone, self._dropped = self._dropped, []
            for one in gone:
                one.held.close()

    def releases(self, containing: str = "") -> list[str]:
        """Return the releases that can be read, those that were named first, then by name."""
        folder = self.session.center.recipes / "releases"
        paths = (path.relative_to(folder) for path in folder.glob("*/*/*.yaml"))
        found = sorted(f"{path.parent.as_posix()}@{path.stem}" for path in paths)
        every = dict.fromkeys([*self._paths, *found])
        return [name for name in every if containing.casefold() in name.casefold()]

    @property
    def known(self) -> bool:
        """Whether there is a key by which the reviewer's own approvals are found."""
        return bool(self._reviewers().get(self.reviewer))

    def path(self, release: str) -> Path:
        """Return where the recipe of a release is."""
        return self._paths.get(release) or recipe_of(release, self.session).path.absolute()

    def open(self, release: str) -> OpenedSource:
        """Return the unpacked source of a release.

        Raises `UsageError` for one without a recipe, `InputUnavailableError`,
        `InputMismatchError`.
        """
        loaded = load_recipe(self.path(release))
        with self._lock:
            opening = self._opening[release]
        with opening:
            with self._lock:
                known = self._open.get(release)
                if known is not None and known.loaded == loaded:
                    self._open.move_to_end(release)
                    return known
            self._drop(release)
            opened = self._unpacked(loaded)
            with self._lock:
                self._open[release] = opened
                extra = [*self._open][:-MAX_OPEN]
        for old in extra:
            self._drop(old)
        return opened

    def _unpacked(self, loaded: LoadedRecipe) -> OpenedSource:
        with ExitStack() as held:
            sources = held.enter_context(unpacked_sources(loaded, self.session))
            facts = tuple(
                SourceFact(
                    locator=str(one.declared.locator),
                    sha256=one.declared.sha256,
                    source_digest=one.files.digest,
                )
                for one in sources
            )
            return OpenedSource(
                loaded=loaded,
                text=read_text(loaded.path),
                sources=sources,
                subject=subject_of(loaded, self.session, facts),
                held=held.pop_all(),
            )

    def policy(self) -> Policy | None:
        """Return the policy of the center, None where it cannot be used."""
        try:
            return self.session.policy(datetime.now(UTC))
        except SamebitsError:
            return None

    def before(self, opened: OpenedSource, which: str | None) -> Before:
        """Return what to compare with: `which`, or the first of mine, the policy's and nothing.

        Raises `UsageError` for a release that has no recipe.
        """
        for kind in (which,) if which else (MINE, POLICY):
            if kind not in {MINE, POLICY}:
                release = None if kind == NOTHING else ReleaseName.parse(kind)
                return Before(which=kind, release=str(release) if release else None)
            approved = self._last(opened, kind)
            if approved is not None:
                return Before(which=kind, release=approved.loaded.recipe.release, approved=approved)
        return Before(which=NOTHING)

    def changes(self, opened: OpenedSource, before: Before) -> list[SourceChange]:
        """Return what changed since, sorted by path and without lines; renames are one change."""
        old: OpenedSource | None = None
        if before.release is not None:
            if before.approved is not None:
                self._paths.setdefault(before.release, before.approved.loaded.path.absolute())
            old = self.open(before.release)
        name = before.release or ""
        with opened.lock:
            known = opened.changes.get(name)
            if known is None or known[0] is not old:
                found = changed_files(old.sources if old else (), opened.sources)
                known = opened.changes[name] = (old, with_renames(found))
        return known[1]

    def _last(self, opened: OpenedSource, kind: str) -> ApprovedRelease | None:
        """Return the version that was approved last: by this reviewer, or by any of the policy."""
        with opened.lock:
            if kind not in opened.approved:
                keys = self._reviewers()
                mine: Mapping[str, list[PublicKey]] = {self.reviewer: keys.get(self.reviewer, [])}
                opened.approved[kind] = last_approved(
                    opened.loaded,
                    self.session,
                    stored_reviews(self.session.store),
                    dict(mine if kind == MINE else keys),
                )
            return opened.approved[kind]

    def _reviewers(self) -> dict[str, list[PublicKey]]:
        policy = self.policy()
        keys = policy.reviewer_keys() if policy else {}
        if self._keys:
            keys.setdefault(self.reviewer, []).extend(self._keys)
        return keys

    def _drop(self, release: str) -> None:
        """Have what was unpacked of a release removed, once no page is being made."""
        with self._lock, suppress(KeyError):
            self._dropped.append(self._open.pop(release))
