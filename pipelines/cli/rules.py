"""`samebits rules`: what two sets of detection rules say differently, rule by rule."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from builders.core.errors import UsageError
from pipelines.cli import options
from pipelines.cli.console import styled
from pipelines.cli.layout import table
from pipelines.cli.rules_test import test
from pipelines.cli.terminal import counted, show, warn

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from pipelines.rules.change import RuleChange, RuleChanges, SideFacts
    from pipelines.verify.session import Session

_SHOWN = 60
"""Changes and faults that are listed; `--json` has more."""
_COLORS = {
    "disabled": "red",
    "weakened": "red",
    "effect-unknown": "yellow",
    "strengthened": "green",
}

_Files = list[tuple[str, BinaryIO]]


def _complete(
    ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from pipelines.cli.completion import releases

    return [*releases(ctx, incomplete), CompletionItem(incomplete, type="file")]


@click.group(cls=options.Group)
def command() -> None:
    """Compare detection rules: which are gone, weakened or changed, and what engines catch."""


command.add_command(test)


@command.command()
@click.argument("old", metavar="OLD|RELEASE", shell_complete=_complete)
@click.argument("new", metavar="[NEW]", required=False, shell_complete=_complete)
@options.run
@options.file("--html", "page", help="Write a page of the changes to the new FILE.")
@options.wide
@options.common
def diff(session: Session, old: str, new: str | None, run: str, page: Path | None) -> None:
    """Compare two rule sets rule by rule: what was removed, disabled, weakened or changed.

    OLD and NEW are files, folders, archives (.deb, .whl, .tar.gz, .cvd) or shipped releases,
    vendor/product@version. With one RELEASE alone, OLD is what its run has rebuilt from the
    reviewed source, and NEW what was shipped. Files without rules are passed over. What a change
    does to what is detected is said where it follows from the rule; else it is effect-unknown,
    never harmless. Rules are read in the parser jail, and nothing of them is run.

    \b
    Examples:
      samebits rules diff rules-1.0/ rules-1.1/
      samebits rules diff old.cvd new.cvd --json
      samebits rules diff acme/rules@1.9 acme/rules@1.10
      samebits rules diff acme/rules@1.10 --html changes.html

    Exit codes: 0 all rules do the same, 1 some do not or may not, 2 some were not read, 64 usage.
    """
    from builders.jail import JailFailedError, ParserJail
    from pipelines.rules.reading import CHANGES, rule_changes

    if page is not None:
        options.require_new(page)
    with ExitStack() as held:
        jail = held.enter_context(closing(ParserJail([CHANGES.name])))
        jail.start()
        names, sides = held.enter_context(_sides(session, old, new, run))
        try:
            changes = rule_changes(jail, *sides)
        except JailFailedError as error:
            raise UsageError(
                "the rules were not compared", got=error, todo="Name less in one go"
            ) from error
    if not changes.old.files and not changes.new.files:
        raise UsageError(
            "no rules in either of them", got=" and ".join(names), expected="files of rules"
        )
    if page is not None:
        from pipelines.explain.rule_texts import rules_page

        with options.file_errors(page, "written"):
            page.write_bytes(rules_page(names, changes))
    show(
        {"old_name": names[0], "new_name": names[1], **changes.to_dict()},
        *_lines(names, changes),
    )
    if not changes.is_complete:
        warn("not every rule was read: what those do is not known")
    sys.exit(1 if changes.differs else 0 if changes.is_complete else 2)


@contextmanager
def _sides(
    session: Session, old: str, new: str | None, run: str
) -> Iterator[tuple[tuple[str, str], tuple[_Files, _Files]]]:
    """Open both sides; yield what they are called, and their files."""
    from pipelines.cli.rule_sides import opened
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.verify.run_files import rebuilt_and_shipped

    with ExitStack() as held:
        if new is not None:
            files = (held.enter_context(opened(session, one)) for one in (old, new))
            yield (old, new), (next(files), next(files))
            return
        release = ReleaseName.parse(old)
        rebuilt, shipped = held.enter_context(rebuilt_and_shipped(session, release, run))
        yield (f"{release}, rebuilt", f"{release}, shipped"), (list(rebuilt), list(shipped))


def _lines(names: tuple[str, str], changes: RuleChanges) -> Iterator[str]:
    from pipelines.explain.rule_texts import reasons, summary

    color = "red" if changes.differs else "green" if changes.is_complete else "yellow"
    yield styled(summary(changes), color, bold=True)
    for label, name, side in zip(("old", "new"), names, (changes.old, changes.new), strict=True):
        yield f"  {label}  {name}: {_read(side)}"
    rows = [_row(change, "; ".join(reasons(change))) for change in changes.changes[:_SHOWN]]
    yield from table(("effect", "change", "rule", "why", "where"), rows, flexible=3)
    if (more := len(changes.changes) + changes.left_out - _SHOWN) > 0:
        yield f"  and {counted(more, 'change')} more: see --json"
    for one in changes.duplicates[:_SHOWN]:
        where = ", ".join(f"{place.file}:{place.line}" for place in one.places)
        yield f"  {one.identity} is the identity of {one.count} rules: {where}"
    for label, side in (("old", changes.old), ("new", changes.new)):
        for fault in side.faults[:_SHOWN]:
            yield f"  not read in {label}: {fault.file}:{fault.line}: {fault.what}"


def _read(side: SideFacts) -> str:
    languages = ", ".join(f"{count} {language}" for language, count in side.by_language.items())
    return f"{counted(side.rules, 'rule')} in {counted(side.files, 'file')} ({languages or 'none'})"


def _row(change: RuleChange, why: str) -> tuple[str, ...]:
    effect = str(change.judgement.effect)
    place = change.new or change.old
    return (
        styled(effect, _COLORS.get(effect)),
        str(change.kind),
        change.identity,
        why,
        f"{place.file}:{place.line}" if place else "",
    )
