"""Printing figures."""

from __future__ import annotations

import json
from statistics import median
from typing import Any

import click


def spread(values: list[float]) -> dict[str, Any]:
    """Return lowest, median and highest of `values`, in seconds, and the values themselves."""
    return {
        "min": round(min(values), 3),
        "median": round(median(values), 3),
        "max": round(max(values), 3),
        "values": [round(value, 3) for value in values],
    }


def show(figures: dict[str, Any], *, as_json: bool) -> None:
    """Print figures as one JSON document, or as indented lines."""
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    _lines(figures, 0)


def _lines(figures: dict[str, Any], depth: int) -> None:
    for name, value in figures.items():
        if isinstance(value, dict):
            click.echo(f"{'  ' * depth}{name}:")
            _lines(value, depth + 1)
        else:
            click.echo(f"{'  ' * depth}{name}: {value}")
