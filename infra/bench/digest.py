"""Our SHA-256 beside `sha256sum`, over one file that is in the page cache."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from builders.core.digest import CHUNK, digest_file
from infra.bench.show import spread


def measure(size: int, *, pairs: int) -> dict[str, Any]:
    """Return seconds of both, taken in turn, and our speed as a share of `sha256sum`'s."""
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as folder:
        path = Path(folder) / "bytes"
        with path.open("wb") as out:
            for _ in range(0, size, CHUNK):
                out.write(os.urandom(CHUNK))
        for number in range(pairs + 1):
            start = time.perf_counter()
            digest = digest_file(path)
            middle = time.perf_counter()
            done = subprocess.run(
                ["sha256sum", str(path)],  # noqa: S607
                check=True,
                capture_output=True,
                text=True,
            )
            end = time.perf_counter()
            if done.stdout.split()[0] != digest.hex:
                message = "sha256sum and samebits do not agree"
                raise AssertionError(message)
            if number:
                ours.append(middle - start)
                theirs.append(end - middle)
    return {
        "bytes": size,
        "samebits_seconds": spread(ours),
        "sha256sum_seconds": spread(theirs),
        "speed_ratio": round(median(theirs) / median(ours), 3),
    }
