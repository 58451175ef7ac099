"""The files of a stored run: what was shipped, from the vault, and what was rebuilt."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import BinaryIO

from builders.core.digest import Digest, digest_stream
from builders.core.errors import InputMismatchError, NotFoundError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.stored_runs import find_run, stored_report
from pipelines.storage.names import Visibility, cas
from pipelines.verify.release_source import recipe_of
from pipelines.verify.session import Session

NamedFiles = Sequence[tuple[str, BinaryIO]]
"""Names of artefacts and their contents, which are seekable."""


@contextmanager
def open_stored(session: Session, digest: Digest) -> Iterator[BinaryIO]:
    """Open a file of the evidence as a seekable stream; raises `InputMismatchError`."""
    session.workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=session.workdir) as copy:
        with session.store.open(cas(Visibility.PRIVATE, digest)) as stream:
            while piece := stream.read(1 << 20):
                copy.write(piece)
        copy.seek(0)
        if (found := digest_stream(copy)) != digest:
            what = "a file of the evidence has other bytes"
            raise InputMismatchError(what, got=found, expected=digest)
        copy.seek(0)
        yield copy


@contextmanager
def shipped_files(session: Session, release: ReleaseName) -> Iterator[NamedFiles]:
    """Open the shipped files of a release: those of its newest run, else those of its recipe.

    Raises `NotFoundError` for one that is not in the vault, and `UsageError` for a release that
    has neither a run nor a recipe.
    """
    try:
        report = _report(session, release, "latest")
    except NotFoundError:
        artefacts = recipe_of(str(release), session).recipe.artefacts
        named = [(a.name, a.shipped.sha256) for a in artefacts if a.shipped]
    else:
        named = list(_shipped(report))
    with _opened(session, named, release) as files:
        yield files


@contextmanager
def rebuilt_and_shipped(
    session: Session, release: ReleaseName, run: str
) -> Iterator[tuple[NamedFiles, NamedFiles]]:
    """Open what a run has rebuilt, and what was shipped; raises as `shipped_files` does."""
    report = _report(session, release, run)
    with ExitStack() as held:
        shipped = held.enter_context(_opened(session, _shipped(report), release))
        rebuilt = [
            (finding.name, held.enter_context(open_stored(session, finding.rebuilt.sha256)))
            for finding in report.artefacts
            if finding.rebuilt and finding.shipped
        ]
        if not rebuilt:
            what = f"the run of {release} has rebuilt nothing that was shipped"
            raise NotFoundError(what, got=report.outcome)
        yield rebuilt, shipped


def _report(session: Session, release: ReleaseName, run: str) -> Report:
    return stored_report(session.store, find_run(session.store, release, run), whole=True)


def _shipped(report: Report) -> Iterator[tuple[str, Digest]]:
    for finding in report.artefacts:
        if finding.shipped and finding.shipped.sha256:
            yield finding.name, finding.shipped.sha256


@contextmanager
def _opened(
    session: Session, named: Iterable[tuple[str, Digest]], release: ReleaseName
) -> Iterator[NamedFiles]:
    with ExitStack() as held:
        files = []
        for name, digest in named:
            if not session.vault.has(digest):
                raise NotFoundError(
                    f"the vault has not got {name} of {release}",
                    got=f"nothing with sha256 {digest}",
                    todo="`samebits verify` fetches it, `samebits vault import` brings it",
                )
            stream: AbstractContextManager[BinaryIO] = session.vault.open(digest)
            files.append((name, held.enter_context(stream)))
        yield files
