"""A container that is not confined as it was asked for is refused; the kernel is a folder here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from builders.container.confinement import verify_confinement
from builders.container.idmap import IdMap, IdRange, hides_root, host_id, read_id_map
from builders.container.spec import ContainerLimits, ContainerSpec, Mount, RunLabels
from builders.core.errors import EngineError

ZERO = "0" * 16
STATUS = {
    "PPid": "7", "Uid": "1000\t1000\t1000\t1000", "Gid": "1000\t1000\t1000\t1000",
    "CapInh": ZERO, "CapPrm": ZERO, "CapEff": ZERO, "CapBnd": ZERO, "CapAmb": ZERO,
    "NoNewPrivs": "1", "Seccomp": "2",
}  # fmt: skip
MOUNTS = {
    "/": "ro,relatime - overlay overlay rw",
    "/proc": "rw,nosuid - proc proc rw",
    "/dev": "rw,nosuid - tmpfs tmpfs rw",
    "/sys": "ro,nosuid - sysfs sysfs rw",
    "/samebits": "ro,nosuid - ext4 /dev/loop0 rw",
    "/build/a\\040b": "rw,nosuid - ext4 /dev/loop0 rw",
}
SPEC = ContainerSpec(
    image="sha256:11",
    command=("true",),
    environment={},
    hostname="builder",
    workdir="/build/a b",
    mounts=(
        Mount(source=Path("/s/control"), target="/samebits"),
        Mount(source=Path("/s/work"), target="/build/a b", read_only=False),
    ),
    limits=ContainerLimits(cpus=1, memory=1 << 30, pids=9, seconds=9),
    labels=RunLabels(run="r", center="c"),
    gate=Path("/s/control/gate"),
)
ALL = (IdRange(inside=0, outside=0, count=4294967295),)
Kernel = Callable[..., IdMap]


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """Says how a container is confined, and returns the map of its user ids."""

    def look(
        *,
        status: dict[str, str] | None = None,
        mounts: dict[str, str] | None = None,
        shared: str = "",
        links: str = "lo",
        ids: str = "0 0 4294967295",
    ) -> IdMap:
        for process in ("42", "7", "self"):
            (tmp_path / process / "ns").mkdir(parents=True)
            for name in ("net", "ipc", "mnt", "pid", "uts"):
                of_its_own = process == "42" and name != shared
                (tmp_path / process / "ns" / name).symlink_to(
                    f"{name}:[{'42' if of_its_own else '1'}]"
                )
        own = tmp_path / "42"
        lines = (f"{name}:\t{value}\n" for name, value in {**STATUS, **(status or {})}.items())
        (own / "status").write_text("".join(lines))
        rows = {**MOUNTS, **(mounts or {})}.items()
        lines = (f"1 2 0:1 {_source(t)} {t.strip()} {about}\n" for t, about in rows if about)
        (own / "mountinfo").write_text("".join(lines))
        (own / "net").mkdir()
        (own / "net" / "dev").write_text(
            "Inter-|\n face |\n" + "".join(f"{link}: 0\n" for link in links.split())
        )
        for name in ("uid_map", "gid_map"):
            (own / name).write_text(f"{ids}\n")
        return verify_confinement(42, SPEC, proc=tmp_path)[0]

    return look


def _source(target: str) -> str:
    """Return the device of a path that ends in a space."""
    return "/null" if target.endswith(" ") else "/x"


def test_a_container_that_is_confined_is_let_through(kernel: Kernel) -> None:
    assert kernel() == ALL


def test_in_a_user_namespace_its_user_is_another_one_here(kernel: Kernel) -> None:
    other = dict.fromkeys(("Uid", "Gid"), "101000\t101000\t101000\t101000")
    null = {f"{path} ": "rw - devtmpfs udev rw" for path in ("/dev/null", "/proc/keys")}
    found = kernel(status=other, ids="0 100000 65536", mounts=null)
    assert found == (IdRange(inside=0, outside=100000, count=65536),)


ODD = [
    ("Seccomp", "0"), ("Seccomp", "1"), ("NoNewPrivs", "0"), ("CapBnd", f"{1:016x}"),
    ("CapEff", f"{1:016x}"), ("CapPrm", f"{1:016x}"), ("CapInh", f"{1:016x}"),
    ("CapAmb", f"{1:016x}"), ("Uid", "1000\t0\t1000\t1000"), ("Gid", "0\t0\t0\t0"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), ODD)
def test_a_right_that_was_not_taken_is_refused(kernel: Kernel, name: str, value: str) -> None:
    with pytest.raises(EngineError, match=f"not confined as it was asked for: {name}; got"):
        kernel(status={name: value})


@pytest.mark.parametrize("name", ["net", "ipc", "mnt", "pid", "uts"])
def test_a_namespace_of_this_machine_is_refused(kernel: Kernel, name: str) -> None:
    with pytest.raises(EngineError, match=f"{name} namespace; got that of this machine"):
        kernel(shared=name)


def test_an_interface_is_refused(kernel: Kernel) -> None:
    with pytest.raises(EngineError, match="got eth0, lo; expected lo alone"):
        kernel(links="lo eth0")


@pytest.mark.parametrize(
    ("mounts", "words"),
    [
        ({"/": "rw - overlay overlay rw"}, "mount /; got rw; expected ro"),
        ({"/samebits": "rw - ext4 /dev/loop0 rw"}, "mount /samebits; got rw"),
        ({"/samebits": ""}, "mount /samebits; got nothing"),
        ({"/build/a\\040b": "ro - ext4 /dev/loop0 rw"}, "mount /build/a b; got ro"),
        ({"/data": "rw - ext4 /dev/vda rw"}, "mount /data; got a writable ext4"),
        ({"/sys": "rw - sysfs sysfs rw"}, "mount /sys; got a writable sysfs"),
        ({"/dev/sda": "rw - devtmpfs udev rw"}, "mount /dev/sda; got a writable devtmpfs"),
    ],
)
def test_a_mount_that_was_not_asked_for_is_refused(
    kernel: Kernel, mounts: dict[str, str], words: str
) -> None:
    with pytest.raises(EngineError, match=words):
        kernel(mounts=mounts)


def test_what_cannot_be_seen_is_refused(kernel: Kernel, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="confinement of the container cannot be verified"):
        verify_confinement(1, SPEC, proc=tmp_path)
    with pytest.raises(EngineError, match="cannot be verified"):
        kernel(ids="0 0")


def test_maps_of_ids() -> None:
    parts = read_id_map("         0     231072       1000\n      1000      500000          1\n")
    assert [host_id(parts, i) for i in (0, 999, 1000)] == [231072, 232071, 500000]
    with pytest.raises(EngineError, match="no such id; got 1001"):
        host_id(parts, 1001)
    assert hides_root(parts)
    assert not hides_root(ALL)
    assert not hides_root(read_id_map("0 1000 1\n1 0 1\n"))
    assert not hides_root(())
