"""A center file that is edited while services run: a good one counts, a bad one changes nothing."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builders.core.errors import RecipeError, UsageError
from pipelines.center.center import Center, load_center
from pipelines.center.reload import (
    COPY,
    CenterReader,
    copy_of,
    deployed_digest,
    file_digest,
    keep_copy,
    load_running,
    note_deployed,
)
from pipelines.services import supervisor
from pipelines.services.status import status
from pipelines.verify.session import Session
from tests.services.stand import free_port


class Place:
    """A folder with a center file, and a policy file that nobody reads."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "center.yaml"
        (folder / "policy.json").write_text("{}")
        (folder / "other.json").write_text("{}")
        self.write()

    def write(self, **fields: Any) -> None:
        given = {"id": "lab", "home": "home", "policy": "policy.json", **fields}
        lines = [f"{name}: {value}" for name, value in given.items()]
        self.file.write_text("\n".join(["schema: samebits/center/v1", *lines, ""]))

    def load(self) -> Center:
        return load_center(self.file)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    monkeypatch.delenv("SAMEBITS_STORE", raising=False)
    monkeypatch.setenv(COPY, str(copy_of(made.load())))
    return made


BAD: dict[str, dict[str, Any]] = {
    "unknown-field": {"nonsense": 1},
    "no-value": {"workers": "many"},
    "another-center": {"id": "other"},
    "another-home": {"home": "elsewhere"},
    "another-store": {"store": "elsewhere"},
    "another-prefect": {"prefect": f"{{port: {free_port()}}}"},
    "a-policy-that-is-not-there": {"policy": "nowhere.json"},
}


def test_an_edited_file_counts_at_the_next_look(place: Place) -> None:
    reader = CenterReader(place.load())
    first = reader.current()
    assert reader.current() is first
    place.write(policy="other.json")
    assert reader.current().policy.name == "other.json"
    assert reader.current() is reader.current()
    place.write(policy="other.json", workers=1)
    assert reader.current() == reader.current()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_changes_nothing_and_is_told_once(
    place: Place, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="samebits")
    reader = CenterReader(place.load())
    before = reader.current()
    place.write(**BAD[name])
    assert [reader.current() is before for _ in range(3)] == [True] * 3
    assert reader.fault
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "cannot be used, and the center keeps its settings" in record.message
    place.write(policy="other.json")
    assert reader.current().policy.name == "other.json"
    assert reader.fault is None


def test_a_file_that_is_gone_changes_nothing(place: Place) -> None:
    reader = CenterReader(place.load())
    before = reader.current()
    place.file.unlink()
    assert reader.current() is before
    assert reader.fault


def test_a_flow_run_goes_by_the_copy_while_the_file_is_bad(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_running(place.file).policy.name == "policy.json"
    for fields in BAD.values():
        place.write(**fields)
        center = load_running(place.file)
        assert (center.file, center.home) == (place.file, place.file.parent / "home")
    assert "keeps its settings" in caplog.text
    place.write(policy="other.json")
    assert load_running(place.file).policy.name == "other.json"
    place.write(nonsense=1)
    assert load_running(place.file).policy.name == "other.json", "the last good one"


def test_without_a_copy_a_bad_file_is_an_error(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(nonsense=1)
    with pytest.raises(RecipeError):
        load_running(place.file)
    monkeypatch.delenv(COPY)
    with pytest.raises(RecipeError):
        load_running(place.file)


def test_who_starts_a_worker_takes_the_file_as_it_is(place: Place) -> None:
    load_running(place.file)
    place.write(store="elsewhere")
    keep_copy(place.load())
    assert load_running(place.file).store == place.file.parent / "elsewhere"


@pytest.mark.parametrize("data", [b"", b"nonsense: 1\n", b"schema: samebits/center"])
def test_a_file_that_was_edited_since_it_was_read_is_not_kept(place: Place, data: bytes) -> None:
    before = load_running(place.file)
    good = place.load()
    place.file.write_bytes(data)
    keep_copy(good)
    assert load_running(place.file) == before


def test_a_copy_that_cannot_be_kept_stops_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.center.reload.durable.replace", full)
    assert load_running(place.file).id == "lab"
    assert "no copy of" in caplog.text


def test_what_was_deployed_is_noted(place: Place) -> None:
    center = place.load()
    assert deployed_digest(center) is None
    keep_copy(center)
    note_deployed(center)
    assert deployed_digest(center) == file_digest(center)
    place.write(policy="other.json")
    assert deployed_digest(center) != file_digest(center)


def test_the_implicit_center_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path))
    center = load_running(None)
    assert CenterReader(center).current() is center


def test_the_message_names_what_needs_a_restart(place: Place) -> None:
    reader = CenterReader(place.load())
    place.write(store="elsewhere", home="elsewhere")
    reader.current()
    assert "another home, store" in (reader.fault or "")
    assert issubclass(RecipeError, UsageError)


@pytest.mark.parametrize("name", ["another-center", "another-store", "another-prefect"])
def test_up_and_status_refuse_what_running_services_cannot_take_over(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    prefect = {"prefect": f"{{port: {free_port()}}}"}
    place.write(**prefect)
    keep_copy(place.load())
    for module in ("supervisor", "status"):
        monkeypatch.setattr(f"pipelines.services.{module}.pids", lambda _: {"server": 1})
    place.write(**{**prefect, **BAD[name]})
    with pytest.raises(UsageError, match="cannot take over this change"):
        supervisor.up(place.load())
    with Session(place.load()) as session:
        faults = status(session, now=datetime.now(UTC)).faults
    assert any("cannot take over this change" in fault for fault in faults)
