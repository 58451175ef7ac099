"""`samebits request`, as people use it."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from builders.core.enums import Verdict
from builders.core.errors import UsageError
from pipelines.cli.request import command
from pipelines.evidence.privatekey import create_key
from pipelines.requests.client import RequestStatus
from pipelines.requests.messages import request_from, request_key
from pipelines.storage.directory import DirectoryStore
from tests.command import finish, interrupt, started, wait_until
from tests.policy.reviews.people import Person
from tests.requests.office import CENTER, HERE, Center


class Reviewer:
    """Somebody at a keyboard, with a key and the address of the center's store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        create_key(folder, "ada")
        (folder / "asia.pub").write_bytes(CENTER.public.to_pem())
        (folder / "asia").mkdir()
        self.store = DirectoryStore(folder / "asia")

    def ask(self, *more: str, release: str = "lab/engine@1", store: bool = True) -> Result:
        words = [release, "--center", HERE, "--key", str(self.folder / "ada.key")]
        words += ["--requester", "ada", *more]
        if store:
            words += ["--store", str(self.store.root)]
        return CliRunner().invoke(command, words)

    def center(self, **told: Any) -> Center:
        """Return the center, which knows this person."""
        from datetime import UTC, datetime

        from pipelines.evidence.privatekey import load_key

        center = Center(folder=self.folder, store=self.store, now=datetime.now(UTC), **told)
        key = load_key(self.folder, "ada").public
        center.people = {"ada": _Known(key)}
        return center


class _Known(Person):
    def __init__(self, key: Any) -> None:
        self.key = key

    @property
    def public(self) -> Any:
        return self.key


@pytest.fixture
def reviewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reviewer:
    monkeypatch.delenv("SAMEBITS_STORE", raising=False)
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "own"))
    return Reviewer(tmp_path)


def test_a_request_is_a_signed_record_in_the_centers_store(reviewer: Reviewer) -> None:
    ended = reviewer.ask("--nonce", "my-own-nonce", "--valid", "2h", "--json")
    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)
    (key,) = reviewer.store.list("public/")
    asked = request_from(reviewer.store.get(key, 1 << 20))
    assert key == told["record"] == request_key(HERE, asked.digest)
    assert (asked.content.nonce, told["nonce"], told["answer"]) == ("my-own-nonce",) * 2 + (None,)
    assert (asked.content.expires - asked.content.requested_on).total_seconds() == 7200
    assert [item.digest for item in reviewer.center().look().open] == [asked.digest]


def test_every_request_has_a_nonce_of_its_own(reviewer: Reviewer) -> None:
    nonces = {json.loads(reviewer.ask("--json").stdout)["nonce"] for _ in range(2)}
    assert len(nonces) == 2
    assert {len(nonce) for nonce in nonces} == {32}


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.IDENTICAL, 0), (Verdict.DIFFERENT, 1), (Verdict.NOT_CHECKED, 2)]
)
def test_who_waits_gets_the_verdict_and_its_exit_code(
    reviewer: Reviewer, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, code: int
) -> None:
    center = reviewer.center(verdict=verdict)
    looked = Event()

    def word(status: RequestStatus) -> str:
        looked.set()
        return str(real.__get__(status))

    real = vars(RequestStatus)["word"]
    monkeypatch.setattr(RequestStatus, "word", property(word))
    thread = _serving(reviewer, center, after=looked)
    ended = reviewer.ask("--wait", "60", "--center-key", str(reviewer.folder / "asia.pub"))
    thread.join()
    assert ended.exit_code == code, ended.output
    assert ended.output.count(f"done: {verdict} in the run") == 1
    assert f"done: {verdict} in the run" in ended.stdout
    assert "waiting" in ended.stderr


def test_an_answer_without_the_centers_key_is_unverified(reviewer: Reviewer) -> None:
    thread = _serving(reviewer, reviewer.center())
    ended = reviewer.ask("--wait", "--json")
    thread.join()
    assert ended.exit_code == 2
    assert "UNVERIFIED" in ended.stderr
    assert json.loads(ended.stdout)["answer"]["verified"] is False


def test_no_answer_in_time_is_exit_code_2(reviewer: Reviewer) -> None:
    ended = reviewer.ask("--wait", "0", "--center-key", str(reviewer.folder / "asia.pub"))
    assert ended.exit_code == 2
    assert "no answer in time" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_waiting_is_told_that_the_request_stays(
    reviewer: Reviewer, number: signal.Signals
) -> None:
    words = ["request", "lab/engine@1", "--center", HERE, "--store", str(reviewer.store.root)]
    words += ["--key", str(reviewer.folder / "ada.key"), "--requester", "ada", "--wait", "--json"]
    with started(*words, home=reviewer.folder / "own") as process:
        wait_until(lambda: bool(list(reviewer.store.list("public/requests/"))))
        time.sleep(1)  # it waits
        interrupt(process, number)
        ended = finish(process)
    (key,) = reviewer.store.list("public/requests/")
    assert ended.code == 130
    assert "the request stays and can be served until" in ended.err
    assert f"beside {key}" in ended.err
    assert "nothing was left behind" not in ended.err
    assert (ended.document()["record"], ended.document()["answer"]) == (key, None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--nonce", "short"), "nonce cannot stand in a request"),
        (("--nonce", "../../../etc"), "nonce cannot stand in a request"),
        (("--requester", "Ada Lovelace"), "requester cannot stand in a request"),
        (("--center", "../asia"), "center cannot stand in a request"),
        (("--valid", "900h"), "within 30 days"),
        (("--valid", "soon"), "--valid is no time"),
        (("--key", "ada.pub"), "ends in .key"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_written(
    reviewer: Reviewer, more: tuple[str, str], said: str
) -> None:
    ended = reviewer.ask(*more)
    assert isinstance(ended.exception, UsageError)
    assert said in str(ended.exception)
    assert not list(reviewer.store.root.rglob("*"))


@pytest.mark.parametrize("release", ["engine", "../../etc/passwd@1", "https://x.example/a@1"])
def test_only_the_name_of_a_release_can_be_asked_for(reviewer: Reviewer, release: str) -> None:
    ended = reviewer.ask(release=release)
    assert isinstance(ended.exception, UsageError)
    assert "not the name of a release" in str(ended.exception)


def test_the_store_of_another_center_is_not_guessed(
    reviewer: Reviewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = reviewer.ask(store=False)
    assert isinstance(ended.exception, UsageError)
    assert "the store of asia is not known" in str(ended.exception)
    monkeypatch.setenv("SAMEBITS_STORE", str(reviewer.store.root))
    assert reviewer.ask(store=False).exit_code == 0
    assert len(list(reviewer.store.list("public/"))) == 1


def test_the_own_center_of_this_machine_is_asked_in_its_store(
    reviewer: Reviewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMEBITS_RECIPES", str(reviewer.folder))
    handler = reviewer.center().handler
    ended = reviewer.ask("--center", "local", store=False)
    assert isinstance(ended.exception, UsageError)
    assert "local does not know this key" in str(ended.exception)
    monkeypatch.setattr("pipelines.verify.session.Session.policy", lambda *_: handler.policy)
    ended = reviewer.ask("--center", "local", release="lab/engin@1", store=False)
    assert "Did you mean 'lab/engine@1'?" in str(ended.exception)
    store = DirectoryStore(reviewer.folder / "own" / "store")
    assert list(store.list("public/requests/local/")) == []
    ended = reviewer.ask("--center", "local", store=False)
    assert ended.exit_code == 0, ended.output
    assert len(list(store.list("public/requests/local/"))) == 1


def _serving(reviewer: Reviewer, center: Center, *, after: Event | None = None) -> Thread:
    """Serve the first request that comes, `after` something has happened."""

    def work() -> None:
        wait_until(lambda: bool(list(reviewer.store.list("public/requests/"))))
        if after is not None:
            assert after.wait(60)
        center.serve()

    thread = Thread(target=work)
    thread.start()
    return thread
