"""What a search remembers of an earlier one, and when it forgets: images, scripts, rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from builders.core.digest import Digest
from builders.core.errors import CancelledError, EngineError, InputUnavailableError, SamebitsError
from builders.preload.preload_lock import preload_lock
from pipelines.infer import trial
from pipelines.infer.journal import JournalFile, SearchJournal
from pipelines.infer.search import SearchLimits
from pipelines.infer.target import Target
from pipelines.infer.wheel import search
from pipelines.infer.wheel.hypothesis import WheelHypothesis
from pipelines.infer.wheel.search import RULES, infer_wheel, wheel_basis
from tests.infer.search_lab import Lab
from tests.infer.workbench import (
    Entries,
    FakeRebuild,
    faked,
    no_requirements,
    wheel,
    wheel_files,
)

OTHER = wheel_files(metadata="Metadata-Version: 2.1\nName: other\n")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    lab = Lab(tmp_path)
    monkeypatch.setattr(lab.session, "engine", SimpleNamespace(sweep=lambda _: 0), raising=False)
    return lab


def inferred(
    lab: Lab,
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
    *,
    tries: int = 16,
    stop: SamebitsError | None = None,
    build: Callable[[WheelHypothesis], Entries] = lambda _: OTHER,
) -> tuple[SearchJournal | None, FakeRebuild]:
    """Infer with tries that need no container; `stop` ends the search in its third one."""

    def built(hypothesis: WheelHypothesis) -> Path:
        if stop is not None and len(tryout.tried) == 3:
            raise stop
        lab.count += 1
        return wheel(lab.folder / f"built-{lab.count}.whl", build(hypothesis))

    tryout = FakeRebuild(build=built, published=target.shipped.sha256)
    strategy = faked(tryout, no_requirements(lab.folder))
    monkeypatch.setattr(search, "WheelStrategy", strategy)
    try:
        return infer_wheel(target, lab.session, lab.index, SearchLimits(tries=tries)), tryout
    except type(stop or EngineError("")):
        return None, tryout


def test_what_is_finished_is_not_tried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    target = lab.release(wheel_files())
    journal, _ = inferred(lab, target, monkeypatch)
    again, tryout = inferred(lab, target, monkeypatch)
    assert journal is not None
    assert journal.finished
    assert (again, tryout.tried) == (journal, [])


@pytest.mark.parametrize("stop", [CancelledError("stopped"), EngineError("gone")])
def test_a_search_that_is_stopped_loses_no_try(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, stop: SamebitsError
) -> None:
    target = lab.release(wheel_files())
    none, first = inferred(lab, target, monkeypatch, stop=stop)
    assert (none, len(first.tried)) == (None, 3)
    kept = JournalFile(lab.session.center.home, target).load()
    assert kept is not None
    assert (len(kept.tries), kept.finished) == (2, False)
    whole, second = inferred(lab, target, monkeypatch)
    assert whole is not None
    assert len(second.tried) == len(whole.tries) - 2
    assert first.tried[2] == second.tried[0]


def test_tries_on_another_basis_are_forgotten(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    target = lab.release(wheel_files())
    some, _ = inferred(lab, target, monkeypatch, tries=2)
    assert some is not None
    assert not some.finished
    monkeypatch.setattr(search, "zone_script", lambda: b"#!/bin/sh\n# another\n")
    more, tryout = inferred(lab, target, monkeypatch, tries=2)
    assert more is not None
    assert len(tryout.tried) == 2
    assert more.basis != some.basis


def test_what_was_not_served_is_asked_for_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    target = lab.release(wheel_files())

    def unserved(*_: object) -> None:
        raise InputUnavailableError("tool-1.0.tar.gz answers 404")

    with monkeypatch.context() as broken:
        broken.setattr(trial, "fetch_missing", unserved)
        journal, tryout = inferred(lab, target, monkeypatch)
    assert journal is not None
    assert (journal.status, tryout.tried) == ("not available", [])
    journal, _ = inferred(lab, target, monkeypatch, build=lambda _: wheel_files())
    assert journal is not None
    assert journal.status == "identical"


def test_all_that_tries_rest_on_is_the_basis(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [wheel_basis(lab.session.images)]
    lock = preload_lock().model_copy(update={"library": Digest("1" * 64)})
    other = SimpleNamespace(script_bytes=lambda: b"#!/bin/sh\n")
    for name, value in {
        "RULES": RULES + 1,
        "METHODS": {"wheel": other},
        "launcher_bytes": lambda: b"",
        "probe_bytes": lambda: b"",
        "zone_script": lambda: b"",
        "preload_lock": lambda: lock,
        "claimed_digest": lambda *_: Digest("2" * 64),
    }.items():
        with monkeypatch.context() as changed:
            changed.setattr(search, name, value)
            found.append(wheel_basis(lab.session.images))
    assert len(set(found)) == len(found)
    assert wheel_basis(lab.session.images) == found[0]
