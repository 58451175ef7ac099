"""`samebits bench joining` and `portal`: what a night does with the findings of many releases."""

from __future__ import annotations

import click

from pipelines.cli import options
from pipelines.cli.terminal import tell


@click.command()
@click.option("--releases", default=100_000, show_default=True, type=click.IntRange(1))
@click.option("--changed", default=100, show_default=True, type=click.IntRange(0, 10_000))
@options.json
def joining(releases: int, changed: int) -> None:
    """Measure a night's joining of many releases, of which few have changed.

    \b
    Example:
      samebits bench joining --releases 10000 --changed 100 --json
    """
    from infra.bench.changed import measure
    from infra.bench.show import show_figures

    show_figures(measure(releases, changed, told=tell))


@click.command()
@click.option("--releases", default=10_000, show_default=True, type=click.IntRange(1))
@click.option("--changed", default=100, show_default=True, type=click.IntRange(0, 10_000))
@click.option("--nights", default=3, show_default=True, type=click.IntRange(0, 20))
@options.json
def portal(releases: int, changed: int, nights: int) -> None:
    """Measure building the portal: all releases from nothing, then nights that changed few.

    \b
    Example:
      samebits bench portal --releases 1000 --changed 10 --nights 9 --json
    """
    from infra.bench.portal import measure
    from infra.bench.show import show_figures

    show_figures(measure(releases, changed, nights, told=tell))
