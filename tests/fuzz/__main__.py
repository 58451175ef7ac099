"""Fuzz a reader of the parser jail for errors, memory and time, guided by what it covers.

It takes atheris (`pip install .[fuzz]`), which runs the reader in this process, far slower than it
is. A file that takes a minute or more than 512 MiB, or raises an error that the reader does not
declare, is left in FOLDER.

Usage: python -m tests.fuzz TARGET SECONDS [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests import fuzz


def main(name: str, seconds: str, folder: str | None = None) -> None:
    """Fuzz one target; ends the process as libFuzzer does."""
    import atheris  # type: ignore[import-untyped]  # only here, and not among the requirements

    place = Path(folder or tempfile.mkdtemp(prefix="samebits-fuzz-"))
    corpus = place / name
    corpus.mkdir(parents=True, exist_ok=True)
    target = fuzz.TARGETS[name]
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    with atheris.instrument_imports(
        include=["builders", "pipelines", "debian", "email", "zipfile"]
    ):
        target.load()
    options = (
        f"-max_total_time={seconds}",
        "-timeout=60",
        "-rss_limit_mb=512",
        "-max_len=1048576",
        f"-artifact_prefix={place}/{name}-",
    )
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.read)
    atheris.Fuzz()


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4 or sys.argv[1] not in fuzz.TARGETS:
        sys.exit(f"{(__doc__ or '').strip()}\nTargets: {', '.join(fuzz.TARGETS)}")
    main(*sys.argv[1:])
