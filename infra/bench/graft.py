"""What a graft costs beyond hashing both files, by format and size, here and at earlier commits.

In each round both files are hashed, and then the signature of the one is put onto the other and
verified, jail included. A process of each commit does so with files that it finds in the page
cache; they are those of the tests, made large.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from builders.core.errors import InfrastructureError
from infra.bench.commits import CHECKOUT, HERE, files_of
from infra.bench.show import spread

SIZES = (1, 10, 100)
"""MB of 1,000,000 bytes."""
_SECONDS = 600
_ROUNDS = """
import inspect, json, sys, tempfile, time
from pathlib import Path
from builders.core.digest import digest_file
from builders.jail import ParserJail
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.signature_format import Graft
from pipelines.verify.readers import READERS
shipped, rebuilt = map(Path, sys.argv[1:3])
try:
    pinned = PinnedSignature.model_validate_json(sys.argv[3])
except ValueError:
    print("[]")
    sys.exit()
takes_digest = "digest" in inspect.signature(graft).parameters
jail, rounds = ParserJail(READERS), []
for _ in range(int(sys.argv[4]) + 1):
    start = time.perf_counter()
    digests = [digest_file(path) for path in (shipped, rebuilt)]
    middle = time.perf_counter()
    with shipped.open("rb") as theirs, rebuilt.open("rb") as ours:
        with tempfile.TemporaryFile() as made:
            known = {"digest": digests[0]} if takes_digest else {}
            found = graft(jail, theirs, ours, pinned, made, **known)
    end = time.perf_counter()
    assert isinstance(found, Graft) and found.sha256 == digests[0], found
    rounds.append((middle - start, end - middle))
jail.close()
print(json.dumps(rounds[1:]))
"""


def measure(
    sizes: Sequence[int] = SIZES,
    *,
    pairs: int,
    against: Sequence[str] = (),
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return seconds of hashing both files, of a graft, and what the second costs more.

    `sizes` are in MB; a commit that does not know a format has no figures for it. Raises
    `UsageError` for an unknown commit.
    """
    from tests.judge.signatures.large_files import LARGE

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        folder = Path(name)
        trees = {commit: files_of(commit, folder) for commit in (HERE, *against)}
        for form, make in LARGE.items():
            for size in sizes:
                told(f"{form}, {size} MB")
                shipped, rebuilt, pinned = make(size * 1_000_000)
                (folder / "shipped").write_bytes(shipped)
                (folder / "rebuilt").write_bytes(rebuilt)
                del shipped, rebuilt
                words = (folder / "shipped", folder / "rebuilt", pinned.model_dump_json(), pairs)
                found.setdefault(form, {})[f"{size} MB"] = {
                    commit: figures
                    for commit, tree in trees.items()
                    if (figures := _figures(_rounds(tree, words)))
                }
    return {"pairs": pairs, "formats": found}


def table(figures: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each format, size and commit."""
    for form, sizes in figures["formats"].items():
        for size, commits in sizes.items():
            for commit, one in commits.items():
                yield (
                    f"{form:<18} {size:>7}  {commit}: hashing both {_ms(one, 'hashing')}, "
                    f"graft and verify {_ms(one, 'graft')}, {one['more_ms']} ms more"
                )


def _ms(one: dict[str, Any], name: str) -> str:
    return f"{one[f'{name}_seconds']['median'] * 1000:.0f} ms"


def _figures(rounds: list[tuple[float, float]]) -> dict[str, Any] | None:
    if not rounds:
        return None
    hashing, grafting = (list(seconds) for seconds in zip(*rounds, strict=True))
    return {
        "hashing_seconds": spread(hashing),
        "graft_seconds": spread(grafting),
        "more_ms": round(1000 * (median(grafting) - median(hashing))),
    }


def _rounds(tree: Path, words: Sequence[object]) -> list[tuple[float, float]]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", _ROUNDS, *map(str, words)],
        cwd=CHECKOUT,
        env={"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        got = done.stderr.decode(errors="replace")[-300:]
        raise InfrastructureError("a graft that was measured failed", got=got)
    found: list[tuple[float, float]] = json.loads(done.stdout)
    return found
