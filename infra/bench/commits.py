"""The files of earlier commits of this checkout, to measure them beside its own."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from builders.core.errors import UsageError

HERE = "here"
UNDER_SHELL = ("/bin/sh", "-c", '"$@"; exit $?', "sh")
"""Words before a command whose peak memory is to be its own: at first it has that of its parent."""
CHECKOUT = Path(__file__).resolve().parents[2]


def files_of(commit: str, folder: Path) -> Path:
    """Return the files of a commit, unpacked below `folder`; those of `HERE` are this checkout.

    Raises `UsageError` for an unknown commit.
    """
    if commit == HERE:
        return CHECKOUT
    place = folder / f"tree-{commit.replace('/', '-')}"
    found = _git("rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    if found.returncode:
        raise UsageError(
            "there is no such commit",
            got=commit,
            expected="a commit of this checkout",
            todo="`git log --oneline` lists them",
        )
    done = _git("archive", "--format=tar", found.stdout.decode().strip())
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(place, filter="data")
    return place


def _git(*words: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(CHECKOUT), *words]
    return subprocess.run(command, capture_output=True, check=False)
