"""Verify in the kernel's own files that a container is confined as its specification says.

An engine can ignore what it was asked for. Formats: `proc_pid_status`, `proc_pid_mountinfo` and
`proc_pid_ns` of the Linux manual pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from builders.container.idmap import IdMap, host_id, read_id_map
from builders.container.spec import ContainerSpec
from builders.core.errors import EngineError

_STATUS = {
    "Seccomp": "2",  # a filter
    "NoNewPrivs": "1",
    **dict.fromkeys(("CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"), "0" * 16),
}
_NAMESPACES = ("net", "ipc", "mnt", "pid", "uts")
_NOT_ON_DISK = {"proc", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"}
"""File systems that a container may write to unasked."""
_DEVICES = {f"/{name}" for name in ("full", "null", "random", "tty", "urandom", "zero")}
"""In a user namespace, which can make no devices, the engine mounts those of this machine."""


def verify_confinement(
    pid: int, spec: ContainerSpec, *, proc: Path = Path("/proc")
) -> tuple[IdMap, IdMap]:
    """Compare what the kernel says of a container's first process with what was asked for.

    Returns the maps of its user and group ids. Raises `EngineError`.
    """
    own = proc / str(pid)
    try:
        status = _status(own)
        _verify_namespaces(own, proc / status["PPid"], proc / "self")
        _verify_mounts(own, spec)
        uids, gids = (read_id_map((own / name).read_text()) for name in ("uid_map", "gid_map"))
        ids = {"Uid": host_id(uids, spec.user.uid), "Gid": host_id(gids, spec.user.gid)}
        expected = {**_STATUS, **{name: "\t".join([str(i)] * 4) for name, i in ids.items()}}
        for name, value in expected.items():
            if status[name] != value:
                _refuse(name, status[name], value)
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            "the confinement of the container cannot be verified",
            got=error,
            todo="Run samebits as root on the machine of the engine",
        ) from error
    return uids, gids


def _status(own: Path) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in (own / "status").read_text().splitlines())
    return {name: value.strip() for name, value in pairs}


def _verify_namespaces(own: Path, *others: Path) -> None:
    """Compare with the engine's process that started the container, and with this one."""
    for name in _NAMESPACES:
        if (own / "ns" / name).readlink() in {(one / "ns" / name).readlink() for one in others}:
            _refuse(f"{name} namespace", "that of this machine", "its own")
    lines = (own / "net" / "dev").read_text().splitlines()[2:]
    found = sorted(line.partition(":")[0].strip() for line in lines)
    if found != ["lo"]:
        _refuse("network", ", ".join(found), "lo alone")


def _verify_mounts(own: Path, spec: ContainerSpec) -> None:
    """Compare what is read-only, and refuse a disk that can be written to unasked."""
    asked = {"/": "ro", **{m.target: "ro" if m.read_only else "rw" for m in spec.mounts}}
    mounts = (own / "mountinfo").read_text(errors="surrogateescape").splitlines()
    found = {mount.target: mount for mount in map(_Mount.parse, mounts)}  # the topmost one
    for target, expected in asked.items():
        got = found[target].access if target in found else "nothing"
        if got != expected:
            _refuse(f"mount {target}", got, expected)
    for mount in found.values():
        if mount.access != "ro" and mount.target not in asked and not mount.is_harmless:
            _refuse(f"mount {mount.target}", f"a writable {mount.kind}", "no such mount")


@dataclass(frozen=True, kw_only=True)
class _Mount:
    """A line of mountinfo; `source` is a path in the file system that is mounted."""

    source: str
    target: str
    access: str
    kind: str

    @classmethod
    def parse(cls, line: str) -> _Mount:
        words, _, about = line.partition(" - ")
        source, target, options = words.split()[3:6]
        access = options.partition(",")[0]
        return cls(source=source, target=_unescaped(target), access=access, kind=about.split()[0])

    @property
    def is_harmless(self) -> bool:
        """Whether nothing that is written to it stays."""
        device = self.kind == "devtmpfs" and self.source in _DEVICES
        return device or self.kind in _NOT_ON_DISK


def _unescaped(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), path)


def _refuse(what: str, got: str, expected: str) -> None:
    raise EngineError(
        f"the container is not confined as it was asked for: {what}",
        got=got,
        expected=expected,
        todo="Start the engine with its default seccomp profile and runtime",
    )
