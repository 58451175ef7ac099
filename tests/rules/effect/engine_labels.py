"""What the engines themselves say of the edits: run them here, and write the record of it.

`python -m tests.rules.effect.engine_labels` runs every edit by every engine that is installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.rules.engines import driver
from tests.rules.effect import (
    capa_cases,
    clamav_cases,
    modsecurity_cases,
    suricata_cases,
    yara_cases,
)
from tests.rules.effect.cases import Case, Files

CASES: Mapping[str, Any] = {
    "yara": yara_cases,
    "clamav": clamav_cases,
    "suricata": suricata_cases,
    "modsecurity": modsecurity_cases,
    "capa": capa_cases,
}
CAPA = Path(sys.prefix) / "judges/bin/python", Path(__file__).with_name("capa_program.py")
RECORD = Path(__file__).parents[2] / "data" / "rules" / "engine-labels.json"
_STRENGTH = {"match": 1, "alert": 1, "log": 1, "blocked": 2}


def engines() -> dict[str, driver.RuleEngine]:
    """Return the engines that are installed here."""
    every = (driver.Yara(), driver.ClamAV(), driver.Suricata(), driver.ModSecurity())
    return {engine.name: engine for engine in every if engine.version() is not None}


def every_case(engine: str) -> dict[str, Case]:
    """Return all edits of an engine's rules, by name."""
    both = (*CASES[engine].WEAKENED, *CASES[engine].HARMLESS)
    assert len({case.name for case in both}) == len(both)
    return {case.name: case for case in both}


def label(engine: driver.RuleEngine, case: Case) -> list[int]:
    """Return how strongly the sample is caught before and after: 0 not, 1 reported, 2 blocked."""
    with tempfile.TemporaryDirectory(prefix="label-") as name:
        return [_caught(engine, files, case.sample, Path(name)) for files in (case.old, case.new)]


def _caught(engine: driver.RuleEngine, files: Files, data: bytes, folder: Path) -> int:
    folder = Path(tempfile.mkdtemp(dir=folder))
    for path, text in files.items():
        rules = folder / "rules" / path
        rules.parent.mkdir(parents=True, exist_ok=True)
        rules.write_text(text)
    sample = folder / "sample"
    sample.write_bytes(data)
    result = engine.run(engine.rules(folder / "rules"), [sample], folder)
    assert not result.faults, result.faults
    return max((_STRENGTH[done] for done in result.caught["sample"].values()), default=0)


def capa_says(question: Mapping[str, Any]) -> Any:
    """Return the answer of capa, which runs beside the libraries that it needs."""
    asked = json.dumps(question).encode()
    run = subprocess.run(CAPA, input=asked, capture_output=True, timeout=300, check=True)
    return json.loads(run.stdout)


def capa_labels() -> dict[str, Any]:
    """Label all edits of capa's rules at once, as it takes long to start."""
    cases = every_case("capa")
    asked = [
        [[*case.old.values()], [*case.new.values()], json.loads(case.sample)]
        for case in cases.values()
    ]
    answer = capa_says({"rules": [], "cases": asked})
    found = [[len(side) for side in sides] for sides in answer["reported"]]
    labels = {
        case.name: [case.digest(), *sides]
        for case, sides in zip(cases.values(), found, strict=True)
    }
    return {"version": answer["version"], "labels": labels}


def main() -> None:
    """Label every edit by the engines that are here, and write the record."""
    record = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    for name, engine in engines().items():
        record[name] = {
            "version": engine.version(),
            "labels": {
                case.name: [case.digest(), *label(engine, case)]
                for case in every_case(name).values()
            },
        }
    if CAPA[0].is_file():
        record["capa"] = capa_labels()
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
