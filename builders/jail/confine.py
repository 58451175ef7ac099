"""What the process of a reader takes from itself, in three steps, before it reads anything.

`enter_namespaces` leaves it no network, no files and no other process; `drop_rights` no capability,
no user that owns anything, and limits; `load()` of the filter in `syscalls` hardly a system call.
The assembly of images, which needs its own root, uses the parts of these steps.
Sources: namespaces(7), pivot_root(2), capabilities(7), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Collection, Sequence
from pathlib import Path

from builders.jail.syscalls import syscall_number

NOBODY = 65534
_NEW_MOUNTS, _NEW_NAMES, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
_NEW_USER, _NEW_PROCESSES, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_NAMESPACES = _NEW_MOUNTS | _NEW_NAMES | _NEW_IPC | _NEW_PROCESSES | _NEW_NETWORK
_READ_ONLY, _NO_SETUID, _NO_DEVICES, _NO_PROGRAMS = 1, 2, 4, 8
_RECURSIVE, _PRIVATE = 1 << 14, 1 << 18
_DETACH = 2
_DIE_WITH_PARENT, _DUMPABLE, _DROP_BOUND, _NO_NEW_RIGHTS = 1, 4, 24, 38
_CAPABILITIES_VERSION = 0x20080522
_LAST_CAPABILITY = 63
_MAX_FILES = 64
_LIBC = ctypes.CDLL(None, use_errno=True)
_PIVOT_ROOT = syscall_number("pivot_root")


def enter_namespaces() -> None:
    """Leave the network, the files and the processes of the host; raises `OSError`.

    The process itself, and all its children, are without network and see an empty read-only folder
    as their root. Its next child is the first process of its own process namespace. As root no user
    namespace is needed; others get one in which they are nobody.
    """
    uid, gid = os.getuid(), os.getgid()
    if uid != 0 or _LIBC.unshare(_NAMESPACES) != 0:
        _call("unshare", _NAMESPACES | _NEW_USER)
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{NOBODY} {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{NOBODY} {gid} 1", encoding="ascii")
    _call("mount", b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
    flags = _READ_ONLY | _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS
    _call("mount", b"none", b"/proc", b"tmpfs", flags, b"size=4k,mode=755")
    pivot_into(Path("/proc"))


def pivot_into(root: Path) -> None:
    """Make the mount at `root` the root of this mount namespace; nothing else of it remains."""
    os.chdir(root)
    _call("syscall", _PIVOT_ROOT, b".", b".")
    _call("umount2", b".", _DETACH)
    os.chdir("/")


def enter_users(first: int, count: int) -> None:
    """Enter a user namespace as its root: the user and the group `first` of the namespace before.

    Its users and groups are 0 to `count` - 1, and before they are those from `first` on. Has all
    capabilities over them, and no other. Needs root and /proc; raises `OSError`.
    """
    maps = [f"/proc/{os.getpid()}/{kind}_map" for kind in ("uid", "gid")]
    entered, enter = os.pipe()
    helper = os.fork()  # only a process that stays outside may write the maps
    if helper == 0:
        os.close(enter)
        os._exit(_write_maps(maps, b"0 %d %d" % (first, count)) if os.read(entered, 1) else 0)
    os.close(entered)
    try:
        _call("unshare", _NEW_USER)
        os.write(enter, b"+")
    finally:
        os.close(enter)
        _, status = os.waitpid(helper, 0)
    if number := os.waitstatus_to_exitcode(status):
        raise OSError(number, os.strerror(number), "uid_map")
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _write_maps(maps: Sequence[str], text: bytes) -> int:
    """Return the number of the error, 0 for none; imports nothing, which might not be there."""
    try:
        for path in maps:
            os.write(os.open(path, os.O_WRONLY), text)
    except OSError as error:
        return error.errno or 1
    return 0


def drop_rights(*, seconds: float, memory: int, file_size: int) -> None:
    """Become nobody, without capabilities and within limits, for good; raises `OSError`.

    `seconds` of processor time, bytes of memory, and bytes of one file that is written.
    """
    drop_bounding()
    if os.getuid() != NOBODY:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())
    no_new_rights()
    _call("prctl", _DUMPABLE, 0, 0, 0, 0)
    die_with_parent()
    for name, limit in (
        ("AS", memory),
        ("CPU", int(seconds) + 1),
        ("FSIZE", file_size),
        ("NOFILE", _MAX_FILES),
        ("CORE", 0),
        ("NPROC", 0),
        ("MEMLOCK", 0),
        ("MSGQUEUE", 0),
    ):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))


def drop_bounding(kept: Collection[int] = ()) -> None:
    """Let no program that is started from here on have a capability that is not `kept`."""
    for capability in range(_LAST_CAPABILITY + 1):
        if capability not in kept and _LIBC.prctl(_DROP_BOUND, capability, 0, 0, 0) != 0:
            break  # the kernel has no capability of that number


def no_new_rights() -> None:
    """Let no program that is started from here on have more rights than this process."""
    _call("prctl", _NO_NEW_RIGHTS, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that forked it is gone."""
    _call("prctl", _DIE_WITH_PARENT, 9, 0, 0, 0)


def _call(function: str, *arguments: object) -> None:
    if getattr(_LIBC, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), function)
