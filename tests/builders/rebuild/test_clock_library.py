"""The declared clock, in real containers: what programs read, what files show, what it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.core.errors import EngineError
from builders.images.provide import ProvidedImage, ensure_image
from builders.inputs.collect import collect_inputs
from builders.inputs.input_file import InputFile
from builders.rebuild.plan import Plan, make_plan
from builders.rebuild.rebuild import rebuild
from builders.rebuild.rebuild_result import RebuildResult
from builders.recipe.recipe import LoadedRecipe, load_recipe
from pipelines.infer.machine_traces import name_hash
from pipelines.verify.session import Session
from tests.lab import Lab, write_recipe

MOMENT = "2021-05-05T14:18:17Z"
SECONDS = 1620224297
FROZEN = {"clock": {"time": MOMENT}}
ADVANCING = {"clock": {"time": str(SECONDS), "mode": "advancing"}}

PROGRAM = (Path(__file__).parents[2] / "data/preload/clocks.c").read_text()
CLOCKS = ("time", "coarse", "timespec_get", "gettimeofday")
FILE_TIMES = ("stat", "ctime", "lstat", "fstatat", "fstat", "statx", "birth")
WAITS = ("semaphore", "condition", "mutex", "sleep")


@pytest.fixture
def lab(
    session: Session, build_image: ProvidedImage, library: Digest, tmp_path: Path
) -> Iterator[Lab]:
    del library
    lab = Lab(session, build_image, tmp_path)
    yield lab
    lab.assert_nothing_left()


@pytest.fixture
def python_lab(session: Session, library: Digest, tmp_path: Path) -> Lab:
    del library
    image = ensure_image("python-wheel", session.images, session.engine, session.workdir)
    return Lab(session, image, tmp_path)


def test_every_clock_and_every_file_time_of_c_agrees(lab: Lab) -> None:
    script = (
        f"cat > p.c <<'END'\n{PROGRAM}\nEND\n"
        "gcc -O2 -o p p.c; echo a > made; touch -d @1000000000 old; "
        "{ ./p; fakeroot ./p | sed 's/^/fakeroot-/'; env -i ./p | sed 's/^/bare-/'; "
        "echo old $(stat -c %Y old); echo passwd $(stat -c %Y /etc/passwd); } > /out/out.bin"
    )
    result = lab.shell(script, build=FROZEN)
    assert (result.outcome, result.reason) == (Outcome.BUILT, None), lab.log()
    told = dict(line.split(" ", 1) for line in lab.output().splitlines())
    for before in ("", "fakeroot-", "bare-"):
        assert {told[before + name] for name in (*CLOCKS, *FILE_TIMES)} == {str(SECONDS)}, told
        assert {told[before + name] for name in WAITS} == {"waited"}, told
        assert (told[before + "missing"], told[before + "zone"]) == ("-1", "0")
    assert told["old"] == "1000000000"
    assert int(told["passwd"]) > SECONDS  # the image's own files were not made by the build


def test_an_advancing_clock_goes_on_from_the_declared_time(lab: Lab) -> None:
    script = "date +%s.%N; sleep 1.2; : > a; stat -c %.Y a; date +%s.%N"
    result = lab.shell(f"{{ {script}; }} > /out/out.bin", build=ADVANCING)
    assert result.outcome is Outcome.BUILT, lab.log()
    first, made, last = map(float, lab.output().split())
    assert SECONDS <= first < SECONDS + 60
    assert 1.1 < made - first <= last - first < 30


def test_python_reads_the_clock_wherever_it_looks(python_lab: Lab) -> None:
    code = (
        "import json, os, pathlib, tarfile, time, zipfile\n"
        "pathlib.Path('a').write_text('a')\n"
        "os.utime('a')\n"
        "with zipfile.ZipFile('z.zip', 'w') as z: z.write('a'); z.writestr('s', '')\n"
        "with tarfile.open('t.tar', 'w') as t: t.add('a')\n"
        "start = time.monotonic(); time.sleep(0.1)\n"
        "print(json.dumps({'time': time.time(), 'stat': os.stat('a').st_mtime,\n"
        "  'scandir': [e.stat().st_mtime for e in os.scandir('.') if e.name == 'a'][0],\n"
        "  'zip': [i.date_time for i in zipfile.ZipFile('z.zip').infolist()],\n"
        "  'tar': tarfile.open('t.tar').getmembers()[0].mtime,\n"
        "  'slept': time.monotonic() - start > 0.05}))\n"
    )
    result = python_lab.run(
        [["sh", "-c", 'python3 -c "$1" > /out/out.bin', "sh", code]],
        build={**FROZEN, "image": "python-wheel"},
    )
    assert result.outcome is Outcome.BUILT, python_lab.log()
    assert json.loads(python_lab.output()) == {
        "time": SECONDS,
        "stat": SECONDS,
        "scandir": SECONDS,
        "zip": [[2021, 5, 5, 14, 18, 16]] * 2,  # a zip has every other second
        "tar": SECONDS,
        "slept": True,
    }


def sdist(files: dict[str, tuple[str, int]]) -> bytes:
    """Return a .tar.gz of `tiny-1`, from names to text and time of change."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, (text, mtime) in files.items():
            info = tarfile.TarInfo(f"tiny-1/{name}")
            info.size, info.mtime, info.mode = len(text), mtime, 0o644
            tar.addfile(info, BytesIO(text.encode()))
    return out.getvalue()


BACKEND = """
import os, zipfile

NAME = "tiny-1-py3-none-any.whl"
MADE = {
    "METADATA": "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n",
    "WHEEL": "Wheel-Version: 1.0\\nTag: py3-none-any\\n",
}

def build_wheel(directory, config_settings=None, metadata_directory=None):
    os.mkdir("tiny-1.dist-info")
    with zipfile.ZipFile(os.path.join(directory, NAME), "w") as wheel:
        for member in ("tiny.py", "src/a.py", "src/b.py"):
            wheel.write(member)
        for name, text in MADE.items():
            with open(f"tiny-1.dist-info/{name}", "w") as out:
                out.write(text)
            wheel.write(f"tiny-1.dist-info/{name}")
        with open(os.path.expanduser("~/.pydistutils.cfg")) as tag:
            wheel.writestr("tag", tag.read())
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return NAME
"""
TINY = {
    "pyproject.toml": (
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        1_500_000_000,
    ),
    "backend.py": (BACKEND, 1_500_000_000),
    "tiny.py": ("", 1_500_000_000),
    "src/a.py": ("", 1_500_000_000),
    "src/b.py": ("", 1_500_000_000),
}


def wheel_recipe(folder: Path, *, source: dict[str, tuple[str, int]] = TINY, **build: Any) -> Path:
    folder.mkdir()
    data = sdist(source)
    (folder / "tiny-1.tar.gz").write_bytes(data)
    name = "tiny-1-py3-none-any.whl"
    document = {
        "schema": "samebits/recipe/v1",
        "vendor": "lab",
        "product": "tiny",
        "version": "1",
        "kind": "binary",
        "platform": "linux/amd64",
        "build": {"method": "wheel", "image": "python-wheel", **build},
        "inputs": [
            {"role": "source", "locator": "file:tiny-1.tar.gz", "sha256": str(Digest.of(data))}
        ],
        "artefacts": [{"name": name, "shipped": {"locator": f"file:{name}", "sha256": "0" * 64}}],
        "limits": {"cpus": 1, "memory": "512MiB", "scratch": "128MiB", "time": "60s"},
    }
    path = folder / "1.yaml"
    path.write_text(json.dumps(document))
    return path


def run_plan(
    lab: Lab, loaded: LoadedRecipe, plan: Plan, inputs: Sequence[InputFile]
) -> RebuildResult:
    return rebuild(
        loaded,
        plan,
        inputs,
        image=lab.image.reference,
        vault=lab.session.vault,
        engine=lab.session.engine,
        jail=lab.session.jail,
        folder=lab.folder / "attempt",
        labels=lab.labels(),
        cancelled=threading.Event(),
    )


def run_wheel(lab: Lab, **build: Any) -> tuple[Outcome, str, Path]:
    """Rebuild the tiny wheel; returns the outcome, its reason or log, and the output folder."""
    loaded = load_recipe(wheel_recipe(lab.folder / "tiny", **build))
    inputs = collect_inputs(
        loaded, lab.session.vault, lab.session.fetcher, lab.session.workdir, lab.session.jail
    )
    plan = make_plan(loaded, inputs, script=None, cores=1)
    result = run_plan(lab, loaded, plan, inputs)
    said = result.reason or (lab.folder / "attempt/build.log").read_text()
    return result.outcome, said, lab.folder / "attempt/outputs"


def test_a_wheel_has_the_clock_in_what_was_made_and_its_own_times_elsewhere(
    python_lab: Lab,
) -> None:
    files = [
        {"path": "src/**", "mode": "664", "mtime": "2020-02-02T02:02:02Z"},
        {"path": "src/b.py", "mode": "0755"},
    ]
    outcome, said, outputs = run_wheel(
        python_lab, **FROZEN, files=files, python_tag="py2.py3", umask="027"
    )
    assert outcome is Outcome.BUILT, said
    with zipfile.ZipFile(outputs / "tiny-1-py3-none-any.whl") as wheel:
        found = {i.filename: (i.date_time, oct(i.external_attr >> 16)) for i in wheel.infolist()}
        assert wheel.read("tag") == b"[bdist_wheel]\npython-tag = py2.py3\n"
    made = (2021, 5, 5, 14, 18, 16)  # a zip has two seconds
    del found["tag"]
    assert found == {
        "tiny.py": ((2017, 7, 14, 2, 40, 0), "0o100640"),
        "src/a.py": ((2020, 2, 2, 2, 2, 2), "0o100664"),
        "src/b.py": ((2020, 2, 2, 2, 2, 2), "0o100755"),
        "tiny-1.dist-info/METADATA": (made, "0o100640"),
        "tiny-1.dist-info/WHEEL": (made, "0o100640"),
        "tiny-1.dist-info/RECORD": (made, "0o600"),
    }


SETUP = """
import os, sys, zipfile
from samebits_commands.then import then

os.mkdir("tiny-1.dist-info")
open("tiny-1.dist-info/top_level.txt", "w").close()
then(None).run()
open("tiny-1.dist-info/METADATA", "w").close()
words = sys.argv[1:]
assert words[:-1] == [
    "--command-packages=samebits_commands", "egg_info", "then", "bdist_wheel", "--dist-dir"
], words
os.mkdir(words[-1])
with zipfile.ZipFile(words[-1] + "/tiny-1-py3-none-any.whl", "w") as wheel:
    wheel.write("tiny.py")
    wheel.write("tiny-1.dist-info/top_level.txt")
    wheel.write("tiny-1.dist-info/METADATA")
    wheel.writestr("tiny-1.dist-info/RECORD", "")
"""
STAND_IN = "class Command:\n    def __init__(self, _): pass\n"


def test_a_clock_goes_on_once_between_metadata_and_wheel(python_lab: Lab) -> None:
    source = {**TINY, "setup.py": (SETUP, 1), "setuptools.py": (STAND_IN, 1)}
    clock = {"time": MOMENT, "then": SECONDS + 5}
    outcome, said, outputs = run_wheel(python_lab, source=source, clock=clock)
    assert outcome is Outcome.BUILT, said
    with zipfile.ZipFile(outputs / "tiny-1-py3-none-any.whl") as wheel:
        found = {i.filename.rpartition("/")[2]: i.date_time for i in wheel.infolist()}
    later = (2021, 5, 5, 14, 18, 22)
    assert found == {
        "tiny.py": (2017, 7, 14, 2, 40, 0),
        "top_level.txt": (2021, 5, 5, 14, 18, 16),
        "METADATA": later,
        "RECORD": later,
    }


def test_a_file_that_the_source_lacks_is_named(python_lab: Lab) -> None:
    outcome, said, _ = run_wheel(python_lab, files=[{"path": "no such.py", "mode": "644"}])
    assert outcome is Outcome.BUILD_FAILED
    assert "the source has no no such.py to set a mode or time of" in said


def test_folders_list_their_files_as_declared(lab: Lab) -> None:
    script = "for f in d b e a c; do : > $f; done; ls -U | tr -d '\\n' > /out/out.bin"
    lab.shell(script, build={"folder_order": "created"})
    assert lab.output() == "dbeac"
    for order, build in (("hashed", {}), ("hashed-7", {"folder_order": "hashed-7"})):
        lab.shell(script, build=build)
        assert lab.output() == "".join(sorted("abcde", key=lambda name: name_hash(name, order)))


@pytest.mark.parametrize("seed", ["0", "3"])
def test_sets_have_the_order_of_the_declared_seed(python_lab: Lab, seed: str) -> None:
    order = "str(list(set('abcdefgh')))"
    told = BACKEND.replace("tag.read()", order)
    source = {**TINY, "backend.py": (told, 1)}
    environment = {} if seed == "0" else {"PYTHONHASHSEED": seed}
    outcome, said, outputs = run_wheel(
        python_lab, source=source, environment=environment, python_tag="py3"
    )
    assert outcome is Outcome.BUILT, said
    here = subprocess.run(
        [sys.executable, "-c", f"print({order}, end='')"],
        env={"PYTHONHASHSEED": seed},
        capture_output=True,
        check=True,
    )
    with zipfile.ZipFile(outputs / "tiny-1-py3-none-any.whl") as wheel:
        assert wheel.read("tag") == here.stdout


def test_a_static_program_is_told_in_the_log(lab: Lab) -> None:
    script = (
        "echo '#include <stdio.h>\n#include <time.h>\nint main(void)"
        '{ printf("%ld", (long)time(0)); }\' > p.c; gcc -static -o p p.c; ./p > /out/out.bin'
    )
    result = lab.shell(script, build=FROZEN)
    assert result.outcome is Outcome.BUILT, lab.log()
    assert int(lab.output()) > SECONDS + 86400
    assert lab.log() == (
        "samebits: warning: ./p is statically linked: it reads the real time, not the declared "
        "clock\n"
    )


def test_an_image_that_refuses_the_clock_builds_nothing(lab: Lab) -> None:
    loaded = load_recipe_with(lab, ["sh", "-c", "echo built > /out/out.bin"])
    inputs = collect_inputs(
        loaded, lab.session.vault, lab.session.fetcher, lab.session.workdir, lab.session.jail
    )
    plan = lab.plan(loaded)
    refused = replace(plan, control={**plan.control, "preload": b"/samebits/nothing.so\n"})
    result = run_plan(lab, loaded, refused, inputs)
    assert (result.outcome, result.exit_code) == (Outcome.BUILD_FAILED, 69)
    assert result.reason is not None
    assert "the declared clock is not applied: the date command shows 1" in result.reason
    assert f"expected {SECONDS}" in result.reason
    assert result.outputs == ()


def load_recipe_with(lab: Lab, *steps: list[str]) -> LoadedRecipe:
    return load_recipe(write_recipe(lab.folder / "recipe", steps, build=FROZEN))


def test_a_clock_file_that_cannot_be_read_ends_every_program(lab: Lab) -> None:
    loaded = load_recipe_with(lab, ["true"])
    inputs = collect_inputs(
        loaded, lab.session.vault, lab.session.fetcher, lab.session.workdir, lab.session.jail
    )
    plan = lab.plan(loaded)
    broken = replace(plan, control={**plan.control, "clock": b"frozen x\n"})
    try:
        result = run_plan(lab, loaded, broken, inputs)
    except EngineError:
        return  # the container was gone before its limits could be read: nothing was built
    assert (result.outcome, result.exit_code) == (Outcome.BUILD_FAILED, 70)
    assert "the declared clock cannot be read" in str(result.reason)


def test_a_build_that_waits_for_ever_says_what_the_clock_may_do(lab: Lab) -> None:
    loop = 'end=$(($(date +%s) + 1)); while [ "$(date +%s)" -lt "$end" ]; do sleep 0.2; done'
    result = lab.shell(loop, build=FROZEN, limits={"time": "3s"})
    assert result.outcome is Outcome.TIMED_OUT
    assert result.reason == (
        f"killed at its deadline of 3s; its clock is frozen at {MOMENT}, so a build that waits for "
        "time to pass never ends: try mode advancing"
    )
    result = lab.shell(f"{loop}; echo gone on > /out/out.bin", build=ADVANCING)
    assert result.outcome is Outcome.BUILT
