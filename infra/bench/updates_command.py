"""`samebits bench chain` and `bench rules`: what updates and detection rules cost."""

from __future__ import annotations

import click

from pipelines.cli import options
from pipelines.cli.terminal import tell


@click.command()
@click.option("--links", default=50, show_default=True, type=click.IntRange(2, 1000))
@click.option("--runs", default=15, show_default=True, type=click.IntRange(1, 100))
@click.option("--engine", is_flag=True, help="Verify a real chain, too: each update is rebuilt.")
@options.json
def chain(links: int, runs: int, *, engine: bool) -> None:
    """Compare what the last update of a long chain costs with the first two, in turn.

    The updates of three centers are made up, each on the one before it. What a verification reads
    of its base is measured, and the consensus: in a round, and alone, where it reads the chain.

    \b
    Examples:
      samebits bench chain --links 50 --json
      samebits bench chain --links 50 --engine
    """
    from infra.bench.chain import measure
    from infra.bench.show import show_figures

    figures = measure(links, runs=runs)
    if engine:
        from infra.bench.verified_chain import measure as measure_verified

        figures["whole_verify"] = measure_verified(links, runs=runs, told=tell)
    show_figures(figures)


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
