"""`samebits rebuild --shell`: the container of a build by hand, and nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.images.provide import ProvidedImage
from pipelines.verify.session import Session
from tests.command import samebits
from tests.lab import write_recipe
from tests.terminal import Typist, typing
from tests.verify.test_candidate import evidence_of

BUILD = [["sh", "-c", "umask > half; cat /inputs/source/source.c > /out/out.bin"]]
FAILS = [["sh", "-c", "echo partial > half; echo the reason >&2; exit 7"]]
ENDS = "\x04"
PROMPT = "samebits:"


@pytest.fixture
def own_home(tmp_path: Path, build_image: ProvidedImage) -> Path:
    return tmp_path / "home"


class Left:
    """What a command leaves behind, whose run is noted while it lives."""

    def __init__(self, own_home: Path, session: Session) -> None:
        self._home, self._session, self._run = own_home, session, ""

    def note(self) -> None:
        (folder,) = (self._home / "runs").iterdir()
        self._run = folder.name
        assert self.containers() == 1

    def containers(self) -> int:
        return len(self._session.engine.containers(run=self._run))


@pytest.fixture(autouse=True)
def left(own_home: Path, session: Session) -> Iterator[Left]:
    found = Left(own_home, session)
    yield found
    assert found.containers() == 0
    assert not list((own_home / "runs").iterdir())
    assert str(own_home) not in Path("/proc/self/mountinfo").read_text()
    assert evidence_of(own_home) == [], "nothing of it is kept"


def answer(typist: Typist, command: str) -> str:
    """Return what a command in the shell prints."""
    typist.type(f"{command}; echo en''d")
    return typist.wait_for("end\n").partition("en''d\n")[2].strip()


def test_a_shell_is_confined_as_the_build_and_stands_where_that_would_start(
    tmp_path: Path, own_home: Path, left: Left
) -> None:
    recipe = write_recipe(tmp_path / "tool", BUILD, build={"umask": "027", "hostname": "away"})
    with typing("rebuild", recipe, "--shell", home=own_home) as typist:
        assert "nothing done in it is evidence" in typist.wait_for(PROMPT)
        left.note()
        assert answer(typist, "id -u; umask; hostname; pwd") == (
            "1000\n0027\naway\n/build/reproducible-path"
        )
        assert answer(typist, "ls $HOME /sys/class/net /out /inputs/source") == (
            "/inputs/source:\nsource.c\n\n/out:\n\n/sys/class/net:\nlo\n\n/tmp/home:"
        )
        assert answer(typist, "touch /new /inputs/new 2>&1 | grep -c Read-only") == "2"
        limit = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes"
        assert answer(typist, f"{limit} 2>/dev/null") == str(256 << 20)
        assert answer(typist, "grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status").split() == [
            *("CapEff:", "0" * 16),
            *("NoNewPrivs:", "1"),
            *("Seccomp:", "2"),
        ]
        typist.type("sleep 99")
        typist.wait_for("sleep 99\n")
        typist.type("\x03")  # ends what runs in the shell, as in any other
        typist.wait_for(PROMPT)
        assert answer(typist, "/samebits/build && cat half /out/out.bin").startswith("0027\nint ")
        typist.type("exit 3")
        assert typist.ended() == 3


def test_a_shell_sees_what_a_failed_build_has_left(tmp_path: Path, own_home: Path) -> None:
    recipe = write_recipe(tmp_path / "tool", FAILS)
    with typing("rebuild", recipe, "--shell", "--after-failure", home=own_home) as typist:
        assert "BUILD_FAILED: exit code 7; its last line: the reason" in typist.wait_for(PROMPT)
        assert answer(typist, "cat half /samebits/build.log") == "partial\nthe reason"
        assert answer(typist, "rm half; /samebits/build; echo $?; cat half") == (
            "the reason\n7\npartial"
        )
        typist.type(ENDS)
        assert typist.ended() == 2


@pytest.mark.parametrize("how", ["hangup", "SIGKILL"])
def test_a_shell_that_is_cut_off_leaves_nothing(
    tmp_path: Path, own_home: Path, left: Left, how: str
) -> None:
    recipe = write_recipe(tmp_path / "tool", BUILD)
    with typing("rebuild", recipe, "--shell", home=own_home) as typist:
        typist.wait_for(PROMPT)
        left.note()
        if how == "hangup":
            typist.hang_up()
        else:
            typist.process.kill()
        typist.ended()
        if how == "SIGKILL":
            assert left.containers() == 1, "reap has something to do"
            done = samebits("reap", "--json", home=own_home)
            assert len(done.document()["containers"]) == 1
