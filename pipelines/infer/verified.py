"""Why the artefacts of a verified release differ, in the words in which `recipe new` says it.

Everything is read again from the evidence of the run: the shipped and the rebuilt files, the
source, and the packages of the builder image. Nothing of it changes a verdict, and what cannot be
read leaves a cause unnamed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from builders.core.enums import Outcome, Verdict
from builders.core.errors import InputMismatchError, SamebitsError
from builders.locators import Fetcher
from pipelines.evidence.report import Report
from pipelines.infer.debian.causes import build_failure as debian_failure
from pipelines.infer.debian.causes import debian_causes
from pipelines.infer.debian.comparison import DatedTool, dated_tools, package_pair
from pipelines.infer.journal import RemainingCause
from pipelines.infer.script.differences import compare_parts, remaining_causes
from pipelines.infer.script.hypothesis import PATH, ScriptHypothesis
from pipelines.infer.script.parts import read_parts
from pipelines.infer.script.refinement import undeclarable
from pipelines.infer.wheel.clues import clues_of
from pipelines.infer.wheel.comparison import compare_wheels
from pipelines.infer.wheel.differences import build_failure as wheel_failure
from pipelines.infer.wheel.differences import wheel_causes
from pipelines.infer.wheel.facts import read_sdist, read_wheel
from pipelines.infer.wheel.toolchain import python_images
from pipelines.judge.finding import Finding
from pipelines.storage.names import Visibility, cas
from pipelines.verify.run_files import open_stored
from pipelines.verify.session import Session

_DEBIAN, _WHEEL, _SCRIPT = "debian", "wheel", "script"
_TAIL = 1 << 16
_UNREADABLE = (SamebitsError, OSError, ValueError)
"""What reading the evidence of a run can raise: it is foreign, or not there."""


Opener = Callable[[Finding], AbstractContextManager[tuple[BinaryIO, BinaryIO]]]
"""Opens the shipped and the rebuilt file of a finding, both seekable."""


def verified_causes(
    session: Session,
    report: Report,
    fetcher: Fetcher | None = None,
    *,
    opener: Opener | None = None,
) -> tuple[RemainingCause, ...]:
    """Return the causes that are named for a run; none where all is identical.

    `fetcher`, by default that of the session, brings packages of the image that the vault lacks.
    `opener` opens the files of a run, by default from its evidence.
    """
    both = opener or partial(_both, session)
    method = report.environment.method.partition("-")[0]
    differing = [f for f in report.artefacts if f.verdict is Verdict.DIFFERENT]
    session.progress.step(report.release, "naming causes")
    try:
        session.workdir.mkdir(parents=True, exist_ok=True)  # of a center that never built
        if method == _SCRIPT:
            return _of_script(session, report, differing, both)
        if report.outcome is not Outcome.BUILT:
            return _failure(session, report, method)
        if method == _DEBIAN:
            tools = _tools(session, report, fetcher or session.fetcher)
            return _of_packages(session, differing, tools, both)
        return tuple(c for f in differing for c in _of_wheel(session, report, f, both))
    except _UNREADABLE:
        return ()
    finally:
        session.progress.done(report.release, report.verdict)


def _failure(session: Session, report: Report, method: str) -> tuple[RemainingCause, ...]:
    """Return why nothing was built, from the end of the build log."""
    judged = report.judged
    if judged is None or judged.rebuild.log is None:
        return ()
    with session.store.open(cas(Visibility.PRIVATE, judged.rebuild.log)) as stream:
        log = b""
        while piece := stream.read(_TAIL):
            log = (log + piece)[-_TAIL:]
    text, reason = log.decode("utf-8", "replace"), report.reason or ""
    if method == _DEBIAN:
        return (debian_failure(report.outcome, text, reason),)
    return (wheel_failure(report.outcome, text or reason, ""),)


def _of_packages(
    session: Session, differing: list[Finding], tools: tuple[DatedTool, ...], both: Opener
) -> tuple[RemainingCause, ...]:
    pairs = []
    for finding in differing:
        with both(finding) as (shipped, rebuilt):
            pairs.append(package_pair(session.jail, finding.name, shipped, rebuilt))
    return debian_causes(pairs, tools)


def _of_script(
    session: Session, report: Report, differing: list[Finding], both: Opener
) -> tuple[RemainingCause, ...]:
    """Return what differs; why a vendor's own build failed is in the reason of the outcome."""
    found = []
    for finding in differing:
        with _both_files(session, finding, both) as (shipped, rebuilt):
            parts = (read_parts(path, session.jail) for path in (shipped, rebuilt))
            found.append(compare_parts(finding.name, *parts))
    built_in = ScriptHypothesis(path=str(report.environment.declared.get("path", PATH)))
    return (*remaining_causes(found), *undeclarable(built_in, found))


def _tools(session: Session, report: Report, fetcher: Fetcher) -> tuple[DatedTool, ...]:
    """Return the tools of the builder image; none where their packages cannot be had."""
    image = report.environment.image or ""
    try:
        known = session.images.has_lock(image)
        return dated_tools(session, image, (), fetcher=fetcher) if known else ()
    except SamebitsError:
        return ()


def _of_wheel(
    session: Session, report: Report, finding: Finding, both: Opener
) -> tuple[RemainingCause, ...]:
    (source,) = report.environment.sources
    with _both_files(session, finding, both) as paths:
        sdist = paths[0].with_name("source")
        session.vault.stage(source.sha256, sdist)
        shipped = read_wheel(paths[0], finding.name, session.jail)
        facts = read_sdist(sdist, source.locator, session.jail)
        clues = clues_of(shipped, facts, None, python_images(session.images))
        return wheel_causes(clues, compare_wheels(*paths, finding.name, session.jail))


@contextmanager
def _both_files(session: Session, finding: Finding, both: Opener) -> Iterator[tuple[Path, Path]]:
    """Copy both files into a folder that is removed at the end."""
    with tempfile.TemporaryDirectory(dir=session.workdir, prefix="causes-") as folder:
        paths = (Path(folder, "shipped"), Path(folder, "rebuilt"))
        with both(finding) as streams:
            for path, stream in zip(paths, streams, strict=True):
                with path.open("wb") as copy:
                    shutil.copyfileobj(stream, copy)
        yield paths


def files_in(shipped: Path, rebuilt: Path) -> Opener:
    """Return what opens the files of a run, by their names, in two folders."""

    @contextmanager
    def opened(finding: Finding) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        with (
            (shipped / finding.name).open("rb") as theirs,
            (rebuilt / finding.name).open("rb") as ours,
        ):
            yield theirs, ours

    return opened


@contextmanager
def _both(session: Session, finding: Finding) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open what was shipped, from the vault, and what was rebuilt, from the evidence."""
    shipped = finding.shipped.sha256 if finding.shipped else None
    rebuilt = finding.rebuilt.sha256 if finding.rebuilt else None
    if shipped is None or rebuilt is None:
        raise InputMismatchError(f"{finding.name} has not both files")
    with session.vault.open(shipped) as theirs, open_stored(session, rebuilt) as ours:
        yield theirs, ours
