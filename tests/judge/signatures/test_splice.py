"""A splice plan that is false gives no file that passes for ours."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest

from builders.core.digest import Digest
from builders.recipe.signature import SignedFormat
from pipelines.judge.signatures.graft import FORMATS, graft
from pipelines.judge.signatures.signature_format import Refused
from pipelines.judge.signatures.splice import (
    Derived,
    Own,
    Piece,
    SpliceError,
    SpliceLimits,
    SplicePlan,
    Taken,
    splice,
)
from tests.judge.signatures.cab_tricks import cabinet
from tests.judge.signatures.pe_tricks import ADA, BY_ADA
from tests.judge.signatures.signing import CHECKSUM, ENTRY, Signing, program, signed
from tests.judge.signatures.test_packed_plans import LyingJail

OURS, THEIRS = b"0123456789", b"01AB456789signature"
LIMITS = SpliceLimits(replaced=2, derived=2, taken=9, places=lambda _: ((0, 10),), within=True)
GOOD: list[Piece] = [
    Own(offset=0, length=2),
    Derived(data=b"AB".hex()),
    Own(offset=4, length=6),
    Taken(offset=10, length=9, why="signature"),
]


def apply(pieces: list[Piece]) -> bytes:
    out = io.BytesIO()
    made = splice(
        SplicePlan(pieces=tuple(pieces)), io.BytesIO(OURS), io.BytesIO(THEIRS), out, LIMITS
    )
    assert made.sha256 == Digest.of(out.getvalue())
    assert made.size == len(out.getvalue())
    return out.getvalue()


def test_a_file_is_made_of_ours_and_of_what_is_listed() -> None:
    assert apply(GOOD) == THEIRS


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([Taken(offset=0, length=19, why="all")], "10 bytes of ours that are left out, at most 2"),
        ([*GOOD[:3], Taken(offset=10, length=10, why="more")], "10 bytes taken"),
        ([Own(offset=0, length=10), Taken(offset=9, length=9, why="moved")], "would move to 10"),
        ([Own(offset=4, length=6), Own(offset=0, length=4)], "twice or out of order"),
        ([Own(offset=0, length=10), Own(offset=0, length=10)], "twice or out of order"),
        ([Own(offset=0, length=11)], "uses 11 bytes of ours"),
        ([Own(offset=0, length=10), Derived(data="aabbcc")], "3 derived bytes"),
        ([Own(offset=0, length=7)], "3 bytes of ours that are left out"),
        ([], "10 bytes of ours that are left out"),
    ],
)
def test_a_false_plan_is_refused(pieces: list[Piece], error: str) -> None:
    with pytest.raises(SpliceError, match=error):
        apply(pieces)


def test_a_plan_that_takes_beyond_the_end_is_refused() -> None:
    short = SplicePlan(pieces=(Own(offset=0, length=10), Taken(offset=10, length=9, why="x")))
    with pytest.raises(SpliceError, match="ends before"):
        splice(short, io.BytesIO(OURS), io.BytesIO(THEIRS[:12]), io.BytesIO(), LIMITS)


@pytest.mark.parametrize(
    "pieces",
    [
        [Own(offset=0, length=1), *GOOD[1:]],
        [*GOOD[:2], Own(offset=5, length=5), *GOOD[3:]],
        [*GOOD[:2], Own(offset=4, length=5)],
        [Own(offset=0, length=3), *GOOD[1:]],
        [Own(offset=0, length=2), Own(offset=3, length=7)],
        [GOOD[1], Own(offset=0, length=10)],
        [Own(offset=0, length=2), GOOD[1], Own(offset=2, length=8)],
        [Own(offset=0, length=6), GOOD[1], Own(offset=6, length=4)],
        [GOOD[0], GOOD[1], Own(offset=4, length=3), GOOD[1], Own(offset=8, length=2)],
    ],
)
def test_a_plan_leaves_out_nothing_but_what_its_format_replaces(pieces: list[Piece]) -> None:
    kept = SpliceLimits(replaced=9, derived=2, taken=9, places=lambda _: ((2, 4), (7, 7)))
    files = io.BytesIO(OURS), io.BytesIO(THEIRS)
    assert splice(SplicePlan(pieces=tuple(GOOD)), *files, io.BytesIO(), kept).size == len(THEIRS)
    put = (Own(offset=0, length=7), Derived(data="61"), Own(offset=7, length=3))
    assert splice(SplicePlan(pieces=put), *files, io.BytesIO(), kept).size == 11
    with pytest.raises(SpliceError, match="in no place of a signature"):
        splice(SplicePlan(pieces=tuple(pieces)), *files, io.BytesIO(), kept)


@pytest.mark.parametrize("form", [f for f, one in FORMATS.items() if not one.limits.zip])
def test_no_plan_hides_a_difference_as_derived(form: SignedFormat) -> None:
    """A reader that a shipped file has taken over may answer with any plan."""
    for ours in (program(b"x" * 999), cabinet(b"x" * 999), b"text\n" * 999):
        size, limits = len(ours), FORMATS[form].limits
        evil = (
            Own(offset=0, length=size - 8),
            Derived(data=b"evil".hex()),
            Own(offset=size - 4, length=4),
        )
        with pytest.raises(SpliceError):
            splice(SplicePlan(pieces=evil), io.BytesIO(ours), io.BytesIO(), io.BytesIO(), limits)


OTHERS = "others in a place of a signature"


def refused(form: SignedFormat, ours: bytes, pieces: Sequence[Piece], shipped: bytes) -> None:
    """Require that a plan that makes the shipped file is refused for what it puts in a place."""
    out, limits, plan = io.BytesIO(), FORMATS[form].limits, SplicePlan(pieces=tuple(pieces))
    with pytest.raises(SpliceError, match=OTHERS):
        splice(plan, io.BytesIO(ours), io.BytesIO(shipped), out, limits)
    assert out.getvalue() == shipped


def test_no_other_code_stands_in_place_of_a_checksum() -> None:
    ours = program(b"good".ljust(512))
    code = program(b"evil".ljust(512))[CHECKSUM:]
    shipped = signed(ours[:CHECKSUM] + code + ours[CHECKSUM + 4 :], Signing(by=ADA))
    end = len(ours) + len(code) - 4
    plan = SplicePlan(
        pieces=(
            Own(offset=0, length=CHECKSUM),
            Taken(offset=CHECKSUM, length=len(code), why="checksum"),
            Own(offset=CHECKSUM + 4, length=len(ours) - CHECKSUM - 4),
            Derived(data=bytes(-end % 8).hex()),
            Taken(offset=end + -end % 8, length=len(shipped) - end - -end % 8, why="table"),
        )
    )
    refused(SignedFormat.PE, ours, plan.pieces, shipped)
    files = io.BytesIO(shipped), io.BytesIO(ours)
    found = graft(LyingJail(PLAN=plan), *files, BY_ADA, io.BytesIO())
    assert isinstance(found, Refused)
    assert OTHERS in found.detail


@pytest.mark.parametrize("changed", [CHECKSUM, ENTRY, ENTRY + 4, -1])
def test_a_program_has_the_fields_that_follow_from_its_table(changed: int) -> None:
    ours = program(b"odd")
    shipped = bytearray(signed(ours, Signing(by=ADA)))
    end = len(ours)
    shipped[end if changed < 0 else changed] ^= 1
    pieces = (
        Own(offset=0, length=CHECKSUM),
        Derived(data=shipped[CHECKSUM : CHECKSUM + 4].hex()),
        Own(offset=CHECKSUM + 4, length=ENTRY - CHECKSUM - 4),
        Derived(data=shipped[ENTRY : ENTRY + 8].hex()),
        Own(offset=ENTRY + 8, length=end - ENTRY - 8),
        Derived(data=shipped[end : end + 5].hex()),
        Taken(offset=end + 5, length=len(shipped) - end - 5, why="table"),
    )
    refused(SignedFormat.PE, ours, pieces, bytes(shipped))
