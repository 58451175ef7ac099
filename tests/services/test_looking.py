"""Looking at a center that is not up, or whose port somebody else has: words, and no traceback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from socket import create_server

import pytest
from click.testing import CliRunner

from builders.core.errors import InfrastructureError, UsageError
from pipelines.center.center import Center
from pipelines.center.keys import make_local_policy
from pipelines.cli.log import command as log
from pipelines.cli.status import status_lines
from pipelines.evidence.privatekey import create_key
from pipelines.services.environment import make_auth
from pipelines.services.prefect_api import PrefectApi
from pipelines.services.status import CenterStatus, status
from pipelines.signer.orders import status_signer
from pipelines.verify import interrupted
from pipelines.verify.session import Session
from tests.center.test_center_file import center
from tests.services.stand import free_port

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def look(center: Center, now: datetime) -> CenterStatus:
    with Session(center) as session:
        return status(session, now=now)


@contextmanager
def listening(answer: bytes) -> Iterator[int]:
    """Give every caller the same bytes, whatever it asks."""
    with create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve() -> None:
            server.settimeout(0.1)
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n{}",
        b"",
    ],
    ids=["a page", "no http", "half an answer", "nothing"],
)
def test_another_program_at_the_port_does_not_answer(tmp_path: Path, answer: bytes) -> None:
    with listening(answer) as port:
        api = PrefectApi(center(tmp_path, home="home", prefect={"port": port}))
        assert not api.answers()
        with pytest.raises(InfrastructureError, match="does not answer as it should"):
            api.get("/flow_runs")


def test_a_center_that_never_was_up_does_not_answer(tmp_path: Path) -> None:
    never = center(tmp_path, home="home", prefect={"port": free_port()})
    found = look(never, NOW)
    assert (found.answers, found.processes) == (False, {})


def test_the_words_for_a_server_elsewhere_must_be_there(tmp_path: Path) -> None:
    elsewhere = center(
        tmp_path, home="home", prefect={"api": "http://127.0.0.1:9/api", "auth": "auth"}
    )
    with pytest.raises(UsageError, match="cannot be read"):
        PrefectApi(elsewhere)


def test_words_that_others_can_read_are_refused_as_ever(tmp_path: Path) -> None:
    mine = center(tmp_path, home="home", prefect={"port": free_port()})
    path = make_auth(mine)
    assert path is not None
    path.chmod(0o644)
    with pytest.raises(UsageError, match="is not kept from others"):
        PrefectApi(mine)


def test_the_last_heartbeat_is_told_to_who_has_no_private_key(tmp_path: Path) -> None:
    """Where the signer is a process of its own, its user alone can read the keys."""
    mine = _with_keys(center(tmp_path, home="home"))
    session = Session(mine)
    now = datetime.now(UTC)
    session.logbook().publish_heartbeat(status_signer(session.signer), now)
    (mine.key_folder / "statements.key").unlink()
    found = look(mine, now)
    assert found.last_heartbeat == now.isoformat(timespec="seconds")
    assert found.faults == ()


def test_the_policy_in_force_is_shown_or_missed(tmp_path: Path) -> None:
    """A file without `policy` means the one in the center's home."""
    bare = center(tmp_path, home="home")
    missing = look(bare, NOW)
    assert missing.policy is None
    assert f"center {bare.id} has no policy" in "\n".join(missing.faults)
    mine = _with_keys(bare)
    now = datetime.now(UTC)
    found = look(mine, now)
    assert found.policy is not None
    assert found.policy["file"] == str(tmp_path / "home/policy/policy.dsse.json")
    assert found.policy["version"] == 1
    assert any(line.startswith("policy: ") for line in status_lines(found, NOW))


def _with_keys(mine: Center) -> Center:
    for use in ("statements", "log", "witness"):
        create_key(mine.key_folder, use)
    make_local_policy(mine)
    return mine


def test_the_signer_of_a_host_may_write_where_it_remembers() -> None:
    """The log's signer writes beside its key; a read-only home would stop every run."""
    unit = Path(__file__).parents[2] / "infra/systemd/samebits-signer@.service"
    told = dict(line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line)
    assert told["ProtectSystem"] == "strict"
    home, _, _ = told["Environment"].removeprefix("SAMEBITS_HOME=").partition(" ")
    assert home == f"/var/lib/{told['StateDirectory']}"


def test_keys_that_only_the_signer_has_are_said_to_be_there(tmp_path: Path) -> None:
    mine = _with_keys(center(tmp_path, home="home", signer="signer.sock"))
    (mine.key_folder / "statements.key").unlink()
    text = "\n".join(status_lines(look(mine, NOW), NOW))
    assert f"key for statements: behind the signer at {mine.signer}" in text
    assert f"key for witness: {mine.key_folder / 'witness.key'}" in text


def test_a_run_that_is_to_be_completed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = _with_keys(center(tmp_path, home="home"))
    monkeypatch.setattr(interrupted, "interrupted_runs", lambda _: iter(["20260102T000000Z-1"]))
    told = "the run 20260102T000000Z-1 was cut off after its commitment: `samebits reap`"
    assert any(told in warning for warning in look(mine, datetime.now(UTC)).warnings)
    checked = CliRunner().invoke(log, ["check", "--center", str(mine.file)])
    assert told in checked.stderr
