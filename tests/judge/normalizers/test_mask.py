"""EQUIVALENT: a ledger that replays our bytes to the shipped ones, or none."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.jail.errors import JailUnavailableError
from builders.recipe.normalizers import DeclaredNormalizer
from pipelines.judge.normalizers.ledger import MaskLedger, NotMasked, replayed
from pipelines.judge.normalizers.mask import mask
from tests.fakes.jail import OpenJail
from tests.judge.normalizers.made_files import PAIRS, Pair
from tests.judge.normalizers.mask_tricks import TRICKS
from tests.judge.normalizers.trick import ALL, declared


def masked(
    shipped: bytes, rebuilt: bytes, allowed: tuple[DeclaredNormalizer, ...]
) -> MaskLedger | NotMasked:
    return mask(OpenJail(), io.BytesIO(shipped), io.BytesIO(rebuilt), allowed)


def ledger(pair: Pair, shipped: int, rebuilt: int) -> MaskLedger:
    found = masked(pair.make(shipped), pair.make(rebuilt), declared(pair.normalizer))
    assert isinstance(found, MaskLedger), found
    return found


def outside(made: bytes, found: MaskLedger) -> bytes:
    """Return a file without what a ledger masks."""
    left = bytearray(made)
    for line in found.lines:
        left[line.offset : line.offset + line.length] = bytes(line.length)
    return bytes(left)


@pytest.mark.parametrize("name", PAIRS)
def test_a_ledger_replays_to_the_shipped_file(name: str) -> None:
    pair = PAIRS[name]
    shipped, rebuilt = pair.make(pair.shipped), pair.make(pair.rebuilt)
    found = ledger(pair, pair.shipped, pair.rebuilt)
    assert (found.sha256, found.size) == (Digest.of(shipped), len(shipped))
    assert b"".join(replayed(found.lines, io.BytesIO(rebuilt))) == shipped
    assert outside(shipped, found) == outside(rebuilt, found)
    assert set(found.bytes_by_normalizer) == {pair.normalizer}
    for line in found.lines:
        span = slice(line.offset, line.offset + line.length)
        assert shipped[span] != rebuilt[span]
        assert (line.shipped, line.rebuilt) == (Digest.of(shipped[span]), Digest.of(rebuilt[span]))
        assert (line.reason, line.signed) == ("the vendor's tool gives no such time", False)


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_is_different_by_its_own_name(name: str) -> None:
    one = TRICKS[name]
    found = masked(one.shipped(), one.rebuilt(), one.allowed)
    assert isinstance(found, NotMasked)
    assert found.fault == one.fault, found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_altered_equal_after_masking_is_equal_outside_of_the_ledger(
    data: st.DataObject,
) -> None:
    pair = data.draw(st.sampled_from(list(PAIRS.values())))
    rebuilt = pair.make(pair.rebuilt)
    known = {
        at
        for line in ledger(pair, pair.shipped, pair.rebuilt).lines
        for at in range(line.offset, line.offset + line.length)
    }
    shipped = bytearray(pair.make(data.draw(st.sampled_from((pair.shipped, pair.rebuilt)))))
    for _ in range(data.draw(st.integers(1, 3))):
        near = st.sampled_from(sorted(known)) | st.integers(0, len(shipped) - 1)
        shipped[data.draw(near)] = data.draw(st.integers(0, 255))
    if bytes(shipped) == rebuilt:
        return
    found = masked(bytes(shipped), rebuilt, declared(*ALL))
    if isinstance(found, MaskLedger):
        assert outside(bytes(shipped), found) == outside(rebuilt, found)
        assert b"".join(replayed(found.lines, io.BytesIO(rebuilt))) == bytes(shipped)
        beyond = {line.normalizer for line in found.lines if line.offset not in known}
        assert beyond <= {"ar-times", "ar-owners", "tar-times", "zip-times"}, found


def test_members_of_a_chain_are_named() -> None:
    pair = PAIRS["an ELF in a tar in an ar"]
    (line,) = ledger(pair, pair.shipped, pair.rebuilt).lines
    assert line.members == ("data.tar", "usr/lib/inner")
    assert (line.field, line.length) == ("build-id", 20)


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("code of an ELF file", "byte 176 is in executable-segment"),
        ("code of an ELF file in a tar", "byte 688 is in executable-segment of usr/lib/inner"),
        ("data of an ELF file", "byte 376 is in content"),
        ("padding of a tar member", "byte 515 is in no-member"),
        (
            "a normalizer that is not declared",
            "the 12 bytes at 24 are in modification-time, which ar-times would mask",
        ),
    ],
)
def test_what_may_not_be_masked_is_named(name: str, detail: str) -> None:
    one = TRICKS[name]
    found = masked(one.shipped(), one.rebuilt(), one.allowed)
    assert isinstance(found, NotMasked)
    assert found.detail == detail


def test_equal_files_have_no_ledger() -> None:
    with pytest.raises(ValueError, match="at least 1 item"):
        masked(b"the same", b"the same", declared(*ALL))


def test_without_a_jail_nothing_is_said() -> None:
    pair = PAIRS["ar times"]
    jail = OpenJail(JailUnavailableError("no jail", got="this machine"))
    with pytest.raises(JailUnavailableError):
        mask(jail, io.BytesIO(pair.make(1)), io.BytesIO(pair.make(2)), declared(*ALL))
