"""The scripts that run in every container, here run by this machine's own sh."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from builders.container.monitor import open_gate
from builders.methods import METHODS, StagedInput
from builders.methods.method import launcher_bytes
from builders.methods.script import ScriptBuild
from builders.methods.wheel import WheelBuild

SHOW = [sys.executable, "-S", "-c", "import json, sys; print(json.dumps(sys.argv[1:]))"]
Done = subprocess.CompletedProcess[str]


def sh(script: bytes, *arguments: str, cwd: Path, **variables: str) -> Done:
    path = cwd / "method.sh"
    path.write_bytes(script)
    done = subprocess.run(
        ["/bin/sh", str(path), *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        check=False,
        timeout=300,
    )
    return Done(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def run_steps(folder: Path, *steps: list[str]) -> Done:
    build = ScriptBuild(method="script", image="i", steps=tuple(map(tuple, steps)))
    command = METHODS["script"].command(build, [], 2)
    return sh(METHODS["script"].script_bytes(), *command.arguments, cwd=folder)


def test_every_word_arrives_as_it_was_written(tmp_path: Path) -> None:
    words = [
        *(
            "two words",
            "",
            " ",
            "\n",
            "a\nb\n",
            "\t",
            "'",
            '"',
            "\\",
            "\\n",
            "`id`",
            "$(id)",
            "$HOME",
        ),
        *(
            "-n",
            "--",
            "-",
            "-e",
            "*",
            "?",
            "[a]",
            "~",
            "#",
            ";",
            "&&",
            "|",
            ">x",
            "!",
            "{a,b}",
            "%s",
        ),
        *("2", "0", "ä€😀", "\x1b[31m", "a" * 30_000),
    ]
    done = run_steps(tmp_path, [*SHOW, *words])
    assert done.stderr == ""
    assert json.loads(done.stdout) == words
    assert [p.name for p in tmp_path.iterdir()] == ["method.sh"]


def test_steps_run_in_order_and_each_gets_its_own_words(tmp_path: Path) -> None:
    done = run_steps(tmp_path, [*SHOW, "1", "a"], [*SHOW], [*SHOW, "3", "", "b c"], ["pwd"])
    assert done.stdout.splitlines() == ['["1", "a"]', "[]", '["3", "", "b c"]', str(tmp_path)]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), max_size=4),
        min_size=1,
        max_size=3,
    )
)
@example([["3"], ["2", "1"], []])
def test_any_words_of_any_steps_arrive(tmp_path: Path, steps: list[list[str]]) -> None:
    show = ["/usr/bin/printf", "%s\\0"]
    done = run_steps(tmp_path, *([*show, *step, "end"] for step in steps))
    assert done.stdout == "".join("".join(f"{w}\0" for w in [*step, "end"]) for step in steps)


@pytest.mark.parametrize("code", [1, 7, 65, 255])
def test_a_failing_step_stops_the_rest_with_its_code(tmp_path: Path, code: int) -> None:
    done = run_steps(tmp_path, ["echo", "first"], ["sh", "-c", f"exit {code}"], ["echo", "never"])
    assert (done.returncode, done.stdout) == (code, "first\n")


def test_the_last_step_decides_too(tmp_path: Path) -> None:
    assert run_steps(tmp_path, ["true"], ["false"]).returncode == 1


def test_a_step_that_is_no_program_fails(tmp_path: Path) -> None:
    done = run_steps(tmp_path, ["no such program; true"], ["echo", "never"])
    assert (done.returncode, done.stdout) == (127, "")
    assert run_steps(tmp_path, [""], ["echo", "never"]).returncode != 0


def test_a_step_changes_nothing_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    done = run_steps(tmp_path, ["sh", "-c", "cd below; A=1; umask 077"], ["sh", "-c", "pwd"])
    assert done.stdout == f"{tmp_path}\n"


def test_builtins_of_the_shell_are_no_steps(tmp_path: Path) -> None:
    done = run_steps(tmp_path, ["set", "--", "2"], ["echo", "never"])
    assert (done.returncode, done.stdout) == (127, "")


def test_no_steps_do_nothing(tmp_path: Path) -> None:
    done = sh(METHODS["script"].script_bytes(), "0", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def launch(folder: Path, *arguments: str, opened: bool = True) -> Done:
    gate = folder / "gate"
    os.mkfifo(gate)
    script = launcher_bytes()
    assert script.count(b"/samebits/gate") == 1
    script = script.replace(b"/samebits/gate", str(gate).encode())

    def let_go() -> None:
        if opened:
            open_gate(gate, threading.Event(), verify=lambda: None, seconds=10)
        else:
            os.close(os.open(gate, os.O_WRONLY))

    opener = threading.Thread(target=let_go)
    opener.start()
    try:
        return sh(script, *arguments, cwd=folder, HOME=str(folder / "home"))
    finally:
        opener.join()


def test_nothing_starts_before_the_gate_opens(tmp_path: Path) -> None:
    done = launch(tmp_path, "022", "touch", "started", opened=False)
    assert done.returncode != 0
    assert not (tmp_path / "started").exists()
    assert not (tmp_path / "home").exists()


def test_the_launcher_hands_on_words_and_umask(tmp_path: Path) -> None:
    done = launch(tmp_path, "0027", "sh", "-c", 'umask; printf "%s|" "$0" "$@"', "a b", "", "$(id)")
    assert done.stdout == "0027\na b||$(id)|"
    assert (tmp_path / "home").is_dir()
    assert done.returncode == 0


def test_the_launcher_ends_with_the_code_of_the_build(tmp_path: Path) -> None:
    assert launch(tmp_path, "022", "sh", "-c", "exit 41").returncode == 41


FAKE = """#!/bin/sh
# Stands in for a program: notes its arguments, and leaves the wheel that it was asked for.
{ printf '%s' "${0##*/}"; printf '|%s' "$@"; echo; } >> "$NOTES"
case "$*" in
    *" wheel "*) mkdir -p "$HOME/wheels"; : > "$HOME/wheels/a b.whl" ;;
    "-xf "*) for folder in $UNPACKS; do mkdir -p "unpacked/$folder"; done ;;
esac
"""


def build_wheel(folder: Path, *arguments: str, unpacks: str = "six-1.0") -> tuple[Done, list[str]]:
    tools = folder / "tools"
    tools.mkdir()
    (folder / "h/venv/bin").mkdir(parents=True)
    for tool in (tools / "python3", tools / "tar", tools / "mv", folder / "h/venv/bin/python"):
        tool.write_text(FAKE)
        tool.chmod(0o755)
    done = sh(
        METHODS["wheel"].script_bytes(),
        *arguments,
        cwd=folder,
        PATH=f"{tools}:{os.environ['PATH']}",
        HOME=str(folder / "h"),
        NOTES=str(folder / "notes"),
        UNPACKS=unpacks,
    )
    notes = folder / "notes"
    return done, notes.read_text().splitlines() if notes.exists() else []


def test_a_wheel_is_built_with_its_backend_alone(tmp_path: Path) -> None:
    done, notes = build_wheel(tmp_path, "/i/my six.tar.gz", "-", "0", "/i/a b.whl", "/i/-c.whl")
    home, pip = tmp_path / "h", "/usr/lib/python3/dist-packages/pip"
    build = "wheel|--no-deps|--no-build-isolation"
    install = "install|--quiet|--no-deps|--no-compile|--ignore-installed"
    assert notes[:4] == [
        f"python3|-m|venv|--without-pip|{home}/venv",
        f"python|{pip}|{install}|/i/a b.whl|/i/-c.whl",
        "tar|-xf|/i/my six.tar.gz|-C|unpacked|--no-same-owner",
        f"python|{pip}|{build}|--wheel-dir|{home}/wheels|unpacked/six-1.0",
    ]
    assert done.returncode == 0


OWN_WHEEL = """
import pathlib, setuptools
from setuptools.command.bdist_wheel import bdist_wheel
class own(bdist_wheel):
    def write_wheelfile(self, *words, **named):
        super().write_wheelfile(*words, **named)
        pathlib.Path.home().joinpath("laid-out").touch()
setuptools.setup(name="six", py_modules=["six"], cmdclass={"bdist_wheel": own})
"""


@pytest.mark.parametrize("setup", ["setup.py", "setup.cfg"])
def test_two_steps_are_one_run_of_setuptools(tmp_path: Path, setup: str) -> None:
    source, home = tmp_path / "unpacked/six-1.0", tmp_path / "h"
    for folder in (source, home / "venv/bin"):
        folder.mkdir(parents=True)
    python = home / "venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    call = "import setuptools\nsetuptools.setup(name='six', py_modules=['six'])\n"
    text = {"setup.py": call, "setup.cfg": "[metadata]\nname = six\n[options]\npy_modules = six\n"}
    (source / setup).write_text(text[setup])
    (source / "six.py").touch()
    script = METHODS["wheel"].script_bytes()
    stub = b"python3() { :; }\nmkdir() { command mkdir -p $@; }\ntar() { :; }\nmv() { :; }\n"
    facts = {"HOME": str(home), "CLOCK_GOES_ON_BEFORE": "wheel"}
    done = sh(stub + script, "six.tar.gz", "-", "0", cwd=tmp_path, **facts)
    assert done.returncode == 0, done.stderr
    metadata = (source / "six.egg-info/top_level.txt").stat().st_mtime_ns
    step = (home / ".samebits-then").stat().st_mtime_ns
    (wheel,) = (home / "wheels").iterdir()
    assert metadata < step <= wheel.stat().st_mtime_ns


def test_a_clock_can_go_on_when_all_but_the_archive_is_made(tmp_path: Path) -> None:
    source, home = tmp_path / "unpacked/six-1.0", tmp_path / "h"
    for folder in (source, home / "venv/bin"):
        folder.mkdir(parents=True)
    python = home / "venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (source / "setup.py").write_text(OWN_WHEEL)
    (source / "six.py").touch()
    stub = b"python3() { :; }\nmkdir() { command mkdir -p $@; }\ntar() { :; }\nmv() { :; }\n"
    script = stub + METHODS["wheel"].script_bytes()
    facts = {"HOME": str(home), "CLOCK_GOES_ON_BEFORE": "record"}
    done = sh(script, "six.tar.gz", "-", "0", cwd=tmp_path, **facts)
    assert done.returncode == 0, done.stderr
    (wheel,) = (home / "wheels").iterdir()
    places = (home / "laid-out", home / ".samebits-then", wheel)
    laid_out, step, packed = (path.stat().st_mtime_ns for path in places)
    assert laid_out < step <= packed


@pytest.mark.parametrize(
    ("declared", "seen"),
    [({}, "0"), ({"PYTHONHASHSEED": "3"}, "3"), ({"CLOCK_GOES_ON_BEFORE": "wheel"}, "0")],
)
def test_the_order_of_sets_is_as_declared_and_never_by_chance(
    tmp_path: Path, declared: dict[str, str], seen: str
) -> None:
    home = tmp_path / "h"
    (tmp_path / "unpacked/six-1.0").mkdir(parents=True)
    (home / "venv/bin").mkdir(parents=True)
    python = home / "venv/bin/python"
    python.write_text('#!/bin/sh\necho "seed $PYTHONHASHSEED"\n')
    python.chmod(0o755)
    stub = b"python3() { :; }\nmkdir() { command mkdir -p $@; }\ntar() { :; }\nmv() { :; }\n"
    script = stub + METHODS["wheel"].script_bytes()
    done = sh(script, "six.tar.gz", "-", "0", cwd=tmp_path, HOME=str(home), **declared)
    assert (done.returncode, done.stdout) == (0, f"seed {seen}\n"), done.stderr


def test_no_backend_installs_nothing(tmp_path: Path) -> None:
    _, notes = build_wheel(tmp_path, "/i/six.tar.gz", "-", "0")
    assert not any("|install|" in note for note in notes)


def test_a_zip_keeps_its_times_and_modes(tmp_path: Path) -> None:
    source = tmp_path / "six.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for name, mode in {"six-1.0/tool": 0o775, "six-1.0/six.py": 0o666}.items():
            info = zipfile.ZipInfo(name, (2021, 5, 5, 14, 18, 16))
            info.external_attr = (0o100000 | mode) << 16
            archive.writestr(info, name)
    python = 'python3() { if [ "$1" = -c ]; then command python3 "$@"; fi; }\n'
    script = METHODS["wheel"].script_bytes().partition(b"set -- unpacked")[0]
    (tmp_path / "work").mkdir()
    facts = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TZ": "UTC", "SOURCE_UMASK": "002"}
    done = sh(python.encode() + script, str(source), "-", "0", cwd=tmp_path / "work", **facts)
    assert done.returncode == 0, done.stderr
    found = {p.name: p.stat() for p in (tmp_path / "work/unpacked/six-1.0").iterdir()}
    assert {name: oct(facts.st_mode & 0o777) for name, facts in found.items()} == {
        "tool": "0o775",
        "six.py": "0o664",
    }
    assert {int(facts.st_mtime) for facts in found.values()} == {1620224296}


def test_what_is_declared_reaches_the_script(tmp_path: Path) -> None:
    from builders.core.enums import Role

    source = StagedInput(role=Role.SOURCE, name="six.tar.gz")
    build = WheelBuild(method="wheel", image="python-wheel", umask="022", source_umask="000")
    assert METHODS["wheel"].command(build, [source], 1).variables == {"SOURCE_UMASK": "000"}
    steps = WheelBuild.model_validate(
        {"method": "wheel", "image": "i", "clock": {"time": 500_000_000, "then": 500_000_002}}
    )
    assert METHODS["wheel"].command(steps, [source], 1).variables == {
        "CLOCK_GOES_ON_BEFORE": "wheel"
    }
    plain = WheelBuild(method="wheel", image="python-wheel")
    assert METHODS["wheel"].command(plain, [source], 1).variables == {}


@pytest.mark.parametrize("unpacks", ["", "six-1.0 other"])
def test_a_source_distribution_is_one_folder(tmp_path: Path, unpacks: str) -> None:
    done, notes = build_wheel(tmp_path, "/i/six.tar.gz", "-", "0", unpacks=unpacks)
    assert done.returncode == 65
    assert "expected one folder" in done.stderr
    assert not any("|wheel|" in note for note in notes)


@pytest.mark.parametrize(
    "name", ["launch.sh", "debian.sh", "debianbinnmu.sh", "wheel.sh", "script.sh", "zone.sh"]
)
def test_every_script_stops_at_the_first_failure(name: str) -> None:
    text = (resources.files("builders.methods") / name).read_text()
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -eu\n" in text
    assert "eval" not in text


def test_staged_inputs_have_one_place() -> None:
    from builders.core.enums import Role

    assert StagedInput(role=Role.SOURCE, name="a b.dsc").path == "/inputs/source/a b.dsc"
