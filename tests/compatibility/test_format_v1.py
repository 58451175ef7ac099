"""Evidence of an earlier version checks and reads as it did, and its centers can go on.

`tests/data/format-v1` holds three centers as commit 38a6e3b left them, and what the commands of
that commit printed about them. Every command is run again and must give the same exit code and the
same JSON. Only the wording of messages may differ.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
DATA = CHECKOUT / "tests" / "data" / "format-v1"
RECORDED = {p.stem: json.loads(p.read_bytes()) for p in (DATA / "expected").glob("*.json")}
"""By subject, lists of {command, exit_code, output}."""
ADDED = {
    "center": {
        "disk",
        "flow_runs",
        "keys",
        "next_night_local",
        "night",
        "open_alarms",
        "policy",
        "rebuilds",
        "services",
        "timezone",
    },
    "evidence-list": {"claim"},
    "evidence-export": {"evidence"},
    "consensus": {"base", "requires_work_proof", "scope", "evidence", "unwitnessed"},
    "evidence-show": {"causes", "fields", "fields_left_out", "ledger", "scope"},
    "review": {"scope", "scoped"},
}
"""Fields that a command prints since, wherever in its document."""
ADDED_CHECKS = {"bases", "deltas", "explained", "grafted", "ledgers", "scope", "signed-report",
                "version"}  # fmt: skip
"""Of a bundle."""
REMOVED_CHECKS = {"outcome", "artefacts", "environment", "release-verdict", "subjects"}
"""Of a bundle. All but the last compared the report with the statements: nothing is read from the
report now, which no statement of version 1 names, and `signed-report` says so. `complete` makes
the last one. Checks of the log come before those of statements now."""
EXIT_CODES = {"center": {2: 1}}
"""Exit codes that mean something else since: that a service does not run was "not read"."""
NOTHING_TO_CHECK = {
    "none given",
    "nothing was built",
    "no claim",
    "no provenance to compare with",
    "0 objects, each named by a statement",
    "the policy wants no witness",
}
"""Messages of checks of a bundle that were `ok` then, and are a `note` now."""
MESSAGE = {"what", "got", "expected", "todo"}
"""The fields of an error that are text for people."""
ALTERED = 30
"""Bytes of each bundle that are altered, one at a time."""


@pytest.fixture(scope="module")
def centers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the three centers. No test changes what another one reads in it."""
    folder = tmp_path_factory.mktemp("centers")
    with tarfile.open(DATA / "centers.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def printed(centers: Path) -> dict[str, list[Any]]:
    """What every recorded command prints now, by subject."""
    results = iter(run(centers, [one["command"] for part in RECORDED.values() for one in part]))
    return {subject: list(islice(results, len(part))) for subject, part in RECORDED.items()}


@pytest.fixture
def copied(centers: Path, tmp_path: Path) -> Path:
    """A copy of the centers, for a test that changes them."""
    return shutil.copytree(centers, tmp_path / "centers")


def run(folder: Path, commands: Sequence[str]) -> list[Any]:
    """Run commands in `folder`, all in one process, which must not import Prefect."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.compatibility.batch"],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "SAMEBITS_HOME": str(folder / "local")},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.replace(str(folder), "FOLDER"))
    assert "prefect" not in found["modules"]
    results: list[Any] = found["results"]
    return results


def without_wording(value: Any) -> Any:
    """Return a document without its messages, and without the days that a policy has left."""
    if isinstance(value, list):
        return [without_wording(part) for part in value]
    if not isinstance(value, dict):
        return value
    left_out = {"days_left"}
    if value.keys() == {"step", "status", "message"}:
        left_out = {"message"}
    if value.keys() >= {"error", *MESSAGE}:
        left_out = MESSAGE
    return {name: without_wording(part) for name, part in value.items() if name not in left_out}


def without_added(now: Any, then: Any, names: set[str]) -> Any:
    """Return a document without the fields of those names that the recorded one has not."""
    if isinstance(now, list) and isinstance(then, list):
        more = now[len(then) :]
        return [without_added(*pair, names) for pair in zip(now, then, strict=False)] + more
    if isinstance(now, dict) and isinstance(then, dict):
        return {
            name: without_added(part, then.get(name), names)
            for name, part in now.items()
            if name in then or name not in names
        }
    return now


def _compare_by_name(now: Any, then: Any) -> None:
    """Leave in both the checks that both can have, by name; of a refused bundle, those made now."""
    made = {step["step"] for step in now["steps"]}
    refused = now["steps"][-1]["status"] == "wrong"
    for document, others in ((now, ADDED_CHECKS), (then, REMOVED_CHECKS)):
        document["steps"] = sorted(
            (
                step
                for step in document["steps"]
                if step["step"] not in others and (step["step"] in made or not refused)
            ),
            key=lambda step: step["step"],
        )


def alter(path: Path, place: int, to: Path) -> None:
    """Write a file with another byte at `place`."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    to.unlink(missing_ok=True)
    to.write_bytes(data)


@pytest.mark.parametrize("subject", sorted(RECORDED.keys() - {"check"}))
def test_every_command_prints_what_it_printed(subject: str, printed: dict[str, list[Any]]) -> None:
    for then, now in zip(RECORDED[subject], printed[subject], strict=True):
        if "steps" in now["output"]:
            _compare_by_name(now["output"], then["output"])
        shown = without_added(now, then, ADDED.get(subject, set()))
        codes = EXIT_CODES.get(subject, {})
        then["exit_code"] = codes.get(then["exit_code"], then["exit_code"])
        for step in then["output"].get("steps", ()):
            if step["message"] in NOTHING_TO_CHECK:
                assert step["status"] == "ok"
                step["status"] = "note"
        for one in then["output"].get("artefacts", ()):
            if one.get("work_proof") == "absent":
                one["work_proof"] = "none"
        assert without_wording({"command": then["command"], **shown}) == without_wording(then)


def test_what_was_known_of_a_file_is_known(printed: dict[str, list[Any]]) -> None:
    """A check of a file then read one store, and believed what nobody had signed."""
    for then, now in zip(RECORDED["check"], printed["check"], strict=True):
        if "--store" in then["command"]:  # of a center that the policy does not name
            assert (now["exit_code"], now["output"]["runs"]) == (2, [])
            continue
        assert now["exit_code"] == then["exit_code"]
        runs = [
            {name: run[name] for name in then["output"]["runs"][0]} for run in now["output"]["runs"]
        ]
        assert [run for run in then["output"]["runs"] if run not in runs] == []


def test_a_bundle_with_one_altered_byte_is_refused(centers: Path, tmp_path: Path) -> None:
    commands = []
    for name in ("made", "private", "hostname", "local"):
        sound = centers / "bundles" / f"{name}.tar"
        policy = "local/policy/policy.dsse.json" if name == "local" else "policy.dsse.json"
        size = sound.stat().st_size
        for place in range(0, size, size // ALTERED):
            altered = tmp_path / f"{name}-{place}.tar"
            alter(sound, place, altered)
            commands.append(f"evidence check {altered} --policy {policy} --json")
    codes = [one["exit_code"] for one in run(centers, commands)]
    assert codes == [1] * len(commands)


def test_a_policy_with_one_altered_byte_is_refused(centers: Path, tmp_path: Path) -> None:
    sound = centers / "policy.dsse.json"
    alter(sound, sound.stat().st_size // 2, tmp_path / "altered.dsse.json")
    checked, bundle = run(
        centers,
        [
            f"policy check {tmp_path}/altered.dsse.json --json",
            f"evidence check bundles/made.tar --policy {tmp_path}/altered.dsse.json --json",
        ],
    )
    assert (checked["exit_code"], bundle["exit_code"]) == (1, 1)


def test_an_altered_statement_counts_no_more_and_an_altered_log_is_refused(copied: Path) -> None:
    public = copied / "europe" / "store" / "public"
    runs = (public / "releases" / "lab" / "example" / "made" / "europe").iterdir()
    statement = max(runs) / "comparison-1.dsse.json"
    alter(statement, statement.stat().st_size // 2, statement)
    checked, joined = run(
        copied,
        [
            "log check --json --center europe.yaml",
            "consensus lab/example@made --json --center asia.yaml",
        ],
    )
    (gap,) = checked["output"]["gaps"]
    assert (checked["exit_code"], gap["kind"]) == (1, "missing")
    (artefact,) = joined["output"]["artefacts"]
    assert (joined["exit_code"], artefact["consensus"]) == (2, "PENDING")
    assert artefact["matched"] == ["asia-trust"]

    alter(public / "log" / "checkpoint", 40, public / "log" / "checkpoint")
    (refused,) = run(copied, ["log check --json --peer europe --center asia.yaml"])
    assert refused["exit_code"] == 1


def test_a_center_goes_on_where_it_stopped(copied: Path) -> None:
    """Its log grows, its peer remembers the old log and cosigns the new one, and bundles check."""
    beat, witness, checkpoint, checked, exported, bundle = run(
        copied,
        [
            "heartbeat --json --center europe.yaml",
            "log witness --json --center asia.yaml",
            "log checkpoint --json --center europe.yaml",
            "log check --json --center europe.yaml",
            "evidence export lab/example@made --out new.tar --json --center europe.yaml",
            "evidence check new.tar --policy policy.dsse.json --json",
        ],
    )
    before = next(one["output"] for one in RECORDED["log"] if "checkpoint" in one["command"])
    assert beat["output"]["log"] == {"size": before["size"], "root": before["root"]}
    (log,) = witness["output"]["logs"]
    size = before["size"] + 1
    assert (log["sight"], log["size"]) == ("cosigned", size)
    assert checkpoint["output"]["size"] == size
    assert (checked["output"]["leaves"], checked["output"]["gaps"]) == (size, [])
    assert exported["output"]["left_out"] == []
    assert bundle["exit_code"] == 0
