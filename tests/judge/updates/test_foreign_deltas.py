"""The tools that make and apply deltas: we give what they give, and take what they take."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from builders.recipe.update import DeltaName
from pipelines.judge.updates.update_fault import UpdateRefused
from tests.judge.updates.appliers import applied
from tests.judge.updates.delta_tricks import AFTER, BEFORE, NEW, OLD, TRICKS, Trick
from tests.judge.updates.rpm_delta_tricks import GOOD, RPM, RPM_TRICKS, TARGET
from tests.judge.updates.test_appliers import MAKERS
from tests.judge.updates.test_ostree_delta import members

pytestmark = pytest.mark.host

_CHANCE = random.Random(3)  # noqa: S311  # not for secrets
_LARGE = _CHANCE.randbytes(200_000)
PAIRS = {
    "small": (OLD, NEW),
    "text": (BEFORE, AFTER),
    "large": (_LARGE, _LARGE[50_000:150_000] + bytes(40_000) + _LARGE[:70_000] + _LARGE[::-9]),
    "the same": (OLD, OLD),
    "a new file": (b"", NEW),
    "an empty file": (OLD, b""),
    "a small base": (b"abc", b"abcabcabcabc"),
}
CRASHES = {"bsdiff": {"a new file", "an empty file"}, "zstd": {"an empty file"}}
"""Pairs that Debian's tools end with an error for, or an assertion."""
Maker = Callable[[Path, Path, Path], list[str | Path]]
MAKE: dict[str, tuple[DeltaName, Maker]] = {
    "bsdiff": (DeltaName.BSDIFF, lambda old, new, delta: ["bsdiff", old, new, delta]),
    "xdelta3": (DeltaName.XDELTA3, lambda old, new, delta: ["xdelta3", "-es", old, new, delta]),
    "xdelta3, lzma and small windows": (
        DeltaName.XDELTA3,
        lambda old, new, delta: [
            "xdelta3",
            "-9",
            "-S",
            "lzma",
            "-W",
            "16384",
            "-es",
            old,
            new,
            delta,
        ],
    ),
    "xdelta3, plain": (
        DeltaName.XDELTA3,
        lambda old, new, delta: ["xdelta3", "-S", "none", "-A=", "-n", "-es", old, new, delta],
    ),
    "zstd": (
        DeltaName.ZSTD,
        lambda old, new, delta: ["zstd", "-q", f"--patch-from={old}", new, "-o", delta],
    ),
    "zstd at level 19": (
        DeltaName.ZSTD,
        lambda old, new, delta: ["zstd", "-q", "-19", f"--patch-from={old}", new, "-o", delta],
    ),
}
APPLY: dict[DeltaName, Maker] = {
    DeltaName.BSDIFF: lambda old, delta, out: ["bspatch", old, out, delta],
    DeltaName.XDELTA3: lambda old, delta, out: ["xdelta3", "-ds", old, delta, out],
    DeltaName.ZSTD: lambda old, delta, out: [
        "zstd",
        "-dq",
        f"--patch-from={old}",
        delta,
        "-o",
        out,
    ],
    DeltaName.RPM: lambda old, delta, out: ["applydeltarpm", "-r", old, delta, out],
}


def runs(*command: str | Path, stdin: bytes | None = None) -> bytes | None:
    """Return what a command prints, None if it fails."""
    done = subprocess.run(command, capture_output=True, timeout=300, check=False, input=stdin)
    return None if done.returncode else done.stdout


def theirs(name: DeltaName, base: bytes, delta: bytes, folder: Path) -> bytes | None:
    """Return what the tool of a format makes of a base; None if it refuses the delta."""
    files = [folder / part for part in ("base", "delta", "out")]
    files[0].write_bytes(base)
    files[1].write_bytes(delta)
    files[2].unlink(missing_ok=True)
    if name is DeltaName.PDIFF:
        if runs("ed", "-s", files[0], stdin=delta + b"w\nq\n") is None:
            return None
        return files[0].read_bytes()
    if runs(*APPLY[name](*files)) is None or not files[2].exists():
        return None
    return files[2].read_bytes()


@pytest.mark.parametrize("tool", MAKE)
def test_a_delta_of_the_tool_gives_the_target(tool: str, tmp_path: Path) -> None:
    name, command = MAKE[tool]
    old, new, delta = (tmp_path / part for part in ("old", "new", "delta"))
    for pair, (base, target) in PAIRS.items():
        if pair in CRASHES.get(str(name), ()):
            continue
        old.write_bytes(base)
        new.write_bytes(target)
        delta.unlink(missing_ok=True)
        assert runs(*command(old, new, delta)) is not None
        assert applied(name, base, delta.read_bytes(), len(target)) == target


NAMED = {"xdelta3", "xdelta3, lzma and small windows"}
"""What writes the names of files into a delta: others make the same one of the same files."""


@pytest.mark.parametrize("tool", MAKE)
def test_what_makes_the_same_delta_again_is_listed(tool: str, tmp_path: Path) -> None:
    made = []
    for number, (base, target) in enumerate([PAIRS["large"]] * 2):
        old, new, delta = (tmp_path / f"{part}{number}" for part in ("old", "new", "delta"))
        old.write_bytes(base)
        new.write_bytes(target)
        assert runs(*MAKE[tool][1](old, new, delta)) is not None
        made.append(delta.read_bytes())
    assert (made[0] == made[1]) is (tool not in NAMED)


def test_a_script_of_diff_gives_the_target(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for seed in range(40):
        chance = random.Random(seed)  # noqa: S311  # not for secrets
        before, after = ([b"%d\n" % chance.randrange(9) for _ in range(20)] for _ in range(2))
        old.write_bytes(b"".join(before))
        new.write_bytes(b"".join(after))
        script = subprocess.run(["diff", "-e", old, new], capture_output=True, check=False).stdout
        assert applied(DeltaName.PDIFF, b"".join(before), script, len(after) * 2) == b"".join(after)


@pytest.mark.parametrize("name", [*MAKERS, DeltaName.RPM])
def test_the_tool_takes_what_we_take(name: DeltaName, tmp_path: Path) -> None:
    if name is DeltaName.RPM:
        made = [(RPM, delta.file(), TARGET.file()) for delta in GOOD.values()]
    else:
        pairs = [PAIRS["text"]] if name is DeltaName.PDIFF else [PAIRS["small"], PAIRS["text"]]
        made = [(base, MAKERS[name](base, target), target) for base, target in pairs]
    for base, delta, target in made:
        assert applied(name, base, delta, len(target)) == target
        assert theirs(name, base, delta, tmp_path) == target


_SIZES = {"more bytes than the target", "fewer bytes than the target"}
LAXER = {
    "bsdiff": {
        *_SIZES, "cut off in its last stream", "steps that make nothing", "a step too many",
        "a difference too many", "a new byte too many", "bytes after the last stream",
        "a stream after the last stream",
    },
    "xdelta3": {
        "compressed by DJW", "more of the base than there is", "a window that outgrows the target",
        "a target that is not complete", "a window too many",
    },
    "zstd": _SIZES,
    "pdiff": {
        "a file that is written", "more text than the target", "less text than the target",
    },
    "rpm": {
        *_SIZES, "an old archive that is longer", "data that is longer", "a difference too many",
        "bytes after the delta", "bytes after its data", "a target that is shorter",
        "a base with fewer numbers of folders", "a size that is too small, of the right target",
        "a size that is too large, of the right target",
    },
}  # fmt: skip
"""What a tool makes the target of though it is refused here. The tools know no size of a target."""


@pytest.mark.parametrize("name", LAXER)
def test_what_a_tool_takes_and_we_do_not_is_listed(name: str, tmp_path: Path) -> None:
    tricks: dict[str, Trick] = (
        RPM_TRICKS
        if name == "rpm"
        else {
            key.partition(": ")[2]: trick for key, trick in TRICKS.items() if trick.format == name
        }
    )
    target = {"pdiff": AFTER, "rpm": TARGET.file()}.get(name, NEW)
    taken = set()
    for key, trick in tricks.items():
        if theirs(trick.format, trick.base, trick.made(), tmp_path) == target:
            taken.add(key)
        assert isinstance(
            applied(trick.format, trick.base, trick.made(), trick.size), UpdateRefused
        )
    assert taken == LAXER[name]


SPEC = """Name: tool
Version: %{v}
Release: 1
Summary: a
License: a
BuildArch: noarch
%define _binary_payload w%{packing}
%description
a
%install
mkdir -p %{buildroot}/opt/tool
for n in 1 2 3; do seq $n %{v}000 > %{buildroot}/opt/tool/file$n; done
ln -s file1 %{buildroot}/opt/tool/link
%files
/opt/tool
"""


@pytest.mark.parametrize("packing", ["9.gzdio", "2.xzdio", "3.zstdio", "9.bzdio"])
def test_a_delta_of_makedeltarpm_gives_the_package(packing: str, tmp_path: Path) -> None:
    (tmp_path / "tool.spec").write_text(SPEC)
    for version in ("1", "2"):
        defined = [f"v {version}", f"packing {packing}", f"_topdir {tmp_path}"]
        options = [part for one in defined for part in ("--define", one)]
        assert runs("rpmbuild", "--quiet", "-bb", *options, tmp_path / "tool.spec") is not None
    old, new = sorted((tmp_path / "RPMS/noarch").iterdir())
    for options in ([], ["-r"]):
        delta = tmp_path / "delta"
        assert runs("makedeltarpm", *options, old, new, delta) is not None
        assert runs("makedeltarpm", *options, old, new, tmp_path / "again") is not None
        assert (tmp_path / "again").read_bytes() == delta.read_bytes()
        target = new.read_bytes()
        assert applied(DeltaName.RPM, old.read_bytes(), delta.read_bytes(), len(target)) == target
        assert theirs(DeltaName.RPM, old.read_bytes(), delta.read_bytes(), tmp_path) == target


def test_a_delta_of_ostree_gives_the_objects_that_ostree_has(tmp_path: Path) -> None:
    chance = random.Random(4)  # noqa: S311  # not for secrets
    noise = chance.randbytes(60_000)
    trees = (
        {"bin/a": noise, "bin/text": b"".join(b"%d\n" % n for n in range(3000)), "etc/conf": b"x"},
        {"bin/a": noise[:30_000] + b"new" + noise[30_000:], "etc/other": b"x" * 99,
         "bin/text": b"".join(b"%d\n" % (n + (n == 777)) for n in range(3000))},
    )  # fmt: skip
    commits = []
    assert runs("ostree", "init", f"--repo={tmp_path}/old", "--mode=bare-user") is not None
    for number, files in enumerate(trees):
        folder = tmp_path / str(number)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        (folder / "link").symlink_to("bin/text")
        options = (f"--repo={tmp_path}/old", "-b", "main", f"--tree=dir={folder}")
        commits.append((runs("ostree", "commit", *options) or b"").decode().strip())
    made = {}
    for name, source, commit in (
        ("base", "--empty", commits[0]),
        ("target", "--empty", commits[1]),
        ("delta", f"--from={commits[0]}", commits[1]),
    ):
        options = (f"--repo={tmp_path}/old", source, f"--to={commit}", "--inline")
        file = tmp_path / f"{name}.delta"
        assert (
            runs("ostree", "static-delta", "generate", *options, f"--filename={file}") is not None
        )
        made[name] = file.read_bytes()
    given = applied(DeltaName.OSTREE, made["base"], made["delta"], 1 << 20)
    assert given == members(made["target"])
    repo = tmp_path / "new"
    assert runs("ostree", "init", f"--repo={repo}", "--mode=bare-user") is not None
    target = tmp_path / "target.delta"
    assert runs("ostree", "static-delta", "apply-offline", f"--repo={repo}", target) is not None
    names = sorted(f"{one.parent.name}{one.name}\n" for one in (repo / "objects").glob("*/*"))
    assert given == "".join(names).encode()
