"""The list of mutants that may survive, each with its reason.

A file of TOML: a table for each module, in it the reason by the mutant's name. Names hold no line
numbers, so the list stays true when lines move.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.mutation.mutants import Mutant
from tests.mutation.runner import KILLED, Result

Reasons = dict[str, dict[str, str]]


def read(path: Path) -> Reasons:
    """Return the reasons by module and mutant; a missing file is an empty list."""
    return tomllib.loads(path.read_text()) if path.exists() else {}


def unknown(reasons: Reasons, results: Iterable[Result]) -> list[Result]:
    """Return the survivors that have no reason, by module and line."""
    found = [
        result
        for result in results
        if result.outcome not in KILLED
        and not reasons.get(result.mutant.module, {}).get(result.mutant.name)
    ]
    return sorted(found, key=lambda result: (result.mutant.module, result.mutant.line))


def stale(
    reasons: Reasons, mutants: Iterable[Mutant], results: Iterable[Result], root: Path
) -> Iterator[str]:
    """Yield the entries that name no module, no mutant, or only mutants that were killed.

    `mutants` are all those of the modules in this run; entries of other modules are not checked.
    """
    known = {(mutant.module, mutant.name) for mutant in mutants}
    checked = {module for module, _ in known}
    tried = {(r.mutant.module, r.mutant.name) for r in results}
    alive = {(r.mutant.module, r.mutant.name) for r in results if r.outcome not in KILLED}
    for module, names in reasons.items():
        if not (root / module).exists():
            yield f"{module}: no such module"
        for name in names if module in checked else ():
            if (module, name) not in known:
                yield f"{module}: {name}: no such mutant"
            elif (module, name) in tried - alive:
                yield f"{module}: {name}: a test kills it"
