"""`samebits source`: the source that a release is built from, to be read and compared."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import options
from pipelines.cli.console import page as paged
from pipelines.cli.console import styled, write, write_raw
from pipelines.cli.open_page import open_page
from pipelines.cli.terminal import counted, screen, show, tell, wants_json, warn

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from builders.recipe.recipe import LoadedRecipe
    from pipelines.evidence.publickey import PublicKey
    from pipelines.review.file_view import ViewKind
    from pipelines.verify.release_source import ReleaseSource
    from pipelines.verify.session import Session
    from pipelines.verify.source_diff import DiffTotals, SourceChange

_SHOWN = 5
"""Links and reviews that are named; the rest is counted."""


_open_option = click.option("--open", "opened", is_flag=True, help="Show it in the browser.")


def _complete(
    ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Propose releases, and the recipes in the folder that was typed."""
    from pipelines.cli.completion import recipes, releases

    return [*releases(ctx, incomplete), *recipes(incomplete)]


@click.group(cls=options.Group)
def command() -> None:
    """Get the source of a release, and compare it with that of another."""


@command.command()
@click.argument("release", metavar="RELEASE|RECIPE", shell_complete=_complete)
@options.file("--out", required=True, metavar="DIR", help="The new folder.")
@_open_option
@options.offline
@options.common_of_inputs
def get(session: Session, release: str, out: Path, *, opened: bool) -> None:
    """Unpack exactly the source tree that a review of RELEASE names into a new folder.

    RELEASE is vendor/product@version, with a recipe in the center's recipes folder, or the path of
    a recipe. The source comes from the vault, or is fetched and compared with its pin. Nothing of
    it is run, and nothing is written outside of DIR. The files are read again from DIR, and give
    the source digest. A release with several sources has a folder for each: source-1, source-2.
    --open shows the files in the browser, as the review pages do; without scripts or network.

    \b
    Examples:
      samebits source get debian/netbase@6.5 --out netbase
      samebits source get recipes/releases/debian/netbase/6.5.yaml --out netbase
      samebits source get debian/netbase@6.5 --out netbase --open
    """
    from pipelines.verify.release_source import recipe_of, unpacked_sources, write_sources

    options.require_new(out, "folder")
    loaded = recipe_of(release, session)
    with screen(session), unpacked_sources(loaded, session) as sources:
        write_sources(sources, out)
        rows = [
            {**source.to_dict(), "reviews": _reviews(source, loaded, session)} for source in sources
        ]
        page = _pages_of(session, loaded.recipe.release, sources) if opened else None
    recipe = loaded.recipe
    lines = [f"{recipe.release}: {out}"]
    for row in rows:
        lines += _source_lines(row)
    show({"release": recipe.release, "out": str(out), "sources": rows}, *lines)
    if led := [link for row in rows for link in row["links_out"]]:
        names = ", ".join(led[:_SHOWN])
        more = f" and {len(led) - _SHOWN} more" if len(led) > _SHOWN else ""
        warn(f"{counted(len(led), 'link')} in it lead out of the tree: {names}{more}")
    if page is not None:
        open_page(page)


def _pages_of(session: Session, title: str, sources: Sequence[ReleaseSource]) -> Path:
    """Write the pages of the files of one release, and return their list."""
    from pipelines.review.source_pages import FILES
    from pipelines.verify.source_diff import SourceChange, release_tree

    tree = release_tree(sources)
    files = [SourceChange(path=p, before=tree[p], after=tree[p]) for p in sorted(tree)]
    return _written(session, title, files, FILES)


def _written(
    session: Session, title: str, changes: Iterable[SourceChange], kinds: Sequence[ViewKind]
) -> Path:
    """Write pages below the center's home, where those of the same title are replaced."""
    from builders.core.digest import Digest
    from builders.jail.parser_jail import ParserJail
    from pipelines.review.colors import COLORS
    from pipelines.review.source_pages import SourcePages

    name = f"source-{Digest.of(title.encode()).hex[:12]}"
    folder = session.center.home / "reports" / name
    with closing(ParserJail([COLORS])) as jail:
        return SourcePages(folder, title, jail, kinds).write(changes)


def _source_lines(row: dict[str, Any]) -> Iterator[str]:
    where = f"{row['folder']}/  " if row["folder"] else ""
    yield f"  source   {row['source_digest']}, as the files in the folder give it"
    yield f"  from     {where}{row['locator']}, sha256 {row['sha256']}"
    yield f"  holds    {counted(row['files'], 'file')}, {row['bytes']} bytes"
    found = row["reviews"]
    for one in found[:_SHOWN]:
        yield f"  review   {one['decision']} by {one['reviewer']} on {one['decided_on']}"
    if len(found) > _SHOWN:
        yield f"  review   and {len(found) - _SHOWN} more"
    if not found:
        yield "  review   none in this store names it"


def _reviews(source: ReleaseSource, loaded: LoadedRecipe, session: Session) -> list[dict[str, str]]:
    """Return the reviews in the store that name a source, oldest first; none is verified."""
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.evidence.salt import read_salt
    from pipelines.evidence.statements.statement import DigestSet, show_time
    from pipelines.policy.reviews.count import review_of
    from pipelines.policy.reviews.review_records import stored_reviews

    recipe, store, digest = loaded.recipe, session.store, source.files.digest
    named = DigestSet(sha256=digest)
    if recipe.visibility == "private":
        salt = read_salt(store, ReleaseName.parse(recipe.release))
        if salt is None:
            return []
        named = DigestSet(hmac_sha256=salt.keyed(digest))
    made = [review_of(r.envelope).predicate for r in stored_reviews(store, named) if r.envelope]
    return [
        {
            "reviewer": review.reviewer,
            "decision": str(review.decision),
            "decided_on": show_time(review.decided_on),
        }
        for review in sorted(made, key=lambda review: review.decided_on)
    ]


@command.command()
@click.argument("before", metavar="A", shell_complete=_complete)
@click.argument("after", metavar="B", shell_complete=_complete)
@click.option("--stat", is_flag=True, help="List the files with their numbers of lines alone.")
@click.option("--text", is_flag=True, help="Compare binary files line by line too.")
@_open_option
@options.raw
@options.offline
@options.common_of_inputs
def diff(
    session: Session, before: str, after: str, *, stat: bool, text: bool, opened: bool, raw: bool
) -> None:
    """Compare the source trees of A and B, each vendor/product@version or the path of a recipe.

    The output is a unified diff as git writes it, with files that were added, removed, are binary
    or have another mode. No attribute or configuration in the sources changes what is shown.
    Characters that are not printable are shown as escapes; with --raw the diff is as `patch` reads
    it, byte for byte. --open lists the files, and shows the diff in the browser, unified and side
    by side, as the review pages do.

    \b
    Examples:
      samebits source diff debian/netbase@6.4 debian/netbase@6.5
      samebits source diff debian/netbase@6.4 netbase/6.5.yaml --stat
      samebits source diff debian/netbase@6.4 debian/netbase@6.5 --open
      samebits source diff debian/netbase@6.4 debian/netbase@6.5 --json
      samebits source diff debian/netbase@6.4 debian/netbase@6.5 --raw > 6.5.patch

    Exit codes: 0 no file differs, 1 some do, 2 a source cannot be had, 64 usage.
    """
    from pipelines.verify.release_source import recipe_of, unpacked_sources
    from pipelines.verify.source_diff import DiffTotals, source_changes

    one, other = recipe_of(before, session), recipe_of(after, session)
    totals = DiffTotals()
    rows = []
    with ExitStack() as stack:
        with screen(session):
            old, new = (stack.enter_context(unpacked_sources(x, session)) for x in (one, other))
        for change in source_changes(old, new, text=text):
            totals.add(change)
            if wants_json():
                rows.append(change.to_dict())
            else:
                write_changes([change], stat=stat or opened, raw=raw)
        sides = [
            {"release": side.recipe.release, "sources": [s.to_dict() for s in sources]}
            for side, sources in ((one, old), (other, new))
        ]
        title = f"{one.recipe.release} → {other.recipe.release}"
        page = _pages_of_diff(session, title, old, new) if opened else None
    document = {"before": sides[0], "after": sides[1], "changes": rows}
    show({**document, **totals.to_dict()})
    if not wants_json():
        tell(f"{one.recipe.release} -> {other.recipe.release}: {totals}")
    if page is not None:
        open_page(page)
    sys.exit(1 if any(totals.counts.values()) else 0)


def _pages_of_diff(
    session: Session, title: str, old: Sequence[ReleaseSource], new: Sequence[ReleaseSource]
) -> Path:
    """Write the pages of what differs between two releases, and return their list."""
    from pipelines.review.source_pages import CHANGES
    from pipelines.verify.renames import with_renames
    from pipelines.verify.source_diff import changed_files

    return _written(session, title, with_renames(changed_files(old, new)), CHANGES)


def write_changes(
    changes: Iterable[SourceChange], *, stat: bool = False, err: bool = False, raw: bool = False
) -> None:
    """Print changes: escaped, or with `raw` byte for byte, as `patch` reads them."""
    for change in changes:
        data = _stat_line(change) if stat else change.patch()
        if raw:
            write_raw(data)
        else:
            write(*drawn_lines(data), err=err)


def drawn_lines(data: bytes) -> Iterator[str]:
    """Yield the lines of a diff, colored."""
    colors = {"+": "green", "-": "red", "@": "cyan"}
    for line in data.removesuffix(b"\n").split(b"\n"):
        text = line.decode("utf-8", "backslashreplace").expandtabs()
        yield styled(text, colors.get(text[:1]), bold=text.startswith("diff "))


def _stat_line(change: SourceChange) -> bytes:
    from pipelines.verify.source_diff import quoted

    note = f"  ({change.note})" if change.note else ""
    lines = f"+{change.inserted} -{change.deleted}"
    return f"{change.kind:<8} {lines:>12}  {quoted(change.path)}{note}\n".encode()


class SinceApproval:
    """What changed since the last approved version of a product, for who approves the next."""

    def __init__(
        self, loaded: LoadedRecipe, session: Session, reviewer: str, key: PublicKey
    ) -> None:
        """Look for the last version that `reviewer`, with `key`, or one of the policy approved."""
        from pipelines.policy.reviews.review_records import stored_reviews
        from pipelines.verify.last_approved import last_approved

        self._session, self._current = session, loaded
        keys = _reviewers(session)
        keys.setdefault(reviewer, []).append(key)
        self.release = last_approved(self._current, session, stored_reviews(session.store), keys)
        self.totals: DiffTotals | None = None
        self.fault: str | None = None

    def compare(self, *, shown: bool) -> None:
        """Count what changed, and print the diff if it is to be `shown`."""
        from builders.core.errors import SamebitsError
        from pipelines.verify.release_source import unpacked_sources
        from pipelines.verify.source_diff import DiffTotals, source_changes

        if self.release is None:
            return
        totals, session = DiffTotals(), self._session
        try:
            with ExitStack() as stack:
                both = (self.release.loaded, self._current)
                old, new = (stack.enter_context(unpacked_sources(x, session)) for x in both)
                changes = _counted_in(totals, source_changes(old, new))
                if shown:
                    _page(changes)
                for _ in changes:
                    pass
        except SamebitsError as error:
            self.fault = str(error)
        else:
            self.totals = totals

    def lines(self) -> Iterator[str]:
        """Yield what to tell the reviewer."""
        recipe, release = self._current, self.release
        if release is None:
            product = f"{recipe.recipe.vendor}/{recipe.recipe.product}"
            yield f"  before    no other version of {product} was approved, as far as is known here"
            yield f"  read it   samebits source get {recipe.path} --out DIR"
            return
        named = release.loaded.recipe.release
        when = f"{release.decided_on:%Y-%m-%d}"
        yield f"  before    {named}, approved by {release.reviewer} on {when}"
        yield f"  since     {self.totals or f'cannot be compared: {self.fault}'}"
        yield f"  read it   samebits source diff {release.loaded.path} {recipe.path}"

    def to_dict(self) -> dict[str, Any] | None:
        """Return it for `--json`; None without an approved version."""
        if self.release is None:
            return None
        changed = self.totals.to_dict() if self.totals else None
        return {**self.release.to_dict(), "changed": changed, "fault": self.fault}


def _reviewers(session: Session) -> dict[str, list[PublicKey]]:
    """Return the keys of the policy's reviewers by name; none where it cannot be used."""
    from builders.core.errors import SamebitsError

    try:
        return session.policy(datetime.now(UTC)).reviewer_keys()
    except SamebitsError:
        return {}


def _counted_in(totals: DiffTotals, changes: Iterable[SourceChange]) -> Iterator[SourceChange]:
    for change in changes:
        totals.add(change)
        yield change


def _page(changes: Iterable[SourceChange]) -> None:
    """Show a diff in the pager of a terminal, else on stderr."""
    if sys.stdout.isatty() and not wants_json():
        paged(line for change in changes for line in drawn_lines(change.patch()))
    else:
        write_changes(changes, err=True)
