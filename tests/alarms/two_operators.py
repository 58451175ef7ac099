"""Two centers whose operators have keys in files, and `samebits alarm`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from click.testing import CliRunner, Result

from pipelines.cli.alarm import command
from pipelines.evidence.privatekey import create_key, load_key
from pipelines.policy import read_signed
from pipelines.policy.signed_policy import add_signature
from tests.alarms.alarming import OTHER
from tests.consensus.two_centers import NAMES, TwoCenters

REASON = "the vendor's compiler is older"


class Alarms:
    """Two centers whose operators have keys in files, and the command."""

    def __init__(self, centers: TwoCenters) -> None:
        self.centers, self.root = centers, centers.root
        policy = read_signed((self.root / "policy.dsse.json").read_bytes()).policy
        for name in NAMES:
            create_key(self.root, f"{name}-law")
        laws = {f"{name}-body": load_key(self.root, f"{name}-law") for name in NAMES}
        operators = tuple(replace(o, key=laws[o.name].public) for o in policy.operators)
        policy, made = replace(policy, operators=operators), None
        for name, key in laws.items():
            made = add_signature(policy, name, key, to=made)
        assert made is not None
        (self.root / "policy.dsse.json").write_bytes(made.envelope.to_bytes())

    def invoke(self, *words: str, center: str = "europe") -> Result:
        done = CliRunner().invoke(command, [*words, "--center", str(self.centers.file(center))])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def list(self, *words: str, center: str = "europe") -> tuple[int, Any]:
        done = self.invoke("list", "--json", *words, center=center)
        return done.exit_code, json.loads(done.stdout)

    def acknowledge(
        self, about: str, cause: str, *words: str, center: str = "europe"
    ) -> tuple[int, Any]:
        given = ("--key", str(self.root / f"{center}-law.key"), "--reason", REASON, "--yes")
        done = self.invoke(
            "acknowledge", about, "--cause", cause, *given, *words, "--json", center=center
        )
        self.centers.witness()
        return done.exit_code, json.loads(done.stdout)


def suspect(two: Alarms) -> None:
    """Let both centers build other bytes than those shipped."""
    for name in NAMES:
        two.centers.publish(name, files=OTHER)
