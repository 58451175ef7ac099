"""A run over a list: one row a release whatever happens to it, and figures that are true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.errors import CancelledError, EngineError, InputUnavailableError, UsageError
from infra.bench import corpus
from infra.bench.corpus import Row, figures, measure, read_list
from pipelines.infer.journal import RemainingCause, SearchJournal, Status
from pipelines.infer.search import SearchLimits


def journal(status: Status, *causes: str) -> SearchJournal:
    return SearchJournal(
        release="pypi/tool@1.0",
        artefact="tool.whl",
        shipped=Digest("1" * 64),
        source=Digest("2" * 64),
        status=status,
        finished=True,
        reason="because",
        causes=tuple(RemainingCause(name=c, detail="seen") for c in causes),
        seconds=3.5,
    )


class FakeSession(SimpleNamespace):
    cancelled = False

    def prepare(self) -> None:
        pass

    def raise_if_cancelled(self) -> None:
        if self.cancelled:
            raise CancelledError("the run was cancelled")


def run(
    monkeypatch: pytest.MonkeyPatch,
    results: dict[str, SearchJournal | Exception],
    session: FakeSession | None = None,
) -> list[Row]:
    def inferred(purl: str, *_: object) -> SearchJournal:
        result = results[purl]
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(corpus, "infer_release", inferred)
    told: list[int] = []
    tell: Callable[[int, Row], None] = lambda done, _: told.append(done)  # noqa: E731
    any_session: Any = session or FakeSession()
    rows = measure(
        list(results), any_session, any_session, jobs=3, limits=SearchLimits(), tell=tell
    )
    assert told == list(range(1, len(results) + 1))
    return rows


def test_one_bad_release_is_one_row_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = run(
        monkeypatch,
        {
            "a": journal("identical"),
            "b": InputUnavailableError("not served"),
            "c": UsageError("not a release"),
            "d": EngineError("gone"),
            "e": journal("different", "modes", "modes"),
            "f": ZeroDivisionError("division\nby zero"),
        },
    )
    assert [r.purl for r in rows] == ["a", "b", "c", "d", "e", "f"]
    assert [r.status for r in rows] == [
        *("identical", "not available", "not available", "not available", "different"),
        "not available",
    ]
    assert rows[5].reason == "samebits itself failed: ZeroDivisionError: division by zero"
    assert rows[4].causes == ("modes",)


def test_a_cancelled_run_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    session = FakeSession()
    session.cancelled = True
    with pytest.raises(CancelledError):
        run(monkeypatch, {"a": journal("identical")}, session)


def test_shares_are_of_what_could_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = run(
        monkeypatch,
        {
            "a": journal("identical"),
            "b": journal("different", "modes"),
            "c": journal("different", "modes", "unexplained"),
            "d": journal("build failed", "python-version"),
            "e": InputUnavailableError("not served"),
        },
    )
    found = figures(rows)
    assert (found["releases"], found["fetchable"]) == (5, 4)
    assert found["identical_share"] == 0.25
    assert found["explained_share"] == 0.75
    assert found["counts"]["not available"] == 1
    assert found["causes"] == {"modes": 2, "unexplained": 1, "python-version": 1}
    assert found["median_seconds"] == 3.5


def test_nothing_fetched_has_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    found = figures(run(monkeypatch, {"a": InputUnavailableError("not served")}))
    assert (found["identical_share"], found["median_seconds"]) == (None, None)


def test_a_list_has_one_release_a_line(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("# popular\n\npkg:pypi/a@1\npkg:pypi/b@2  # why\npkg:pypi/a@1\n")
    assert read_list(listed) == ["pkg:pypi/a@1", "pkg:pypi/b@2"]
    listed.write_text("# nothing\n")
    with pytest.raises(UsageError, match="lists no release"):
        read_list(listed)
    with pytest.raises(UsageError, match="cannot be read"):
        read_list(tmp_path / "gone")
