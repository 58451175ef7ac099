"""The releases that are being read: unpacked once, and compared with what was approved before.

What is unpacked stays until it is pushed out by others, or the room is closed. A recipe that was
changed meanwhile is opened anew, so that a page never shows another claim than the recipe has.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
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
    """The releases that a reviewer reads at one center; for one thread at a time."""

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
        self._open: OrderedDict[str, OpenedSource] = OrderedDict()
        self._changes: dict[tuple[str, str], list[SourceChange]] = {}
        self._approved: dict[tuple[str, str], ApprovedRelease | None] = {}

    def __enter__(self) -> Self:
        """Return the room."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove everything that was unpacked."""
        while self._open:
            self._drop(next(iter(self._open)))

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
        known = self._open.get(release)
        if known is not None and known.loaded == loaded:
            self._open.move_to_end(release)
            return known
        self._drop(release)
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
            opened = OpenedSource(
                loaded=loaded,
                text=read_text(loaded.path),
                sources=sources,
                subject=subject_of(loaded, self.session, facts),
                held=held.pop_all(),
            )
        self._open[release] = opened
        while len(self._open) > MAX_OPEN:
            self._drop(next(iter(self._open)))
        return opened

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
        release = opened.subject.release
        old: tuple[ReleaseSource, ...] = ()
        if before.release is not None:
            if before.approved is not None:
                self._paths.setdefault(before.release, before.approved.loaded.path.absolute())
            old = self.open(before.release).sources
            self._open.move_to_end(release)
        known = (release, before.release or "")
        if known not in self._changes:
            self._changes[known] = with_renames(changed_files(old, opened.sources))
        return self._changes[known]

    def _last(self, opened: OpenedSource, kind: str) -> ApprovedRelease | None:
        """Return the version that was approved last: by this reviewer, or by any of the policy."""
        known = (opened.subject.release, kind)
        if known not in self._approved:
            keys = self._reviewers()
            mine: Mapping[str, list[PublicKey]] = {self.reviewer: keys.get(self.reviewer, [])}
            self._approved[known] = last_approved(
                opened.loaded,
                self.session,
                stored_reviews(self.session.store),
                dict(mine if kind == MINE else keys),
            )
        return self._approved[known]

    def _reviewers(self) -> dict[str, list[PublicKey]]:
        policy = self.policy()
        keys = policy.reviewer_keys() if policy else {}
        if self._keys:
            keys.setdefault(self.reviewer, []).extend(self._keys)
        return keys

    def _drop(self, release: str) -> None:
        """Remove what was unpacked of a release, and what was found out with it."""
        opened = self._open.pop(release, None)
        if opened is not None:
            opened.held.close()
        for known in [k for k in self._changes if release in k]:
            del self._changes[known]
        for known in [k for k in self._approved if k[0] == release]:
            del self._approved[known]
