"""Base class of the values that are read from files, and helpers for them."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T", bound=Hashable)


class FrozenModel(BaseModel):
    """An immutable value; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def only(self, *fields: str) -> dict[str, Any]:
        """Return the named fields alone, by name."""
        return {field: getattr(self, field) for field in fields}


def duplicate(values: Iterable[T]) -> T | None:
    """Return the first value that occurs for the second time; None if all are different."""
    seen: set[T] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def schema_text(model: type[BaseModel]) -> str:
    """Return the JSON Schema of a model, as the files in `recipes/schema` contain it."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"
