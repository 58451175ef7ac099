from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import CHUNK, Digest
from builders.core.errors import BuildFailedError, ScratchError
from builders.rebuild import outputs
from builders.rebuild.outputs import copy_files, part_of, take_outputs
from builders.rebuild.rebuild_result import OutputKind
from tests.builders.recipes import recipe


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "taken").mkdir()
    return tmp_path / "taken"


def take(source: Path, target: Path, *, count: int = 10, room: int = 1 << 30) -> dict[str, Any]:
    return copy_files(source, target, count=count, room=room)


def refused(source: Path, target: Path, **limits: int) -> str:
    with pytest.raises(BuildFailedError) as caught:
        take(source, target, **limits)
    return str(caught.value)


def test_files_are_copied_in_the_order_of_their_names(source: Path, target: Path) -> None:
    contents = {"b.deb": b"b" * (CHUNK + 1), "a.deb": b"", "ä €.deb": b"x", "-rf": b"y", "é": b"z"}
    for name, content in contents.items():
        (source / name).write_bytes(content)
    taken = take(source, target)
    assert list(taken) == sorted(contents)
    assert taken == {n: (len(c), Digest.of(c)) for n, c in contents.items()}
    assert {p.name: p.read_bytes() for p in target.iterdir()} == contents


def test_no_output_is_none(source: Path, target: Path) -> None:
    assert take(source, target) == {}


def test_every_output_has_its_part(source: Path, target: Path) -> None:
    loaded = recipe(
        by_products=["*-dbgsym_*.deb", "rules.l*"],
        published_by_products=["*.ddeb", "rules.map"],
        ignore=["*.buildinfo", "*dbgsym*"],
    )
    names = "rules.deb", "rules.log", "rules.map", "a-dbgsym_1.deb", "b.buildinfo", "extra.deb"
    for name in names:
        (source / name).touch()
    assert {o.name: o.part for o in take_outputs(source, target, loaded.recipe)} == {
        "rules.deb": OutputKind.ARTEFACT,
        "rules.log": OutputKind.BY_PRODUCT,
        "rules.map": OutputKind.PUBLISHED,
        "a-dbgsym_1.deb": OutputKind.BY_PRODUCT,
        "b.buildinfo": OutputKind.IGNORED,
        "extra.deb": OutputKind.UNEXPECTED,
    }
    assert part_of("RULES.DEB", loaded.recipe) is OutputKind.UNEXPECTED


def test_the_limits_are_those_of_the_recipe(source: Path, target: Path) -> None:
    few = recipe(limits={"outputs": "1", "scratch": "16MiB"}).recipe
    (source / "a").touch()
    assert len(take_outputs(source, target, few)) == 1
    (source / "b").touch()
    with pytest.raises(BuildFailedError, match="at most 1"):
        take_outputs(source, target, few)
    (source / "b").unlink()
    os.truncate(source / "a", (16 << 20) + 1)
    (target / "a").unlink()
    with pytest.raises(BuildFailedError, match="at most 16777216 bytes"):
        take_outputs(source, target, few)


@pytest.mark.parametrize(
    ("kind", "got"),
    [
        ("link to a secret", "a symbolic link"),
        ("link to a neighbour", "a symbolic link"),
        ("link to nothing", "a symbolic link"),
        ("folder", "a folder"),
        ("pipe", "a pipe"),
        ("socket", "a socket"),
        ("device", "a device"),
        ("block device", "a device"),
    ],
)
def test_only_regular_files_are_outputs(
    source: Path, target: Path, kind: str, got: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = source / "odd"
    (source / "real").touch()
    match kind:
        case "link to a secret":
            odd.symlink_to("/etc/shadow")
        case "link to a neighbour":
            odd.symlink_to("real")
        case "link to nothing":
            odd.symlink_to("nowhere")
        case "folder":
            odd.mkdir()
        case "pipe":
            os.mkfifo(odd)
        case "socket":
            monkeypatch.chdir(source)  # the name of a socket is short
            with socket.socket(socket.AF_UNIX) as server:
                server.bind("odd")
        case "device":
            os.mknod(odd, 0o20666, os.makedev(1, 5))
        case _:
            os.mknod(odd, 0o60600, os.makedev(7, 250))
    text = refused(source, target)
    assert text.startswith("the build left odd as an output; got " + got)
    assert list(target.iterdir()) == []


def test_outputs_are_counted(source: Path, target: Path) -> None:
    for number in range(4):
        (source / str(number)).touch()
    assert len(take(source, target, count=4)) == 4
    (source / "4").touch()
    assert "too many outputs; got more; expected at most 4" in refused(source, target, count=4)


def test_the_room_is_for_all_of_them_together(source: Path, target: Path) -> None:
    (source / "a").write_bytes(b"a" * 600)
    (source / "b").write_bytes(b"b" * 400)
    assert len(take(source, target, room=1000)) == 2
    for path in target.iterdir():
        path.unlink()
    assert "too large; got more; expected at most 399 bytes" in refused(source, target, room=999)


def test_a_sparse_file_is_as_large_as_it_claims(source: Path, target: Path) -> None:
    os.truncate(os.open(source / "sparse", os.O_CREAT | os.O_WRONLY), 1 << 40)
    assert "too large" in refused(source, target, room=2 * CHUNK)
    assert sum(p.stat().st_size for p in target.iterdir()) <= 2 * CHUNK


@pytest.mark.parametrize(
    "name",
    [
        *(b".hidden", b"...", b".a.deb", b"a\nb", b"a\x1b[31mb", b"a\tb", b"\xff\xfe", b"a\x7f"),
        *("a\u202eb".encode(), "a\u200bb".encode(), "a\u2028b".encode(), "a\u00a0b".encode()),
    ],
)
def test_names_that_can_deceive_are_refused(source: Path, target: Path, name: bytes) -> None:
    (Path(os.fsdecode(os.fsencode(source) + b"/" + name))).touch()
    text = refused(source, target)
    assert "odd name" in text
    assert text.isascii()
    assert text.isprintable()


def swap(path: Path, kind: str) -> None:
    path.unlink()
    match kind:
        case "link":
            path.symlink_to("/etc/passwd")
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "socket":
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(path))
        case _:
            pass


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "gone", "socket"])
def test_a_file_swapped_after_it_was_seen_is_refused(
    tmp_path: Path, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (source / "a").write_bytes(b"a")
    seen = outputs._names

    def then_swapped(folder: Path, *, limit: int) -> list[str]:
        names = seen(folder, limit=limit)
        monkeypatch.chdir(source)
        swap(Path("a"), kind)
        return names

    monkeypatch.setattr(outputs, "_names", then_swapped)
    assert refused(source, target).startswith("output a changed while it was read")
    assert list(target.iterdir()) == []


def test_nothing_is_written_over(source: Path, target: Path) -> None:
    (source / "a").write_bytes(b"new")
    (target / "a").write_bytes(b"old")
    with pytest.raises(ScratchError, match="cannot be copied; got File exists"):
        take(source, target)
    assert (target / "a").read_bytes() == b"old"


def test_a_disk_that_fails_is_no_fault_of_the_build(source: Path, target: Path) -> None:
    (source / "a").write_bytes(b"a")
    target.rmdir()
    with pytest.raises(ScratchError, match="cannot be copied; got No such file"):
        take(source, target)
