"""How long `samebits evidence check` takes, as a whole process, and what it imports for that."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.bench.sample import Keys, sample
from infra.bench.show import spread
from pipelines.evidence.privatekey import create_key

HEAVY = ("prefect", "docker", "boto3", "botocore", "requests", "urllib3", "securesystemslib")
"""What checking a bundle has no use for."""
_COMMAND = (sys.executable, "-m", "pipelines.cli", "evidence", "check")
_LOADED = "import sys; from pipelines.cli.main import main\ntry: main(sys.argv[1:])\nexcept \
SystemExit: pass\nprint(*sorted(sys.modules), sep='\\n', file=sys.stderr)"


def measure(runs: int, *, artefacts: int) -> dict[str, Any]:
    """Return the seconds of `runs` checks, after one that warms the disk cache.

    The bundle is made up: a run of `artefacts` artefacts, all of them identical, checked
    under a policy.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        folder = Path(name)
        uses = ("statements", "log", "operator")
        keys = Keys(**{use: create_key(folder / "keys", use) for use in uses})
        tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        made = sample(keys, expires=tomorrow, artefacts=artefacts)
        bundle, policy = folder / "sample.bundle.tar", folder / "policy.dsse.json"
        bundle.write_bytes(made.bundle)
        policy.write_bytes(made.policy)
        words = [str(bundle), "--policy", str(policy)]
        seconds = []
        for number in range(runs + 1):
            start = time.perf_counter()
            subprocess.run([*_COMMAND, *words], check=True, capture_output=True)
            if number:
                seconds.append(time.perf_counter() - start)
        return {
            "artefacts": artefacts,
            "bundle_bytes": bundle.stat().st_size,
            "check_seconds": spread(seconds),
            "python_seconds": spread([_timed_python() for _ in range(runs)]),
            "heavy_modules": loaded_heavy(words),
        }


def loaded_heavy(words: list[str]) -> list[str]:
    """Return the heavy modules that `evidence check` with these words imports."""
    return sorted({name.partition(".")[0] for name in loaded(words)} & set(HEAVY))


def loaded(words: list[str]) -> set[str]:
    """Return all modules that `evidence check` with these words imports."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, "evidence", "check", *words],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stderr.splitlines())


def _timed_python() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - start
