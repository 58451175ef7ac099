"""The container contract: each limit, tried by a build that does its best to break it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.core.enums import Outcome
from builders.core.errors import CancelledError
from builders.images.provide import ProvidedImage
from builders.rebuild.rebuild_result import OutputKind
from pipelines.verify.session import Session
from tests.lab import Lab


@pytest.fixture
def lab(session: Session, build_image: ProvidedImage, tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(session, build_image, tmp_path)
    yield lab
    lab.assert_nothing_left()


def test_a_build_that_behaves_is_built(lab: Lab) -> None:
    result = lab.shell("echo hello > /out/out.bin; echo told")
    assert (result.outcome, result.reason, result.exit_code) == (Outcome.BUILT, None, 0)
    assert [(o.name, o.size, o.part) for o in result.outputs] == [
        ("out.bin", 6, OutputKind.ARTEFACT)
    ]
    assert lab.log() == "told\n"
    assert result.wall_seconds is not None
    assert result.log is not None


def test_a_failing_build_says_its_code_and_last_line(lab: Lab) -> None:
    result = lab.shell("echo first; echo the reason >&2; exit 7")
    assert (result.outcome, result.exit_code) == (Outcome.BUILD_FAILED, 7)
    assert result.reason == "exit code 7; its last line: the reason"


def test_a_build_killed_by_a_signal_says_which(lab: Lab) -> None:
    result = lab.shell("kill -SEGV $$")
    assert (result.outcome, result.signal) == (Outcome.BUILD_FAILED, 11)


def test_an_exit_code_that_stands_for_no_signal_is_one(lab: Lab) -> None:
    result = lab.shell("exit 255")
    assert (result.exit_code, result.signal) == (255, None)
    assert result.reason == "exit code 255; it printed nothing"


@pytest.fixture(params=[0o077, 0o027])
def strict_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("strict_umask")
def test_a_build_does_not_depend_on_the_umask_of_samebits(lab: Lab) -> None:
    result = lab.shell("echo hello > /out/out.bin; umask")
    assert (result.outcome, result.reason) == (Outcome.BUILT, None)
    assert lab.log() == "0022\n"


def test_a_fork_bomb_meets_the_limit_of_processes(lab: Lab) -> None:
    result = lab.shell(
        "i=0; while [ $i -lt 200 ]; do sleep 30 & i=$((i + 1)); done; echo all > /out/out.bin",
        limits={"pids": 32},
    )
    assert result.outcome is Outcome.OUT_OF_RESOURCES
    assert result.reason == "processes: the limit of 32 was reached"


def test_a_memory_hog_is_killed_by_the_kernel_and_told_apart(lab: Lab) -> None:
    result = lab.shell("perl -e '$x = \"a\" x (1 << 30); print length $x'")
    assert (result.outcome, result.oom_killed) == (Outcome.OUT_OF_RESOURCES, True)
    assert result.reason == "memory: the kernel killed a process at the limit of 256MiB"


def test_a_build_that_survives_the_death_of_its_child_is_not_built(lab: Lab) -> None:
    result = lab.shell(
        "perl -e '$x = \"a\" x (1 << 30)' || true; echo fine > /out/out.bin; sleep 1"
    )
    assert (result.outcome, result.exit_code) == (Outcome.OUT_OF_RESOURCES, 0)
    assert result.outputs == ()


@pytest.mark.parametrize("folder", ["/build/reproducible-path", "/out", "/tmp"])
def test_a_scratch_filler_fills_its_scratch_and_no_more(lab: Lab, folder: str) -> None:
    result = lab.shell(f"head -c 1G /dev/zero > {folder}/filler")
    assert result.outcome is Outcome.OUT_OF_RESOURCES
    assert result.reason == "scratch: 64MiB were filled"


def test_a_scratch_full_of_empty_files_is_told_too(lab: Lab) -> None:
    result = lab.shell(
        "i=0; while : > /tmp/$i; do i=$((i + 1)); done; exit 1", limits={"scratch": "16MiB"}
    )
    assert result.outcome is Outcome.OUT_OF_RESOURCES


def test_a_sleeper_is_killed_at_its_deadline(lab: Lab) -> None:
    start = time.monotonic()
    result = lab.shell("trap '' TERM INT; while :; do sleep 1; done", limits={"time": "2s"})
    assert (result.outcome, result.exit_code) == (Outcome.TIMED_OUT, None)
    assert result.reason == "killed at its deadline of 2s"
    assert time.monotonic() - start < 45


def test_a_build_that_prints_without_end_fills_no_disk(lab: Lab) -> None:
    result = lab.shell("yes", log=100_000, limits={"time": "3s"})
    assert (result.outcome, result.log_truncated) == (Outcome.TIMED_OUT, True)
    assert lab.log().endswith("[samebits: log cut after 100000 bytes]\n")
    assert 100_000 < len(lab.log()) < 101_000


def test_a_log_that_is_not_text_is_kept_as_bytes(lab: Lab) -> None:
    lab.shell("printf 'caf\\351 \\377\\n'; echo > /out/out.bin")
    assert (lab.kept / "build.log").read_bytes() == b"caf\xe9 \xff\n"


def test_there_is_no_network_not_even_a_way_to_see_one(lab: Lab) -> None:
    result = lab.shell(
        "ls /sys/class/net > /out/out.bin; "
        "perl -MIO::Socket::INET -e '"
        'print IO::Socket::INET->new(PeerAddr => "192.0.2.1", PeerPort => 80, Timeout => 5)'
        ' ? "connected" : "refused: $!"\''
    )
    assert result.outcome is Outcome.BUILT
    assert lab.output() == "lo\n"
    assert lab.log() == "refused: Network is unreachable"


def test_the_root_is_read_only_and_the_user_is_nobody_special(lab: Lab) -> None:
    lab.shell(
        "id -u > /out/out.bin; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; "
        "for f in /x /etc/x /inputs/x /samebits/x /usr/bin/x; do touch $f 2>/dev/null && echo $f; "
        "done; mknod /tmp/null c 1 3 2>/dev/null && echo made a device; "
        "mount -t tmpfs none /tmp 2>/dev/null && echo mounted; true"
    )
    assert lab.output() == "1000\n"
    zero = "0000000000000000"
    assert lab.log() == f"CapEff:\t{zero}\nCapBnd:\t{zero}\nNoNewPrivs:\t1\nSeccomp:\t2\n"


def test_only_the_declared_environment_gets_in(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://secret@192.0.2.1:3128")
    result = lab.shell(
        "env | sort > /out/out.bin; umask; hostname; pwd; date +%Z",
        build={
            "environment": {"GREETING": "$(hello) 'a' \"b\"\nc"},
            "umask": "027",
            "hostname": "declared",
            "path": "/home/user/project",
            "timezone": "UTC",
            "locale": "C",
        },
    )
    assert result.outcome is Outcome.BUILT
    assert lab.log() == "0027\ndeclared\n/home/user/project\nUTC\n"
    names = {line.partition("=")[0] for line in lab.output().splitlines()}
    expected = {"GREETING", "HOME", "HOSTNAME", "LC_ALL", "PATH", "PWD", "TZ", "CORES", "c"}
    assert names - expected <= {"SHLVL", "_", "OLDPWD"}
    assert "GREETING=$(hello) 'a' \"b\"\n" in lab.output()


def test_inputs_are_there_read_only_under_their_role(lab: Lab) -> None:
    result = lab.shell("cat /inputs/source/source.c > /out/out.bin; rm -f /inputs/source/source.c")
    assert result.outcome is Outcome.BUILD_FAILED  # the last command could not remove anything
    assert "Read-only file system" in lab.log()


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("ln -s /etc/shadow /out/out.bin", "a symbolic link"),
        ("mkfifo /out/out.bin", "a pipe"),
        ("mkdir /out/out.bin", "a folder"),
        (
            "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local=>\"/out/out.bin\",Listen=>1)'",
            "a socket",
        ),
        ("echo > /out/.hidden", "an output with an odd name"),
        ("touch \"/out/$(printf 'a\\nb')\"", "an output with an odd name"),
    ],
    ids=["symlink", "pipe", "folder", "socket", "hidden", "newline"],
)
def test_an_output_that_is_no_plain_file_is_refused(lab: Lab, script: str, kind: str) -> None:
    result = lab.shell(script)
    assert (result.outcome, result.outputs) == (Outcome.BUILD_FAILED, ())
    assert kind in (result.reason or "")


def test_more_outputs_than_allowed_are_refused(lab: Lab) -> None:
    result = lab.shell("for i in 1 2 3; do echo > /out/$i; done", limits={"outputs": 2})
    assert result.outcome is Outcome.BUILD_FAILED
    assert "at most 2" in (result.reason or "")


def test_an_output_that_claims_to_be_larger_than_its_disk_is_refused(lab: Lab) -> None:
    result = lab.shell("truncate -s 1T /out/out.bin")
    assert result.outcome is Outcome.BUILD_FAILED
    assert "too large" in (result.reason or "")


def test_outputs_are_sorted_into_their_parts(lab: Lab) -> None:
    result = lab.shell(
        "for n in out.bin a.log b-dbgsym_1.deb stray; do echo > /out/$n; done",
        by_products=["*-dbgsym_*.deb"],
        ignore=["*.log"],
    )
    assert {o.name: o.part for o in result.outputs} == {
        "out.bin": OutputKind.ARTEFACT,
        "a.log": OutputKind.IGNORED,
        "b-dbgsym_1.deb": OutputKind.BY_PRODUCT,
        "stray": OutputKind.UNEXPECTED,
    }


def test_a_cancelled_run_ends_at_once(lab: Lab) -> None:
    threading.Timer(1.0, lab.cancelled.set).start()
    start = time.monotonic()
    with pytest.raises(CancelledError):
        lab.shell("sleep 50")
    assert time.monotonic() - start < 45


def test_a_container_whose_limits_do_not_hold_never_starts_its_build(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate stays shut: the kernel's files, read from another folder, say other limits."""
    from builders.container import cgroup
    from builders.core.errors import EngineError

    monkeypatch.setattr(cgroup.Cgroup, "of", lambda _pid: _fake_cgroup(lab.folder))
    with pytest.raises(
        EngineError, match=r"the limit memory\.max is not set in the kernel; got max"
    ):
        lab.shell("echo ran > /out/out.bin; sleep 20")


def _fake_cgroup(folder: Path) -> object:
    from builders.container.cgroup import Cgroup

    for name, text in (("memory.max", "max"), ("pids.max", "max"), ("cpu.max", "max 100000")):
        (folder / name).write_text(text)
    return Cgroup(memory=folder, pids=folder, cpu=folder, version=2)
