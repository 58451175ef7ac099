"""Edits of rules that an engine has labelled: by a weakening, a sample is not caught any more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.rules.change import Weakness

Files = Mapping[str, str]
"""Rule files by path."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Two rule sets, and a sample that the old one catches."""

    name: str
    old: Files
    new: Files
    sample: bytes = field(repr=False)
    weakness: Weakness | str | None = None
    """What the change list has to name; "disabled" for an effect without a weakness; None for a
    harmless edit."""

    def digest(self) -> str:
        """Return a digest of all that a label is about."""
        parts: Any = [dict(self.old), dict(self.new), self.sample.hex()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def edited(text: str, *edits: tuple[str, str]) -> str:
    """Return a text with some parts replaced, each of which has to be there."""
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text
