"""A rule of the signer, applied to one piece of evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.evidence.errors import refused


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Whether evidence satisfies the rule `check`, and the error if it does not."""

    check: str
    error: str
    holds: bool
    got: object
    expected: object


def equal(check: str, error: str, got: object, expected: object) -> Condition:
    """Return the condition that both values are equal."""
    return Condition(check=check, error=error, holds=got == expected, got=got, expected=expected)


def true(check: str, error: str, holds: bool, got: object, expected: object) -> Condition:  # noqa: FBT001
    """Return the condition that `holds` is true; `got` and `expected` explain it."""
    return Condition(check=check, error=error, holds=holds, got=got, expected=expected)


def enforce(conditions: Iterable[Condition]) -> None:
    """Raise `RefusedError` for the first condition that does not hold."""
    for condition in conditions:
        if not condition.holds:
            raise refused(
                condition.check, condition.error, got=condition.got, expected=condition.expected
            )
