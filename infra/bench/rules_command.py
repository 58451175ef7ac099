"""`samebits bench rules`."""

from __future__ import annotations

import click

from pipelines.cli import options
from pipelines.cli.terminal import tell


@click.command()
@click.option(
    "--rules", "count", default=10_000, show_default=True, type=click.IntRange(6, 200_000)
)
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1, 100))
@options.json
def rules(count: int, runs: int) -> None:
    """Measure what comparing two large rule sets costs, all languages together and each alone.

    The rules are made up, and one in 20 is changed; `samebits rules diff` is timed as a whole
    process. Memory is that of its largest process, and of all of them together.

    \b
    Example:
      samebits bench rules --rules 10000 --json
    """
    from infra.bench.rules import measure
    from infra.bench.show import show_figures

    show_figures(measure(count, runs=runs, told=tell))
