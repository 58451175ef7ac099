"""`samebits bench`: what samebits costs here, side by side with the bare thing."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import PATH, center_option, json_option


@click.group()
def command() -> None:
    """Measure speed and memory on this machine; figures are printed, never judged."""


@command.command()
@click.argument("recipes", nargs=-1, type=PATH, metavar="[RECIPE...]")
@click.option("--pairs", default=5, show_default=True, type=click.IntRange(1, 100))
@json_option
@center_option
def overhead(
    recipes: tuple[Path, ...], pairs: int, as_json: bool, center_file: Path | None
) -> None:
    """Compare a verification with a bare `docker run` of the same build steps, in turn.

    Start-up (imports, Prefect) is measured apart. Without a RECIPE: libsodium and netbase.

    \b
    Example:
      samebits bench overhead --pairs 3 --json
    """
    from pipelines.bench.overhead import measure
    from pipelines.bench.show import show
    from pipelines.center import load_center

    show(measure(recipes, load_center(center_file), center_file, pairs=pairs), as_json=as_json)


@command.command()
@click.option("--size", default=1024, show_default=True, help="MiB of the artefact.")
@json_option
def memory(size: int, as_json: bool) -> None:
    """Measure the peak memory of a verification whose artefact is large.

    \b
    Example:
      samebits bench memory --size 1024 --json
    """
    from pipelines.bench.memory import measure
    from pipelines.bench.show import show

    show(measure(size << 20), as_json=as_json)


@command.command()
@click.option("--size", default=512, show_default=True, help="MiB to hash.")
@click.option("--pairs", default=5, show_default=True, type=click.IntRange(1, 100))
@json_option
def digest(size: int, pairs: int, as_json: bool) -> None:
    """Compare our SHA-256 with `sha256sum`, in turn.

    \b
    Example:
      samebits bench digest --json
    """
    from pipelines.bench.digest import measure
    from pipelines.bench.show import show

    show(measure(size << 20, pairs=pairs), as_json=as_json)


@command.command()
@click.option("--runs", default=10, show_default=True, type=click.IntRange(1, 100))
@json_option
def startup(runs: int, as_json: bool) -> None:
    """Measure how long `samebits --help` takes as a whole process.

    \b
    Example:
      samebits bench startup --json
    """
    from pipelines.bench.show import show
    from pipelines.bench.startup import measure

    show(measure(runs), as_json=as_json)


@command.command()
@click.option("--size", default=2048, show_default=True, help="MiB of the large object.")
@click.option("--records", default=10_000, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--pairs", default=2, show_default=True, type=click.IntRange(1, 100))
@json_option
def store(size: int, records: int, pairs: int, as_json: bool) -> None:
    """Compare the S3 store with plain boto3, in turn: a large object, then many small records.

    The server is the one that AWS_ENDPOINT_URL_S3 names, else a Ceph gateway of its own.

    \b
    Example:
      samebits bench store --json
    """
    from pipelines.bench.show import show
    from pipelines.bench.store import measure

    show(measure(size << 20, records=records, pairs=pairs), as_json=as_json)


@command.command()
@click.option("--runs", default=10, show_default=True, type=click.IntRange(1, 100))
@click.option("--artefacts", default=5, show_default=True, type=click.IntRange(1, 1000))
@json_option
def check(runs: int, artefacts: int, as_json: bool) -> None:
    """Measure how long `samebits evidence check` takes as a whole process.

    \b
    Example:
      samebits bench check --json
    """
    from pipelines.bench.check import measure
    from pipelines.bench.show import show

    show(measure(runs, artefacts=artefacts), as_json=as_json)
