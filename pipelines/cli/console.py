"""The one way to standard output and standard error: no text of others can draw there.

Only colors of ours are obeyed. They carry a number that is new in each process, so that nothing
that was read can have one.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable
from types import TracebackType

import click

from builders.core.errors import UsageError
from builders.core.escaping import escaped, json_text

_OURS = f"\x1b[{int.from_bytes(os.urandom(8))};"
_STYLE = re.compile(f"({re.escape(_OURS)}[0-9;]*m)")


def styled(text: str, color: str | None = None, *, bold: bool = False) -> str:
    """Return a text, escaped, in a color or bold; without either as it is."""
    if color is None and not bold:
        return text
    return click.style(escaped(text), fg=color, bold=bold or None).replace("\x1b[", _OURS)


def unstyled(text: str) -> str:
    """Return a text without styles of ours."""
    return _STYLE.sub("", text)


def shown(text: str) -> str:
    """Return a text with everything escaped but styles of ours."""
    parts = enumerate(_STYLE.split(text))
    return "".join(part if number % 2 else escaped(part) for number, part in parts)


def marked(line: str) -> list[str]:
    """Return what is one line to us, escaped, as the lines that it has: all but one with a bar."""
    first, *rest = map(shown, line.expandtabs().split("\n"))
    lead = first[: len(first) - len(first.lstrip(" "))]
    return [first, *(f"{lead}| {text}" for text in rest)]


def write(*lines: str, err: bool = False) -> None:
    """Print lines on stdout, or on stderr; what follows a newline in one is marked by a bar."""
    click.echo("\n".join(map(_drawn, lines)), err=err)


def _drawn(line: str) -> str:
    return "\n".join(marked(line)).replace(_OURS, "\x1b[")


def write_json(document: object) -> None:
    """Print a document on stdout as JSON."""
    write_text(json_text(document))


def write_text(text: str, *, err: bool = False) -> None:
    """Print a text whose newlines are ours."""
    write(*text.removesuffix("\n").split("\n"), err=err)


def write_piece(text: str) -> None:
    """Print a piece of a text of others, such as a build log, which is all that is printed."""
    click.echo(escaped(text.expandtabs(), keep="\n"), nl=False)


def write_raw(data: bytes) -> None:
    """Print bytes as they are; raises `UsageError` for a terminal, which would obey them."""
    if sys.stdout.isatty():
        raise UsageError(
            "bytes of others are not printed on a terminal as they are",
            got="--raw",
            todo="Send them to a file or a program, or leave --raw out",
        )
    click.echo(data, nl=False)


def clear_screen() -> None:
    """Empty the terminal that stdout is; nothing is done elsewhere."""
    if sys.stdout.isatty():
        click.echo("\x1b[H\x1b[J", nl=False)


def page(lines: Iterable[str]) -> None:
    """Show lines in the pager of a terminal."""
    click.echo_via_pager(f"{_drawn(line)}\n" for line in lines)


def confirm(question: str) -> bool:
    """Ask on stderr for yes or no; raises `UsageError` where there is no terminal to answer."""
    try:
        return click.confirm(shown(question), err=True)
    except click.Abort as error:
        if not isinstance(error.__context__, EOFError):
            raise
        write("", err=True)
        raise UsageError(
            f"no answer to: {question}",
            got="the end of the input",
            expected="y, or --yes",
            todo="Give --yes to go on without a question",
        ) from error


def escape_crashes() -> None:
    """Print also what ends this process or a thread of it, a fault of ours, escaped."""
    sys.excepthook = _crashed
    threading.excepthook = lambda told: _crashed(
        told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback
    )


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    write("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"), err=True)
