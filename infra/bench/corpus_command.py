"""`samebits bench corpus`: the command behind it, and how it shows its figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import UsageError
from pipelines.cli.options import counted, print_json

if TYPE_CHECKING:
    from infra.bench.corpus import Row

_COLORS = {"identical": "green", "not available": "yellow"}


def run_corpus(
    releases: Path,
    *,
    jobs: int,
    tries: int,
    time: str,
    html: Path | None,
    as_json: bool,
    center_file: Path | None,
) -> None:
    """Measure the list, show a line a release as it comes, then the figures."""
    from builders.container.scratch import require_root
    from builders.core.units import parse_duration
    from builders.locators.package_index import IndexReader
    from infra.bench.corpus import figures, measure, read_list
    from infra.bench.corpuspage import page
    from pipelines.center.center import load_center
    from pipelines.infer import SearchLimits
    from pipelines.verify.session import Session

    try:
        limits = SearchLimits(tries=tries, seconds=parse_duration(time))
    except ValueError as error:
        raise UsageError("--time cannot be read", got=time, expected="such as 5min") from error
    purls = read_list(releases)
    session = Session(load_center(center_file))
    require_root()
    session.engine.info()

    def tell(done: int, row: Row) -> None:
        click.echo(f"{done}/{len(purls)}  {_line(row)}", err=True)

    try:
        rows = measure(purls, session, IndexReader(), jobs=jobs, limits=limits, tell=tell)
    except KeyboardInterrupt:
        session.cancelled.set()
        raise
    found = figures(rows)
    if html is not None:
        _write(html, page(found, title=f"Rebuilt bit for bit: {releases.stem}"))
    if as_json:
        print_json(found)
    else:
        _table(found, rows)


def _line(row: Row) -> str:
    why = "; ".join(row.details) or ("" if row.status == "identical" else row.reason)
    status = click.style(f"{row.status:<13}", fg=_COLORS.get(row.status, "red"))
    tries = counted(row.tries, "try", "tries")
    return f"{status} {row.purl}  {tries}, {row.seconds:.1f} s  {why[:160]}".rstrip()


def _table(found: dict[str, Any], rows: list[Row]) -> None:
    for row in rows:
        click.echo(_line(row))
    for status, count in found["counts"].items():
        click.echo(f"{status:>14}: {count}")
    shares = {
        "identical": found["identical_share"],
        "identical or explained": found["explained_share"],
    }
    for name, share in shares.items():
        if share is not None:
            click.echo(f"{100 * share:.1f} % of {found['fetchable']} fetchable: {name}")
    for name, count in found["causes"].items():
        click.echo(f"  {count:>4} {name}")
    if found["median_seconds"] is not None:
        tries = counted(found["median_tries"], "try", "tries")
        click.echo(f"median {found['median_seconds']} s, {tries} a release")


def _write(folder: Path, text: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written", got=error.strerror) from error
