"""The system calls of a reader: it reads and writes what is open, and asks for memory.

No call opens, makes or names a file, a socket, a process or a namespace. Memory that can be
written is never executed. Whatever is not listed kills the process.
"""

from __future__ import annotations

import errno

import pyseccomp as seccomp
from pyseccomp import SyscallFilter

_ALLOWED = (
    "read", "pread64", "readv", "write", "pwrite64", "writev", "lseek", "ftruncate",
    "close", "fstat", "fcntl",
    "brk", "munmap", "mremap", "madvise",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
    "clock_gettime", "clock_getres", "gettimeofday", "time", "times", "getrusage",
    "getrandom", "getpid", "gettid", "futex", "sched_yield", "rseq", "nanosleep", "clock_nanosleep",
    "exit", "exit_group",
)  # fmt: skip
_WITHOUT_CODE = ("mmap", "mprotect")
"""Their third argument is the protection."""
_PROT_EXEC = 4
_REFUSED = {
    # Asked by Python's library, which goes on without: is it a terminal, is there a module.
    "ioctl": errno.ENOTTY,
    "open": errno.ENOENT,
    "openat": errno.ENOENT,
    "stat": errno.ENOENT,
    "newfstatat": errno.ENOENT,
    "statx": errno.ENOENT,
    "readlink": errno.ENOENT,
    "readlinkat": errno.ENOENT,
    "access": errno.ENOENT,
    "getcwd": errno.ENOENT,
    "getdents64": errno.ENOENT,
    "prlimit64": errno.EPERM,
    "getrlimit": errno.EPERM,
}


def reader_filter() -> SyscallFilter:
    """Return the filter; `load()` applies it to this process for good. Raises `OSError`."""
    found = SyscallFilter(seccomp.KILL_PROCESS)
    found.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)
    for name in known_calls(_ALLOWED):
        found.add_rule(seccomp.ALLOW, name)
    for name in known_calls(_WITHOUT_CODE):
        code = seccomp.Arg(2, seccomp.MASKED_EQ, _PROT_EXEC, 0)
        found.add_rule(seccomp.ALLOW, name, code)
    for name in known_calls(_REFUSED):
        found.add_rule(seccomp.ERRNO(_REFUSED[name]), name)
    return found


def known_calls(names: tuple[str, ...] | dict[str, int]) -> list[str]:
    """Leave out calls that this processor does not have: newer ones have no `open` or `stat`."""
    return [name for name in names if seccomp.resolve_syscall(seccomp.Arch.NATIVE, name) >= 0]


def syscall_number(name: str) -> int:
    """Return the number of a system call that the C library has no function for."""
    return int(seccomp.resolve_syscall(seccomp.Arch.NATIVE, name))
