"""What a whole verification of the last update of a long chain costs, beside that of the first.

The chain is real: each release is rebuilt in a container, judged, signed and logged by a center of
its own in a temporary folder. An update ships its full file, and a delta (pdiff) that the build
makes too.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.images.provide import ensure_image
from infra.bench.show import spread
from pipelines.center.center import Center
from pipelines.evidence.report import Report
from pipelines.verify.session import Session
from pipelines.verify.verify import verify_recipe

_IMAGE = "debian-trixie-build"
_LINES = 20_000
_SOURCE = "".join(f"line {number} of the agent\n" for number in range(_LINES)).encode()
_BUILD = "cd /inputs/source; { cat agent.txt; echo version $1; } > /out/agent-$1.bin"
_DELTA = f'printf "{_LINES + 1}c\\nversion $1\\n.\\n" > /out/agent-$1.pdiff'


def measure(links: int, *, runs: int, told: Callable[[str], object]) -> dict[str, Any]:
    """Verify a full release and `links` updates, each on the one before; then two of them, in turn.

    Seconds of a verification of the first update and of the last one; the ratio is of the fastest.
    Needs a container engine.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        root = Path(name)
        recipes = [_recipe(root, number) for number in range(links + 1)]
        with Session(Center(id="local", home=root / "home", store=root / "store")) as session:
            ensure_image(_IMAGE, session.images, session.engine, session.workdir)
            for number, recipe in enumerate(recipes):
                _verify(session, recipe)
                if number % 10 == 0:
                    told(f"{number} of {links} updates verified")
            times: dict[int, list[float]] = {1: [], links: []}
            for _ in range(runs):
                for number, taken in times.items():
                    start = time.perf_counter()
                    report = _verify(session, recipes[number])
                    taken.append(time.perf_counter() - start)
                    _require_links(report, number)
    first, last = spread(times[1]), spread(times[links])
    return {"first": first, "last": last, "ratio": round(last["min"] / first["min"], 3)}


def _verify(session: Session, recipe: Path) -> Report:
    report = verify_recipe(session, recipe)
    if report.verdict is not Verdict.IDENTICAL:
        reasons = ", ".join(finding.reason for finding in report.artefacts)
        raise ValueError(f"{report.release} is {report.verdict}: {reasons}")
    return report


def _require_links(report: Report, number: int) -> None:
    bases = [one.delta.base.judged for one in report.artefacts if one.delta]
    if [base.chain.links for base in bases if base] != [number]:
        raise ValueError(f"{report.release} does not rest on {number} links")


def _recipe(root: Path, number: int) -> Path:
    """Write the recipe of a version, and what it fetches."""
    folder, full = root / "recipes" / "agent", _full(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agent.txt").write_bytes(_SOURCE)
    (folder / f"agent-{number}.bin").write_bytes(full)
    inputs = [{"role": "source", "locator": "file:agent.txt", "sha256": _digest(_SOURCE)}]
    artefacts: list[dict[str, Any]] = [_artefact(f"agent-{number}.bin", full)]
    if number:
        before, delta = _digest(_full(number - 1)), b"%dc\nversion %d\n.\n" % (_LINES + 1, number)
        (folder / f"agent-{number}.pdiff").write_bytes(delta)
        base = {"role": "base", "locator": f"file:agent-{number - 1}.bin", "sha256": before}
        inputs.append({**base, "release": f"acme/agent@{number - 1}"})
        how = {"format": "pdiff", "judged": "rebuilt", "base": before}
        target = {**how, "target": f"agent-{number}.bin"}
        artefacts.append({**_artefact(f"agent-{number}.pdiff", delta), "delta": target})
    script = f"{_BUILD}; {_DELTA}" if number else _BUILD
    document = {
        "schema": "samebits/recipe/v1",
        "vendor": "acme",
        "product": "agent",
        "version": str(number),
        "kind": "update" if number else "binary",
        "platform": "linux/amd64",
        "build": {
            "method": "script",
            "image": _IMAGE,
            "steps": [["sh", "-euc", script, "build", str(number)]],
        },
        "inputs": inputs,
        "artefacts": artefacts,
        "limits": {"memory": "1GiB", "scratch": "1GiB"},
    }
    path = folder / f"{number}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def _artefact(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "shipped": {"locator": f"file:{name}", "sha256": _digest(data)}}


def _full(number: int) -> bytes:
    return _SOURCE + b"version %d\n" % number


def _digest(data: bytes) -> str:
    return str(Digest.of(data))
