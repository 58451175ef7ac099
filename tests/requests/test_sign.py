"""`samebits request sign`: what a page has prepared is shown, asked about, and then signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from builders.core.errors import UsageError
from pipelines.cli.request import command
from pipelines.requests.messages import request_from
from pipelines.requests.prepared_request import read_prepared
from tests.requests.office import HERE
from tests.requests.test_command import Reviewer

PREPARED = {
    "schema": "samebits/prepared-request/v1",
    "center": HERE,
    "release": "lab/engine@1",
    "requester": "ada",
    "valid": "2h",
}


@pytest.fixture
def reviewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reviewer:
    monkeypatch.delenv("SAMEBITS_STORE", raising=False)
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "own"))
    return Reviewer(tmp_path)


def prepared(reviewer: Reviewer, **changes: Any) -> Path:
    path = reviewer.folder / "engine.request.json"
    path.write_text(json.dumps({k: v for k, v in {**PREPARED, **changes}.items() if v is not None}))
    return path


def run(reviewer: Reviewer, *words: str, typed: str = "y\n") -> Result:
    where = ("--store", str(reviewer.store.root), "--key", str(reviewer.folder / "ada.key"))
    return CliRunner().invoke(command, [*words, *where], input=typed)


def test_it_is_shown_before_it_is_signed_and_is_a_request_like_others(reviewer: Reviewer) -> None:
    path = str(prepared(reviewer))
    ended = run(reviewer, "sign", path, typed="n\n")
    assert "asks asia to rebuild lab/engine@1 now" in ended.stderr
    assert "it can be served for 2h" in ended.stderr
    assert isinstance(ended.exception, UsageError)
    assert not list(reviewer.store.list("public/")), "no means no"
    ended = run(reviewer, "sign", path)
    assert ended.exit_code == 0, ended.output
    (key,) = reviewer.store.list("public/")
    asked = request_from(reviewer.store.get(key, 1 << 20)).content
    assert (asked.release, asked.requester, asked.center) == ("lab/engine@1", "ada", HERE)
    assert (asked.expires - asked.requested_on).total_seconds() == 7200
    assert len(reviewer.center().look().open) == 1


def test_a_script_says_yes(reviewer: Reviewer) -> None:
    ended = run(reviewer, "sign", str(prepared(reviewer)), "--yes", "--json", typed="")
    assert json.loads(ended.stdout)["release"] == "lab/engine@1"
    ended = run(reviewer, "sign", str(prepared(reviewer)), typed="")
    assert "--yes" in str(ended.exception)


@pytest.mark.parametrize(
    "changes",
    [
        {"release": "lab/engine@1; rm -rf /"},
        {"release": "../../etc@1"},
        {"requester": "Ada\u202e"},
        {"center": ""},
        {"valid": "soon"},
        {"key": "more"},
        {"schema": "samebits/prepared-request/v2"},
        {"release": None},
    ],
    ids=["words", "path", "bidi", "nobody", "time", "more", "version", "less"],
)
def test_a_file_that_is_none_is_one_clear_error(reviewer: Reviewer, changes: Any) -> None:
    with pytest.raises(UsageError, match="no prepared request"):
        read_prepared(prepared(reviewer, **changes))
    path = reviewer.folder / "broken.json"
    path.write_bytes(b"\xff{")
    with pytest.raises(UsageError, match="no prepared request"):
        read_prepared(path)


def test_a_center_of_its_own_file_is_the_one_that_is_asked(reviewer: Reviewer) -> None:
    other = reviewer.folder / "other.yaml"
    other.write_text("schema: samebits/center/v1\nid: europe\noperator: europe-trust\n")
    keys = ["--key", str(reviewer.folder / "ada.key")]
    keys += ["--center-key", str(reviewer.folder / "asia.pub")]
    words = ["sign", str(prepared(reviewer)), "--center", str(other), "--yes"]
    ended = CliRunner().invoke(command, [*words, *keys])
    assert isinstance(ended.exception, UsageError)
    assert "for another center" in str(ended.exception)
