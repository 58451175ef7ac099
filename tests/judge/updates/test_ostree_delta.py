"""Static deltas of OSTree give the objects of the target; altered ones are refused by name."""

from __future__ import annotations

import io
import stat
import struct
import tempfile
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.recipe.update import DeltaName
from pipelines.judge.updates import ostree_delta, ostree_objects
from pipelines.judge.updates.delta_format import DeltaLimits
from pipelines.judge.updates.ostree_delta import write_members
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault, UpdateRefused
from tests.judge.updates.appliers import applied
from tests.judge.updates.ostree_deltas import OstreeDelta, Tree, encoded
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
    assert len(listed.splitlines()) == len(NEW.files) + 1 + 2 + 1, "folders have one mode"
    packed = replace(GOOD, parts=(replace(PART, packing=b"x"),))
    assert applied(DeltaName.OSTREE, BASE, packed.file(), SIZE) == listed


def test_what_is_no_part_of_a_delta_is_left_alone() -> None:
    about = (("deltas/x/y", ("(yay)", PART.file())), ("deltas/x/7", ("y", b"l")))
    assert applied(DeltaName.OSTREE, BASE, replace(GOOD, about=about).file(), SIZE) == members(
        TARGET
    )


class Private(Tree):
    """A folder of a mode of its own."""

    def owner(self, kind: str) -> tuple[bytes, ...]:
        found = super().owner(kind)
        return (*found[:2], struct.pack(">I", stat.S_IFDIR | 0o700)) if kind == "d" else found


def test_the_modes_of_folders_are_objects_of_their_commit() -> None:
    sub = Private({"b": b"x" * 127})
    tree = Tree({"a": b"x"}, sub)
    listed = members(OstreeDelta.full(tree).file())
    for one in (tree, sub):
        assert f"{one.roots[1].hex()}.dirmeta\n".encode() in listed
    assert len(listed.splitlines()) == 7


@pytest.mark.parametrize("size", [1, 300])
def test_what_is_hashed_of_a_file_has_its_attributes(size: int) -> None:
    owner, xattrs = Tree({}).owner("f"), [(b"user.x\0", b"y" * size)]
    value = encoded("(uuuusa(ayay))", (*owner, bytes(4), "", xattrs))
    made = ostree_objects.file_header(b"".join(owner), encoded("a(ayay)", xattrs), None)
    assert made == struct.pack(">II", len(value), 0) + value


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
    refused = applied(trick.format, trick.base, trick.made(), trick.size)
    assert isinstance(refused, UpdateRefused)
    assert (refused.fault, trick.says in refused.detail) == (trick.fault, True), refused.detail


@pytest.mark.parametrize(
    ("module", "limit"),
    [
        (ostree_objects, "_MAX_METADATA"),
        (ostree_objects, "_MAX_CONTENTS"),
        (ostree_delta, "_MAX_PART"),
        (ostree_delta, "_MAX_FILE"),
    ],
)
def test_what_is_held_is_bounded(
    module: ModuleType, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = replace(GOOD, parts=(replace(PART, packing=b"x"),)).file()
    monkeypatch.setattr(module, limit, 200)
    refused = applied(DeltaName.OSTREE, BASE, packed, SIZE)
    assert isinstance(refused, UpdateRefused)
    assert refused.fault in {UpdateFault.UNBOUNDED, UpdateFault.UNSUPPORTED}
