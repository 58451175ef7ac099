"""Build an image from locked packages in the vault: offline, and to the same bytes everywhere."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from threading import Timer

from debian.deb822 import Deb822

from builders.core.errors import ImageMismatchError, ImageUnavailableError, InfrastructureError
from builders.core.run_tool import run_tool
from builders.images import confined
from builders.images.definition import ImageDefinition
from builders.images.lock import ImageLock, LockedPackage, Resolution
from builders.images.oci_archive import BuiltImage, write_archive
from builders.images.resolve import tool_versions
from builders.inputs.fetching import FetchProgress, no_progress
from builders.inputs.vault import Vault

_STEP = re.compile(r"(?:Unpacking|Setting up) ([a-z0-9][a-z0-9+.-]+)")
_LAST_LINES = 12
_MAX_LINE = 1 << 16
"""Bytes; of a longer line the rest counts as another."""
_SECONDS = 2 * 3600.0
"""For all packages of an image to be unpacked and set up."""
_NAMESPACE = (  # it dies with this process, even if that is killed
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--cgroup"),
    *("--fork", "--kill-child", "--propagation", "private", "--"),
    *(sys.executable, "-s", "-P", "-B", "-c", f"from {confined.__name__} import main; main()"),
)


def build_image(
    definition: ImageDefinition,
    resolution: Resolution,
    vault: Vault,
    tar: Path,
    workdir: Path,
    progress: FetchProgress = no_progress,
) -> BuiltImage:
    """Build the new file `tar` from packages that the vault holds; needs root.

    Raises `InputUnavailableError` for a package that the vault lacks, `ImageUnavailableError` if
    the packages cannot be installed. Nothing is left in `workdir`, and no `tar` after an error.
    """
    if os.geteuid() != 0:
        raise InfrastructureError(
            "building an image needs root", got=f"user id {os.geteuid()}", todo="Use sudo"
        )
    unfinished = tar.with_name(f".{tar.name}.part")
    with _scratch(workdir) as scratch:
        root, debs = scratch / "root", scratch / "debs"
        for folder in (root, debs):
            folder.mkdir()
            folder.chmod(0o755)
        for name, packages in (
            ("essential", resolution.essential),
            ("packages", resolution.packages),
        ):
            (debs / name).mkdir()
            (debs / name).chmod(0o755)
            for index, package in enumerate(packages):
                staged = debs / name / f"{index:05d}.deb"
                vault.stage(package.sha256, staged)
                staged.chmod(0o644)
        _install(root, debs, definition.user, resolution, progress)
        _check_installed(root, resolution.every())
        try:
            unfinished.unlink(missing_ok=True)
            built = write_archive(root, definition, resolution.epoch, confined.FIRST_ID, unfinished)
            unfinished.replace(tar)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    return replace(built, tar=tar)


def compare_with_lock(name: str, built: BuiltImage, lock: ImageLock) -> None:
    """Compare the digests of an image with its lock; raises `ImageMismatchError`."""
    got, expected = built.digests, lock.image
    if got == expected:
        return
    here = tool_versions()
    other = [
        f"{tool} {here.get(tool, 'none')} here, {version} in the lock"
        for tool, version in sorted(lock.tools.items())
        if here.get(tool) != version
    ]
    raise ImageMismatchError(
        f"builder image {name} is not the locked one after it was built",
        got=f"config sha256 {got.config}, layer sha256 {got.diff_id}",
        expected=f"config sha256 {expected.config}, layer sha256 {expected.diff_id}",
        todo=f"Tools that differ: {'; '.join(other) or 'none'}. Do not use this image before the "
        "reason is known",
    )


@contextmanager
def _scratch(workdir: Path) -> Iterator[Path]:
    workdir.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=workdir, prefix="image-"))
    try:
        yield scratch
    finally:
        for _ in range(20):  # a killed namespace may use the folder for a moment
            # Packages can leave trees that are too deep for a recursion.
            run_tool(
                ["rm", "--recursive", "--force", "--one-file-system", "--", str(scratch)],
                environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                timeout=600,
                error=InfrastructureError,
                todo="Install coreutils",
            )
            if not scratch.exists():
                break
            time.sleep(0.1)


def _install(
    root: Path, debs: Path, user: str, resolution: Resolution, progress: FetchProgress
) -> None:
    script = debs / "assemble.sh"
    script.write_bytes((resources.files("builders.images") / "assemble.sh").read_bytes())
    script.chmod(0o644)
    total = 2 * len(resolution.every())
    done, last = 0, deque[str](maxlen=_LAST_LINES)
    deadline = time.monotonic() + _SECONDS
    with _namespace([str(root), str(debs), user], resolution.epoch, debs.parent) as process:
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        for raw in iter(partial(process.stdout.readline, _MAX_LINE), b""):
            line = raw.decode("utf-8", "replace").strip()
            last.append(line)
            if step := _STEP.match(line):
                done = min(done + 1, total)
                progress(done, total, step[1])
        status = process.wait()
    said = " | ".join(line for line in last if line)[-800:]
    if status == -signal.SIGKILL and time.monotonic() >= deadline:
        raise ImageUnavailableError(
            "the installation of the locked packages does not end",
            got=said,
            expected=f"an end within {_SECONDS:g} seconds",
            todo="Leave the package that stalls out of the image, and make a new lock",
        )
    if status == confined.UNCONFINED:
        raise InfrastructureError(
            "an image is built in a user namespace, and this machine allows none",
            got=" | ".join(list(last)[-2:]),
            expected=f"one with users and groups {confined.FIRST_ID} to "
            f"{confined.FIRST_ID + confined.IDS - 1} of this machine",
            todo="Set user.max_user_namespaces above 0. A container must let its root make "
            "namespaces and mounts, and have those users and groups",
        )
    if status:
        raise ImageUnavailableError(
            "the locked packages cannot be installed",
            got=f"exit code {status}: {said}",
            todo="Check the lock with `samebits image check`, or make a new one",
        )


@contextmanager
def _namespace(
    arguments: Sequence[str], epoch: int, folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `confined` in namespaces of its own, without network; kill what is left of it.

    After `_SECONDS` all of it is killed.
    """
    paths = [path for path in sys.path if path and Path(path).is_absolute()]
    environment = {
        "DEBCONF_NONINTERACTIVE_SEEN": "true",
        "DEBIAN_FRONTEND": "noninteractive",
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(paths),
        "SOURCE_DATE_EPOCH": str(epoch),
        "TZ": "UTC",
    }
    try:
        process = subprocess.Popen(
            [*_NAMESPACE, *arguments],
            env=environment,
            cwd=folder,
            umask=0o022,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise InfrastructureError(
            "the tools setpriv and unshare are missing", todo="Install util-linux"
        ) from error
    timer = Timer(_SECONDS, _kill, [process])
    with process:
        try:
            timer.start()
            yield process
        finally:
            timer.cancel()
            _kill(process)
            if process.stdout:
                process.stdout.read()  # ends when the last process of the namespace has ended


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _check_installed(root: Path, expected: Sequence[LockedPackage]) -> None:
    status = (root / "var/lib/dpkg/status").resolve()  # a package may have made links
    if not (status.is_relative_to(root.resolve()) and status.is_file()):
        raise ImageMismatchError(
            "the image has no list of installed packages",
            expected="the file /var/lib/dpkg/status in it",
            todo="Check the lock with `samebits image check`: a package of it may be another",
        )
    with status.open("rb") as stream:
        got = {
            (entry["Package"], entry["Version"], entry["Architecture"])
            for entry in Deb822.iter_paragraphs(stream, use_apt_pkg=False)
            if entry.get("Status") == "install ok installed"
        }
    wanted = {(p.name, p.version, p.architecture) for p in expected}
    if got != wanted:
        first = min(got ^ wanted)
        raise ImageMismatchError(
            "the installed packages are not the locked ones",
            got=f"{' '.join(first)} {'installed' if first in got else 'not installed'}",
            expected=f"exactly the {len(wanted)} packages of the lock",
            todo="A file of the lock is not the package that its line names",
        )
