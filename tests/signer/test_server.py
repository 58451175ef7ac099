"""The signer as a process: callers, messages, and what happens when they misbehave."""

from __future__ import annotations

import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.core.errors import UsageError
from pipelines.cli.center import signer_says
from pipelines.evidence.dsse import Envelope, verify_envelope
from pipelines.evidence.errors import EvidenceError, KeyFileError, RefusedError, SignerError
from pipelines.evidence.privatekey import PrivateKey, load_key
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.note import NoteSigner
from pipelines.signer import LocalSigner, socket_server, wire
from pipelines.signer.orders import Evidence, NewestOrder, StatusOrder
from pipelines.signer.socket_server import SignerServer
from pipelines.signer.wire import SocketSigner
from pipelines.verify.retries import is_retried
from tests.log.keys import FixedKey
from tests.signer.conftest import Stage
from tests.signer.scene import Scene


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return stage("identical")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def path(scene: Scene, key: PrivateKey, tmp_path: Path, said: list[str]) -> Iterator[Path]:
    """The socket of a running signer."""
    server = SignerServer(
        tmp_path / "s", scene.signer(key), uids=[os.getuid()], log=said.append, seconds=2
    )
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield tmp_path / "s"
    server.stop()
    thread.join(timeout=300)
    assert not thread.is_alive()


def test_a_caller_gets_what_the_signer_in_process_gives(
    path: Path, scene: Scene, key: PrivateKey
) -> None:
    evidence = scene.make()
    assert SocketSigner(path).sign(evidence) == scene.signer(key).sign(evidence)


def test_the_socket_is_for_its_owner(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_refusal_comes_with_its_check(path: Path, scene: Scene, said: list[str]) -> None:
    evidence = scene.make()
    report = evidence.report.model_copy(update={"center": "geneva"})
    lie = evidence.model_copy(update={"report": report})
    with pytest.raises(RefusedError, match="another center") as caught:
        SocketSigner(path).sign(lie)
    assert caught.value.check == "center"
    assert str(caught.value).count("the signer refuses") == 1
    assert "another center" in said[-1]


def test_several_requests_go_over_one_connection(path: Path, scene: Scene) -> None:
    data = scene.make().to_bytes()
    with _connect(path) as connection:
        for _ in range(2):
            wire.send(connection, data)
            answer = wire.receive(connection, patience=30)
            assert answer is not None
            assert len(wire.read_answer(answer, "envelopes").envelopes) == 4


def test_what_is_no_evidence_is_refused_and_ends_the_connection(
    path: Path, said: list[str]
) -> None:
    with _connect(path) as connection:
        wire.send(connection, b'{"_type": "https://in-toto.io/Statement/v1"}')
        answer = wire.receive(connection)
        assert answer is not None
        with pytest.raises(RefusedError, match="malformed"):
            wire.read_answer(answer, "envelopes")
        assert wire.receive(connection) is None
    assert "malformed" in said[-1]


def test_a_message_that_says_it_is_huge_is_not_read(path: Path) -> None:
    with _connect(path) as connection:
        connection.sendall(struct.pack(">I", 0xFFFFFFFF))
        answer = wire.receive(connection)
        assert answer is not None
        with pytest.raises(RefusedError, match="at most"):
            wire.read_answer(answer, "envelopes")


def test_a_message_cut_short_is_dropped(path: Path, said: list[str]) -> None:
    with _connect(path) as connection:
        connection.sendall(struct.pack(">I", 100) + b"{")
    _until(lambda: any("middle" in line for line in said))


def test_a_slow_caller_is_dropped(path: Path, said: list[str]) -> None:
    with _connect(path) as connection:
        connection.sendall(b"\0")
        _until(lambda: any("no answer in time" in s or "too long" in s for s in said))
        assert connection.recv(1) == b"", "it gets no answer"


def test_strangers_are_not_answered(
    scene: Scene, key: PrivateKey, tmp_path: Path, said: list[str]
) -> None:
    server = SignerServer(tmp_path / "t", scene.signer(key), uids=[65534], log=said.append)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        with pytest.raises(SignerError):
            SocketSigner(tmp_path / "t").sign(scene.make())
        _until(lambda: any("may not call" in line for line in said))
    finally:
        server.stop()
        thread.join(timeout=300)


def test_a_second_signer_is_refused(path: Path, scene: Scene, key: PrivateKey) -> None:
    with pytest.raises(UsageError, match="already"):
        SignerServer(path, scene.signer(key), uids=[0], log=print)


@pytest.mark.parametrize("name", ["absent", "a" * 200])
def test_no_signer_is_one_message(scene: Scene, tmp_path: Path, name: str) -> None:
    with pytest.raises(SignerError, match="no signer listens"):
        SocketSigner(tmp_path / name).sign(scene.make())


def test_a_signer_out_of_order_says_so(
    tmp_path: Path, scene: Scene, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(evidence: Evidence) -> list[Envelope]:
        message = "secret details"
        raise RuntimeError(message)

    signer = scene.signer(key)
    monkeypatch.setattr(signer, "sign", broken)
    server = SignerServer(tmp_path / "b", signer, uids=[os.getuid()], log=lambda _: None)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        with pytest.raises(SignerError, match="RuntimeError") as caught:
            SocketSigner(tmp_path / "b").sign(scene.make())
        assert "secret" not in str(caught.value)
    finally:
        server.stop()
        thread.join(timeout=300)


def test_a_token_that_was_unplugged_is_a_fault_that_is_tried_again(
    tmp_path: Path, scene: Scene, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = scene.signer(key)
    unplugged = KeyFileError("the module has no token", todo="Plug it in")
    monkeypatch.setattr(signer, "sign", Mock(side_effect=unplugged))
    with running(tmp_path / "u", signer) as path:
        with pytest.raises(SignerError, match="Plug it in") as caught:
            SocketSigner(path).sign(scene.make())
        assert is_retried(caught.value)


def test_an_error_of_the_store_is_told(path: Path, scene: Scene, said: list[str]) -> None:
    evidence = scene.make()
    scene.store.fail_on("open")
    with pytest.raises(SignerError, match="the store is out of order"):
        SocketSigner(path).sign(evidence)
    assert said[-1].startswith(f"acme/rules@1.10 {evidence.report.run}: the store is out of order")


def test_an_idle_signer_stays_ready(
    scene: Scene, key: PrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_server, "_POLL", 0.005)
    with running(tmp_path / "i", scene.signer(key)) as path:
        time.sleep(0.2)
        assert SocketSigner(path).sign(scene.make())


@pytest.mark.parametrize(("error", "waits"), [(TimeoutError(), 0), (OSError(24, "full"), 20)])
def test_a_signer_without_callers_goes_on(
    scene: Scene, key: PrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    error: OSError, waits: int,
) -> None:  # fmt: skip
    server = SignerServer(tmp_path / "a", scene.signer(key), uids=[0], log=print)
    accepts: list[OSError] = []
    waited: list[float] = []

    def accept() -> None:
        accepts.append(error)
        if len(accepts) == 20:  # more than there may be callers
            server._stopped.set()
        raise error

    server._socket.close()
    monkeypatch.setattr(server, "_socket", SimpleNamespace(accept=accept, close=lambda: None))
    monkeypatch.setattr(server._stopped, "wait", waited.append)
    server.serve()
    server.stop()
    assert (len(accepts), len(waited)) == (20, waits)


def test_callers_above_the_limit_wait(
    scene: Scene, key: PrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_server, "_POLL", 0.005)
    monkeypatch.setattr(socket_server, "MAX_CALLERS", 1)
    evidence = scene.make()
    with running(tmp_path / "m", scene.signer(key)) as path, ThreadPoolExecutor(1) as pool:
        with _connect(path) as first:
            wire.send(first, evidence.to_bytes())
            assert wire.receive(first, patience=30)
            second = pool.submit(SocketSigner(path).sign, evidence)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.3)
        assert second.result(timeout=300)


def test_a_signer_that_is_stopped_takes_no_further_order(
    scene: Scene, key: PrivateKey, tmp_path: Path
) -> None:
    order = NewestOrder().to_bytes()
    with running(tmp_path / "e", scene.signer(key)) as path:
        connection = _connect(path)
        wire.send(connection, order)
        assert wire.receive(connection)

    def answer() -> bytes | None:
        with suppress(SignerError, OSError):  # the connection may be closed already
            wire.send(connection, order)
            return wire.receive(connection)
        return None

    with connection:
        answer()  # it may have been waited for when the signer stopped
        assert answer() is None


def test_what_the_signer_says_is_one_line_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    signer_says("newest checkpoint: \x1b[2Jreturned")
    assert capsys.readouterr().err == "signer: newest checkpoint: \\x1b[2Jreturned\n"


def test_every_order_is_told_with_what_it_is_about(
    path: Path, scene: Scene, said: list[str]
) -> None:
    log = SocketSigner(path).checkpoint_signer(NoteSigner(scene.center.origin, FixedKey("log")).key)
    head = Checkpoint(origin=scene.center.origin, size=3, root=bytes(32))
    log.sign(log.newest(), head, [])
    with pytest.raises(EvidenceError):
        SocketSigner(path).sign_status(StatusOrder(statement=b"{}"))
    assert said[:2] == ["newest checkpoint: returned", "checkpoint of 3 leaves: signed"]
    assert said[2].startswith("statement of status: ")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(min_size=1, max_size=200))
def test_rubbish_never_stops_the_signer(path: Path, data: bytes) -> None:
    with _connect(path) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = wire.receive(connection)
        except SignerError:
            return
        if answer is not None:
            with pytest.raises(RefusedError):
                wire.read_answer(answer, "envelopes")


def test_the_command_signs_in_a_process_of_its_own(scene: Scene, tmp_path: Path) -> None:
    """`center init`, then `signer` over the directory store of that center."""
    from pipelines.storage.directory import DirectoryStore

    center = tmp_path / "center.yaml"
    center.write_text("schema: samebits/center/v1\nid: zurich\nhome: home\nstore: store\n")
    _run("center", "init", "--center", str(center))
    evidence = scene.make()
    store = DirectoryStore(tmp_path / "store")
    for name, versions in scene.store.objects.items():
        held = tmp_path / "object"
        held.write_bytes(versions[0])
        store.put_file(name, held)
    arguments = ["center", "run", "signer", "--center", str(center)]
    arguments += ["--socket", str(tmp_path / "s")]
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *arguments], stderr=subprocess.PIPE
    ) as process:
        try:
            _until((tmp_path / "s").exists)
            time.sleep(0.1)
            envelopes = SocketSigner(tmp_path / "s").sign(evidence)
        finally:
            process.send_signal(signal.SIGTERM)
            errors = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 0, errors
    assert "4 statements signed" in errors
    verify_envelope(envelopes[0], [load_key(tmp_path / "home" / "keys", "statements").public])
    assert not (tmp_path / "s").exists()


@contextmanager
def running(path: Path, signer: LocalSigner) -> Iterator[Path]:
    """Run a signer for a while."""
    server = SignerServer(path, signer, uids=[os.getuid()], log=lambda _: None)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield path
    finally:
        server.stop()
        thread.join(timeout=300)


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pipelines.cli", *arguments], check=True)


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(300)
    connection.connect(str(path))
    return connection


def _until(condition: object, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if callable(condition) and condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not happen in time")
