"""`samebits request list|show|cancel`, and errors that come at once, as people meet them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builders.core.errors import UsageError
from pipelines.cli.request import command
from pipelines.evidence.privatekey import create_key
from pipelines.requests.offer import publish_offer
from tests.requests.office import HERE
from tests.requests.test_command import Reviewer


@pytest.fixture
def reviewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reviewer:
    monkeypatch.delenv("SAMEBITS_STORE", raising=False)
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "own"))
    return Reviewer(tmp_path)


def run(reviewer: Reviewer, *words: str) -> Result:
    where = ("--center", HERE, "--store", str(reviewer.store.root))
    return CliRunner().invoke(command, [*words, *where])


def asked(reviewer: Reviewer, nonce: str = "my-own-nonce") -> str:
    ended = reviewer.ask("--nonce", nonce, "--json")
    assert ended.exit_code == 0, ended.output
    return str(json.loads(ended.stdout)["request"])


def test_requests_are_listed_with_state_age_and_answer(reviewer: Reviewer) -> None:
    assert run(reviewer, "list").stdout == "no requests to asia\n"
    digest = asked(reviewer)
    reviewer.center().serve()
    asked(reviewer, "another-nonce")
    lines = run(reviewer, "list").stdout.splitlines()
    assert lines[0].split() == ["REQUEST", "STATE", "AGE", "RELEASE", "REQUESTER", "ANSWER"]
    assert {line.split()[1] for line in lines[1:-1]} == {"waiting", "answered"}
    assert any(line.startswith(digest[:12]) and line.endswith("IDENTICAL") for line in lines)
    assert "answers are UNVERIFIED" in lines.pop()
    key = str(reviewer.folder / "asia.pub")
    assert run(reviewer, "list", "--center-key", key).stdout.splitlines() == lines
    told = json.loads(run(reviewer, "list", "--open", "--json").stdout)["requests"]
    assert {name for one in told for name in one if name != name.lower()} == set()
    assert [(one["nonce"], one["state"]) for one in told] == [("another-nonce", "waiting")]
    assert run(reviewer, "list", "--requester", "bob").stdout == "no requests to asia\n"


def test_one_request_is_shown_with_its_receipts(reviewer: Reviewer) -> None:
    digest = asked(reviewer)
    reviewer.center().serve()
    shown = run(reviewer, "show", digest[:8])
    assert shown.exit_code == 0
    assert shown.stdout.startswith("lab/engine@1, asked of asia by ada: answered\n")
    assert "IDENTICAL in the run" in shown.stdout
    assert "UNVERIFIED" in shown.stdout
    key = str(reviewer.folder / "asia.pub")
    shown = run(reviewer, "show", "my-own-nonce", "--center-key", key)
    assert "UNVERIFIED" not in shown.stdout
    told = json.loads(run(reviewer, "show", digest, "--json", "--center-key", key).stdout)
    assert (told["request"], told["state"]) == (digest, "answered")
    assert told["answer"]["verified"] is True


def test_a_requester_takes_a_request_back(reviewer: Reviewer) -> None:
    digest, key = asked(reviewer), str(reviewer.folder / "ada.key")
    ended = run(reviewer, "cancel", digest[:10], "--key", key, "--json")
    told = json.loads(ended.stdout)
    assert (ended.exit_code, told["state"]) == (0, "cancelling")
    assert told["record"].startswith(f"public/requests/asia/{digest}/cancel/")
    assert run(reviewer, "cancel", digest[:10], "--key", key).exit_code == 0, "twice"
    reviewer.center().serve()
    ended = run(reviewer, "cancel", digest[:10], "--key", key)
    assert ended.stdout.startswith("it was over before: cancelled\n")
    assert ": cancelled\n" in run(reviewer, "show", "my-own-nonce").stdout


def test_nobody_else_takes_it_back(reviewer: Reviewer) -> None:
    create_key(reviewer.folder, "eve")
    asked(reviewer)
    ended = run(reviewer, "cancel", "my-own-nonce", "--key", str(reviewer.folder / "eve.key"))
    assert isinstance(ended.exception, UsageError)
    assert "only its requester cancels a request" in str(ended.exception)
    assert not list(reviewer.store.root.rglob("cancel/*"))


@pytest.mark.parametrize(
    ("key", "more", "said"),
    [
        ("eve", {}, "does not know this key"),
        ("ada", {"release": "lab/engin@1"}, "Did you mean 'lab/engine@1'"),
    ],
)
def test_what_the_center_would_not_answer_is_an_error_at_once(
    reviewer: Reviewer, key: str, more: dict[str, str], said: str
) -> None:
    create_key(reviewer.folder, "eve")
    publish_offer(reviewer.center().handler, datetime.now(UTC))
    words = ["--key", str(reviewer.folder / f"{key}.key")]
    ended = reviewer.ask(*words, **more)  # type: ignore[arg-type]
    assert isinstance(ended.exception, UsageError)
    assert ended.exception.exit_code == 64
    assert said in str(ended.exception)
    assert not list(reviewer.store.list("public/requests/"))
    assert reviewer.ask("--unchecked", *words, **more).exit_code == 0  # type: ignore[arg-type]
    assert len(list(reviewer.store.list("public/requests/"))) == 1


def test_a_mistyped_center_is_an_error_at_once(reviewer: Reviewer) -> None:
    publish_offer(reviewer.center().handler, datetime.now(UTC))
    ended = reviewer.ask("--center", "aisa")
    assert isinstance(ended.exception, UsageError)
    assert "Did you mean 'asia'" in str(ended.exception)


def test_a_mistyped_store_is_an_error_and_not_made(reviewer: Reviewer) -> None:
    words = ("--store", str(reviewer.folder / "asai"), "--unchecked")
    ended = reviewer.ask(*words, store=False)
    assert isinstance(ended.exception, UsageError)
    assert f"Did you mean '{reviewer.store.root}'" in str(ended.exception)
    assert not (reviewer.folder / "asai").exists()


def test_a_center_that_has_not_said_what_it_can_be_asked_is_a_warning(reviewer: Reviewer) -> None:
    ended = reviewer.ask()
    assert ended.exit_code == 0
    assert "asia has not said in this store what it can be asked" in ended.stderr
    publish_offer(reviewer.center().handler, datetime.now(UTC))
    assert "has not said" not in reviewer.ask().stderr


def test_an_operator_names_the_center_by_its_file(reviewer: Reviewer) -> None:
    asked(reviewer)
    file = reviewer.folder / "asia.yaml"
    file.write_text(
        f"schema: samebits/center/v1\nid: asia\nhome: h\nstore: {reviewer.store.root}\n"
    )
    words = ["list", "--center", str(file), "--center-key", str(reviewer.folder / "asia.pub")]
    assert "lab/engine@1" in CliRunner().invoke(command, words).stdout


def test_new_can_be_left_out_and_a_mistyped_command_is_not_a_release(reviewer: Reviewer) -> None:
    words = ["--center", HERE, "--store", str(reviewer.store.root), "--requester", "ada"]
    words += ["--key", str(reviewer.folder / "ada.key")]
    for first in (["lab/engine@1"], ["new", "lab/engine@1"]):
        assert CliRunner().invoke(command, [*first, *words]).exit_code == 0
    assert CliRunner().invoke(command, [*words, "lab/engine@1"]).exit_code == 0
    ended = CliRunner().invoke(command, ["lst", *words])
    assert ended.exit_code == 2
    assert "No such command 'lst'" in ended.stderr
