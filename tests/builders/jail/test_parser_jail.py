"""A reader sees its files and nothing else, whatever a file turns it into; its end is told."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from builders.archives import ArchiveError
from builders.jail import JailEnd, JailFailedError, JailUnavailableError, Nothing, ParserJail
from tests.builders.jail.readers import COPIED, PREPARED, SAY, SIZES, TABLE, TRY, Tried

ROOT = Path(__file__).parents[3]
KILLED = "signal 31"
"""SIGSYS: by the filter of system calls."""


@pytest.fixture(scope="module")
def jail() -> Iterator[ParserJail]:
    jail = ParserJail(TABLE)
    yield jail
    jail.close()


def attempt(jail: ParserJail, name: str) -> JailFailedError:
    with pytest.raises(JailFailedError) as caught:
        jail.run(TRY, [io.BytesIO(b"x")], Tried(name=name))
    return caught.value


def test_files_are_read_and_stay_where_they_stand(jail: ParserJail, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a file on disk")
    with path.open("rb") as file, tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(b"spooled")
        file.seek(5)
        files = [file, io.BytesIO(b"in memory"), spooled]
        assert jail.run(SIZES, files, Nothing()) == [14, 9, 7]  # type: ignore[arg-type]
        assert (file.tell(), spooled.tell()) == (5, 7)


def test_scratch_files_are_empty_again_and_outputs_are_kept(jail: ParserJail) -> None:
    with tempfile.TemporaryFile() as output:
        written = jail.run(COPIED, [io.BytesIO(b"12345")], Nothing(), outputs=[output])
        assert written == 5
        output.seek(0)
        assert output.read() == b"kept"


def test_a_reader_is_prepared_once_and_in_the_jail_alone(jail: ParserJail) -> None:
    for _ in range(2):
        assert jail.run(SAY, [io.BytesIO(b"x")], Tried(name="prepared")) == ["once"]
    assert PREPARED == []


@pytest.mark.parametrize(
    "name",
    [
        "socket", "fork", "thread", "program", "kill", "unshare", "mount", "ptrace", "chroot",
        "folder", "user", "limits", "code", "memory-file",
    ],
)  # fmt: skip
def test_what_a_reader_has_no_right_to_kills_it(jail: ParserJail, name: str) -> None:
    error = attempt(jail, name)
    assert (error.end, error.got) == (JailEnd.CRASHED, KILLED)


def test_parameters_may_be_of_any_size(jail: ParserJail) -> None:
    error = attempt(jail, "x" * (4 << 20))
    assert (error.end, str(error.got)[:12]) == (JailEnd.CRASHED, "KeyError: 'x")


@pytest.mark.parametrize("name", ["read-a-file", "list-files"])
def test_there_are_no_files(jail: ParserJail, name: str) -> None:
    error = attempt(jail, name)
    assert error.end is JailEnd.CRASHED
    assert "FileNotFoundError" in str(error.got)


def test_what_is_read_cannot_be_written(jail: ParserJail, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"shipped")
    with path.open("r+b") as file, pytest.raises(JailFailedError, match="Bad file descriptor"):
        jail.run(TRY, [file], Tried(name="write-to-the-file"))
    assert path.read_bytes() == b"shipped"


def test_a_reader_inherits_neither_environment_nor_descriptors(
    jail: ParserJail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    own = ParserJail(TABLE)
    with tempfile.TemporaryFile() as inherited:
        os.set_inheritable(inherited.fileno(), True)
        names = own.run(SAY, [], Tried(name="environment"))
        assert names == ["LC_ALL", "PYTHONPATH"]
        # One file, two of scratch, and the answer.
        assert own.run(TRY, [io.BytesIO(b"x")], Tried(name="descriptors")) == 4
    own.close()


def test_a_reader_is_confined_in_every_way_at_once(jail: ParserJail) -> None:
    """What proc(5) says of it from outside, while it waits."""
    errors: list[JailFailedError] = []
    thread = threading.Thread(target=lambda: errors.append(attempt(jail, "wait")))
    thread.start()
    process = waiting_reader(os.getpid())
    reader = process.pid
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{reader}/status").read_text().splitlines()
    )
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert {status[f"Cap{name}"] for name in ("Eff", "Prm", "Inh", "Bnd", "Amb")} == {"0" * 16}
    if os.getuid() == 0:
        assert status["Uid"].split() == ["65534"] * 4
        assert status["Groups"].strip() == ""
        for name in ("net", "mnt", "ipc", "uts", "pid"):
            theirs = Path(f"/proc/{reader}/ns/{name}").readlink()
            assert theirs != Path(f"/proc/self/ns/{name}").readlink()
        assert list(Path(f"/proc/{reader}/root").iterdir()) == []
        assert Path(f"/proc/{reader}/mountinfo").read_text().count("\n") == 1
    thread.join()
    assert errors[0].end is JailEnd.TIMED_OUT
    assert not process.is_running()


def test_the_process_of_the_next_file_has_left_the_host_before_there_is_one(
    jail: ParserJail,
) -> None:
    assert jail.run(SIZES, [], Nothing()) == []
    parent = parent_of(jail)
    own, deadline = Path("/proc/self/ns/net").readlink(), time.monotonic() + 10
    while time.monotonic() < deadline:
        (*_, waiting) = parent.children()
        with suppress(OSError):
            if Path(f"/proc/{waiting.pid}/ns/net").readlink() != own:
                break
        time.sleep(0.01)
    assert Path(f"/proc/{waiting.pid}/ns/net").readlink() != own


@pytest.mark.parametrize(
    ("name", "end", "got"),
    [
        ("wait", JailEnd.TIMED_OUT, "no end within 0.3 s"),
        ("spin", JailEnd.TIMED_OUT, "no end within 0.3 s"),
        ("hoard", JailEnd.OUT_OF_MEMORY, "more than 536870912 bytes"),
        ("fill", JailEnd.CRASHED, "OSError: [Errno 27] File too large"),
        ("flood", JailEnd.FLOODED, "more than 4000 bytes"),
        ("say-garbage", JailEnd.UNREADABLE, "Invalid JSON"),
        ("say-nothing", JailEnd.UNREADABLE, "Invalid JSON"),
        ("crash", JailEnd.CRASHED, "signal 11"),
        ("exit", JailEnd.CRASHED, "exit code 3"),
        ("text", JailEnd.UNREADABLE, "Input should be a valid integer"),
        ("other-error", JailEnd.CRASHED, "ValueError: of no known class"),
    ],
)
def test_an_end_without_a_value_is_told(
    jail: ParserJail, name: str, end: JailEnd, got: str
) -> None:
    with pytest.raises(JailFailedError) as caught:
        jail.run(TRY, [io.BytesIO(b"x")], Tried(name=name), seconds=0.3 if "no end" in got else 2)
    assert caught.value.end is end
    assert str(caught.value.got).startswith(got)


def test_an_error_of_a_known_class_comes_back_shortened(jail: ParserJail) -> None:
    with pytest.raises(ArchiveError) as caught:
        jail.run(TRY, [], Tried(name="known-error"))
    assert (caught.value.what, caught.value.got) == ("too long", "x" * 1000)


def test_one_file_leaves_nothing_to_the_next(jail: ParserJail) -> None:
    first = jail.run(TRY, [], Tried(name="modules"))
    assert attempt(jail, "thread").got == KILLED
    assert jail.run(SIZES, [], Nothing()) == []
    assert jail.run(TRY, [], Tried(name="modules")) == first


def test_a_reader_that_the_jail_was_not_made_with_is_a_mistake() -> None:
    jail = ParserJail([SIZES.name])
    with pytest.raises(LookupError, match=COPIED.name):
        jail.run(COPIED, [io.BytesIO(b"x")], Nothing())
    jail.close()


def test_a_jail_that_cannot_start_says_why_and_what_to_do() -> None:
    jail = ParserJail([SIZES.name, "tests.builders.jail.readers:NONE"])
    with pytest.raises(
        JailUnavailableError, match=r"has no attribute 'NONE'.*user.max_user_namespaces"
    ) as e:
        jail.run(SIZES, [], Nothing())
    assert e.value.exit_code == 2
    jail.close()


def test_the_parent_of_the_readers_is_started_again(jail: ParserJail) -> None:
    assert jail.run(SIZES, [], Nothing()) == []
    parent = parent_of(jail)
    parent.kill()
    parent.wait()
    assert jail.run(SIZES, [], Nothing()) == []


def test_many_threads_share_a_jail(jail: ParserJail) -> None:
    found: list[list[int]] = []

    def read(size: int) -> None:
        found.append(jail.run(SIZES, [io.BytesIO(b"x" * size)], Nothing()))

    threads = [threading.Thread(target=read, args=(size,)) for size in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [[size] for size in range(8)]


def test_a_reader_ends_with_the_process_that_asked() -> None:
    with asking("wait") as client:
        reader = waiting_reader(client.pid)
        (parent,) = parents(client.pid)
        client.send_signal(signal.SIGKILL)
        client.wait()
        _, alive = psutil.wait_procs([reader, parent], timeout=300)
        assert alive == []


@pytest.mark.root
def test_an_ordinary_user_has_a_jail_too() -> None:
    with asking("descriptors", user=True) as client:
        said = client.communicate(timeout=300)[0]
    assert said == b"4\n"


@pytest.mark.root
def test_a_user_without_namespaces_has_none() -> None:
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces"
    with asking("descriptors", user=True, first=forbid) as client:
        said = client.communicate(timeout=300)[0]
    assert b"the parser jail cannot be started; got [Errno 28]" in said
    assert b"user.max_user_namespaces" in said


def asking(name: str, *, user: bool = False, first: str = "") -> subprocess.Popen[bytes]:
    """Run a reader from a process of its own, as an ordinary user if asked."""
    code = (
        "import io\n"
        "from builders.jail import ParserJail\n"
        "from tests.builders.jail.readers import TABLE, TRY, Tried\n"
        "jail = ParserJail(TABLE)\n"
        "try:\n"
        f"    print(jail.run(TRY, [io.BytesIO(b'x')], Tried(name={name!r})))\n"
        "except Exception as error:\n"
        "    print(error)\n"
        "jail.close()\n"
    )
    command = [sys.executable, "-c", code]
    if user:
        # It may read the interpreter of whoever runs the tests, and has no other right.
        reads = [f"--{kind}=-all,+dac_read_search" for kind in ("inh-caps", "ambient-caps")]
        ids = ["--reuid=12345", "--regid=12345", "--clear-groups"]
        command = ["setpriv", *ids, *reads, *command]
    if first:
        script = f'{first} && exec "$@"'
        command = [
            "unshare",
            "--user",
            "--map-users=all",
            "--map-groups=all",
            "sh",
            "-c",
            script,
            "-",
            *command,
        ]
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": paths}, cwd=ROOT, stdout=subprocess.PIPE
    )


def parent_of(jail: ParserJail) -> psutil.Process:
    """Return the parent of the readers of a jail; other tests may have left jails of their own."""
    assert jail._parent is not None
    return psutil.Process(jail._parent._process.pid)


def parents(pid: int) -> list[psutil.Process]:
    """Return the parents of readers that a process has started."""
    children = psutil.Process(pid).children()
    alive = [p for p in children if p.status() != psutil.STATUS_ZOMBIE]
    return [p for p in alive if "builders.jail" in p.cmdline()]


def waiting_reader(pid: int) -> psutil.Process:
    """Return the process of a reader below another one, once it is confined."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(OSError):  # it has ended since
                if "Seccomp:\t2" in Path(f"/proc/{process.pid}/status").read_text():
                    return process
        time.sleep(0.01)
    raise AssertionError("no reader is confined")
