"""A center that is alone in its policy, as `center init` makes it, and a known difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from infra.bench.madeup import MadeUpRun
from pipelines.center.center import load_center
from pipelines.center.keys import center_key
from pipelines.cli.alarm import command
from pipelines.verify.session import Session
from tests.alarms.alarming import OTHER
from tests.consensus.world import RELEASE


class Alone:
    """The implicit center."""

    def publish(self, run: str, **changes: Any) -> None:
        center = load_center(None)
        made = MadeUpRun(
            center=center.id,
            builder=center.builder_id,
            release=str(RELEASE),
            run=run,
            **{"files": OTHER, **changes},
        )
        key, entry = center_key(center), made.commitment()
        with Session(center) as session:
            book = session.logbook()
            book.commit(release=entry.release, run=entry.run, claim=entry.claim, seal=entry.seal)
            with book.storing(made.folder()):
                for record, envelope in made.envelopes(key).items():
                    session.store.put_record(made.folder() + record, envelope.to_bytes())
            book.settle()

    def call(self, *words: str) -> tuple[int, Any]:
        done = CliRunner().invoke(command, [*words, "--json"])
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Alone:
    monkeypatch.setenv("SAMEBITS_RECIPES", str(tmp_path / "recipes"))
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "home"))
    return Alone()


def test_an_expected_difference_is_acknowledged_once(alone: Alone) -> None:
    alone.publish("20260101T030405Z-00000001")
    assert alone.call("list")[0] == 3
    code, made = alone.call(
        "acknowledge", str(RELEASE), "--cause", "suspect", "--reason", "older compiler", "--yes"
    )
    assert (code, made["waiting"]) == (0, [])
    alone.publish("20260102T030405Z-00000002")
    code, found = alone.call("list", "--all")
    (alarm,) = found["alarms"]
    assert (code, alarm["cause"], alarm["state"]) == (0, "suspect", "acknowledged")


def test_nothing_is_signed_without_an_answer(alone: Alone) -> None:
    alone.publish("20260101T030405Z-00000001")
    words = ["acknowledge", str(RELEASE), "--cause", "suspect", "--reason", "older compiler"]
    done = CliRunner().invoke(command, words, input="n\n")
    assert "nothing was signed" in str(done.exception)
    assert alone.call("list")[0] == 3
