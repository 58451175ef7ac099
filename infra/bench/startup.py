"""How long `samebits --help` takes, as a whole process."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from infra.bench.show import spread

_COMMAND = (sys.executable, "-m", "pipelines.cli", "--help")


def measure(runs: int) -> dict[str, Any]:
    """Return the seconds of `runs` starts, after one that warms the disk cache."""
    seconds = []
    for number in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(_COMMAND, check=True, capture_output=True)
        if number:
            seconds.append(time.perf_counter() - start)
    return {"help_seconds": spread(seconds)}
