"""The process that assembles an image: as root it only mounts, then it gives up its rights.

It runs in namespaces of its own (mounts, processes, network, IPC, host name), which belong to the
host's root. It enters a user namespace that owns none of them: its root is an unprivileged user of
the host, has a few capabilities over the files of the image, and no others anywhere. Then come a
seccomp filter, the essential packages, and `assemble.sh`. No process with more rights is left, and
nothing of the image has been run or followed by one.
Sources: user_namespaces(7), pivot_root(2), capabilities(7), seccomp(2).
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tarfile import TarFile, TarInfo
from typing import NoReturn

import pyseccomp as seccomp
from debian.debfile import DebFile

from builders.jail.confine import (
    die_with_parent,
    drop_bounding,
    enter_users,
    no_new_rights,
    pivot_into,
)
from builders.jail.syscalls import known_calls

FIRST_ID = 0x7000_0000
"""The user and group of the host that are root in the image: systemd's list of users and groups has
these numbers as unused, and no file of the host has them."""
IDS = 1 << 16
UNCONFINED = 71
"""The exit code where this machine does not let it confine itself; `EX_OSERR` of sysexits.h."""

_DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
_DEBS = "/tmp/debs"  # noqa: S108  # the image's /tmp
_DATABASE = "var/lib/dpkg"
_FOLDERS = {
    "dev": 0o755,
    "proc": 0o755,
    "run": 0o755,
    "sys": 0o755,
    "tmp": 0o1777,
    _DATABASE: 0o755,
}
_CHOWN, _DAC_OVERRIDE, _FOWNER, _FSETID, _KILL, _SETGID, _SETUID, _SETFCAP = 0, 1, 3, 4, 5, 6, 7, 31
_KEPT = {_CHOWN, _DAC_OVERRIDE, _FOWNER, _FSETID, _KILL, _SETGID, _SETUID, _SETFCAP}
"""Over the files and processes of the image: what dpkg needs to give files to their owners."""

_REFUSED = (
    # Mounts, roots and namespaces.
    "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr", "unshare", "setns", "open_by_handle_at",
    # The kernel and the machine.
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
    "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "iopl", "ioperm", "modify_ldt",
    "syslog", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname",
    "setdomainname", "vhangup", "nfsservctl", "lookup_dcookie",
    # Large parts of the kernel that no installation needs.
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "fanotify_init", "keyctl", "add_key", "request_key",
    # Other processes.
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
)  # fmt: skip
_NEW_NAMESPACES = (
    0x00000080, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
"""The flags of clone(2) that make a namespace."""
_FILE_KIND = 0o170000
"""The bits of a mode that say what kind of file it is."""
_TERMINAL_INPUT = 0x5412
"""The request of ioctl(2) that types into a terminal: TIOCSTI."""
_LIMITS = {"CORE": 0, "NPROC": 4096, "MEMLOCK": 0, "MSGQUEUE": 0}


def main() -> None:
    """Assemble an image: this process becomes `assemble.sh`, and ends as that does.

    Its arguments are an empty folder, the folder with the packages, and the user of the image.
    """
    root, debs, user = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    try:
        _mount(root, debs)
        _confine(root)
    except (OSError, subprocess.CalledProcessError) as error:
        _end(error, UNCONFINED)
    try:
        for deb in sorted(Path(_DEBS, "essential").iterdir()):
            _unpack(deb)
        os.execve(  # noqa: S606  # a program of the image, and no shell of the host
            "/bin/sh", ["sh", f"{_DEBS}/assemble.sh", user], _environment(os.environ)
        )
    except Exception as error:  # noqa: BLE001  # whatever a package does to its reader ends here
        _end(error, 1)


def _end(error: Exception, code: int) -> NoReturn:
    os.write(sys.stdout.fileno(), f"{error}\n".encode("utf-8", "backslashreplace"))
    sys.exit(code)


def _confine(root: Path) -> None:
    """Give up every right but those of the root of the image at `root`; raises `OSError`."""
    syscalls = _script_filter()
    socket.sethostname("builder")
    pivot_into(root)
    enter_users(FIRST_ID, IDS)
    drop_bounding(_KEPT)
    no_new_rights()
    die_with_parent()
    for name, most in _LIMITS.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
    syscalls.load()


def _unpack(deb: Path) -> None:
    """Unpack the files of a package with owners and times, as GNU tar does.

    A folder gets its time once the archive has left it. What comes into it later changes that:
    links, which stand at the end of a package.
    """
    open_folders: list[TarInfo] = []
    with DebFile(str(deb)) as package:
        tar = package.data.tgz()
        for member in tar:
            while open_folders and not member.name.startswith(f"{open_folders[-1].name}/"):
                _extract(tar, open_folders.pop())
            if member.isdir():
                open_folders.append(member)
            _extract(tar, member, whole=not member.isdir())
        while open_folders:
            _extract(tar, open_folders.pop())


def _extract(tar: TarFile, member: TarInfo, *, whole: bool = True) -> None:
    tar.extract(member, "/", set_attrs=whole, numeric_owner=True, filter="fully_trusted")
    if member.issym():  # whose time `tarfile` leaves alone
        os.utime(f"/{member.name}", (member.mtime, member.mtime), follow_symlinks=False)


def _mount(root: Path, debs: Path) -> None:
    """Mount what an installation needs below the empty folder `root`, which becomes the image's."""
    for name, mode in _FOLDERS.items():
        (root / name).mkdir(parents=True)
        (root / name).chmod(mode)
    _run("chown", "-R", f"{FIRST_ID}:{FIRST_ID}", str(root))
    _run("mount", "--bind", "-o", "nosuid,nodev", str(root), str(root))
    _run("mount", "-t", "proc", "-o", "nosuid,nodev,noexec", "proc", str(root / "proc"))
    for name, mode in (("dev", 755), ("run", 755), ("tmp", 1777)):
        _mount_memory(root / name, mode)
    for name in _DEVICES:
        (root / "dev" / name).touch()
        _run("mount", "--bind", f"/dev/{name}", str(root / "dev" / name))
    (root / "dev/fd").symlink_to("/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (root / "dev" / name).symlink_to(f"/proc/self/fd/{number}")
    for name in ("dev/shm", "run/lock", "tmp/debs", "tmp/dpkg"):
        (root / name).mkdir(mode=0o755)
        os.chown(root / name, FIRST_ID, FIRST_ID)
    _run("mount", "--bind", str(debs), str(root / "tmp/debs"))
    _run("mount", "-o", "remount,bind,ro,nosuid,nodev", str(root / "tmp/debs"))
    # dpkg waits for the disk at every step of its database, so it stands in memory until the end,
    # when `assemble.sh` copies it to where the folder itself can still be reached.
    _run("mount", "--bind", str(root / _DATABASE), str(root / "tmp/dpkg"))
    _mount_memory(root / _DATABASE, 755)


def _mount_memory(target: Path, mode: int) -> None:
    options = f"nosuid,nodev,size=1g,mode={mode},uid={FIRST_ID},gid={FIRST_ID}"
    _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(target))


def _script_filter() -> seccomp.SyscallFilter:
    """Return the filter of everything that an image runs; others of its architecture are killed."""
    found = seccomp.SyscallFilter(seccomp.ALLOW)
    found.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)
    refused = seccomp.ERRNO(errno.EPERM)
    for name in known_calls(_REFUSED):
        found.add_rule(refused, name)
    for flag in _NEW_NAMESPACES:
        found.add_rule(refused, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    # Its flags are in memory, where no filter sees them; the C library goes on with `clone`.
    found.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    for kind in (stat.S_IFCHR, stat.S_IFBLK):
        for name, argument in (("mknod", 1), ("mknodat", 2)):
            mode = seccomp.Arg(argument, seccomp.MASKED_EQ, _FILE_KIND, kind)
            found.add_rule(refused, name, mode)
    terminal = seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFF_FFFF, _TERMINAL_INPUT)
    found.add_rule(refused, "ioctl", terminal)
    # Tools that look for the kernel's audit go on without it only after this error.
    other = seccomp.Arg(0, seccomp.NE, socket.AF_UNIX)
    found.add_rule(seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", other)
    return found


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the installation: without that of this interpreter."""
    return {name: value for name, value in own.items() if name != "PYTHONPATH"}


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
