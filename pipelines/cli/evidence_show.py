"""`samebits evidence show`: one run on the terminal, in a folder, or in the browser."""

from __future__ import annotations

import codecs
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import UsageError
from pipelines.cli import options
from pipelines.cli.console import unstyled, write_piece, write_raw
from pipelines.cli.differences import causes_of
from pipelines.cli.terminal import report_lines, robustness_lines, show, wants_json

if TYPE_CHECKING:
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.evidence.report import Report
    from pipelines.storage.store import Store
    from pipelines.verify.report_folder import ReportFolder
    from pipelines.verify.session import Session

_PIECE = 1 << 16


@click.command("show")
@click.argument("release", type=options.RELEASE)
@options.run
@options.file("--report", "folder", metavar="DIR", help="Write the run into the new folder DIR.")
@click.option("--open", "opened", is_flag=True, help="Open that folder's index in the browser.")
@click.option("--log", is_flag=True, help="Print the build log, and nothing else.")
@options.raw
@options.wide
@options.common
def show_(
    session: Session,
    release: ReleaseName,
    run: str,
    folder: Path | None,
    *,
    opened: bool,
    log: bool,
    raw: bool,
) -> None:
    """Show the report of one run of RELEASE (vendor/product@version).

    What explains its differences stands below them, with --json as `explanation`. The result of its
    robustness test follows, if there was one. Of a private release the whole report is shown, which
    is not public.

    --report writes a folder with an index of its files: the report, the build logs, diffoscope's
    HTML where a difference was explained, and the source that was built. --open shows the index in
    the browser, or prints its address where none can be started; without --report the folder is
    made below SAMEBITS_HOME. Scripts and network are forbidden in its pages. --log prints the log
    with escapes in place of characters that are not printable. With --raw it is the log byte for
    byte, for files and programs.

    \b
    Examples:
      samebits evidence show debian/netbase@6.5
      samebits evidence show debian/netbase@6.5 --log
      samebits evidence show debian/netbase@6.5 --log --raw > build.log
      samebits evidence show debian/hostname@3.25 --report hostname-report --open
    """
    from builders.locators.offline import OfflineFetcher
    from pipelines.evidence.stored_runs import (
        find_run,
        read_explanation,
        read_report,
        read_robustness,
        stored_report,
    )
    from pipelines.storage.store import DamagedError

    store = session.store
    name = find_run(store, release, run)
    document = read_report(store, name, whole=True)
    report = stored_report(store, name, whole=True)
    if log:
        if folder or opened or wants_json():
            raise UsageError("--log prints the log alone", expected="no other output option")
        _print_log(store, report, raw=raw)
        return
    if raw:
        raise UsageError("--raw is for the log", expected="--log --raw")
    elsewhere, explanation, damaged = None, None, None
    try:
        elsewhere = read_robustness(store, name)
        explanation = read_explanation(store, name, whole=True)
    except DamagedError as error:  # no verdict rests on it, so the report is shown first
        damaged = error
    causes = causes_of(session, report, fetcher=OfflineFetcher())
    more: dict[str, Any] = {"robustness": elsewhere.to_dict()} if elsewhere else {}
    if explanation:
        more["explanation"] = explanation.model_dump(mode="json", by_alias=True)
    if causes:
        more["causes"] = [cause.model_dump() for cause in causes]
    lines = list(report_lines(report, causes, explanation=explanation))
    lines += [f"  {line}" for line in robustness_lines(elsewhere)] if elsewhere else []
    path = folder or (_own_folder(session, report) if opened else None)
    if path is not None:
        import pipelines.portal
        from pipelines.verify.report_folder import write_report_folder

        options.require_new(path, "folder")
        shown = map(unstyled, lines)
        style = (Path(pipelines.portal.__file__).parent / "assets/portal.css").read_text()
        made = write_report_folder(
            path, report, session, shown, explanation=explanation, style=style
        )
        more["folder"] = _folder_document(path, made)
        lines += _folder_lines(path, made)
    show(document | more, *lines)
    if path is not None and opened:
        from pipelines.cli.open_page import open_page

        open_page(path / "index.html")
    if damaged:
        raise damaged


def _print_log(store: Store, report: Report, *, raw: bool) -> None:
    """Print the log of the judged attempt: escaped, or byte for byte."""
    from pipelines.storage.names import Visibility, cas

    judged = report.judged
    if judged is None or judged.rebuild.log is None:
        raise UsageError(f"run {report.run} has no build log", got=report.outcome)
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    with store.open(cas(Visibility.PRIVATE, judged.rebuild.log)) as data:
        while piece := data.read(_PIECE):
            if raw:
                write_raw(piece)
            else:
                write_piece(decoder.decode(piece))
    write_piece(decoder.decode(b"", final=True))


def _own_folder(session: Session, report: Report) -> Path:
    """Return the folder of a run below the center's home; an earlier one is removed."""
    path = session.center.home / "reports" / report.run
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        shutil.rmtree(path)
    return path


def _folder_document(path: Path, made: ReportFolder) -> dict[str, Any]:
    return {
        "path": str(path),
        "files": [file.to_dict() for file in made.files],
        "left_out": [asdict(one) for one in made.left_out],
    }


def _folder_lines(path: Path, made: ReportFolder) -> Iterator[str]:
    yield f"  in {path}:"
    yield from (f"    {file.name:<20} {file.what}" for file in made.files)
    yield from (f"    left out: {one.what}: {one.why}" for one in made.left_out)
