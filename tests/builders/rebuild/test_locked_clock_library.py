"""The clock library comes from the vault or is compiled, and is the locked one or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.errors import ImageMismatchError, InputUnavailableError
from builders.engine import Engine
from builders.inputs.vault import Vault
from builders.preload.preload_lock import preload_lock, sources_digest
from builders.rebuild.clock_library import check_library, compile_library, provide_library
from builders.rebuild.plan import make_plan
from builders.rebuild.staging import stage_control
from pipelines.storage.directory import DirectoryStore
from pipelines.verify.session import Session
from tests.builders.recipes import SCRIPT, recipe


def test_the_library_is_the_locked_one_bit_for_bit(session: Session, tmp_path: Path) -> None:
    lock = preload_lock()
    assert lock.sources == sources_digest(), "relock: the sources are others"
    assert lock.config == session.images.lock(lock.image).image.config, "relock: another image"
    built = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        folder = tmp_path / name
        built.append(compile_library(lock, session.images, session.engine, session.vault, folder))
    assert built[0].read_bytes() == built[1].read_bytes()
    assert Digest.of(built[0].read_bytes()) == lock.library, "relock: another library"


def test_another_library_is_never_used(session: Session, tmp_path: Path) -> None:
    other = tmp_path / "clock.so"
    other.write_bytes(b"another library")
    with pytest.raises(ImageMismatchError, match="nothing that is known") as caught:
        check_library(other, preload_lock(), session.images)
    assert str(Digest.of(b"another library")) in str(caught.value)
    moved = preload_lock().model_copy(update={"config": Digest("0" * 64)})
    with pytest.raises(ImageMismatchError, match="image debian-trixie-build"):
        check_library(other, moved, session.images)


def test_a_vault_that_holds_the_library_needs_no_engine(
    session: Session, library: Digest, tmp_path: Path
) -> None:
    nobody = Engine(None)
    assert provide_library(session.images, nobody, session.vault, tmp_path) == library


def test_without_the_library_nothing_runs(tmp_path: Path) -> None:
    plan = make_plan(
        recipe({**SCRIPT, "clock": {"time": "2021-05-05T14:18:17Z"}}), [], script=None, cores=1
    )
    with pytest.raises(InputUnavailableError):
        stage_control(plan, Vault(DirectoryStore(tmp_path / "store")), tmp_path / "control")
