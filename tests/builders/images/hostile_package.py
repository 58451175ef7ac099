"""A package whose installation attacks the machine on which an image is built."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

from builders.core.digest import digest_file
from builders.images.lock import LockedPackage
from builders.inputs.vault import Vault

CONTROL = """\
Package: hostile
Version: 1
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: attacks
"""
# System calls by their numbers on amd64.
SCRIPT = r"""#!/usr/bin/perl
my ($path, $pid) = ("@PATH@", @PID@);
mkdir "/var/lib/hostile";
open(my $report, ">", "/var/lib/hostile/report");
sub tell_of { print $report "$_[0] ", ($_[1] ? "done" : "failed"), "\n" }
sub call { my ($name, $number, @words) = @_; tell_of($name, syscall($number, @words) != -1) }
sub holds { my $file; open($file, "<", $_[0]) && <$file> =~ /secret/ }
sub puts { my $file; open($file, ">", $_[0]) && syswrite($file, $_[1]) && close($file) }

my ($none, $tmpfs, $root, $node, $sda, $empty) =
    ("none\0", "tmpfs\0", "/\0", "/node\0", "/sda\0", "\0");
call("mount", 165, $none, $root, $tmpfs, 0, 0);
call("remount", 165, $none, $root, $none, 32, 0);
call("umount", 166, "/proc\0", 2);
call("open a tree", 428, -100, $root, 1);
call("make a device", 133, $node, 0020666, 0x101);
call("make a disk", 259, -100, $sda, 0060666, 0x800);
call("load a module", 175, $empty, 0, $empty);
call("load a module file", 313, 0, $empty, 0);
call("new namespaces", 272, 0x10020000);
call("new process in namespaces", 56, 0x10000011, 0, 0, 0, 0);
call("chroot", 161, $root);
call("ptrace", 101, 16, $pid, 0, 0);
call("kernel log", 103, 3, $empty, 0);
call("bpf", 321, 0, $empty, 0);
call("keys", 250, 0, -3, 0);
call("open by handle", 304, -100, $empty, 0);
call("host name", 170, "gone\0", 4);
call("internet", 41, 2, 1, 0);
call("netlink", 41, 16, 3, 0);
for my $kind ("net", "mnt", "user") {
    open(my $namespace, "<", "/proc/$pid/ns/$kind");
    call("enter $kind of host", 308, $namespace ? fileno($namespace) : 99, 0);
}
tell_of("signal to host", kill(0, $pid));
tell_of("read of host", holds($path));
tell_of("read of host by a process", holds("/proc/1/root$path") || holds("/proc/$pid/root$path"));
for my $number (3 .. 20) {
    tell_of("read of host by descriptor $number", holds("/proc/self/fd/$number/..$path"));
}
tell_of("memory of machine", open(my $memory, "<", "/proc/kcore"));
tell_of("setting", puts("/proc/sys/kernel/core_pattern", "|/bin/sh"));
tell_of("own name space", puts("/proc/sys/kernel/hostname", "gone"));
tell_of("system request", puts("/proc/sysrq-trigger", "s"));
tell_of("packages", puts("/tmp/debs/assemble.sh", "exit 0"));

# What runs later appends to this file.
system("mkdir", "-p", $path =~ s,/[^/]*$,,r);
rename("/etc/group", "/etc/group.old");
symlink($path, "/etc/group");

open(my $status, "<", "/proc/self/status");
for (<$status>) { print $report $_ if /^(CapBnd|CapInh|NoNewPrivs|Seccomp):/ }
open(my $map, "<", "/proc/self/uid_map");
print $report join(" ", split), "\n" for <$map>;
"""


def hostile_package(folder: Path, vault: Vault, path: Path, pid: int) -> LockedPackage:
    """Make the package in `folder`, for the file `path` and process `pid` of the host."""
    control = folder / "hostile/DEBIAN"
    control.mkdir(parents=True)
    (control / "control").write_text(CONTROL)
    script = control / "postinst"
    script.write_text(SCRIPT.replace("@PATH@", str(path)).replace("@PID@", str(pid)))
    script.chmod(0o755)
    deb = folder / "hostile_1_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", str(folder / "hostile"), str(deb)],
        check=True,
        capture_output=True,
    )
    digest = digest_file(deb)
    vault.add(deb, digest, what=deb.name)
    return LockedPackage(
        name="hostile",
        version="1",
        architecture="all",
        size=deb.stat().st_size,
        sha256=digest,
        path=PurePosixPath("pool/main/h/hostile") / deb.name,
    )
