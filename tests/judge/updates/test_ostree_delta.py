"""Static deltas of OSTree give the objects of the target; altered ones are refused by name."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.recipe.update import DeltaName
from pipelines.judge.updates import gvariant, ostree_delta, ostree_objects
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


def test_a_value_is_taken_apart_as_it_was_put_together() -> None:
    for count in (0, 1, 40, 9000):
        listed = [f"{number:06}" for number in range(count)]
        data = encoded("as", listed)
        assert [gvariant.text(one) for one in gvariant.items("s", data)] == listed
        assert gvariant.fields("(asays)", encoded("(asays)", (listed, b"x", "y"))) == [
            data, b"x", b"y\0",
        ]  # fmt: skip
    assert gvariant.fields("(uy)", b"abcd\7\0\0\0") == [b"abcd", b"\7"]
    assert gvariant.fields("(yu)", b"\7\0\0\0abcd") == [b"\7", b"abcd"]
    assert list(gvariant.items("(uy)", bytes(16))) == [bytes(8), bytes(8)]
    assert [gvariant.offset_bytes(9, size) for size in (254, 255, 65533, 65534)] == [
        b"\t", b"\t\0", b"\t\0", b"\t\0\0\0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("read", "kind", "data"),
    [
        (gvariant.items, "(uy)", bytes(9)),
        (gvariant.items, "s", b"a\0\x09"),
        (gvariant.items, "s", b"a\0\3"),
        (gvariant.items, "s", b"a\0b\0\5\4"),
        (gvariant.items, "ay", bytes(300) + b"\x2b\1\0"),
        (gvariant.fields, "(uy)", b"abcd\7\0\0\1"),
        (gvariant.fields, "(yu)", b"\7\0\1\0abcd"),
        (gvariant.fields, "(yu)", b"\7\0\0\0abcde"),
        (gvariant.fields, "(yu)", b"\7\0\0\0abc"),
        (gvariant.fields, "(sy)", b"a\0bcd\2"),
        (gvariant.fields, "(ss)", b""),
        (gvariant.fields, "(sss)", b"\1"),
        (gvariant.fields, "(ss)", b"a\0\x09"),
    ],
)
def test_a_value_in_another_form_is_refused(
    read: Callable[[str, bytes], Iterable[bytes]], kind: str, data: bytes
) -> None:
    with pytest.raises(UpdateError, match="broken value"):
        list(read(kind, data))


@pytest.mark.parametrize("data", [b"", b"a", b"a\0b\0", b"\xff\0"])
def test_a_text_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(UpdateError, match="type s"):
        gvariant.text(data)
