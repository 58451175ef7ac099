"""Command lines in the documentation: found in fenced blocks, and parsed by the real commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from pipelines.cli.main import samebits
from tests.docs.pages import ROOT, Block, blocks

SHELL, SESSION = "sh", "console"
PROMPT = "$ "
_NAME = re.compile(r"[a-z][a-z-]*")
_SEPARATORS = {"&&", "|", ";"}
_REDIRECTIONS = {">", ">>", "2>"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One command of a page, as words; `output` is what a session shows below it."""

    page: Path
    words: tuple[str, ...]
    output: str | None = None

    def __str__(self) -> str:
        return shlex.join(self.words)

    @property
    def ours(self) -> bool:
        """Whether it is the samebits command."""
        return self.words[0].rpartition("/")[2] == "samebits"


def lines(page: Path) -> Iterator[Line]:
    """Yield every command in the shell blocks and sessions of a page."""
    for block in blocks(page):
        if block.language == SHELL:
            text = block.text.replace("\\\n", " ")
            for line in text.splitlines():
                yield from (Line(page=page, words=words) for words in _commands(line))
        elif block.language == SESSION:
            yield from _session(block)


def _session(block: Block) -> Iterator[Line]:
    for part in f"\n{block.text}".split(f"\n{PROMPT}")[1:]:
        line, _, output = part.partition("\n")
        (words,) = _commands(line)
        yield Line(page=block.page, words=words, output=output)


def _commands(line: str) -> Iterator[tuple[str, ...]]:
    """Yield the commands of one line, without redirections and comments."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    tokens = iter(lexer)
    for token in tokens:
        if token in _SEPARATORS:
            yield tuple(words)
            words = []
        elif token in _REDIRECTIONS:
            next(tokens)
        else:
            words.append(token)
    if words:
        yield tuple(words)


def parse(words: tuple[str, ...]) -> tuple[str, ...]:
    """Parse the words after `samebits` without running anything; returns the path of the command.

    Raises `click.ClickException` for what the command itself would refuse.
    """
    command, path, ctx = _find(words)
    if isinstance(command, click.Group):
        message = f"samebits {' '.join(words)}: no command"
        raise click.UsageError(message)
    command.make_context(path[-1], list(words[len(path) :]), parent=ctx)
    return path


def _find(words: tuple[str, ...]) -> tuple[click.Command, tuple[str, ...], click.Context]:
    """Return the command that the first words name, their number, and the context above it."""
    command: click.Command = samebits
    ctx = click.Context(samebits, info_name="samebits", **samebits.context_settings)
    path: list[str] = []
    for word in words:
        if not isinstance(command, click.Group) or not _NAME.fullmatch(word):
            break
        if path:
            ctx = click.Context(command, info_name=path[-1], parent=ctx)
        found = command.get_command(ctx, word)
        if found is None:
            message = f"samebits {' '.join([*path, word])}: no such command"
            raise click.UsageError(message)
        command = found
        path.append(word)
    return command, tuple(path), ctx


def check_phrase(text: str) -> None:
    """Require that `samebits evidence check --file` and the like name commands and options.

    Raises `click.ClickException`.
    """
    words = tuple(text.split()[1:])
    command, path, _ = _find(words)
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    if unknown := [w for w in words[len(path) :] if w.startswith("--") and w not in known]:
        message = f"{text}: no such option as {unknown[0]}"
        raise click.UsageError(message)


def every_command() -> Iterator[tuple[str, ...]]:
    """Yield the path of every command that can be run."""
    yield from _below(samebits, ())


def _below(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _below(command, (*path, name))
        else:
            yield (*path, name)


def script_fault(words: tuple[str, ...]) -> str | None:
    """Return what is wrong with `bash infra/...` or `python -m ...`; None if nothing is."""
    if words[1] == "-m":
        words = words[1:]
        folder = ROOT / words[1].replace(".", "/")
        script = folder / "__main__.py" if folder.is_dir() else folder.with_suffix(".py")
    else:
        script = ROOT / words[1]
    if not script.is_file():
        return f"{words[1]} is not there"
    text = script.read_text(encoding="utf-8")
    unknown = [word for word in words[2:] if word.startswith("--") and word not in text]
    return f"{words[1]} knows no {unknown[0]}" if unknown else None
