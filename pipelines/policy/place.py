"""The one way in which a field of a policy is refused."""

from __future__ import annotations

from typing import NoReturn

from builders.core.errors import RecipeError
from builders.core.yamlfile import Document, FieldPath


def refuse(
    document: Document,
    place: FieldPath,
    what: str,
    *,
    got: object,
    expected: object,
    todo: str | None = None,
) -> NoReturn:
    """Raise the `RecipeError` for the field at `place`."""
    raise RecipeError(
        what,
        file=document.file,
        line=document.line_of(place),
        field=".".join(map(str, place)),
        got=got,
        expected=expected,
        todo=todo,
    )
