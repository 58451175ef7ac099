"""`samebits bench`: the benchmarks of `infra/bench`, which only a checkout has.

Importing this module raises `UsageError` outside a checkout.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from builders.core.errors import UsageError

_CHECKOUT = Path(__file__).resolve().parents[2]
if not (file := _CHECKOUT / "infra" / "bench" / "command.py").is_file():
    raise UsageError(
        "the benchmarks are not installed",
        got=f"no file {file}",
        expected="a checkout of samebits",
        todo="Run `samebits bench` from a clone of the repository",
    )
if str(_CHECKOUT) not in sys.path:
    sys.path.insert(0, str(_CHECKOUT))
command: click.Command = importlib.import_module("infra.bench.command").command
