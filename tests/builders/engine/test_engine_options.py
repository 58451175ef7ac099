"""Real engines with other options: one that maps the ids of containers, one without seccomp."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from builders.container.idmap import IdRange
from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.core.errors import EngineError
from builders.images.provide import ProvidedImage
from pipelines.verify.session import Session
from tests.builders.engine.ownengine import OwnEngine, own_engine
from tests.lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.root]

PROGRAMS = ("sh", "mkdir", "cat", "id")


@contextmanager
def remapping(folder: Path) -> Iterator[OwnEngine]:
    """An engine that runs with other ids, which the files of this machine do not name."""
    with ExitStack() as stack:
        for name in ("subuid", "subgid"):
            (folder / name).write_text("nobody:100000:65536\n")
            subprocess.run(["mount", "--bind", str(folder / name), f"/etc/{name}"], check=True)
            stack.callback(subprocess.run, ["umount", f"/etc/{name}"], check=True)
        engine = stack.enter_context(own_engine("--userns-remap=nobody:nogroup"))
        yield engine


def small_image(engine: OwnEngine) -> ProvidedImage:
    """Import some programs of this machine and their libraries."""
    paths = [f"/bin/{name}" for name in PROGRAMS]
    told = subprocess.run(["ldd", *paths], capture_output=True, text=True, check=True).stdout
    needed = {word for word in told.split() if word.startswith("/lib") and not word.endswith(":")}
    archive = subprocess.run(
        ["tar", "-P", "-ch", *paths, *sorted(needed)], capture_output=True, check=True
    ).stdout
    made = subprocess.run(
        ["docker", "--host", engine.host, "import", "-", "small:1"],
        input=archive, capture_output=True, check=True,
    )  # fmt: skip
    digest = made.stdout.decode().strip()
    return ProvidedImage(reference=digest, config=Digest(digest.removeprefix("sha256:")))


def test_an_engine_without_seccomp_is_refused(session: Session, tmp_path: Path) -> None:
    with own_engine("--seccomp-profile=unconfined") as engine:
        update = {"engine": engine.host}
        with Session(session.center.model_copy(update=update)) as own:
            lab = Lab(own, small_image(engine), tmp_path)
            with pytest.raises(EngineError, match="Seccomp; got 0; expected 2"):
                lab.shell("echo x > /out/out.bin")
            lab.assert_nothing_left()


def test_a_build_runs_as_a_user_that_is_nobody_here(session: Session, tmp_path: Path) -> None:
    with remapping(tmp_path) as engine:
        (tmp_path / "lab").mkdir()
        update = {"engine": engine.host}
        with Session(session.center.model_copy(update=update)) as own:
            lab = Lab(own, small_image(engine), tmp_path / "lab")
            found = lab.shell("id -u; cat /proc/self/uid_map > /out/out.bin; echo x > /tmp/x")
            lab.assert_nothing_left()
    assert (found.outcome, lab.log()) == (Outcome.BUILT, "1000\n")
    assert lab.output().split() == ["0", "100000", "65536"]
    assert found.uid_map == (IdRange(inside=0, outside=100000, count=65536),)
    assert (lab.kept / "out.bin").stat().st_uid == 0
