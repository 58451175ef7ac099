"""A list with everything that can be wrong: one clear row each, and the run goes on.

Nothing of it is run outside a container, and nothing is left half-written.
"""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders.archives import ArchiveLimits
from builders.core.digest import Digest, digest_file
from builders.core.errors import EngineError, InputUnavailableError
from builders.locators import FetchRequest
from infra.bench.corpus import Row, figures, measure
from pipelines.center.center import Center
from pipelines.infer.journal import SearchJournal
from pipelines.infer.search import SearchLimits
from pipelines.infer.trial import TrialResult
from pipelines.infer.wheel import facts, search
from pipelines.infer.wheel.facts import sdist_facts
from pipelines.infer.wheel.hypothesis import WheelHypothesis
from pipelines.infer.wheel.search import WheelStrategy
from pipelines.verify.session import Session
from tests.fakes.jail import OpenJail
from tests.infer.workbench import (
    RELEASED,
    TIMED_OUT,
    Entry,
    FakeIndex,
    FakeRebuild,
    sdist,
    source_files,
    wheel,
    wheel_files,
)
from tests.madeimages import made_image

WHEEL, SDIST = "{}-1.0-py3-none-any.whl", "{}-1.0.tar.gz"
ROWS = {
    "pkg:pypi/good@1.0": ("identical", "same SHA-256"),
    "pkg:pypi/nothing@1.0": ("not available", "no project nothing"),
    "pkg:pypi/good@9.0": ("not available", "no version 9.0 of good"),
    "pkg:pypi/yanked@1.0": ("identical", "same SHA-256"),
    "pkg:pypi/nosource@1.0": ("not available", "without a source distribution"),
    "pkg:pypi/climbing@1.0": (
        "not available",
        "leaves its tree; got tool-1.0/../../etc/cron.d/run",
    ),
    "pkg:pypi/bomb@1.0": ("not available", "cannot be read"),
    "pkg:pypi/noarchive@1.0": ("not available", "cannot be read"),
    "pkg:pypi/lying@1.0": ("different", "the bytes differ"),
    "pkg:pypi/nowheel@1.0": ("not available", "cannot be read"),
    "pkg:pypi/swapped@1.0": ("not available", "swapped-1.0-py3-none-any.whl"),
    "pkg:pypi/lost@1.0": ("not available", "answers 404"),
    "pkg:pypi/endless@1.0": ("build failed", "exit code 1"),
    "pkg:pypi/faulty@1.0": ("not available", "the engine went away"),
    "pkg:npm/good@1.0": ("not available", "purl 'pkg:npm/good@1.0'"),
    "no purl at all": ("not available", "not a release"),
    "pkg:pypi/last@1.0": ("identical", "same SHA-256"),
}


@dataclass
class Vendors:
    """An index, and what it serves."""

    folder: Path
    index: FakeIndex = field(default_factory=FakeIndex)
    files: dict[Digest, bytes] = field(default_factory=dict)

    def put(self, project: str, name: str, data: bytes, **about: Any) -> None:
        """Serve a file of version 1.0, under its digest or, to be found out, under another."""
        about = {"kind": "wheel", "sha256": Digest.of(data), **about}
        self.index.put(project, "1.0", RELEASED, name=name, **about)
        self.files[about["sha256"]] = data

    def release(
        self,
        project: str,
        *,
        shipped: bytes | None = None,
        source: bytes | None = None,
        yanked: str | None = None,
    ) -> None:
        """Release a project; the wheel and the source are sound where nothing else is said."""
        made = self.wheel(project) if shipped is None else shipped
        self.put(project, WHEEL.format(project), made, yanked=yanked)
        made = self.source(project) if source is None else source
        self.put(project, SDIST.format(project), made, kind="sdist")

    def wheel(self, project: str, record: str | None = None) -> bytes:
        files = {**wheel_files(), "tool/name": Entry(data=project.encode())}
        return wheel(self.folder / "made.whl", files, record=record).read_bytes()

    def source(self, project: str, **more: Entry) -> bytes:
        files = source_files(**{"tool/name": Entry(data=project.encode()), **more})
        return sdist(self.folder / "made.tar.gz", files).read_bytes()

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch as a `Fetcher` does."""
        paths: list[Path] = []
        for want in wants:
            if want.sha256 not in self.files:
                raise InputUnavailableError(f"{want.name} answers 404")
            path = into / f"{len(paths)}"
            path.write_bytes(self.files[want.sha256])
            paths.append(path)
        return paths


def vendors(folder: Path) -> Vendors:
    """Return an index of sound releases, and of all others of the list."""
    made = Vendors(folder)
    tool = io.BytesIO()
    with zipfile.ZipFile(tool, "w") as archive:
        archive.writestr("x-1.dist-info/METADATA", "Name: x\n")
    made.files[Digest.of(tool.getvalue())] = tool.getvalue()
    for project, version in (("setuptools", "61.3.1"), ("wheel", "0.37.1")):
        made.index.put(project, version, RELEASED, sha256=Digest.of(tool.getvalue()))
    for project in ("good", "last", "endless", "faulty"):
        made.release(project)
    made.release("yanked", yanked="it deletes files")
    made.put("nosource", WHEEL.format("nosource"), made.wheel("nosource"))
    made.release("climbing", source=made.source("climbing", **{"../../etc/cron.d/run": Entry()}))
    made.release("bomb", source=made.source("bomb", zeros=Entry(data=bytes(8 << 20))))
    made.release("noarchive", source=b"<html>moved</html>")
    made.release("nowheel", shipped=b"PK\x03\x04 and then nothing")
    made.release("lying", shipped=made.wheel("lying", record="tool/name,sha256=AAAA,5\n"))
    name = WHEEL.format("swapped")
    made.put("swapped", name, made.wheel("another"), sha256=Digest.of(b"what was announced"))
    made.put("swapped", SDIST.format("swapped"), made.source("swapped"), kind="sdist")
    made.release("lost")
    del made.files[Digest.of(made.source("lost"))]
    return made


class Tries(WheelStrategy):
    """Builds, in place of containers, what the sound release of that name holds."""

    made: Vendors

    def run(self, hypothesis: WheelHypothesis, *, seconds: int) -> TrialResult:
        project = self.target.product
        if project == "faulty":
            raise EngineError("the engine went away")

        def build(_: WheelHypothesis) -> Path | str:
            if project == "endless":
                return TIMED_OUT
            path = self.made.folder / f"{project}-rebuilt.whl"
            path.write_bytes(self.made.wheel(project))
            return path

        rebuild = FakeRebuild(build=build, published=self.target.shipped.sha256)
        return rebuild.run(hypothesis, seconds=seconds)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = vendors(tmp_path)
    home = tmp_path / "home"
    center = Center(id="local", home=home, store=home / "store", recipes=tmp_path / "recipes")
    session: Any = Session(center, jail=OpenJail())
    made_image(
        tmp_path / "recipes" / "images",
        "python-wheel",
        ["python3", "python3-pip", "python3-venv"],
        session.vault,
        versions={"python3": "3.11.2-1"},
    )
    session.fetcher, session.index = made, made.index
    session.engine, session.budget = SimpleNamespace(sweep=lambda _: 0), None
    monkeypatch.setattr(Tries, "made", made, raising=False)
    monkeypatch.setattr(search, "WheelStrategy", Tries)
    small = ArchiveLimits(unpacked=4 << 20)
    monkeypatch.setattr(facts, "sdist_facts", partial(sdist_facts, limits=small))

    popen = subprocess.Popen

    def only_rm(command: Sequence[str], *more: Any, **settings: Any) -> subprocess.Popen[bytes]:
        if command[0] != "rm":  # which removes the folders of runs
            pytest.fail(f"a program was started: {command}")
        return popen(command, *more, **settings)

    monkeypatch.setattr(subprocess, "Popen", only_rm)
    return session


def measured(session: Any) -> dict[str, Row]:
    rows = measure(list(ROWS), session, session.index, jobs=1, limits=SearchLimits(tries=3))
    assert [row.purl for row in rows] == list(ROWS)
    return {row.purl: row for row in rows}


def test_each_bad_release_is_one_clear_row_and_the_run_goes_on(session: Any) -> None:
    rows = measured(session)
    for purl, (status, said) in ROWS.items():
        assert (purl, rows[purl].status) == (purl, status), rows[purl]
        assert said in rows[purl].reason
        assert "\n" not in rows[purl].reason
        assert "Traceback" not in rows[purl].reason
    assert rows["pkg:pypi/endless@1.0"].causes == ("build-does-not-end",)
    assert figures(list(rows.values()))["counts"]["not available"] == 12


def test_what_is_odd_about_a_release_stands_in_its_row(session: Any) -> None:
    rows = measured(session)
    assert rows["pkg:pypi/yanked@1.0"].notes == (
        "the vendor has yanked this release: it deletes files",
    )
    notes = rows["pkg:pypi/lying@1.0"].notes
    assert notes[0] == "tool/__init__.py is not in RECORD"
    assert rows["pkg:pypi/lying@1.0"].causes == ("unexplained",)
    assert rows["pkg:pypi/good@1.0"].notes == ()


def test_nothing_is_left_half_written(session: Any) -> None:
    measured(session)
    home = session.center.home
    assert [path for path in (home / "runs").rglob("*") if path.is_file()] == []
    assert list((home / "work").iterdir()) == []
    for folder in (home / "infer").iterdir():
        (path,) = folder.iterdir()
        assert SearchJournal.model_validate_json(path.read_bytes()).finished
    vaulted = [p for p in (home / "store" / "private").rglob("*") if p.is_file()]
    assert vaulted
    for path in vaulted:
        assert digest_file(path).hex == path.name
    assert Digest.of(session.fetcher.wheel("another")) not in set(session.vault.digests())
