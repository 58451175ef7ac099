"""`samebits cancel` by the records in the store: every state in which a run or a night can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from builders.core.enums import Verdict
from builders.core.errors import InfrastructureError, UsageError
from builders.core.runid import RunId
from builders.rebuild.workspace import workspace
from pipelines.center.center import load_center
from pipelines.nightly.record import store_night
from pipelines.services import cancelling, prefect_api
from pipelines.services.cancelling import CancelResult, CancelState, cancel_by_id
from pipelines.services.prefect_api import PrefectApi, cancel_night, unended_nights
from pipelines.storage.names import REPORT, release_run
from pipelines.verify.cancellation import is_cancelled, note_begun, note_ended
from pipelines.verify.session import Session
from tests.command import samebits
from tests.nightly.nights import night

RUN = "20260102T030405Z-0a1b2c3d"
NIGHT = "20260102T010000Z-1f2e3d4c"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr(cancelling, "_POLL", 0.01)
    path = tmp_path / "center.yaml"
    path.write_text("schema: samebits/center/v1\nid: lab\nhome: home\n")
    return Session(load_center(path))


def begun(session: Session, name: str = RUN, release: str | None = "lab/one@1") -> None:
    note_begun(session.store, "lab", name, release=release)


def report(session: Session, outcome: str, verdict: str) -> None:
    key = f"{release_run('lab', 'one', '1', 'lab', RUN)}{REPORT}"
    session.store.put_record(key, json.dumps({"outcome": outcome, "verdict": verdict}).encode())


def cancelled(session: Session, name: str = RUN, seconds: float = 0.05) -> CancelResult:
    return cancel_by_id(session, name, seconds=seconds)


@contextmanager
def alive(session: Session, name: str = RUN) -> Iterator[None]:
    with workspace(session.center.runs, RunId(name)):
        yield


@pytest.mark.parametrize("name", ["", "all", "../../etc/passwd", RUN, f"{RUN}0", "\x1b[31m"])
def test_an_unknown_id_is_a_usage_error_and_leaves_no_record(session: Session, name: str) -> None:
    with pytest.raises(UsageError, match="has begun no run and no night of that id") as raised:
        cancelled(session, name)
    assert "\x1b" not in str(raised.value)
    assert not list(session.center.home.rglob("cancelled/**/*.json"))


def test_a_mistyped_id_is_told_what_may_be_meant(session: Session) -> None:
    with alive(session), pytest.raises(UsageError, match=f"Did you mean '{RUN}'") as raised:
        cancelled(session, RUN.replace("3d", "3e"))
    assert f"one that runs: {RUN}" in str(raised.value)


@pytest.mark.parametrize(
    ("outcome", "verdict", "state"),
    [
        ("BUILT", "IDENTICAL", CancelState.FINISHED),
        ("BUILD_FAILED", "NOT_CHECKED", CancelState.FINISHED),
        ("CANCELLED", "NOT_CHECKED", CancelState.CANCELLED),
    ],
)
def test_a_run_that_has_ended_is_not_cancelled_any_more(
    session: Session, outcome: str, verdict: str, state: CancelState
) -> None:
    begun(session)
    report(session, outcome, verdict)
    found = cancelled(session)
    assert found.state is state
    assert found.verdict == (Verdict(verdict) if state is CancelState.FINISHED else None)
    assert not is_cancelled(session.store, "lab", RUN)


@pytest.mark.parametrize(
    ("outcome", "verdict", "state"),
    [
        ("BUILT", "DIFFERENT", CancelState.COMPLETED),
        ("CANCELLED", "NOT_CHECKED", CancelState.CANCELLED),
    ],
)
def test_a_run_of_another_host_is_waited_for(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    outcome: str,
    verdict: str,
    state: CancelState,
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    begun(session)
    monkeypatch.undo()
    assert cancelled(session).state is CancelState.NO_ANSWER
    assert is_cancelled(session.store, "lab", RUN)

    def sleep(_seconds: float) -> None:
        report(session, outcome, verdict)

    monkeypatch.setattr("pipelines.services.cancelling.time.sleep", sleep)
    assert cancelled(session, seconds=5).state is state


def test_a_run_here_is_waited_for_until_its_folder_is_gone(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(session)
    with alive(session):
        assert cancelled(session).state is CancelState.NO_ANSWER
        report(session, "CANCELLED", "NOT_CHECKED")
    assert cancelled(session).state is CancelState.CANCELLED


def test_a_run_that_was_killed_is_gone_and_one_that_ended_with_its_night_is_cancelled(
    session: Session,
) -> None:
    begun(session)
    assert cancelled(session).state is CancelState.GONE
    note_ended(session.store, "lab", RUN)
    assert cancelled(session).state is CancelState.CANCELLED


def test_a_night_is_cancelled_once_it_says_so(session: Session) -> None:
    begun(session, NIGHT, None)
    assert cancelled(session, NIGHT).state is CancelState.NO_ANSWER
    assert is_cancelled(session.store, "lab", NIGHT)
    note_ended(session.store, "lab", NIGHT)
    assert cancelled(session, NIGHT).state is CancelState.CANCELLED


def test_a_night_that_has_its_record_had_ended(session: Session) -> None:
    begun(session, NIGHT, None)
    store_night(session.store, night(night=NIGHT))
    found = cancelled(session, NIGHT)
    assert (found.kind, found.state) == ("night", CancelState.FINISHED)
    assert not is_cancelled(session.store, "lab", NIGHT)


def test_a_night_of_a_center_that_is_down_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "center.yaml"
    path.write_text("schema: samebits/center/v1\nid: lab\nhome: home\nprefect: {port: 5999}\n")
    session = Session(load_center(path))
    begun(session, NIGHT, None)
    assert cancelled(session, NIGHT).state is CancelState.MARKED
    assert is_cancelled(session.store, "lab", NIGHT)


def test_a_night_that_may_wait_in_a_prefect_that_is_down_is_not_called_unknown(
    tmp_path: Path,
) -> None:
    file = tmp_path / "center.yaml"
    file.write_text(
        "schema: samebits/center/v1\nid: lab\nhome: home\n"
        "prefect: {api: 'http://127.0.0.1:9/api'}\n"
    )
    with Session(load_center(file)) as down, pytest.raises(InfrastructureError, match="center up"):
        cancelled(down)


def test_every_state_has_a_line_for_people() -> None:
    lines = [
        CancelResult(id=RUN, kind="run", state=state, release="lab/one@1").line
        for state in CancelState
    ]
    assert len(set(lines)) == len(CancelState)
    assert all(line.startswith(f"run {RUN} of lab/one@1 ") for line in lines)


def test_the_command_says_it_with_its_exit_code(session: Session, tmp_path: Path) -> None:
    begun(session)
    report(session, "BUILT", "IDENTICAL")
    words = ("--center", tmp_path / "center.yaml")
    ended = samebits("cancel", RUN, "--json", *words, home=tmp_path)
    assert (ended.code, ended.document()["state"]) == (0, "finished")
    ended = samebits("cancel", NIGHT, *words, home=tmp_path)
    assert ended.code == 64
    ended.assert_clear()


class Api(PrefectApi):
    """Knows a night and two shards, of which one runs until it is told twice to end."""

    def __init__(self) -> None:
        self.states = {"night": "RUNNING", "runs": "RUNNING", "waits": "SCHEDULED"}
        self.told = list[str]()

    def post(self, path: str, **body: Any) -> Any:
        if path.endswith("/set_state"):
            name = path.split("/")[2]
            self.told.append(name)
            self.states[name] = "CANCELLED"
            return None
        shards = "parent_flow_run_id" in body["flow_runs"]
        return [
            {"id": name, "state_type": state}
            for name, state in self.states.items()
            if (name != "night") is shards and state != "CANCELLED"
        ]


def test_what_runs_may_complete_what_it_committed_to_before_prefect_ends_it() -> None:
    api = Api()

    def heed() -> None:
        api.states.update(night="CANCELLED", runs="CANCELLED")

    real, looks = api.post, list[str]()

    def post(path: str, **body: Any) -> Any:
        looks.append(path)
        if len(looks) > 6:
            heed()
        return real(path, **body)

    api.post = post  # type: ignore[method-assign]
    cancel_night(api, "night", pause=0.01)
    assert api.told == ["waits"], "only what had not begun"


def test_what_does_not_heed_it_is_ended_by_prefect() -> None:
    api = Api()
    assert cancel_night(api, "night", patience=0, pause=0)
    assert sorted(api.told) == ["night", "runs", "waits"]


def test_a_night_that_nothing_ends_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Dead(Api):
        """Its worker is gone: what is told to end stays as it is."""

        def post(self, path: str, **body: Any) -> Any:
            return None if path.endswith("/set_state") else super().post(path, **body)

    monkeypatch.setattr(prefect_api, "_END", 0.05)
    assert not cancel_night(Dead(), "night", patience=0, pause=0.01)


def test_only_the_nights_of_the_own_pool_are_found() -> None:
    """Several centers may share one Prefect."""
    asked: dict[str, Any] = {}

    class Shared(PrefectApi):
        def __init__(self) -> None:
            self.pool = "asia"

        def post(self, path: str, **body: Any) -> Any:
            asked.update(body, path=path)
            return []

    assert unended_nights(Shared()) == {}
    assert asked["work_pools"] == {"name": {"any_": ["asia"]}}


def test_a_damaged_report_is_told(session: Session) -> None:
    begun(session)
    key = f"{release_run('lab', 'one', '1', 'lab', RUN)}{REPORT}"
    session.store.put_record(key, b"[]")
    with pytest.raises(InfrastructureError, match="is damaged"):
        cancelled(session)
