"""What files that mean harm cost those that take a first look at them, by attack and commit.

Each file is an artefact that differs: what it holds is listed, and it is compared with the rebuilt
one. That is done by a process of its own, whose seconds are counted once it has imported its code.
Its memory is that of the largest process below it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from infra.bench import attacks
from infra.bench.commits import CHECKOUT, HERE, files_of

LIMIT = 200
"""Seconds after which a file has won."""
_MEMORY = 8 << 20
"""KiB of address space of one process: more would cost the machine."""
_SHELL = ("/bin/sh", "-c", f'ulimit -v {_MEMORY}; exec "$@"', "sh")
_EVERY = 0.005
_LOOK = """
import io, json, sys, time
path, count = sys.argv[1], int(sys.argv[2])
try:
    from builders.jail import JailFailedError as Failed, ParserJail
    from pipelines.explain.first_look import FirstLooks
    from pipelines.verify.readers import READERS
    jail = ParserJail(READERS)
    jail.start()
    looks = FirstLooks(jail)
    carried, difference = lambda f: looks.carried(f, []), looks.difference
except ImportError:  # before there was a jail
    from builders.archives import ArchiveError, members
    from pipelines.explain.quickdiff import quick_diff as difference
    Failed = ()
    def carried(file):
        try:
            list(members(file))
        except ArchiveError:
            pass  # as a look does
def end(look, *files):
    try:
        look(*files)
    except MemoryError:
        return "out-of-memory"
    except Failed as error:
        return str(error.end)
    return "done"
start, ends = time.monotonic(), []
for _ in range(count):
    with open(path, "rb") as file:
        ends = [end(carried, file), end(difference, file, io.BytesIO(b"rebuilt"))]
print(json.dumps({"seconds": round(time.monotonic() - start, 2), "ends": ends}))
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """An attack, and how many files of one run are made by it."""

    make: Callable[[int], bytes]
    scale: int = 1
    files: int = 1


CASES = {
    "global headers of a tar": Case(make=attacks.global_headers, scale=5),
    "large global headers": Case(make=attacks.large_global_headers, scale=400),
    "global headers, and members that inherit them": Case(
        make=attacks.global_headers_and_members, scale=2
    ),
    "deep paths": Case(make=attacks.long_names),
    "one deep path for all members": Case(make=attacks.one_long_name_for_all),
    "gzip in gzip": Case(make=attacks.nested_gzips),
    "zip in zip": Case(make=attacks.nested_zips),
    "large zips in a tar": Case(make=attacks.large_zips_in_a_tar, scale=4),
    "a gzip bomb": Case(make=attacks.gzip_bomb, scale=32),
    "a gzip bomb, a thousand times": Case(make=attacks.gzip_bomb, scale=8, files=1000),
    "an xz bomb": Case(make=attacks.xz_bomb, scale=8),
    "empty bzip2 frames": Case(make=attacks.bzip2_frames, scale=10),
    "a zip with a million members": Case(make=attacks.many_members, scale=10),
    "a tar of tiny members": Case(make=attacks.many_tiny_members, scale=10),
    "a sparse file": Case(make=attacks.sparse),
    "a member of eight exabytes": Case(make=attacks.huge_size),
    "a loop of symbolic links": Case(make=attacks.symbolic_links, scale=5),
}


def measure(
    against: Sequence[str] = (),
    *,
    cases: dict[str, Case] = CASES,
    limit: float = LIMIT,
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return what each case costs this checkout and the commits `against`.

    MB are of 1,000,000 bytes; no process lives longer than `limit` seconds, or has more than 8 GiB.
    """
    found = {}
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        folder = Path(name)
        trees = {commit: files_of(commit, folder) for commit in (HERE, *against)}
        for title, case in cases.items():
            told(title)
            path = folder / "file"
            path.write_bytes(case.make(case.scale))
            found[title] = {
                "files": case.files,
                "megabytes": round(path.stat().st_size / 1e6, 3),
                **{commit: _look(tree, path, case, limit) for commit, tree in trees.items()},
            }
    return {"limit_seconds": limit, "attacks": found}


def table(figures: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table: by attack the size of one file, then seconds and MB by commit."""
    for title, row in figures["attacks"].items():
        sized = f"{row['files']} x {row['megabytes']} MB"
        costs = (f"{n}: {_cost(one)}" for n, one in row.items() if isinstance(one, dict))
        yield f"{title:<46} {sized:>16}  {'  '.join(costs)}"


def _cost(one: dict[str, Any]) -> str:
    return f"{one['seconds']} s, {one['peak_megabytes']} MB, {' and '.join(one['ends'])}"


def _look(tree: Path, path: Path, case: Case, limit: float) -> dict[str, Any]:
    command = [*_SHELL, sys.executable, "-P", "-c", _LOOK, str(path), str(case.files)]
    paths = {"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin"}
    start, peak = time.monotonic(), 0
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=paths, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        looker = psutil.Process(process.pid)
        while process.poll() is None and time.monotonic() - start < limit:
            peak = max(peak, _largest(looker))
            time.sleep(_EVERY)
        late = process.poll() is None
        process.kill()
        said = process.communicate()[0]
    ended = {"seconds": round(time.monotonic() - start, 2), "ends": ["killed" if late else "died"]}
    with suppress(ValueError):
        ended = json.loads(said)
    return {**ended, "peak_megabytes": round(peak / 1e6)}


def _largest(process: psutil.Process) -> int:
    """Return the most bytes that one of a process and those below it has in memory."""
    with suppress(psutil.Error):
        family = [process, *process.children(recursive=True)]
        return max(map(_resident, family))
    return 0


def _resident(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
