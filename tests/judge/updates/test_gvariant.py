"""Values of GVariant: their parts, and forms that are not the only one of their type."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from pipelines.judge.updates import gvariant
from pipelines.judge.updates.update_fault import UpdateError
from tests.judge.updates.ostree_deltas import encoded


def test_the_types_in_a_type_are_told_apart() -> None:
    assert gvariant.parts_of("(ya{sv}((us)t)aays)") == ["y", "a{sv}", "((us)t)", "aay", "s"]


@pytest.mark.parametrize("size", [200, 253, 254, 300, 65531, 65532])
def test_an_array_says_in_as_many_bytes_as_its_size_needs_where_its_parts_end(size: int) -> None:
    content = b"x" * (size - 1) + b"\0"
    width = 1 if size + 1 < 1 << 8 else 2 if size + 2 < 1 << 16 else 4
    data = content + size.to_bytes(width, "little")
    assert list(gvariant.items("s", data)) == [content]
    with pytest.raises(UpdateError):
        list(gvariant.items("s", data + b"\0" * (5 - width)))


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
        (gvariant.fields, "(sy)", b"\7\0\0"),
        (gvariant.fields, "(sy)", b"\0"),
        (gvariant.fields, "(sssy)", b"\0\0"),
        (gvariant.items, "s", bytes(257) + b"\1\1\1"),
        (gvariant.fields, "(uy)", b"abcd\7"),
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
