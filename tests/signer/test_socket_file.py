"""The socket of a signer as a file: who may reach it, and what is never removed for it."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from builders.core.errors import UsageError
from pipelines.evidence.privatekey import PrivateKey
from pipelines.signer.socket_server import SignerServer
from tests.signer.conftest import Stage
from tests.signer.scene import Scene


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return stage("identical")


def test_a_group_may_reach_the_socket(scene: Scene, key: PrivateKey, tmp_path: Path) -> None:
    server = SignerServer(tmp_path / "g", scene.signer(key), uids=[0], group=os.getgid(), log=print)
    assert stat.S_IMODE((tmp_path / "g").stat().st_mode) == 0o660
    server.stop()


def test_the_socket_of_a_dead_signer_is_taken_over(
    scene: Scene, key: PrivateKey, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    SignerServer(tmp_path / "s", scene.signer(key), uids=[0], log=print).stop()


def test_a_file_is_not_taken_for_a_socket(scene: Scene, key: PrivateKey, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"mine")
    with pytest.raises(UsageError, match="no socket"):
        SignerServer(tmp_path / "s", scene.signer(key), uids=[0], log=print)
    assert (tmp_path / "s").read_bytes() == b"mine"


def test_a_path_that_is_too_long_is_one_message(
    scene: Scene, key: PrivateKey, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="107 bytes"):
        SignerServer(tmp_path / ("s" * 200), scene.signer(key), uids=[0], log=print)


def test_the_socket_is_made_with_its_folder_and_nothing_else_changes(
    scene: Scene, key: PrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: list[tuple[object, ...]] = []
    monkeypatch.setattr(os, "chown", lambda *owner: owners.append(owner))
    mask = os.umask(0o027)
    try:
        path = tmp_path / "new" / "folder" / "s"
        server = SignerServer(path, scene.signer(key), uids=[0], group=1234, log=print)
        assert owners == [(path, -1, 1234)]
        assert path.exists()
        server.stop()
        assert not path.exists()
        assert server._socket.fileno() == -1
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)
