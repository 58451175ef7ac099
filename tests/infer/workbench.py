"""Small wheels and sources, an index in memory, and tries that need no container."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import Version

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import InputUnavailableError
from builders.core.runid import new_run_id
from builders.locators.package_index import IndexFile, Project, ProjectReader
from pipelines.infer.journal import DraftReview, Scalar, SearchJournal
from pipelines.infer.search import SearchLimits, search
from pipelines.infer.target import Pin, Target
from pipelines.infer.trial import TrialResult, TrialWorkspace
from pipelines.infer.wheel.clues import Clues, clues_of
from pipelines.infer.wheel.facts import read_sdist, read_wheel
from pipelines.infer.wheel.hypothesis import WheelHypothesis
from pipelines.infer.wheel.search import WheelStrategy
from pipelines.infer.wheel.toolchain import PythonImage
from pipelines.judge.finding import FileFact, Finding, ShippedFact
from pipelines.verify.session import LogSink, Session
from tests.fakes.jail import OpenJail

RELEASED = datetime(2022, 6, 1, tzinfo=UTC)
BUILT = int(datetime(2022, 6, 1, 10, 0, 20, tzinfo=UTC).timestamp())
SOURCE_TIME = int(datetime(2022, 5, 31, 8, 0, 0, tzinfo=UTC).timestamp())
IMAGES = (
    PythonImage(version=(3, 9), name="python39-wheel", zones=True),
    PythonImage(version=(3, 11), name="python311-wheel", zones=False),
    PythonImage(version=(3, 13), name="python-wheel", zones=True),
)
METADATA = "Metadata-Version: 2.1\nName: tool\nVersion: 1.0\nSummary: d\n\nLong text\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: {}\nRoot-Is-Purelib: true\nTag: py3-none-any\n\n"
SETUPTOOLS = "bdist_wheel (0.37.1)"
FLIT = "flit 3.7.1"
TIMED_OUT = "killed at its deadline"
"""The log with which a made-up build never ends."""


def review(
    target: Target,
    *,
    scalars: Sequence[Scalar] = (),
    notes: Sequence[str] = (),
    verdict: Verdict = Verdict.IDENTICAL,
) -> DraftReview:
    """Return what a draft tells its reviewer after a search with these results."""
    journal = SearchJournal.of(
        target,
        status="identical" if verdict is Verdict.IDENTICAL else "different",
        finished=True,
        reason="",
        scalars=tuple(scalars),
        notes=tuple(notes),
    )
    return DraftReview(journal, verdict)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file: content, time in seconds since 1970, mode."""

    data: bytes = b""
    at: int = SOURCE_TIME
    mode: int = 0o644


Entries = Mapping[str, Entry]


def source_files(**more: Entry) -> dict[str, Entry]:
    """Return the files of a small setuptools project, by path below its top folder."""
    return {
        "setup.py": Entry(data=b"from setuptools import setup; setup()\n"),
        "tool/__init__.py": Entry(data=b"# tool\n"),
        "tool/data.txt": Entry(data=b"data\n"),
        "LICENSE": Entry(data=b"Do what you like.\n"),
        **more,
    }


def sdist(path: Path, files: Entries, *, top: str = "tool-1.0") -> Path:
    """Write a `.tar.gz`."""
    with tarfile.open(path, "w:gz") as archive:
        for name, entry in files.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size, info.mtime, info.mode = len(entry.data), entry.at, entry.mode
            archive.addfile(info, io.BytesIO(entry.data))
    return path


def wheel_files(
    generator: str = SETUPTOOLS, *, at: int = BUILT, mode: int = 0o644, metadata: str = METADATA
) -> dict[str, Entry]:
    """Return the members of the wheel of `source_files`, RECORD left out."""
    folder = "tool-1.0.dist-info"
    made = {"at": at, "mode": mode}
    return {
        "tool/__init__.py": Entry(data=b"# tool\n", mode=mode),
        "tool/data.txt": Entry(data=b"data\n"),
        f"{folder}/LICENSE": Entry(data=b"Do what you like.\n", at=at),
        f"{folder}/METADATA": Entry(data=metadata.encode(), **made),
        f"{folder}/WHEEL": Entry(data=WHEEL.format(generator).encode(), **made),
    }


def wheel(
    path: Path,
    files: Entries,
    *,
    record: str | None = None,
    level: int | None = None,
    reverse_record: bool = False,
    at: int = BUILT,
) -> Path:
    """Write a wheel; its RECORD is made unless given."""
    rows = [_record_row(name, entry.data) for name, entry in files.items()]
    if reverse_record:
        rows.reverse()
    folder = next((n.partition("/")[0] for n in files if ".dist-info/" in n), "tool-1.0.dist-info")
    text = record if record is not None else "".join([*rows, f"{folder}/RECORD,,\n"])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, entry in {**files, f"{folder}/RECORD": Entry(data=text.encode(), at=at)}.items():
            when = datetime.fromtimestamp(entry.at, UTC)
            info = zipfile.ZipInfo(name, when.timetuple()[:6])
            info.external_attr = (0o100000 | entry.mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.data, compresslevel=level)
    return path


def _record_row(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def clues(
    folder: Path,
    *,
    shipped: Entries | None = None,
    source: Entries | None = None,
    name: str = "tool-1.0-py3-none-any.whl",
    dated: datetime = RELEASED,
) -> Clues:
    """Return the clues of a wheel and a source."""
    made = wheel(folder / name, shipped or wheel_files())
    archive = sdist(folder / "tool-1.0.tar.gz", source or source_files())
    return clues_of(
        read_wheel(made, name, OpenJail()),
        read_sdist(archive, "tool-1.0.tar.gz", OpenJail()),
        dated,
        IMAGES,
    )


@dataclass
class FakeIndex:
    """A `ProjectReader` over what a test puts in."""

    projects: dict[str, list[IndexFile]] = field(default_factory=dict)

    def project(self, name: str) -> Project:
        if name not in self.projects:
            raise InputUnavailableError(f"the package index has no project {name}")
        return Project(name=name, files=tuple(self.projects[name]))

    def put(
        self, project: str, version: str, uploaded: datetime | None, **facts: object
    ) -> IndexFile:
        """Add the pure wheel of a version."""
        name = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
        values: dict[str, object] = {
            "name": name,
            "kind": "wheel",
            "sha256": Digest.of(name.encode()),
            "tags": frozenset({"py3-none-any"}),
            **facts,
        }
        file = IndexFile(version=Version(version), uploaded=uploaded, **values)  # type: ignore[arg-type]
        self.projects.setdefault(project, []).append(file)
        return file


def backends() -> FakeIndex:
    """Return an index with a few backends, each version uploaded in its own year."""
    index = FakeIndex()
    for project, versions in {
        "setuptools": {"44.1.1": 2020, "56.2.0": 2021, "61.3.1": 2022, "65.5.0": 2023},
        "wheel": {"0.37.1": 2021, "0.38.4": 2023},
        "flit-core": {"3.7.1": 2022},
    }.items():
        for version, year in versions.items():
            index.put(project, version, datetime(year, 1, 1, tzinfo=UTC))
    return index


@dataclass
class FakeRebuild:
    """Builds wheels in this process, by a rule of the test, in place of a container."""

    build: Callable[[WheelHypothesis], Path | str]
    """Returns the wheel that a hypothesis builds to, or the log of a build that fails."""
    published: Digest
    tried: list[WheelHypothesis] = field(default_factory=list)

    def run(self, hypothesis: WheelHypothesis, *, seconds: int) -> TrialResult:
        """Rebuild and judge as a strategy does."""
        assert seconds > 0
        self.tried.append(hypothesis)
        built = self.build(hypothesis)
        if isinstance(built, str):
            outcome = Outcome.TIMED_OUT if built == TIMED_OUT else Outcome.BUILD_FAILED
            return TrialResult(outcome=outcome, reason="exit code 1", log=built)
        data = built.read_bytes()
        own, size = Digest.of(data), len(data)
        same = own == self.published
        finding = Finding(
            name="the wheel",
            verdict=Verdict.IDENTICAL if same else Verdict.DIFFERENT,
            reason="same SHA-256" if same else "the bytes differ",
            shipped=ShippedFact(published=self.published, sha256=self.published, size=size),
            rebuilt=FileFact(sha256=own, size=size),
        )
        return TrialResult(outcome=Outcome.BUILT, reason="", findings=(finding,), outputs=(built,))


@dataclass(frozen=True, kw_only=True)
class ToolWorkspace(TrialWorkspace):
    """A workspace with its own files from the vault, and the wheels of tools from a test."""

    own: tuple[Pin, ...]
    wheel_of: Callable[[Pin], Path]

    def copy(self, pin: Pin) -> Path:
        return super().copy(pin) if pin in self.own else self.wheel_of(pin)


def faked(
    rebuild: FakeRebuild, wheel_of: Callable[[Pin], Path] | None = None
) -> type[WheelStrategy]:
    """Return a strategy that rebuilds by `rebuild`, with the wheels of tools from `wheel_of`."""

    class Faked(WheelStrategy):
        def __init__(self, target: Target, workspace: TrialWorkspace, index: ProjectReader) -> None:
            if wheel_of is not None:
                own = (target.shipped, target.source)
                workspace = ToolWorkspace(**vars(workspace), own=own, wheel_of=wheel_of)
            super().__init__(target, workspace, index)

        def run(self, hypothesis: WheelHypothesis, *, seconds: int) -> TrialResult:
            return rebuild.run(hypothesis, seconds=seconds)

    return Faked


def searched(
    target: Target,
    session: Session,
    index: ProjectReader,
    folder: Path,
    rebuild: FakeRebuild,
    *,
    limits: SearchLimits | None = None,
    known: SearchJournal | None = None,
) -> SearchJournal:
    """Search in `folder`, with tools that require nothing."""
    workspace = TrialWorkspace(session=session, run=new_run_id(), folder=folder)
    strategy = faked(rebuild, no_requirements(folder))(target, workspace, index)
    return search(strategy, limits or SearchLimits(), LogSink(), known=known)


def no_requirements(folder: Path) -> Callable[[Pin], Path]:
    """Return a `wheel_of` for tools that require nothing."""
    folder.mkdir(exist_ok=True)
    path = folder / "nothing.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x-1.dist-info/METADATA", "Name: x\n")
    return lambda _: path


def tools_of(hypothesis: WheelHypothesis) -> Sequence[str]:
    """Return the toolchain as `project version`."""
    return [f"{tool.project} {tool.version}" for tool in hypothesis.tools]
