"""Syntax colours of source files, found in the jail: a source can steer what reads it.

Colours are decoration. They are given for lines of text that are known already, and are dropped
where they do not spell exactly these lines, are not found in time, or the language is not known.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Annotated, BinaryIO

from markupsafe import Markup
from pydantic import StringConstraints, TypeAdapter
from pygments.lexer import Lexer, LexerMeta
from pygments.lexers import (
    asm,
    c_cpp,
    configs,
    css,
    data,
    diff,
    go,
    html,
    javascript,
    jvm,
    make,
    markup,
    perl,
    php,
    python,
    ruby,
    rust,
    shell,
    sql,
)
from pygments.token import STANDARD_TYPES

from builders.core.frozen_model import FrozenModel
from builders.jail import Jail, JailFailedError, JailLimits, JailUnavailableError, Reader, Scratch

_MODULES = (
    asm, c_cpp, configs, css, data, diff, go, html, javascript, jvm, make, markup, perl, php,
    python, ruby, rust, shell, sql,
)  # fmt: skip
_LEXERS = [
    found
    for module in _MODULES
    for found in vars(module).values()
    if isinstance(found, LexerMeta) and found.__module__ == module.__name__
]
"""Named here, as the jail can import nothing once it is confined."""
_SHEBANG = re.compile(r"#!.*\b(sh|bash|dash|perl|python3?)\b")
_BY_SHEBANG: dict[str, LexerMeta] = {
    **dict.fromkeys(("sh", "bash", "dash"), shell.BashLexer),
    **dict.fromkeys(("python", "python3"), python.PythonLexer),
    "perl": perl.PerlLexer,
}
MAX_BYTES = 512 << 10
"""Bytes of a text that is coloured."""
COLORS = "pipelines.review.colors:COLOR"
Style = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{0,4}$")]
Spans = list[list[tuple[Style, str]]]
"""For each line the styles of pygments and the texts that they are of."""


class FileNamed(FrozenModel):
    """The name of a file, which says its language."""

    name: str


def _read(files: Sequence[BinaryIO], named: FileNamed, _scratch: Scratch) -> Spans:
    content = files[0].read().decode("utf-8")
    kind = _lexer(named.name, content.partition("\n")[0])
    if kind is None:
        return []
    lines: Spans = [[]]
    lexer: Lexer = kind(stripnl=False, ensurenl=False)
    for token, text in lexer.get_tokens(content):
        style = STANDARD_TYPES.get(token, "")
        first, *rest = text.split("\n")
        if first:
            lines[-1].append((style, first))
        lines += [[(style, line)] if line else [] for line in rest]
    return lines


def _lexer(name: str, first: str) -> LexerMeta | None:
    """Return the lexer for a file of that name, or whose first line names an interpreter."""
    base = name.rpartition("/")[2]
    for kind in _LEXERS:
        if any(fnmatch(base, pattern) for pattern in kind.filenames):
            return kind
    found = _SHEBANG.match(first[:200])
    return _BY_SHEBANG[found[1]] if found else None


COLOR: Reader[FileNamed, Spans] = Reader(
    name=COLORS,
    read=_read,
    parameters=FileNamed,
    result=TypeAdapter(Spans),
    limits=JailLimits(seconds=5, answer=32 << 20),
)


def colored(lines: Sequence[str], name: str, jail: Jail) -> list[Markup]:
    """Return lines, which are escaped as for a terminal, as HTML; in colours where they are known.

    `name` says the language.
    """
    plain = [Markup.escape(line) for line in lines]
    text = "\n".join(lines).encode("utf-8", "backslashreplace")
    if len(text) > MAX_BYTES or not lines or _lexer(name, lines[0]) is None:
        return plain
    try:
        spans = jail.run(COLOR, [io.BytesIO(text)], FileNamed(name=name))
    except (JailFailedError, JailUnavailableError):
        return plain
    if ["".join(part for _, part in line) for line in spans] != [*lines]:
        return plain
    return [Markup("").join(_span(style, part) for style, part in line) for line in spans]


def _span(style: str, text: str) -> Markup:
    return (
        Markup('<span class="k-{}">{}</span>').format(style, text) if style else Markup.escape(text)
    )
