"""First looks in the jail: within their time, and with an end that is told."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import BinaryIO

import pytest

from builders.core.digest import Digest
from builders.core.enums import Role
from builders.jail import JailEnd, JailFailedError, ParserJail
from builders.jail.file_reader import P, R, Reader
from infra.bench.planted import planted_pairs
from pipelines.explain.first_look import FirstLooks, look_at
from pipelines.explain.quickdiff import Look
from pipelines.judge.copied import CheckedInput, contents
from pipelines.verify.readers import READERS
from tests.fakes.jail import OpenJail

Maker = Callable[..., bytes]
HELPER = b"a helper that was copied in from a dependency"


def test_a_look_is_the_same_in_the_jail_and_outside(make_tar: Maker) -> None:
    one, other = make_tar({"a": b"1", "b": b"2"}), make_tar({"a": b"1", "b": b"3"})
    jail = ParserJail(READERS)
    found: list[Look] = []
    for place in (jail, OpenJail()):
        looks = FirstLooks(place)
        found.append(looks.difference(io.BytesIO(one), io.BytesIO(other)))
        archive = make_tar({"helper.py": HELPER})
        file = CheckedInput(
            role=Role.DEPENDENCY,
            name="d.tar",
            digest=Digest.of(archive),
            open=partial(io.BytesIO, archive),
        )
        (carried,) = looks.carried(io.BytesIO(archive), [(file, contents(file, place))])
        assert (carried.member, carried.input) == ("helper.py", "d.tar")
    jail.close()
    assert found[0] == found[1]
    assert found[0].diff.members is not None
    assert [member.path for member in found[0].diff.members.changed] == ["b"]


def test_every_format_is_read_in_the_jail_as_outside() -> None:
    """A module that a reader first imports in there is missing: there are no files."""
    jail = ParserJail(READERS)
    for pair in planted_pairs():
        files = io.BytesIO(pair.shipped), io.BytesIO(pair.rebuilt)
        assert look_at(jail, *files) == look_at(OpenJail(), *files), pair.cause
    jail.close()


class CrashingJail(OpenJail):
    """A jail in which reading formats kills the process."""

    def run(
        self,
        reader: Reader[P, R],
        files: Sequence[BinaryIO],
        parameters: P,
        *,
        outputs: Sequence[BinaryIO] = (),
        seconds: float | None = None,
    ) -> R:
        if getattr(parameters, "fields", False):
            raise JailFailedError(JailEnd.OUT_OF_MEMORY, "too much memory", got="all")
        return super().run(reader, files, parameters, outputs=outputs, seconds=seconds)


def test_a_reader_that_dies_costs_nobody_the_members(make_tar: Maker) -> None:
    one, other = make_tar({"a": b"1"}), make_tar({"a": b"2"})
    found = look_at(CrashingJail(), io.BytesIO(one), io.BytesIO(other)).diff
    assert found.members is not None
    assert [member.path for member in found.members.changed] == ["a"]
    assert (found.fields, found.truncated) == ((), True)


def test_a_file_that_is_no_archive_carries_nothing() -> None:
    assert FirstLooks(OpenJail()).carried(io.BytesIO(b"\x1f\x8b\x08 broken"), []) == ()


def test_all_looks_of_a_run_share_one_deadline() -> None:
    now = [0.0]
    looks = FirstLooks(OpenJail(), seconds=10, clock=lambda: now[0])
    looks.difference(io.BytesIO(b"a"), io.BytesIO(b"b"))
    now[0] = 9.5
    with pytest.raises(JailFailedError, match="used up; got more than 10 s") as caught:
        looks.difference(io.BytesIO(b"a"), io.BytesIO(b"b"))
    assert caught.value.end is JailEnd.TIMED_OUT
    with pytest.raises(JailFailedError):
        looks.carried(io.BytesIO(b"a"), [])
