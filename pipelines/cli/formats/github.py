"""Workflow commands of GitHub Actions: an annotation for each artefact, at its recipe.

A runner obeys whatever line begins with `::`, so text of others never starts a line.
"""

from __future__ import annotations

from collections.abc import Sequence

from builders.core.escaping import escaped
from pipelines.cli.formats.results import Row, Verified, rows_of

_DATA = {"%": "%25", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def github(results: Sequence[Verified]) -> str:
    """Return one line for each artefact."""
    return "\n".join(_annotation(one, row) for one in results for row in rows_of(one))


def _annotation(one: Verified, row: Row) -> str:
    level = "notice" if row.passed else "error" if row.checked else "warning"
    title = _escaped(f"{row.verdict} {row.release} {row.name}", _PROPERTY)
    file = _escaped(str(one.recipe), _PROPERTY)
    return f"::{level} file={file},title={title}::{_escaped(row.text, _DATA)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(c, c) for c in escaped(text, keep="\n"))
