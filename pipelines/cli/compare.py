"""`samebits compare`: whether two files are the same, and what their differences mean."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from builders.core.errors import UsageError
from pipelines.cli import options
from pipelines.cli.console import styled
from pipelines.cli.differences import field_lines, packing_lines
from pipelines.cli.terminal import VERDICT_COLORS, show, warn

if TYPE_CHECKING:
    from pipelines.explain.packing import PackingFinding
    from pipelines.judge.difference import Cause, QuickDiff

_READERS = ("pipelines.explain.quickdiff:LOOK",)
_PACKING = 20.0
"""Seconds for the search of the packing: it packs the whole content again."""


@click.command()
@click.argument("shipped", type=options.PATH)
@click.argument("rebuilt", type=options.PATH)
@options.file("--html", "page", help="Write a page of what differs to the new FILE.")
@options.wide
@options.json
def compare(shipped: Path, rebuilt: Path, page: Path | None) -> None:
    """Compare two files bit for bit and, where they differ, say what that means within seconds.

    The fields of the files that differ are named, the most telling first: compilers and tools, then
    settings, then content. Archives are compared member by member, whatever they are packed in. Of
    the same contents in another packing, its parameters are found: they are those of a recipe.
    Both files are read in the parser jail. --html writes what --json has as a page without scripts.

    \b
    Examples:
      samebits compare netbase_6.5_all.deb rebuilt/netbase_6.5_all.deb
      samebits compare theirs.whl ours.whl --html difference.html

    Exit codes: 0 the same, 1 different, 64 a file cannot be read.
    """
    from builders.jail import JailFailedError, JailUnavailableError, ParserJail

    if page is not None:
        options.require_new(page, "file")
    seen: QuickDiff | None = None
    packing: PackingFinding | None = None
    causes: tuple[Cause, ...] = ()
    try:
        with (
            shipped.open("rb") as theirs,
            rebuilt.open("rb") as ours,
            closing(ParserJail(_READERS)) as jail,
        ):
            jail.start()  # it imports what reads files, and this process what asks it
            from builders.core.digest import digest_file
            from pipelines.explain.first_look import look_at, may_differ_in_rules
            from pipelines.explain.named_causes import named_causes
            from pipelines.judge.difference import CauseName

            digests = [digest_file(path) for path in (shipped, rebuilt)]
            same = digests[0] == digests[1]
            if not same:
                look = look_at(jail, theirs, ours)
                seen, causes = look.diff, named_causes(look.diff)
                if any(cause.name is CauseName.CONTAINER_ONLY for cause in causes):
                    packing = _packing(theirs, ours)
                if may_differ_in_rules(rebuilt.name, look):
                    seen, rules = _with_rules(rebuilt.name, theirs, ours, seen)
                    causes = (*causes, *rules)
    except (JailFailedError, JailUnavailableError) as error:
        warn(f"they were not compared{' whole' if seen else ''}: {error}")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read", got=error.strerror) from error
    verdict = "IDENTICAL" if same else "DIFFERENT"
    document = {
        "verdict": verdict,
        "shipped": str(digests[0]),
        "rebuilt": str(digests[1]),
        "causes": [cause.model_dump(mode="json") for cause in causes],
        "packing": None if packing is None else packing.model_dump(mode="json"),
        "first_look": None if seen is None else seen.model_dump(mode="json"),
    }
    if page is not None:
        from pipelines.explain.page import difference_page

        files = ((str(shipped), digests[0]), (str(rebuilt), digests[1]))
        _write_page(page, difference_page(verdict, files, seen, causes))
    lines = [f"  {cause.name}: {cause.detail}" for cause in causes]
    show(
        document,
        styled(verdict, VERDICT_COLORS.get(verdict, "red"), bold=True),
        *packing_lines(packing),
        *_look_lines(seen),
        *lines,
        f"{digests[0]}  {shipped}",
        f"{digests[1]}  {rebuilt}",
    )
    sys.exit(0 if same else 1)


def _packing(shipped: BinaryIO, rebuilt: BinaryIO) -> PackingFinding:
    """Search the packing, in a jail of its own: what it needs takes long to load."""
    from builders.jail import ParserJail
    from pipelines.explain.packing import PACKING, recover_packing

    with closing(ParserJail([PACKING.name])) as jail:
        return recover_packing(jail, shipped, rebuilt, seconds=_PACKING)


def _with_rules(
    name: str, shipped: BinaryIO, rebuilt: BinaryIO, seen: QuickDiff
) -> tuple[QuickDiff, tuple[Cause, ...]]:
    """Compare the rules, in a jail of its own, too: most files have none."""
    from builders.jail import ParserJail
    from pipelines.explain.rule_differences import with_rule_changes
    from pipelines.rules.reading import CHANGES

    with closing(ParserJail([CHANGES.name])) as jail:
        return with_rule_changes(jail, name, shipped, rebuilt, seen)


def _write_page(path: Path, page: bytes) -> None:
    try:
        path.write_bytes(page)
    except OSError as error:
        raise UsageError(f"{path} cannot be written", got=error.strerror) from error


def _look_lines(seen: QuickDiff | None) -> Iterator[str]:
    """Yield the sentences, the first of which is the most telling, and where bytes differ."""
    if seen is None:
        return
    for number, line in enumerate(field_lines(seen)):
        text = line.removeprefix("- ")
        yield f"  {styled(text, bold=True) if number == 0 else text}"
    yield f"  first difference at byte {seen.first_offset}, last at {seen.last_offset}"
    if seen.members and seen.members.note:
        yield f"  not all was compared: {seen.members.note}"
