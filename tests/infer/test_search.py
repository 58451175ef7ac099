"""The search as a whole, over tries that need no container."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from builders.core.errors import InputUnavailableError
from pipelines.infer.journal import JournalFile
from pipelines.infer.search import SearchLimits
from pipelines.infer.wheel import search
from pipelines.infer.wheel.hypothesis import WheelHypothesis
from tests.infer.search_lab import OLD, Lab
from tests.infer.workbench import (
    BUILT,
    METADATA,
    RELEASED,
    SOURCE_TIME,
    TIMED_OUT,
    Entries,
    Entry,
    tools_of,
    wheel_files,
)


def by_setuptools(hypothesis: WheelHypothesis) -> Entries:
    """Build as an old setuptools does, up to version 62."""
    version = next(t.version for t in hypothesis.tools if t.project == "setuptools")
    return wheel_files(metadata=OLD if version.major < 60 else METADATA)


def test_the_first_identical_is_kept(lab: Lab) -> None:
    journal, tryout = lab.search(lab.release(wheel_files()), by_setuptools)
    assert (journal.status, journal.finished, len(tryout.tried)) == ("identical", True, 1)
    assert journal.recipe is not None
    assert "expect: {verdict: IDENTICAL}" in journal.recipe
    assert journal.causes == ()


def test_differences_choose_the_next_try(lab: Lab) -> None:
    journal, tryout = lab.search(lab.release(wheel_files(metadata=OLD)), by_setuptools)
    assert journal.status == "identical"
    assert tools_of(tryout.tried[0])[0] == "setuptools 61.3.1"
    assert [s.name for s in journal.scalars if s.name == "setuptools"] == ["setuptools"]


def test_a_payload_that_no_source_explains_finds_no_recipe(lab: Lab) -> None:
    planted = {**wheel_files(), "tool/update.py": Entry(data=b"import socket\n")}
    journal, tryout = lab.search(lab.release(planted), by_setuptools)
    assert journal.status == "different"
    assert "expect: {verdict: DIFFERENT}" in (journal.recipe or "")
    assert [c.name for c in journal.causes] == ["files-the-sdist-lacks"]
    assert journal.causes[0].detail == "tool/update.py"
    assert "import socket" not in (journal.recipe or "")
    assert len(tryout.tried) == 1


def test_a_payload_inside_a_known_file_finds_no_recipe(lab: Lab) -> None:
    planted = {**wheel_files(), "tool/__init__.py": Entry(data=b"# tool\nimport socket\n")}
    journal, tryout = lab.search(lab.release(planted), by_setuptools, limits=SearchLimits(tries=5))
    assert journal.status == "different"
    assert "unexplained" in [c.name for c in journal.causes]
    assert all(h.files == () for h in tryout.tried)


def test_tries_are_bounded_and_a_second_run_goes_on(lab: Lab) -> None:
    target = lab.release(wheel_files(metadata="Metadata-Version: 2.1\nName: other\n"))
    some, first = lab.search(target, by_setuptools, limits=SearchLimits(tries=2))
    assert (some.finished, len(first.tried), len(some.tries)) == (False, 2, 2)
    more, second = lab.search(target, by_setuptools, limits=SearchLimits(tries=4), known=some)
    assert len(more.tries) == 4
    assert len(second.tried) == 2, "the first two were remembered"
    whole, _ = lab.search(target, by_setuptools, limits=SearchLimits(tries=4))
    assert [t.claim for t in more.tries] == [t.claim for t in whole.tries]


def test_no_environment_is_tried_twice(lab: Lab) -> None:
    target = lab.release(wheel_files(metadata="Metadata-Version: 2.1\nName: other\n"))
    journal, tryout = lab.search(target, by_setuptools, limits=SearchLimits(tries=100))
    assert journal.finished
    keys = [h.key for h in tryout.tried]
    assert len(set(keys)) == len(keys)


def test_time_is_bounded(lab: Lab) -> None:
    journal, tryout = lab.search(
        lab.release(wheel_files()), by_setuptools, limits=SearchLimits(seconds=1)
    )
    assert tryout.tried
    assert journal.status == "identical"


def test_a_missing_requirement_is_added(lab: Lab) -> None:
    def build(hypothesis: WheelHypothesis) -> Entries | str:
        if not any(t.project == "flit-core" for t in hypothesis.tools):
            return "ModuleNotFoundError: No module named 'flit_core'\n"
        return wheel_files()

    journal, _ = lab.search(lab.release(wheel_files()), build)
    assert journal.status == "identical"
    assert journal.tries[0].outcome == "BUILD_FAILED"


def test_a_module_of_another_python_is_no_project(lab: Lab) -> None:
    log = "ModuleNotFoundError: No module named 'distutils'\n"
    lab.index.put("distutils", "1.0", RELEASED)
    journal, tryout = lab.search(lab.release(wheel_files()), lambda _: log)
    assert journal.status == "build failed"
    assert {h.image for h in tryout.tried} == {"python39-wheel", "python311-wheel", "python-wheel"}
    assert not any("distutils" in tool for h in tryout.tried for tool in tools_of(h))


def test_another_way_of_fixing_times_is_tried(lab: Lab) -> None:
    shipped = {n: replace(e, at=SOURCE_TIME) for n, e in wheel_files().items()}
    target = lab.release(shipped, at=SOURCE_TIME)
    late = wheel_files(at=SOURCE_TIME + 86_400)
    journal, tryout = lab.search(target, lambda h: shipped if h.epoch else late, at=SOURCE_TIME)
    assert (tryout.tried[0].epoch, tryout.tried[0].clock) == (None, SOURCE_TIME)
    assert journal.status == "identical"
    assert "source_date_epoch" in {s.name for s in journal.scalars}


def test_a_tag_that_no_source_asks_for_was_given_by_hand(lab: Lab) -> None:
    path = "tool-1.0.dist-info/WHEEL"
    plain = wheel_files()[path]
    both = replace(plain, data=b"Tag: py2-none-any\n" + plain.data)
    target = lab.release({**wheel_files(), path: both}, name="tool-1.0-py2.py3-none-any.whl")
    journal, _ = lab.search(
        target, lambda h: {**wheel_files(), path: both if h.python_tag == "py2.py3" else plain}
    )
    assert journal.status == "identical"
    assert "python_tag: py2.py3" in (journal.recipe or "")


def test_what_needs_too_many_bits_is_not_tried(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_BITS", 45.0)
    journal, tryout = lab.search(lab.release(wheel_files(metadata=OLD)), by_setuptools)
    assert tryout.tried
    assert all(t.bits <= 45 for t in journal.tries)
    monkeypatch.setattr(search, "MAX_BITS", 10.0)
    with pytest.raises(InputUnavailableError, match="too much"):
        lab.search(lab.release(wheel_files(metadata=OLD)), by_setuptools)


def test_what_comes_no_nearer_leads_nowhere(lab: Lab) -> None:
    target = lab.release(wheel_files(metadata="Metadata-Version: 2.1\nName: other\n"))
    _, tryout = lab.search(target, by_setuptools, limits=SearchLimits(tries=100))
    kinds = {(h.image, h.epoch, h.clock) for h in tryout.tried}
    assert len(kinds) == 3, "each Python was tried once, with the first way of fixing times"
    others = [h for h in tryout.tried if h.image != tryout.tried[0].image]
    assert len(others) == 2, "no tool was changed under a Python that came no nearer"


def test_a_build_that_does_not_end_is_tried_once_without_its_clock(lab: Lab) -> None:
    target = lab.release(wheel_files())
    journal, tryout = lab.search(target, lambda h: TIMED_OUT if h.clock else wheel_files())
    assert [(h.clock is None, h.epoch is None) for h in tryout.tried] == [
        (False, True),
        (True, False),
    ]
    assert journal.status == "identical"
    journal, tryout = lab.search(target, lambda _: TIMED_OUT)
    assert len(tryout.tried) == 2
    assert [c.name for c in journal.causes] == ["build-does-not-end"]


def test_two_steps_that_build_nothing_become_one(lab: Lab) -> None:
    old = Entry(data=b"tool\n", at=BUILT - 2)
    shipped = {**wheel_files(), "tool-1.0.dist-info/top_level.txt": old}
    journal, tryout = lab.search(
        lab.release(shipped), lambda h: "error: no such command\n" if h.then else shipped
    )
    assert (tryout.tried[0].clock, tryout.tried[0].then) == (BUILT - 2, BUILT)
    assert (tryout.tried[-1].clock, tryout.tried[-1].then) == (BUILT, None)
    assert journal.status == "identical"
    assert "then" not in {s.name for s in journal.scalars}


def test_the_step_of_a_clock_is_a_scalar_with_its_bits(lab: Lab) -> None:
    old = Entry(data=b"tool\n", at=BUILT - 2)
    shipped = {**wheel_files(), "tool-1.0.dist-info/top_level.txt": old}
    journal, _ = lab.search(lab.release(shipped), lambda _: shipped)
    bits = {s.name: (s.value, s.bits) for s in journal.scalars}
    assert bits["clock"] == ("2022-06-01T10:00:18Z", 31.0)
    assert bits["then"] == ("2022-06-01T10:00:20Z", 9.2)


def test_a_backend_too_old_for_the_python_is_replaced(lab: Lab) -> None:
    def build(hypothesis: WheelHypothesis) -> Entries | str:
        version = next(t.version for t in hypothesis.tools if t.project == "setuptools")
        return wheel_files() if version.major == 56 else "AttributeError: gone\n"

    journal, _ = lab.search(lab.release(wheel_files()), build)
    assert journal.status == "identical"
    assert any("does not build it here" in s.evidence for s in journal.scalars)


def test_nothing_that_builds_is_a_failed_build(lab: Lab) -> None:
    journal, _ = lab.search(lab.release(wheel_files()), lambda _: "TypeError: no\n")
    assert journal.status == "build failed"
    assert [c.name for c in journal.causes] == ["python-version"]


def test_a_trail_is_kept_and_read_back(lab: Lab) -> None:
    target = lab.release(wheel_files(metadata=OLD))
    journal, _ = lab.search(target, by_setuptools)
    kept = JournalFile(lab.folder / "home", target)
    assert kept.load() is None
    journal = kept.save(journal)  # it says how long that took
    assert kept.load() == journal
    text = kept.path.read_text()
    assert json.loads(text)["schema"] == "samebits/trail/v1"
    kept.path.write_text(text.replace('"schema"', '"schema_"'))
    assert kept.load() == journal, "as it was written once"
    kept.path.write_bytes(b"{")
    assert kept.load() is None


def test_a_release_that_nobody_dated_is_dated_by_its_members(lab: Lab) -> None:
    target = replace(lab.release(wheel_files()), uploaded=None)
    journal, tryout = lab.search(target, by_setuptools)
    assert journal.status == "identical"
    assert tools_of(tryout.tried[0])[0] == "setuptools 61.3.1"
    assert datetime.fromtimestamp(tryout.tried[0].clock or 0, UTC).year == 2022
