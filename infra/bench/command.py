"""`samebits bench`: what samebits costs here, side by side with the bare thing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra.bench.nights_command import joining, portal
from infra.bench.updates_command import chain, rules
from pipelines.cli import options
from pipelines.cli.terminal import tell

if TYPE_CHECKING:
    from pipelines.verify.session import Session

_against = click.option(
    "--against",
    multiple=True,
    metavar="COMMIT",
    help="Measure this commit of the checkout too, in turn; may be given again.",
)


@click.group(cls=options.Group)
def command() -> None:
    """Measure speed and memory on this machine; figures are printed, never judged."""


command.add_command(chain)
command.add_command(rules)
command.add_command(joining)
command.add_command(portal)


@command.command()
@click.argument("recipes", nargs=-1, type=options.PATH, metavar="[RECIPE...]")
@click.option("--pairs", default=5, show_default=True, type=click.IntRange(1, 100))
@_against
@options.common
def overhead(
    session: Session, recipes: tuple[Path, ...], pairs: int, against: tuple[str, ...]
) -> None:
    """Compare a verification with a bare `docker run` of the same build steps, in turn.

    The command `samebits verify` is timed as a whole process, in a home of its own; the start-up of
    flows (imports, Prefect) is measured apart. Without a RECIPE: libsodium and netbase.

    \b
    Examples:
      samebits bench overhead --pairs 3 --json
      samebits bench overhead --against HEAD~10 --json
    """
    from infra.bench.overhead import measure
    from infra.bench.show import show_figures

    show_figures(measure(recipes, session, pairs=pairs, against=against))


@command.command()
@click.option("--size", default=1024, show_default=True, help="MiB of the artefact.")
@options.json
def memory(size: int) -> None:
    """Measure the peak memory of a verification whose artefact is large.

    \b
    Example:
      samebits bench memory --size 1024 --json
    """
    from infra.bench.memory import measure
    from infra.bench.show import show_figures

    show_figures(measure(size << 20))


@command.command()
@click.option("--size", default=512, show_default=True, help="MiB to hash.")
@click.option("--pairs", default=5, show_default=True, type=click.IntRange(1, 100))
@options.json
def digest(size: int, pairs: int) -> None:
    """Compare our SHA-256 with `sha256sum`, in turn.

    \b
    Example:
      samebits bench digest --json
    """
    from infra.bench.digest import measure
    from infra.bench.show import show_figures

    show_figures(measure(size << 20, pairs=pairs))


@command.command()
@click.option("--runs", default=10, show_default=True, type=click.IntRange(1, 100))
@_against
@options.json
def startup(runs: int, against: tuple[str, ...]) -> None:
    """Measure how long the ten most used commands take as whole processes.

    They are run on a made-up release, in a home of their own. Its rebuild is real, so it needs the
    container engine.

    \b
    Examples:
      samebits bench startup --json
      samebits bench startup --runs 5 --against HEAD~10 --json
    """
    from infra.bench.show import show_figures
    from infra.bench.startup import measure

    show_figures(measure(runs, against=against))


@command.command()
@click.option("--size", default=2048, show_default=True, help="MiB of the large object.")
@click.option("--records", default=10_000, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--pairs", default=2, show_default=True, type=click.IntRange(1, 100))
@options.json
def store(size: int, records: int, pairs: int) -> None:
    """Compare the S3 store with plain boto3, in turn: a large object, then many small records.

    The server is the one that AWS_ENDPOINT_URL_S3 names, else a Ceph gateway of its own.

    \b
    Example:
      samebits bench store --json
    """
    from infra.bench.show import show_figures
    from infra.bench.store import measure

    show_figures(measure(size << 20, records=records, pairs=pairs))


@command.command()
@click.option("--runs", default=10, show_default=True, type=click.IntRange(1, 100))
@click.option("--artefacts", default=5, show_default=True, type=click.IntRange(1, 1000))
@options.json
def check(runs: int, artefacts: int) -> None:
    """Measure how long `samebits evidence check` takes as a whole process.

    \b
    Example:
      samebits bench check --json
    """
    from infra.bench.check import measure
    from infra.bench.show import show_figures

    show_figures(measure(runs, artefacts=artefacts))


@command.command()
@click.option("--leaves", default=1_000_000, show_default=True, type=click.IntRange(1))
@options.json
def log(leaves: int) -> None:
    """Measure a transparency log of many leaves on a directory store.

    It is built in batches of 1,000, as any log is; then leaves are proved, and all of it is read.

    \b
    Example:
      samebits bench log --leaves 100000 --json
    """
    from infra.bench.log import measure
    from infra.bench.show import show_figures

    show_figures(measure(leaves, _told))


@command.command()
@click.option("--releases", default=1_000, show_default=True, type=click.IntRange(1, 100_000))
@_against
@options.json
def consensus(releases: int, against: tuple[str, ...]) -> None:
    """Measure the consensus over many made-up releases of three centers.

    \b
    Examples:
      samebits bench consensus --releases 1000 --json
      samebits bench consensus --against HEAD~10 --json
    """
    from infra.bench.joined import measure
    from infra.bench.show import show_figures

    show_figures(measure(releases, against=against, told=tell))


@command.command()
@click.option("--leaves", default=1_000_000, show_default=True, type=click.IntRange(1))
@options.json
def peers(leaves: int) -> None:
    """Measure what hostile peers cost a round, and how an honest log is read over rounds.

    Each attack is one peer beside an honest one: a server that stalls, drips, lists names or sends
    objects without end, a million tiny records, and a log of equal leaves.

    \b
    Example:
      samebits bench peers --leaves 100000 --json
    """
    from infra.bench.peers import measure
    from infra.bench.show import show_figures

    show_figures(measure(leaves, told=tell))


@command.command()
@_against
@options.json
def looks(against: tuple[str, ...]) -> None:
    """Measure what hostile files cost a first look: global headers, bombs, nested archives.

    Each line is an attack: its files, then the seconds, the memory of the largest process, and how
    listing and comparing it ended. A process that takes 200 s or 8 GiB is ended.

    \b
    Examples:
      samebits bench looks --json
      samebits bench looks --against HEAD~10
    """
    from infra.bench.looks import measure, table
    from pipelines.cli.terminal import show

    figures = measure(against, told=tell)
    show(figures, *table(figures))


@command.command()
@click.option(
    "--pair",
    "pairs",
    multiple=True,
    type=(options.PATH, options.PATH),
    metavar="SHIPPED REBUILT",
    help="Two files that differ, instead of made ones; may be given again.",
)
@click.option("--size", default=100, show_default=True, help="MB of the largest made files.")
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1, 100))
@click.option("--diffoscope", metavar="PROGRAM", help="By default the one on the PATH, if any.")
@options.json
def explain(
    pairs: tuple[tuple[Path, Path], ...], size: int, runs: int, diffoscope: str | None
) -> None:
    """Measure what explaining a difference costs, and how many causes are named.

    Each pair is unpacked and hashed once, compared by `samebits compare`, and by diffoscope where
    it is installed. Then causes planted in generated pairs are looked for.

    \b
    Examples:
      samebits bench explain --size 20
      samebits bench explain --pair theirs.deb ours.deb --json
    """
    from shutil import which

    from infra.bench.explaining import measure, table
    from pipelines.cli.terminal import show

    found = diffoscope or which("diffoscope")
    figures = measure(pairs, megabytes=size, runs=runs, diffoscope=found, told=tell)
    show(figures, *table(figures))


@command.command()
@click.option("--pairs", default=5, show_default=True, type=click.IntRange(1, 100))
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.IntRange(1, 1000),
    help="MB of a file; may be given again. By default 1, 10 and 100.",
)
@_against
@options.json
def graft(pairs: int, sizes: tuple[int, ...], against: tuple[str, ...]) -> None:
    """Measure what grafting a signature costs beyond hashing both files, by format and size.

    The files are made up. A round hashes both, then puts the signature of the one onto the other
    and verifies it, as a judge does.

    \b
    Examples:
      samebits bench graft --json
      samebits bench graft --size 100 --against HEAD~10
    """
    from infra.bench.graft import SIZES, measure, table
    from pipelines.cli.terminal import show

    figures = measure(sizes or SIZES, pairs=pairs, against=against, told=tell)
    show(figures, *table(figures))


def _told(leaves: int) -> None:
    if leaves % 50_000 == 0:
        tell(f"{leaves} leaves")


@command.command()
@click.argument("releases", type=options.PATH, metavar="LIST")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option("--max-tries", default=16, show_default=True, type=click.IntRange(1, 200))
@options.duration("--time", default="5min", show_default=True, help="For each release.")
@options.file("--html", metavar="DIR", help="Write a page with chart and table there.")
@options.common
def corpus(
    session: Session,
    releases: Path,
    jobs: int,
    max_tries: int,
    time: timedelta,
    html: Path | None,
) -> None:
    """Measure how many releases of a list can be rebuilt bit for bit, and why others cannot.

    LIST has one purl a line. Each release is inferred as `samebits recipe new` does it; what is
    finished is kept, so that a run that was stopped goes on where it was.

    \b
    Example:
      samebits bench corpus popular-wheels.txt --jobs 2 --html /tmp/corpus
    """
    from infra.bench.corpus_command import run_corpus
    from pipelines.infer.search import SearchLimits

    limits = SearchLimits(tries=max_tries, seconds=int(time.total_seconds()))
    run_corpus(releases, session, limits, jobs=jobs, html=html)


@command.command()
@click.option("--count", default=34, show_default=True, type=click.IntRange(0, 5000))
@click.option(
    "--real/--no-real", default=True, show_default=True, help="The recipes that are here."
)
@click.option(
    "--seconds",
    default=0,
    show_default=True,
    type=click.IntRange(0, 300),
    help="CPU that the build of a fixture takes.",
)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option("--shard", type=click.IntRange(1, 500), help="Releases of one flow run.")
@click.option("--then", type=click.IntRange(1, 5000), help="Fixtures of a second night.")
@click.option(
    "--database",
    type=click.Choice(["auto", "postgresql", "sqlite"]),
    default="auto",
    show_default=True,
    help="Of the center's Prefect.",
)
@options.json
def night(
    count: int,
    real: bool,
    seconds: int,
    workers: int,
    shard: int | None,
    then: int | None,
    database: str,
) -> None:
    """Measure a night of real recipes and small fixtures on a center with its own workers.

    With --then another center has a second night, and the peaks of memory stand side by side.

    \b
    Example:
      samebits bench night --json
      samebits bench night --count 16 --no-real --seconds 20 --json
      samebits bench night --count 40 --no-real --then 200 --json
    """
    from infra.bench.night import measure
    from infra.bench.show import show_figures

    figures = measure(
        count=count,
        real=real,
        seconds=seconds,
        workers=workers,
        shard=shard,
        then=then,
        database=database,
    )
    show_figures(figures)
