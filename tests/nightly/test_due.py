"""What a night rebuilds, and what it only looks at again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.core.digest import Digest
from pipelines.nightly.night_plan import Release, due
from pipelines.nightly.record import DueReason, Mode, NightEntry, NightRecord
from tests.nightly.nights import entry, night, release

OTHER = Digest.of(b"other")


def why(one: Release, before: NightRecord | None, *, every: int = 7) -> DueReason:
    (found,) = due([one], before, rebuild_every=every)
    return found.why


def quiet_number(one: Release, every: int = 7) -> int:
    """Return the number of a night after which it is not the release's turn."""
    return next(
        n
        for n in range(1, 9)
        if why(one, night(entry(rebuilt=n), number=n), every=every) is DueReason.UNCHANGED
    )


def test_a_release_that_was_never_seen_is_rebuilt() -> None:
    assert why(release(), None) is DueReason.NEW
    assert why(release(), night(entry("lab/other@1"))) is DueReason.NEW


@pytest.mark.parametrize("field", ["claim", "published"])
def test_a_release_that_has_changed_is_rebuilt(field: str) -> None:
    changed: dict[str, Any] = {field: OTHER}
    number = quiet_number(release())
    before = night(entry(rebuilt=number), number=number)
    assert why(release(**changed), before) is DueReason.CHANGED


@pytest.mark.parametrize(
    "last",
    [entry(verdict="NOT_CHECKED"), entry(verdict="SHIPPED_MISMATCH"), entry(mode=Mode.NOT_RUN)],
)
def test_what_the_last_night_left_open_is_rebuilt(last: NightEntry) -> None:
    number = quiet_number(release())
    last = last.model_copy(update={"rebuilt": number})
    assert why(release(), night(last, number=number)) is DueReason.UNSETTLED


def test_a_difference_that_is_known_waits_for_its_turn() -> None:
    number = quiet_number(release())
    last = entry(verdict="DIFFERENT", rebuilt=number)
    assert why(release(), night(last, number=number)) is DueReason.UNCHANGED


def test_the_longest_wait_holds_whatever_the_rule_was_before() -> None:
    number = quiet_number(release())
    last = entry(rebuilt=number + 1 - 7)
    assert why(release(), night(last, number=number)) is DueReason.ROTATION


@given(
    names=st.lists(st.text("abcdef", min_size=1, max_size=8), min_size=1, max_size=20, unique=True),
    every=st.integers(1, 12),
    start=st.integers(1, 1000),
)
def test_nothing_waits_longer_for_its_rebuild_than_it_may(
    names: list[str], every: int, start: int
) -> None:
    ones = [release(f"lab/{name}@1") for name in names]
    entries = [entry(one.release, rebuilt=start) for one in ones]
    last = {one.release: start for one in ones}
    for number in range(start, start + 3 * every):
        found = list(due(ones, night(*entries, number=number), rebuild_every=every))
        assert [one.number for one in found] == [number + 1] * len(ones)
        for one in found:
            if one.rebuild:
                last[one.release] = number + 1
            assert number + 1 - last[one.release] < every
        entries = [entry(one.release, rebuilt=last[one.release]) for one in ones]


def test_a_rotation_gives_every_night_its_share() -> None:
    ones = [release(f"lab/r{number}@1") for number in range(700)]
    for number in (20, 21, 22):
        before = night(*(entry(one.release, rebuilt=number) for one in ones), number=number)
        rebuilt = sum(one.rebuild for one in due(ones, before, rebuild_every=7))
        assert 60 < rebuilt < 140


def test_the_same_night_is_planned_the_same_way_twice() -> None:
    ones = [release(f"lab/r{number}@1") for number in range(50)]
    before = night(*(entry(one.release) for one in ones), number=5)
    first = list(due(ones, before, rebuild_every=7, robustness_share=0.3))
    assert list(due(ones, before, rebuild_every=7, robustness_share=0.3)) == first


def test_robustness_takes_its_share_of_what_is_rebuilt_and_nothing_else() -> None:
    ones = [release(f"lab/r{number}@1") for number in range(1000)]
    moved = [
        one for one in due(ones, None, rebuild_every=7, robustness_share=0.2) if one.robustness
    ]
    assert 140 < len(moved) < 260
    before = night(*(entry(one.release, rebuilt=3) for one in ones), number=3)
    later = list(due(ones, before, rebuild_every=7, robustness_share=1.0))
    assert {one.robustness for one in later if one.rebuild} == {True}
    assert {one.robustness for one in later if not one.rebuild} == {False}
