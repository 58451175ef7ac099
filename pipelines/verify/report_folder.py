"""One run in a folder to be read: its report, build logs, explanations, and the source it was of.

The folder is there complete or not at all; who may read it is up to the umask, and private evidence
is in it. Names in it are ours. What others wrote is foreign: the
HTML of diffoscope, which has read hostile files, stands in a page of ours, as a frame in which
there are no scripts, no forms, no network and no way out.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from builders.core.digest import Digest, chunks
from builders.core.enums import Role
from builders.core.errors import InputMismatchError, NotFoundError, SamebitsError, UsageError
from builders.core.escaping import entry
from builders.inputs.source_files import SourceFiles
from builders.recipe.recipe import Input
from pipelines.evidence.report import Purpose, Report, SourceFact
from pipelines.evidence.run_explanation import RunExplanation
from pipelines.explain.frame import BACK, FRONT, attribute
from pipelines.explain.page import difference_page, pages
from pipelines.signer.byte_source import ByteSource
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import DamagedError
from pipelines.verify.session import Session

INDEX = "index.html"
_TEMPLATES = pages(Path(__file__).parent / "templates")


@dataclass(frozen=True, kw_only=True)
class FolderFile:
    """A file or folder of a report folder; `digest` is that of the object, or of the source."""

    name: str
    what: str
    size: int
    digest: Digest
    linked: bool = True
    """Whether the index links to it: a browser shows it as text, or confines it."""
    framed: bool = False
    """Whether it is foreign HTML, which the index shows too."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "name": self.name, "what": self.what, "size": self.size, "sha256": str(self.digest),
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What a report folder lacks, and why."""

    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class ReportFolder:
    """What was written into a folder, and what could not be."""

    files: tuple[FolderFile, ...]
    left_out: tuple[LeftOut, ...]


def write_report_folder(
    folder: Path,
    report: Report,
    session: Session,
    lines: Iterable[str],
    *,
    explanation: RunExplanation | None = None,
    style: str = "",
) -> ReportFolder:
    """Write the new `folder`; `lines` is the report as a terminal shows it, `style` is CSS of ours.

    What the store does not hold, such as the private evidence of another center, is left out and
    named. Raises `DamagedError` for an object with other bytes, and `UsageError`.
    """
    try:
        with tempfile.TemporaryDirectory(dir=folder.absolute().parent, prefix=".report-") as made:
            writer = _Writer(Path(made, "report"), report, session, explanation)
            writer.write(lines, style)
            writer.folder.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written", got=error.strerror) from error
    return ReportFolder(files=tuple(writer.files), left_out=tuple(writer.left_out))


class _Writer:
    """Writes one folder."""

    def __init__(
        self, folder: Path, report: Report, session: Session, explanation: RunExplanation | None
    ) -> None:
        self.folder = folder
        self.files: list[FolderFile] = []
        self.left_out: list[LeftOut] = []
        self._report, self._session, self._explanation = report, session, explanation

    def write(self, lines: Iterable[str], style: str) -> None:
        self.folder.mkdir()
        data = self._report.to_json()
        self._keep("report.json", "the report of the run", data)
        if self._explanation is not None:
            told = self._explanation.to_json()
            self._keep("explanation.json", "what explains the run", told)
        self._logs()
        self._explanations()
        self._sources(self._report.environment.sources)
        page = _TEMPLATES.get_template("report.html.j2").render(
            title=f"{self._report.release}: {self._report.verdict}",
            lines=[part for line in lines for part in entry(line).split("\n")],
            files=self.files,
            left_out=self.left_out,
            style=Markup(style),  # noqa: S704  # a file of ours
        )
        self._keep(INDEX, "this index", page.encode("utf-8", "backslashreplace"))

    def _keep(self, name: str, what: str, data: bytes) -> None:
        path = self.folder / name
        path.write_bytes(data)
        made = FolderFile(name=name, what=what, size=len(data), digest=Digest.of(data))
        self.files.append(made)

    def _logs(self) -> None:
        """Write the log of each attempt; a name in .txt is never taken for HTML."""
        again = self._explanation.confirming if self._explanation else None
        attempts = (*self._report.attempts, *([again] if again else []))
        logs = [a for a in attempts if a.rebuild.log]
        judged = self._report.judged
        for attempt in logs:
            own = attempt is judged
            name = "build.log.txt" if own else f"build-{attempt.number}.log.txt"
            purpose = "the build log" if own else f"the log of attempt {attempt.number}"
            kind = "" if attempt.purpose == Purpose.JUDGED else f" ({attempt.purpose})"
            self._object(name, f"{purpose}{kind}", attempt.rebuild.log)

    def _explanations(self) -> None:
        for number, finding in enumerate(self._report.artefacts, start=1):
            told = (self._explanation.about(finding.name) if self._explanation else None) or finding
            about, html, data = (
                finding.name,
                told.explanation.html_diff,
                told.explanation.json_diff,
            )
            look = told.explanation.first_look
            if look is not None and finding.shipped and finding.rebuilt:
                files = (("shipped", finding.shipped.sha256), ("rebuilt", finding.rebuilt.sha256))
                page = difference_page(f"{finding.verdict}: {about}", files, look, told.causes)
                name = f"difference-{number}.html"
                self._keep(name, f"the fields that differ in {about}", page)
            what = f"what differs in {about}"
            self._object(f"explained-{number}.html", what, html, framed=True)
            self._object(f"explained-{number}.json", f"{what}, for programs", data)

    def _object(
        self,
        name: str,
        what: str,
        digest: Digest | None,
        *,
        framed: bool = False,
    ) -> None:
        """Copy a private object of the store; foreign HTML is `framed`."""
        if digest is None:
            return
        path, hasher, size = self.folder / name, hashlib.sha256(), 0
        try:
            stream = self._session.store.open(cas(Visibility.PRIVATE, digest))
        except NotFoundError:
            self.left_out.append(LeftOut(what=what, why="this store does not hold it"))
            return
        with stream, path.open("xb") as out:
            out.write(FRONT if framed else b"")
            for piece in chunks(stream):
                hasher.update(piece)
                size += len(piece)
                out.write(attribute(piece) if framed else piece)
            out.write(BACK if framed else b"")
        if (found := hasher.hexdigest()) != digest.hex:
            raise DamagedError(f"{what} has other bytes", got=f"sha256 {found}", expected=digest)
        made = FolderFile(name=name, what=what, size=size, digest=digest, framed=framed)
        self.files.append(made)

    def _sources(self, sources: Sequence[SourceFact]) -> None:
        """Unpack the sources that were built, from the vault."""
        for number, fact in enumerate(sources, start=1):
            name = "source" if len(sources) == 1 else f"source-{number}"
            what = f"the source that was built, {fact.locator}"
            try:
                source = self._source(fact, number)
                source.write(self.folder / name)
            except (SamebitsError, ValueError) as error:
                shutil.rmtree(self.folder / name, ignore_errors=True)
                self.left_out.append(LeftOut(what=what, why=str(error)))
                continue
            made = FolderFile(
                name=f"{name}/", what=what, size=source.size(), digest=source.digest, linked=False
            )
            self.files.append(made)

    def _source(self, fact: SourceFact, number: int) -> SourceFiles:
        vault, jail = self._session.vault, self._session.jail
        item = Input.model_validate(
            {"role": Role.SOURCE, "locator": fact.locator, "sha256": fact.sha256}
        )
        files = list(ByteSource(self._session.store, vault, jail).input_files(item))
        contents = self.folder.parent / f"contents-{number}"
        source = SourceFiles.read(files, lambda file: vault.open(file.sha256), contents, jail)
        if source.digest != fact.source_digest:
            what = "the source is not the one that was built"
            raise InputMismatchError(what, got=source.digest, expected=fact.source_digest)
        return source
