"""What a check of the list is: where it stands, how it is broken, and who notices."""

from __future__ import annotations

from dataclasses import dataclass

REQUESTS = "pipelines/requests/"
STATEMENTS = "pipelines/evidence/statements/"


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check, how it is broken (`old` stands once in the file), and its killers."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    killers: tuple[str, ...]


def checks_of(
    file: str, tests: tuple[str, ...], *rows: tuple[str, str, str, str]
) -> tuple[Check, ...]:
    """Return the checks of a file, each from its name, `old`, `new` and its killers in one line."""
    return tuple(
        Check(name=name, file=file, old=old, new=new, tests=tests, killers=tuple(killers.split()))
        for name, old, new, killers in rows
    )


def modules_of(*names: str) -> tuple[str, ...]:
    """Return the test modules of this folder, each named without `test_`."""
    return tuple(f"tests/requests/test_{name}.py" for name in names)
