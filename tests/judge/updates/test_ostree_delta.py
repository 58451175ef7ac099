"""Static deltas of OSTree give the objects of the target; altered ones are refused by name."""

from __future__ import annotations

import io
import tempfile
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.recipe.update import DeltaName
from pipelines.judge.updates.delta_format import DeltaLimits
from pipelines.judge.updates.ostree_delta import write_members
from pipelines.judge.updates.update_fault import UpdateError
from tests.judge.updates.appliers import applied
from tests.judge.updates.ostree_deltas import OstreeDelta, Tree
from tests.judge.updates.ostree_tricks import BASE, GOOD, NEW, OSTREE_TRICKS, PART, SIZE, TARGET

FILES = st.dictionaries(
    st.sampled_from(["a", "b", "link"]), st.one_of(st.binary(max_size=60), st.just("target"))
)


def members(target: bytes) -> bytes:
    out = io.BytesIO()
    limits = DeltaLimits(size=SIZE, scratch=tempfile.TemporaryFile)
    write_members(io.BytesIO(target), out, limits)
    return out.getvalue()


def test_a_delta_gives_the_objects_of_the_target() -> None:
    listed = members(TARGET)
    assert applied(DeltaName.OSTREE, BASE, GOOD.file(), SIZE) == listed
    assert f"{NEW.commit.hex()}.commit\n".encode() in listed
    assert len(listed.splitlines()) == len(NEW.files) + 3
    packed = replace(GOOD, parts=(replace(PART, packing=b"x"),))
    assert applied(DeltaName.OSTREE, BASE, packed.file(), SIZE) == listed


@settings(max_examples=25, deadline=None, database=None)
@given(FILES, FILES)
def test_a_delta_of_any_files_gives_the_objects_of_the_target(old: dict, new: dict) -> None:  # type: ignore[type-arg]
    before, after = Tree(old), Tree(new)
    base, delta = OstreeDelta.full(before).file(), OstreeDelta.between(before, after).file()
    assert applied(DeltaName.OSTREE, base, delta, SIZE) == members(OstreeDelta.full(after).file())


def test_a_target_is_a_whole_release() -> None:
    with pytest.raises(UpdateError, match="delta of another commit"):
        members(GOOD.file())


@pytest.mark.parametrize("name", OSTREE_TRICKS)
def test_an_altered_delta_is_refused_by_its_name(name: str) -> None:
    trick = OSTREE_TRICKS[name]
    assert applied(trick.format, trick.base, trick.made(), trick.size) == trick.fault
