"""Peak memory of the samebits process when an artefact is large."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from builders.core.digest import CHUNK, digest_file
from builders.core.errors import InfrastructureError

_RECIPE = """\
schema: samebits/recipe/v1
vendor: samebits
product: large
version: "1"
kind: binary
platform: linux/amd64
build:
  method: script
  image: debian-trixie-build
  steps:
    - [sh, -c, 'head -c "$1" /dev/zero > /out/large.bin', sh, "{size}"]
inputs:
  - role: source
    locator: file:source.txt
    sha256: {source}
artefacts:
  - name: large.bin
    shipped: {{locator: "file:large.bin", sha256: {shipped}}}
limits: {{memory: 1GiB, scratch: {scratch}MiB, time: 30min}}
"""


def measure(size: int) -> dict[str, Any]:
    """Return the peak resident bytes of `verify` and `compare` with an artefact of `size` bytes."""
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        folder = Path(name)
        (folder / "source.txt").write_text("a source\n")
        with (folder / "large.bin").open("wb") as out:
            for _ in range(0, size, CHUNK):
                out.write(bytes(CHUNK))
        recipe = folder / "1.yaml"
        recipe.write_text(
            _RECIPE.format(
                size=size,
                source=digest_file(folder / "source.txt"),
                shipped=digest_file(folder / "large.bin"),
                scratch=(size >> 20) + 512,
            )
        )
        figures: dict[str, Any] = {"bytes": size}
        figures["verify"] = _run("verify", "--json", str(recipe))
        different = folder / "different.bin"
        with different.open("wb") as out:
            out.write(b"\1")
            for _ in range(0, size, CHUNK):
                out.write(bytes(CHUNK))
        figures["compare"] = _run("compare", "--json", str(folder / "large.bin"), str(different))
    return figures


def _run(*words: str) -> dict[str, Any]:
    """Run the samebits command and watch the high-water mark of its resident memory."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", *words], stdout=out, stderr=err
        )
        peak = 0
        while child.poll() is None:
            peak = max(peak, _high_water(child.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - start
        out.seek(0)
        document = out.read()
        err.seek(0)
        if child.returncode not in {0, 1}:
            raise InfrastructureError(
                f"samebits {words[0]} failed", got=err.read().decode(errors="replace")[-300:]
            )
    told = json.loads(document)
    return {
        "peak_bytes": peak,
        "peak_mib": round(peak / (1 << 20), 1),
        "seconds": round(seconds, 1),
        "verdict": (told["reports"][0] if "reports" in told else told)["verdict"],
    }


def _high_water(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0
