"""What is listed as carried: exactly what was taken and no signature covers."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest

from builders.core.digest import Digest
from pipelines.judge.signatures import graft as graft_module
from pipelines.judge.signatures.graft import _carried, _in_order, graft
from pipelines.judge.signatures.pe import PE
from pipelines.judge.signatures.signature_format import (
    MAX_CARRIED,
    Graft,
    Refused,
    Signer,
    Uncovered,
    VerifiedSignatures,
)
from pipelines.judge.signatures.splice import SplicePlan, Taken
from tests.judge.signatures.pe_tricks import ADA, BY_ADA
from tests.judge.signatures.signing import program, with_table
from tests.judge.signatures.test_packed_plans import LyingJail


def test_a_range_that_begins_or_ends_in_our_bytes_is_listed_in_part() -> None:
    data = bytes(range(40))
    taken = [Taken(offset=10, length=10, why="table"), Taken(offset=30, length=5, why="table")]
    bare = [
        Uncovered(offset=0, length=10, why="ours"),
        Uncovered(offset=5, length=10, why="structure"),
        Uncovered(offset=18, length=14, why="structure"),
    ]
    found = list(_carried(bare, taken, io.BytesIO(data)))
    assert [(one.offset, one.length) for one in found] == [(10, 5), (18, 2), (30, 2)]
    assert [one.sha256 for one in found] == [
        Digest.of(data[10:15]),
        Digest.of(data[18:20]),
        Digest.of(data[30:32]),
    ]


def test_pieces_that_follow_on_each_other_are_one_range() -> None:
    taken = [Taken(offset=at, length=2, why="table") for at in (10, 12, 14, 20)]
    bare = [Uncovered(offset=0, length=13, why="a"), Uncovered(offset=13, length=27, why="b")]
    found = list(_carried(bare, taken, io.BytesIO(bytes(40))))
    assert [(one.offset, one.length, one.why) for one in found] == [
        (10, 3, "a"),
        (13, 3, "b"),
        (20, 2, "b"),
    ]


def test_a_range_that_begins_where_another_ends_is_found() -> None:
    taken = [Taken(offset=10, length=5, why="table"), Taken(offset=20, length=5, why="table")]
    bare = [Uncovered(offset=15, length=20, why="a")]
    found = list(_carried(bare, taken, io.BytesIO(bytes(40))))
    assert [(one.offset, one.length) for one in found] == [(20, 5)]
    assert list(_carried(bare, [], io.BytesIO())) == []


@pytest.mark.parametrize("inside", [False, True])
def test_what_is_compressed_is_counted_by_itself(*, inside: bool) -> None:
    taken = [Taken(offset=0, length=40, why="table")]
    bare = [
        Uncovered(offset=at, length=9, why="a", inside=at in {0, 10}) for at in (5, 0, 20, 10, 30)
    ]
    assert len(_in_order(bare)) == len(bare)
    found = list(_carried(bare, taken, io.BytesIO(bytes(40)), inside=inside))
    assert [one.offset for one in found] == ([0, 10] if inside else [5, 20, 30])


def lied(cuts: int, bare: Sequence[Uncovered]) -> Graft | Refused:
    """Return what comes of a table taken in pieces, of which this is said not to be covered."""
    ours = program(b"x" * 512)
    table = bytes(2 * (MAX_CARRIED + 1))
    shipped = with_table(ours, table)
    honest = PE.plan(io.BytesIO(shipped), io.BytesIO(ours)).pieces
    step = len(table) // cuts
    pieces = [
        Taken(offset=len(ours) + at, length=min(step, len(table) - at), why="table")
        for at in range(0, len(table), step)
    ]
    plan = SplicePlan(pieces=(*honest[:-1], *pieces))
    signers = (Signer(certificate=ADA.pin, subject="CN=ada"),)
    verified = VerifiedSignatures(signers=signers, uncovered=tuple(bare))
    files = io.BytesIO(shipped), io.BytesIO(ours)
    return graft(LyingJail(PLAN=plan, VERIFY=verified), *files, BY_ADA, io.BytesIO())


def test_a_byte_is_listed_once() -> None:
    whole = Uncovered(offset=0, length=1 << 40, why="all")
    found = lied(20, [whole])
    assert isinstance(found, Graft)
    assert len(found.carried) == 1
    found = lied(20, [whole, whole])
    assert isinstance(found, Refused)
    assert "listed twice" in found.detail
    two = [Uncovered(offset=1060, length=9, why="b"), Uncovered(offset=1050, length=10, why="a")]
    found = lied(1, two)
    assert isinstance(found, Graft)
    assert [one.why for one in found.carried] == ["a", "b"]


def test_a_statement_has_place_for_all_that_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = [Uncovered(offset=1024 + 2 * at, length=1, why="x") for at in range(MAX_CARRIED)]
    found = lied(1, bare)
    assert isinstance(found, Graft)
    assert len(found.carried) == MAX_CARRIED
    monkeypatch.setattr(graft_module, "MAX_CARRIED", MAX_CARRIED - 1)
    found = lied(1, bare)
    assert isinstance(found, Refused)
    assert found.fault == "signature-unreadable"
    assert "at most 9999" in found.detail
