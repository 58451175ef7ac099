"""Write the command reference, `infra/docs/reference/commands.md`, from the commands themselves.

Run it whenever a help text or an option changes: `.venv/bin/python infra/docs/generate.py`. With
`--check` nothing is written; the exit code is 1 when the file is out of date.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from pipelines.cli.main import samebits

PAGE = Path(__file__).parent / "reference" / "commands.md"
INTRODUCTION = """\
# Commands

*Generated from the help texts by `infra/docs/generate.py`. Do not edit.*

`samebits COMMAND --help` prints the same text; `-h` is short for `--help`. With `--json` a command
prints one JSON document on stdout; progress and messages go to stderr. What the exit codes have in
common is in [results](results.md#exit-codes).

On a terminal, lines are wrapped at its width (the variable `COLUMNS` comes first) and verdicts are
colored, unless `NO_COLOR` is set. Elsewhere, a row of a table is one line. Digests and ids of runs
are cut to their first or last digits; `--wide` and `--json` print them whole.
"""


def page() -> str:
    """Return the whole page."""
    root = click.Context(samebits, info_name=samebits.name, **samebits.context_settings)
    every = list(_below(samebits, root))
    rows = [
        f"| [`{ctx.command_path}`](#{_anchor(ctx)}) | {_cell(command.get_short_help_str(300))} |"
        for command, ctx in every
        if not isinstance(command, click.Group)
    ]
    overview = "\n".join(["| command | purpose |", "|---|---|", *rows])
    return "\n".join([INTRODUCTION, overview, *(_section(c, ctx) for c, ctx in every)]) + "\n"


def _below(
    group: click.Group, parent: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield every command and group below a group, with its context."""
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        if command is None:
            message = f"{parent.command_path} lists {name}, but has no such command"
            raise LookupError(message)
        ctx = click.Context(command, info_name=name, parent=parent)
        yield command, ctx
        if isinstance(command, click.Group):
            yield from _below(command, ctx)


def _anchor(ctx: click.Context) -> str:
    """Return the anchor that GitHub gives to the heading of a command."""
    return ctx.command_path.replace(" ", "-")


def _section(command: click.Command, ctx: click.Context) -> str:
    """Return heading, usage, help text and options of a command; of a group the help text."""
    lines = ["", f"{'#' * len(ctx.command_path.split())} {ctx.command_path}", ""]
    if not isinstance(command, click.Group):
        usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
        lines += ["```text", usage, "```", ""]
    blocks = [_block(text) for text in inspect.cleandoc(command.help or "").split("\n\n")]
    lines.append("\n\n".join(blocks))
    options = [p.get_help_record(ctx) for p in command.params if isinstance(p, click.Option)]
    if options:
        lines += ["", "| option | meaning |", "|---|---|"]
        lines += [f"| `{record[0]}` | {_cell(record[1])} |" for record in options if record]
    return "\n".join(lines)


def _block(text: str) -> str:
    """Return a paragraph of help; click keeps the line breaks of one that starts with `\\b`."""
    if not text.startswith("\b"):
        return " ".join(text.split())  # one line: a wrapped one could begin like a list
    title, *examples = text.removeprefix("\b\n").splitlines()
    return "\n".join([title, "", "```sh", textwrap.dedent("\n".join(examples)), "```"])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main(arguments: list[str]) -> int:
    """Write the page, or say whether it is current."""
    made = page()
    if arguments == ["--check"]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == made:
            return 0
        print(f"{PAGE} is out of date: run .venv/bin/python infra/docs/generate.py")
        return 1
    if arguments:
        print("usage: generate.py [--check]")
        return 64
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
