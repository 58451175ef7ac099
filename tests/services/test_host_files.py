"""What a host is given to run a center with: units of systemd, and a file of compose."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

INFRA = Path(__file__).parents[2] / "infra"
COMMAND = "/opt/samebits/.venv/bin/samebits"
UNITS = sorted((INFRA / "systemd").iterdir())
DIGEST = "sha256:" + "0" * 64
ASKED = {
    "SAMEBITS_IMAGE": f"registry.example/samebits@{DIGEST}",
    "SAMEBITS_POSTGRES_IMAGE": f"registry.example/postgres@{DIGEST}",
    "SAMEBITS_CENTER": "/srv/center",
}


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    told = {"PATH": os.environ["PATH"], "HOME": "/", **variables}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=told)


def test_systemd_finds_no_fault_with_the_units(tmp_path: Path) -> None:
    """All but the command: its place is the host's, so another program stands in for it."""
    for unit in UNITS:
        text = unit.read_text()
        assert (COMMAND in text) is (unit.suffix == ".service")
        (tmp_path / unit.name).write_text(text.replace(COMMAND, "/bin/true"))
    copies = [tmp_path / unit.name for unit in UNITS]
    verified = run("systemd-analyze", "verify", "--man=no", *copies)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def directives(unit: str) -> dict[str, list[str]]:
    """Return what a unit says, by key."""
    found: dict[str, list[str]] = {}
    for line in (INFRA / "systemd" / unit).read_text().splitlines():
        if not line.startswith("#") and "=" in line:
            key, _, value = line.partition("=")
            found.setdefault(key, []).extend(value.split())
    return found


def test_a_center_outlives_its_engine() -> None:
    """Whoever requires a unit is stopped with it, and a night goes on after an engine's end."""
    said = directives("samebits-center@.service")
    assert not {"Requires", "BindsTo", "PartOf", "Requisite"} & said.keys()
    assert {"docker.service"} <= {*said["After"]} & {*said["Wants"]}


@pytest.mark.parametrize("unit", ["samebits-watch@.service", "samebits-watch@.timer"])
def test_a_center_that_was_stopped_is_not_started_by_its_watch(unit: str) -> None:
    center = "samebits-center@%i.service"
    said = directives(unit)
    assert center in said["PartOf"], "it is stopped with the center"
    assert center in said["After"], "and first"
    assert said.get("WantedBy", [center]) == [center], "and started with it"


def composed(**variables: str) -> subprocess.CompletedProcess[str]:
    return run("docker-compose", "--file", INFRA / "compose.yaml", "config", **variables)


def test_compose_reads_its_file_without_a_word() -> None:
    read = composed(**ASKED)
    assert (read.returncode, read.stderr) == (0, "")
    services: dict[str, Any] = yaml.safe_load(read.stdout)["services"]
    assert services.keys() == {"database", "server", "worker"}
    (port,) = services["server"]["ports"]
    assert port["host_ip"] == "127.0.0.1", "the API is the operator's alone"
    worker = services["worker"]
    assert (worker["pid"], worker["cgroup"]) == ("host", "host"), "or no limit can be verified"
    same = {v["source"] for v in worker["volumes"] if v["source"] == v["target"]}
    assert {"/dev", "/sys/fs/cgroup"} <= same, "or there is no loop device, and no limit to read"
    (center,) = [v for v in worker["volumes"] if v["source"] == ASKED["SAMEBITS_CENTER"]]
    assert center["bind"]["propagation"] == "rshared", "or the engine sees no scratch space"
    assert center["target"] == center["source"]


@pytest.mark.parametrize("name", ASKED)
def test_compose_says_what_it_is_not_told(name: str) -> None:
    read = composed(**{key: value for key, value in ASKED.items() if key != name})
    assert read.returncode != 0
    assert f"required variable {name} is missing" in read.stderr
