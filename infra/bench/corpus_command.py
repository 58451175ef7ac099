"""`samebits bench corpus`: the command behind it, and how it shows its figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builders.container.scratch import require_root
from builders.locators.package_index import IndexReader
from infra.bench.corpus import Row, figures, measure, read_list
from infra.bench.corpuspage import page
from pipelines.cli import options
from pipelines.cli.console import styled, write
from pipelines.cli.terminal import counted, show
from pipelines.infer.search import SearchLimits
from pipelines.verify.session import Session

_COLORS = {"identical": "green", "not available": "yellow"}


def run_corpus(
    releases: Path, session: Session, limits: SearchLimits, *, jobs: int, html: Path | None
) -> None:
    """Measure the list, show a line a release as it comes, then the figures."""
    purls = read_list(releases)
    require_root()
    session.engine.info()

    def tell(done: int, row: Row) -> None:
        write(f"{done}/{len(purls)}  {_line(row)}", err=True)

    try:
        rows = measure(purls, session, IndexReader(), jobs=jobs, limits=limits, tell=tell)
    except KeyboardInterrupt:
        session.cancelled.set()
        raise
    found = figures(rows)
    if html is not None:
        with options.file_errors(html, "written"):
            html.mkdir(parents=True, exist_ok=True)
            text = page(found, title=f"Rebuilt bit for bit: {releases.stem}")
            (html / "index.html").write_text(text, encoding="utf-8")
    show(found, *_table(found, rows))


def _line(row: Row) -> str:
    why = "; ".join(row.details) or ("" if row.status == "identical" else row.reason)
    status = styled(f"{row.status:<13}", _COLORS.get(row.status, "red"))
    tries = counted(row.tries, "try", "tries")
    return f"{status} {row.purl}  {tries}, {row.seconds:.1f} s  {why[:160]}".rstrip()


def _table(found: dict[str, Any], rows: list[Row]) -> Iterator[str]:
    yield from map(_line, rows)
    for status, count in found["counts"].items():
        yield f"{status:>14}: {count}"
    shares = {
        "identical": found["identical_share"],
        "identical or explained": found["explained_share"],
    }
    for name, share in shares.items():
        if share is not None:
            yield f"{100 * share:.1f} % of {found['fetchable']} fetchable: {name}"
    for name, count in found["causes"].items():
        yield f"  {count:>4} {name}"
    if found["median_seconds"] is not None:
        tries = counted(found["median_tries"], "try", "tries")
        yield f"median {found['median_seconds']} s, {tries} a release"
