"""What a host is given to run a center with: units of systemd, and a file of compose."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pipelines.cli.main import samebits

INFRA = Path(__file__).parents[2] / "infra"
COMMAND = "/opt/samebits/.venv/bin/samebits"
SYSUSERS = INFRA / "systemd/samebits.sysusers"
UNITS = sorted({*(INFRA / "systemd").iterdir()} - {SYSUSERS})
EXPOSURE = {"database": 3.0, "server": 3.0, "signer": 3.0, "worker": 6.5}
"""The most that systemd may find. A worker is root, and needs the mount namespace of the host: its
figure is what is left when all that it does not need is taken away."""
DIGEST = "sha256:" + "0" * 64
ASKED = {
    "SAMEBITS_IMAGE": f"registry.example/samebits@{DIGEST}",
    "SAMEBITS_POSTGRES_IMAGE": f"registry.example/postgres@{DIGEST}",
    "SAMEBITS_CENTER": "/srv/center",
}


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    told = {"PATH": os.environ["PATH"], "HOME": "/", **variables}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=told)


@pytest.mark.host
def test_systemd_finds_no_fault_with_the_units(tmp_path: Path) -> None:
    """All but the command: its place is the host's, so another program stands in for it."""
    for unit in UNITS:
        text = unit.read_text()
        assert (COMMAND in text) is (unit.suffix == ".service")
        (tmp_path / unit.name).write_text(text.replace(COMMAND, "/bin/true"))
    copies = [tmp_path / unit.name for unit in UNITS]
    verified = run("systemd-analyze", "verify", "--man=no", *copies)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@pytest.mark.host
@pytest.mark.parametrize("service", EXPOSURE)
def test_a_unit_exposes_no_more_than_its_work_needs(service: str, tmp_path: Path) -> None:
    name = f"samebits-{service}@.service"
    unit = tmp_path / name
    unit.write_text((INFRA / "systemd" / name).read_text().replace(COMMAND, "/bin/true"))
    most = f"--threshold={EXPOSURE[service] * 10:.0f}"
    found = run("systemd-analyze", "security", "--offline=yes", "--no-pager", most, unit)
    assert found.returncode == 0, found.stdout
    assert "Overall exposure level" in found.stdout


@pytest.mark.host
def test_the_users_of_the_units_are_made() -> None:
    made = run("systemd-sysusers", "--dry-run", SYSUSERS)
    assert made.returncode == 0, made.stderr
    users = {line.split()[1] for line in SYSUSERS.read_text().splitlines() if line[:1] in "ug"}
    named = {
        word
        for service in EXPOSURE
        for key in ("User", "Group")
        for word in directives(f"samebits-{service}@.service").get(key, [])
    }
    assert named == users
    assert not named & {*directives("samebits-worker@.service").get("User", [])}


def directives(unit: str) -> dict[str, list[str]]:
    """Return what a unit says, by key."""
    found: dict[str, list[str]] = {}
    for line in (INFRA / "systemd" / unit).read_text().splitlines():
        if not line.startswith("#") and "=" in line:
            key, _, value = line.partition("=")
            found.setdefault(key, []).extend(value.split())
    return found


def test_a_worker_outlives_its_engine() -> None:
    """A unit is stopped with those that it requires; a night goes on after an engine's end."""
    said = directives("samebits-worker@.service")
    assert not {"Requires", "BindsTo", "Requisite"} & said.keys()
    assert {"docker.service"} <= {*said["After"]} & {*said["Wants"]}


@pytest.mark.parametrize("service", ["database", "server", "worker", "signer"])
def test_the_services_of_a_center_stop_and_start_with_its_target(service: str) -> None:
    said = directives(f"samebits-{service}@.service")
    assert said["PartOf"] == said["WantedBy"] or service == "signer"
    assert said["PartOf"] == ["samebits-center@%i.target"]


def test_the_units_and_compose_run_commands_that_there_are() -> None:
    """Each command line is parsed by the command itself, up to the file that it names."""
    composed_commands = [
        [str(word) for word in service["command"]]
        for service in yaml.safe_load((INFRA / "compose.yaml").read_text())["services"].values()
        if "command" in service
    ]
    unit_commands = [
        line.partition("=")[2].removeprefix("-").replace(COMMAND, "samebits").split()
        for unit in UNITS
        for line in unit.read_text().splitlines()
        if line.startswith("Exec")
    ]
    assert len(composed_commands) == 3
    assert len(unit_commands) == 6
    for program, *words in [*composed_commands, *unit_commands]:
        assert program == "samebits"
        parsed: click.Command = samebits
        while isinstance(parsed, click.Group):
            found = parsed.get_command(click.Context(parsed), words.pop(0))
            assert found is not None
            parsed = found
        parsed.make_context("samebits", words)


def composed(**variables: str) -> subprocess.CompletedProcess[str]:
    return run("docker-compose", "--file", INFRA / "compose.yaml", "config", **variables)


@pytest.mark.host
def test_compose_reads_its_file_without_a_word() -> None:
    read = composed(**ASKED)
    assert (read.returncode, read.stderr) == (0, "")
    services: dict[str, Any] = yaml.safe_load(read.stdout)["services"]
    assert services.keys() == {"database", "server", "deploy", "worker"}
    assert {s["logging"]["options"]["max-file"] for s in services.values()} == {"5"}, "disks end"
    (port,) = services["server"]["ports"]
    assert port["host_ip"] == "127.0.0.1", "the API is the operator's alone"
    worker = services["worker"]
    assert (worker["pid"], worker["cgroup"]) == ("host", "host"), "or no limit can be verified"
    same = {v["source"] for v in worker["volumes"] if v["source"] == v["target"]}
    assert {"/dev", "/sys/fs/cgroup"} <= same, "or there is no loop device, and no limit to read"
    (center,) = [v for v in worker["volumes"] if v["source"] == ASKED["SAMEBITS_CENTER"]]
    assert center["bind"]["propagation"] == "rshared", "or the engine sees no scratch space"
    assert center["target"] == center["source"]


@pytest.mark.host
@pytest.mark.parametrize("name", ASKED)
def test_compose_says_what_it_is_not_told(name: str) -> None:
    read = composed(**{key: value for key, value in ASKED.items() if key != name})
    assert read.returncode != 0
    assert f"required variable {name} is missing" in read.stderr
