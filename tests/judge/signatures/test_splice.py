"""A splice plan that is false gives no file that passes for ours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import BinaryIO

import pytest

from builders.core.digest import Digest
from builders.recipe.signature import SignedFormat
from pipelines.judge.signatures.cvd import _PACKING
from pipelines.judge.signatures.filled import FilledGap
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.graft_readers import FORMATS
from pipelines.judge.signatures.left_out import info_members, signature_header
from pipelines.judge.signatures.signature_format import Refused, Signer, VerifiedSignatures
from pipelines.judge.signatures.splice import (
    Derived,
    Own,
    PackedPlan,
    Piece,
    Spliced,
    SpliceError,
    SpliceLimits,
    SplicePlan,
    Taken,
    check_fit,
    splice,
)
from tests.judge.signatures.cab_tricks import GROWN, HEADER, cabinet, prepared
from tests.judge.signatures.database_tricks import PINS
from tests.judge.signatures.databases import OURS as DATABASE
from tests.judge.signatures.databases import SIGNED, block
from tests.judge.signatures.pe_tricks import ADA, BY_ADA
from tests.judge.signatures.rpm_signing import Entry, Rpm
from tests.judge.signatures.rpm_tricks import OURS as PACKAGE
from tests.judge.signatures.rpm_tricks import RPM
from tests.judge.signatures.signing import CHECKSUM, ENTRY, Signing, program, signed
from tests.judge.signatures.test_packed_plans import LyingJail
from tests.judge.signatures.texts import DSC, ClearSigned

OURS, THEIRS = b"0123456789", b"01AB456789signature"
LIMITS = SpliceLimits(replaced=2, derived=2, taken=9, places=lambda _: ((0, 10),), within=True)
GOOD: list[Piece] = [
    Own(offset=0, length=2),
    Derived(data=b"AB".hex()),
    Own(offset=4, length=6),
    Taken(offset=10, length=9, why="signature"),
]


def fitting(
    plan: SplicePlan, own: BinaryIO, shipped: BinaryIO, out: BinaryIO, limits: SpliceLimits
) -> Spliced:
    made = splice(plan, own, shipped, out, limits)
    check_fit(plan, own, out, limits)
    return made


def apply(pieces: list[Piece]) -> bytes:
    out = io.BytesIO()
    made = fitting(
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
        ([*GOOD[:2], Own(offset=5, length=5)], "3 bytes of ours that are left out"),
        ([], "10 bytes of ours that are left out"),
    ],
)
def test_a_false_plan_is_refused(pieces: list[Piece], error: str) -> None:
    with pytest.raises(SpliceError, match=error):
        apply(pieces)


def test_a_plan_that_takes_beyond_the_end_is_refused() -> None:
    short = SplicePlan(pieces=(Own(offset=0, length=10), Taken(offset=10, length=9, why="x")))
    with pytest.raises(SpliceError, match="ends before"):
        fitting(short, io.BytesIO(OURS), io.BytesIO(THEIRS[:12]), io.BytesIO(), LIMITS)


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
    assert fitting(SplicePlan(pieces=tuple(GOOD)), *files, io.BytesIO(), kept).size == len(THEIRS)
    put = (Own(offset=0, length=7), Derived(data="61"), Own(offset=7, length=3))
    assert fitting(SplicePlan(pieces=put), *files, io.BytesIO(), kept).size == 11
    with pytest.raises(SpliceError, match="in no place of a signature"):
        fitting(SplicePlan(pieces=tuple(pieces)), *files, io.BytesIO(), kept)


@pytest.mark.parametrize(("begin", "end"), [(1, 3), (3, 6), (6, 7)])
def test_a_part_of_a_range_is_within_it(begin: int, end: int) -> None:
    kept = SpliceLimits(replaced=9, derived=9, taken=9, places=lambda _: ((2, 5),), within=True)
    files = io.BytesIO(OURS), io.BytesIO()
    part = (Own(offset=0, length=3), Own(offset=4, length=6))
    assert fitting(SplicePlan(pieces=part), *files, io.BytesIO(), kept).size == 9
    other = (Own(offset=0, length=begin), Own(offset=end, length=10 - end))
    with pytest.raises(SpliceError, match="in no place of a signature"):
        fitting(SplicePlan(pieces=other), *files, io.BytesIO(), kept)


@pytest.mark.parametrize(
    ("pieces", "gaps"),
    [
        ([Own(offset=0, length=2), Own(offset=4, length=6)], [(2, 4, 2, 0)]),
        ([Own(offset=0, length=8)], [(8, 10, 8, 0)]),
        (GOOD, [(2, 4, 2, 2), (10, 10, 10, 9)]),
        ([Own(offset=0, length=4), Own(offset=4, length=6)], []),
    ],
)
def test_all_that_is_other_than_ours_is_looked_at(
    pieces: list[Piece], gaps: list[tuple[int, int, int, int]]
) -> None:
    seen: list[FilledGap] = []
    limits = replace(LIMITS, fits=lambda _, __, found: not seen.extend(found))  # type: ignore[func-returns-value]
    files = io.BytesIO(OURS), io.BytesIO(THEIRS)
    fitting(SplicePlan(pieces=tuple(pieces)), *files, io.BytesIO(), limits)
    assert [(one.begin, one.end, one.at, one.length) for one in seen] == gaps


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
            fitting(SplicePlan(pieces=evil), io.BytesIO(ours), io.BytesIO(), io.BytesIO(), limits)


OTHERS = "others in a place of a signature"


def refused(
    form: SignedFormat,
    ours: bytes,
    pieces: Sequence[Piece],
    shipped: bytes,
    *,
    inside: bool = False,
) -> None:
    """Require that a plan that makes the shipped file is refused for what it puts in a place."""
    limits = FORMATS[form].limits.inside if inside else FORMATS[form].limits
    assert limits is not None
    out, plan = io.BytesIO(), SplicePlan(pieces=tuple(pieces))
    with pytest.raises(SpliceError, match=OTHERS):
        fitting(plan, io.BytesIO(ours), io.BytesIO(shipped), out, limits)
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


@pytest.mark.parametrize("changed", [ENTRY, ENTRY + 4, -1])
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
    jail = LyingJail(PLAN=SplicePlan(pieces=pieces))
    found = graft(jail, io.BytesIO(shipped), io.BytesIO(ours), BY_ADA, io.BytesIO())
    assert isinstance(found, Refused)
    assert OTHERS in found.detail


@pytest.mark.parametrize("at", [8, 16, 30, 36, 44])
def test_nothing_longer_stands_in_place_of_a_field_of_a_cabinet(at: int) -> None:
    ours, length = cabinet(b"a", b"b"), 2 if at == 30 else 4
    shipped = ours[:at] + b"E" * 200_000 + ours[at + length :]
    pieces = (
        Own(offset=0, length=at),
        Taken(offset=at, length=200_000, why="field"),
        Own(offset=at + length, length=len(ours) - at - length),
    )
    refused(SignedFormat.CAB, ours, pieces, shipped)


@pytest.mark.parametrize("changed", [None, 8, 16, 30, *range(HEADER, HEADER + GROWN + 4), 68])
def test_a_cabinet_has_the_fields_that_follow_from_its_signature(changed: int | None) -> None:
    ours, signature = cabinet(b"a", b"b"), b"signature"
    shipped = bytearray(prepared(ours, len(signature)) + signature)
    end = len(shipped) - len(signature)
    if changed is not None:
        shipped[changed] ^= 1
    pieces: list[Piece] = []
    done = 0
    for at, length, grown in ((8, 4, 0), (16, 4, 0), (30, 2, 0), (36, 4, GROWN), (44, 4, 0)):
        moved = at + (GROWN if at > HEADER else 0)
        data = bytes(shipped[moved : moved + length + grown])
        pieces += [Own(offset=done, length=at - done), Derived(data=data.hex())]
        done = at + length
    pieces.append(Own(offset=done, length=len(ours) - done))
    pieces.append(Taken(offset=end, length=len(signature), why="signature"))
    if changed is not None:
        refused(SignedFormat.CAB, ours, pieces, bytes(shipped))
        return
    out, files = io.BytesIO(), (io.BytesIO(ours), io.BytesIO(shipped))
    fitting(SplicePlan(pieces=tuple(pieces)), *files, out, FORMATS[SignedFormat.CAB].limits)
    assert out.getvalue() == shipped


def test_no_other_package_stands_in_place_of_a_signature_header() -> None:
    ((_, begin),) = signature_header(io.BytesIO(PACKAGE))
    evil = Rpm(
        entries=(Entry.text(1000, "hello"), Entry.text(1023, "evil")), payload=PACKAGE[begin:]
    )
    shipped = evil.signed()
    end = len(shipped) - (len(PACKAGE) - begin)
    pieces = (
        Own(offset=0, length=96),
        Taken(offset=96, length=end - 96, why="signature"),
        Own(offset=begin, length=len(PACKAGE) - begin),
    )
    refused(SignedFormat.RPM, PACKAGE, pieces, shipped)


def test_nothing_follows_the_payload_of_a_package() -> None:
    shipped = RPM.signed() + b"more"
    ((_, ours),) = signature_header(io.BytesIO(PACKAGE))
    ((_, begin),) = signature_header(io.BytesIO(shipped))
    pieces = (
        Own(offset=0, length=96),
        Taken(offset=96, length=begin - 96, why="signature"),
        Own(offset=ours, length=len(PACKAGE) - ours),
        Derived(data=b"more".hex()),
    )
    refused(SignedFormat.RPM, PACKAGE, pieces, shipped)


@pytest.mark.parametrize(
    ("begin", "line", "end"),
    [
        (b"", b"Package: trojan\n- ", b""),
        (b"", b"- - ", b""),
        (b"Package: trojan\n", b"- ", b""),
        (b"", b"- ", b"Package: trojan\n"),
    ],
)
def test_no_line_is_put_into_a_text(begin: bytes, line: bytes, end: bytes) -> None:
    whole, dash, late = ClearSigned().whole(), DSC.index(b"-dash"), DSC.index(b"From")
    first, armor = whole.index(DSC[:9]), whole.index(b"-----BEGIN PGP SIGNATURE")
    head, tail = whole[:first] + begin, end + whole[armor:]
    text = DSC[:dash] + line + DSC[dash:late] + b"- " + DSC[late:]
    shipped = head + text + tail
    at = len(head) + len(text)
    pieces = (
        Derived(data=head.hex()),
        Own(offset=0, length=dash),
        Derived(data=line.hex()),
        Own(offset=dash, length=late - dash),
        Derived(data=b"- ".hex()),
        Own(offset=late, length=len(DSC) - late),
        Taken(offset=at, length=len(tail), why="signature"),
    )
    refused(SignedFormat.CLEARSIGNED, DSC, pieces, shipped)


@pytest.mark.parametrize("evil", [b"", block(b"a.ign2", b"Win.A\n"), block(b"a.info", b"")])
def test_no_member_is_put_in_front_of_an_info(evil: bytes) -> None:
    ours, theirs = DATABASE.tar(DATABASE.info), SIGNED.tar(SIGNED.info)
    ((begin, end),) = info_members(io.BytesIO(ours))
    ((_, after),) = info_members(io.BytesIO(theirs))
    made = evil + theirs[begin:after]
    if not evil:
        made = made.replace(b"DSIG:", b"DSIG;")
    shipped = ours[:begin] + made + ours[end:]
    pieces = [Own(offset=0, length=begin), *spliced(ours[begin:end], made, begin)]
    pieces.append(Own(offset=end, length=len(ours) - end))
    refused(SignedFormat.CVD, ours, pieces, shipped, inside=True)
    whole = SIGNED.around(shipped)
    head = (Derived(data=whole[:512].hex()), Own(offset=512, length=len(whole) - 512))
    held = PackedPlan(begin=512, pieces=tuple(pieces), packing=_PACKING)
    verified = VerifiedSignatures(
        signers=tuple(Signer(certificate=pin, subject="ClamAV") for pin in PINS.signers),
        uncovered=(),
    )
    jail = LyingJail(PLAN=SplicePlan(pieces=head, inside=held), VERIFY=verified)
    found = graft(jail, io.BytesIO(whole), io.BytesIO(DATABASE.whole()), PINS, io.BytesIO())
    assert isinstance(found, Refused)
    assert OTHERS in found.detail


def spliced(ours: bytes, made: bytes, base: int) -> list[Piece]:
    """Return pieces that make `made` of bytes at `base`, with as few others as can be."""
    found: list[Piece] = []
    derived = 0
    codes = SequenceMatcher(None, ours, made, autojunk=False).get_opcodes()
    for tag, begin, end, at, last in codes:
        if tag == "equal":
            found.append(Own(offset=base + begin, length=end - begin))
            continue
        split = min(last, at + 1024 - derived)
        if split > at:
            found.append(Derived(data=made[at:split].hex()))
            derived += split - at
        if last > split:
            found.append(Taken(offset=base + split, length=last - split, why="more"))
    return found


@pytest.mark.parametrize("changed", [b"ClamAV-VDB", b":7:", b":3:", b":90:", b" " * 9])
def test_a_header_of_a_database_keeps_what_is_no_claim(changed: bytes) -> None:
    ours, theirs = DATABASE.whole(), SIGNED.whole()
    head = theirs[:512].replace(changed, changed[:-2] + b"1" + changed[-1:], 1)
    shipped = (head if changed.strip() else theirs[:504]) + ours[512:]
    pieces = (Derived(data=shipped[: len(shipped) - len(ours) + 512].hex()),)
    refused(SignedFormat.CVD, ours, (*pieces, Own(offset=512, length=len(ours) - 512)), shipped)
