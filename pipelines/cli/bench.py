"""`samebits bench`: the benchmarks of `infra/bench`, which only a checkout has."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from builders.core.errors import UsageError

_CHECKOUT = Path(__file__).resolve().parents[2]


def _load() -> click.Command:
    """Return the command group of `infra/bench`; raises `UsageError` outside a checkout."""
    file = _CHECKOUT / "infra" / "bench" / "command.py"
    if not file.is_file():
        raise UsageError(
            "the benchmarks are not installed",
            got=f"no file {file}",
            expected="a checkout of samebits",
            todo="Run `samebits bench` from a clone of the repository",
        )
    if str(_CHECKOUT) not in sys.path:
        sys.path.insert(0, str(_CHECKOUT))
    group: click.Command = importlib.import_module("infra.bench.command").command
    return group


command = _load()
