"""An operator runs a center, with evidence in S3 and the keys behind a signer, through bad days.

The machine loses its power in the middle of a night. Later its disk is lost: all that is left is a
backup that is older than the store, and the private keys on a medium in a safe.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders.engine import Engine
from builders.images.provide import ProvidedImage
from pipelines.services import supervisor
from pipelines.services.service import Service, marked
from pipelines.verify.session import Session
from tests.command import Ended, samebits, started, wait_until
from tests.services.stand import Stand, free_port

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

pytestmark = [pytest.mark.engine, pytest.mark.root, pytest.mark.s3, pytest.mark.prefect]
POWER_CUT = 10
"""Seconds of the build in which the power goes."""


class Operator(Stand):
    """Types commands for a center, and pulls its plug."""

    def types(self, *words: str | Path, code: int = 0) -> Ended:
        home = self.folder / "none"
        fresh = words[:2] in {("center", "up"), ("center", "down")}  # these import Prefect
        ended = samebits(*words, "--center", self.file, home=home, fresh=fresh)
        assert ended.code == code, f"{words}\n{ended.out}\n{ended.err}\n{self.logs()}"
        assert "Traceback" not in ended.err
        return ended

    def told(self, *words: str | Path) -> Any:
        return self.types(*words, "--json").document()

    @property
    def services(self) -> list[Service]:
        center = self.center
        others = [supervisor.signer(center), supervisor.server(center)]
        return [*supervisor.workers(center), *others, supervisor.database(center)]

    def lose_power(self, engine: Engine) -> None:
        """Kill everything at once, containers too."""
        pids = [
            pid for one in self.services if (known := one.known()) for pid in marked(known.mark)
        ]
        runs = {one.run for one in engine.containers(center=self.center.id)}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for run in runs:
            engine.sweep(run)
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))

    def verdicts(self, night: str) -> dict[str, str]:
        with Session(self.center) as session:
            record = session.store.get(f"public/nights/{self.center.id}/{night}.json", 1 << 20)
        return {one["release"]: one["verdict"] for one in json.loads(record)["releases"]}

    def checked(self, release: str) -> Ended:
        """Export the newest run of a release, and check it as anybody can."""
        bundle = self.folder / f"{release.replace('/', '-')}.tar"
        bundle.unlink(missing_ok=True)
        self.types("evidence", "export", release, "--out", bundle)
        policy = self.center.policy
        words = ("evidence", "check", bundle, "--policy", policy)
        return samebits(*words, home=self.folder / "customer")


@pytest.fixture
def operator(
    aws: None, admin: S3Client, build_image: ProvidedImage, tmp_path: Path
) -> Iterator[Operator]:
    from tests.storage.ceph import new_bucket

    made = Operator(
        tmp_path,
        id="europe",
        store=f"s3://{new_bucket(admin, versions=True)}/europe",
        signer="signer.sock",
        workers=1,
        prefect={"port": free_port(), "database": "postgresql"},
        night={"shard": 2, "robustness_share": 0},
    )
    yield made
    made.run("center", "down")
    shutil.rmtree(made.center.home, ignore_errors=True)


def test_an_operator_keeps_a_center_through_bad_days(
    operator: Operator, session: Session, tmp_path: Path
) -> None:
    safe = tmp_path / "safe"
    set_up(operator, safe)
    lose_power_in_a_night(operator, session.engine)
    backup = back_up_at_work(operator, tmp_path)
    lose_the_disk(operator, backup, safe)
    change_the_key(operator)
    words = ("center", "run", "signer", "--center", operator.file)
    with started(*words, home=operator.folder / "none"):
        wait_until(lambda: answers(operator.folder / "signer.sock"))
        go_on(operator)


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def set_up(operator: Operator, safe: Path) -> None:
    """The center is made and brought up; its private keys go into the safe."""
    operator.types("center", "init")
    keys = operator.center.key_folder
    shutil.copytree(keys, safe, ignore=lambda _, names: [n for n in names if n[-4:] != ".key"])
    operator.release("quick")
    operator.release("slow", f"sleep {POWER_CUT}; echo one > /out/out.bin")
    told = operator.told("center", "up")
    assert set(told["processes"]) == {"database", "server", "signer", "worker-1"}


def lose_power_in_a_night(operator: Operator, engine: Engine) -> None:
    """Nothing that was done is lost, and the night ends by itself once the power is back."""
    wait_until(operator.settled)
    asked = operator.ask_night()
    wait_until(lambda: operator.builds(engine, seconds=2) and operator.settled())
    operator.lose_power(engine)
    operator.types("center", "up")
    operator.wait(asked)
    night = operator.night(asked)
    assert operator.verdicts(night) == {"lab/quick@1": "IDENTICAL", "lab/slow@1": "IDENTICAL"}
    operator.types("log", "check")


def back_up_at_work(operator: Operator, folder: Path) -> Path:
    """The center is copied while it is up; then it logs more."""
    told = operator.told("center", "backup", folder)
    assert not told["store"]
    operator.types("heartbeat")
    return Path(told["file"])


def lose_the_disk(operator: Operator, backup: Path, safe: Path) -> None:
    """A new home from backup and safe goes on with the longer log of the store."""
    operator.types("center", "down")
    shutil.rmtree(operator.center.home)
    told = operator.told("center", "restore", backup)
    assert told["log"]["signed"] < told["log"]["stored"]
    assert set(told["keys"].values()) == {"missing"}
    keys = operator.center.key_folder
    for key in safe.iterdir():
        shutil.copy(key, keys)
        (keys / key.name).chmod(0o600)


def change_the_key(operator: Operator) -> None:
    """The medium was out of the safe: there is a new key, and the old one counts until now."""
    told = operator.told("center", "rotate-key", "statements")
    assert told["policy"]["in_force"]


def go_on(operator: Operator) -> None:
    """The signer is started; what was found before and after counts, and the log is one."""
    operator.types("log", "check")
    recipe = operator.recipes / "releases/lab/quick/1.yaml"
    report = operator.told("verify", recipe)["reports"][0]
    assert report["verdict"] == "IDENTICAL"
    operator.types("log", "check")
    for release in ("lab/slow@1", "lab/quick@1"):
        ended = operator.checked(release)
        assert ended.code == 0, ended.out
    with Session(operator.center) as session:
        runs = {key.split("/")[6] for key in session.store.list("public/releases/lab/quick/")}
    assert report["run"] in runs
    assert len(runs) > 1, "that of the night, and the one with the new key"
