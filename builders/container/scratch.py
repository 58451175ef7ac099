"""Scratch space of a fixed size: an ext4 file system in a file, mounted through a loop device.

A build can fill this space and nothing else. Identifiers and hash seeds are fixed, so the order in
which folders list their files depends only on what the recipe declares. A robustness rebuild uses
another seed. (A file system in user space could give any order, but would need a privileged process
between the build and its files.)

Every container reads in /sys which files are behind loop devices, by their paths. Those would name
the center's folder, the run and the attempt, so the device is attached in a mount namespace of its
own that ends at once: the kernel then knows the file as `/scratch.img`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from builders.container.folderorder import CREATED, HASHED, hash_seed
from builders.container.spec import BUILDER, User
from builders.core.errors import ScratchError
from builders.core.run_tool import run_tool

IMAGE = "scratch.img"
MOUNT_POINT = "scratch"
FOLDERS = ("work", "out", "tmp")
_UUID = "5a3eb175-0000-4000-8000-000000000000"
_ATTACH = f'mount --bind "$1" /tmp && exec losetup --find --show /tmp/{IMAGE}'
"""Run in a new mount namespace: binds the folder over a name that says nothing."""


def _nothing(mount_point: Path) -> None:
    """Put nothing into a new scratch space."""


@contextmanager
def scratch(
    folder: Path,
    size: int,
    *,
    order: str = HASHED,
    seed: str | None = None,
    owner: User = BUILDER,
    fill: Callable[[Path], None] = _nothing,
) -> Iterator[Path]:
    """Yield a mount point of `size` bytes below `folder`, with `work`, `out` and `tmp` in it.

    `owner` owns these three. `order` is the order of folders; `seed`, a UUID, replaces the hash
    seed of that order. `fill` is called with the mount point before the three folders are made.
    The space is unmounted and deleted on every path out. Raises `ScratchError`.
    """
    require_root()
    image, mount_point = folder / IMAGE, folder / MOUNT_POINT
    _make(mount_point, image, size)
    features = "^has_journal,^dir_index" if order == CREATED else "^has_journal"
    try:
        _tool(
            "mkfs.ext4", "-q", "-F", "-m", "0", "-O", features, "-U", _UUID,
            "-E", f"nodiscard,hash_seed={seed or hash_seed(order)},root_owner={owner}",
            image,
        )  # fmt: skip
        device = _tool(
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-c", _ATTACH, "sh", folder),
        )
        _tool("mount", "-o", "nosuid,nodev,noatime", device, mount_point)
        _tool("losetup", "--detach", device)  # it is in use, so this happens when it is unmounted
        fill(mount_point)
        for name in FOLDERS:
            make_mounted_folder(mount_point / name)
            os.chown(mount_point / name, owner.uid, owner.gid)
        yield mount_point
    finally:
        release(folder)


def make_mounted_folder(path: Path) -> None:
    """Make a folder that the user of a container can enter, whatever the umask of this process."""
    path.mkdir()
    path.chmod(0o755)


def require_root() -> None:
    """Raise `ScratchError` unless this process runs as root, which mounting needs."""
    if os.geteuid() != 0:
        raise ScratchError(
            "a scratch file system can only be mounted by root",
            got=f"user id {os.geteuid()}",
            todo="Run samebits as root or with sudo",
        )


def _make(mount_point: Path, image: Path, size: int) -> None:
    try:
        mount_point.mkdir(mode=0o700)
        with image.open("xb") as stream:
            stream.truncate(size)
    except FileExistsError as error:
        raise ScratchError("the folder has a scratch space already", got=error.filename) from error
    except OSError as error:
        image.unlink(missing_ok=True)
        mount_point.rmdir()
        what = "there is no room for the scratch space"
        raise ScratchError(what, got=error.strerror, expected=f"{size} bytes") from error


def release(folder: Path) -> None:
    """Unmount and delete the scratch space of `folder`, if there is one."""
    mount_point = folder / MOUNT_POINT
    for _ in range(50):
        if not os.path.ismount(mount_point):
            break
        # It is busy for a moment after the engine has removed a container.
        try:
            _tool("umount", mount_point)
        except ScratchError:
            time.sleep(0.1)
    discard(folder)


def discard(folder: Path) -> None:
    """Delete the scratch space of `folder`, also one that is in use, without reading what is in it.

    What a build has left there may be endless; all of it goes with the image file.
    """
    image, mount_point = folder / IMAGE, folder / MOUNT_POINT
    while mount_point in mounts_below(folder):
        _tool("umount", "--lazy", mount_point)
    try:
        for device in _devices(image) if image.exists() else ():
            _detach(device)
    finally:
        image.unlink(missing_ok=True)
        if mount_point.is_dir():
            mount_point.rmdir()


def _devices(image: Path) -> list[str]:
    return _tool("losetup", "--noheadings", "--output", "NAME", "-j", image).split()


def _detach(device: str) -> None:
    """Detach a loop device, unless that has happened meanwhile."""
    try:
        _tool("losetup", "--detach", device)
    except ScratchError:
        if Path("/sys/block", Path(device).name, "loop").exists():
            raise


def detach_deleted() -> None:
    """Detach the devices of scratch spaces that no folder holds any more, and nothing mounts."""
    for device in Path("/sys/block").glob("loop*/loop"):
        with suppress(FileNotFoundError):  # it was detached just now
            name, auto = ((device / f).read_text().strip() for f in ("backing_file", "autoclear"))
            if (name, auto) == (f"/{IMAGE} (deleted)", "0"):
                _detach(f"/dev/{device.parent.name}")


def mounts_below(folder: Path) -> list[Path]:
    """Return what is mounted below a folder, in the order in which it was mounted."""
    real = Path(os.path.realpath(folder.parent)) / folder.name  # a link has nothing below it
    points = (Path(part.mountpoint) for part in psutil.disk_partitions(all=True))
    return [folder / point.relative_to(real) for point in points if real in point.parents]


def _tool(*command: str | Path) -> str:
    """Run a tool, and return what it printed."""
    done = run_tool(
        [str(word) for word in command],
        environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        timeout=120,
        error=ScratchError,
        todo="`bash infra/bootstrap.sh` installs it",
    )
    if done.exit_code:
        raise ScratchError(
            f"{command[0]} failed",
            got=done.error_text[-300:] or done.exit_code,
            todo="samebits mounts scratch space: it needs root and a free loop device",
        )
    return done.text.strip()
