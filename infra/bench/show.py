"""Printing figures."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from pipelines.cli.terminal import show


def spread(values: list[float]) -> dict[str, Any]:
    """Return lowest, median and highest of `values`, in seconds, and the values themselves."""
    return {
        "min": round(min(values), 3),
        "median": round(median(values), 3),
        "max": round(max(values), 3),
        "values": [round(value, 3) for value in values],
    }


def show_figures(figures: dict[str, Any]) -> None:
    """Print figures as one JSON document with `--json`, else as indented lines."""
    show(figures, *_lines(figures, 0))


def _lines(figures: dict[str, Any], depth: int) -> Iterator[str]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield f"{'  ' * depth}{name}:"
            yield from _lines(value, depth + 1)
        else:
            yield f"{'  ' * depth}{name}: {value}"
