"""The bundle's form: one spelling, nothing unknown, and no byte that goes unchecked."""

from __future__ import annotations

import io
import tarfile
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.bundle import Bundle, CenterCard
from pipelines.bundle.check import CheckResult, CheckStatus, Trust, check_bundle
from pipelines.bundle.layout import (
    BLOCK,
    LOG,
    MAX_BUNDLE,
    MAX_MEMBERS,
    MEDIA_TYPE,
    STATEMENTS,
    read_tar,
    write_tar,
)
from pipelines.evidence.errors import EvidenceError, MalformedError
from tests.bundle.bundles import Maker
from tests.bundle.corpus import BROKEN, FOLDER, NOW, POLICY, SOUND, TRUSTED, members

FUZZ = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@lru_cache
def sound() -> bytes:
    return (FOLDER / SOUND).read_bytes()


@lru_cache
def trust() -> Trust:
    return Trust(policy=(FOLDER / POLICY).read_bytes(), now=NOW)


def check(data: bytes) -> CheckResult:
    return check_bundle(data, trust=trust())


def refused(data: bytes) -> str:
    """Require that exactly the last step is wrong, with one clear line; return its name."""
    result = check(data)
    last = result.steps[-1]
    assert (result.exit_code, last.status) == (1, CheckStatus.WRONG)
    assert "\n" not in last.message
    assert last.message.isprintable()
    assert len(last.message) < 1000
    return last.name


def test_the_sound_bundle_passes() -> None:
    assert check(sound()).exit_code == 0


def test_every_broken_bundle_is_named_by_its_defect() -> None:
    assert {p.name for p in FOLDER.iterdir()} == {
        SOUND,
        TRUSTED,
        POLICY,
        *(f"{n}.tar" for n in BROKEN),
    }


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_bundle_is_refused_by_the_check_for_it(name: str) -> None:
    assert refused((FOLDER / f"{name}.tar").read_bytes()) == BROKEN[name][0]


def test_a_bundle_reads_back_to_the_same_bytes() -> None:
    assert Bundle.from_bytes(sound()).to_bytes() == sound()
    assert Bundle.of(Bundle.from_bytes(sound()).members).to_bytes() == sound()


def test_the_media_type_stands_at_byte_512() -> None:
    assert sound()[512:].startswith(b"application/vnd.samebits.bundle.v2+tar\n")


def test_a_card_reads_back_to_the_same_bytes(bundle: Maker) -> None:
    data = bundle("identical").members["center.json"]
    assert CenterCard.from_bytes(data).to_bytes() == data


def test_other_tools_read_it(bundle: Maker) -> None:
    data = bundle("identical").to_bytes()
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        found = {m.name: tar.extractfile(m).read() for m in tar if m.isreg()}  # type: ignore[union-attr]
    assert found == dict(members(data))


def test_an_oversized_bundle_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_BUNDLE <= 256 << 20
    monkeypatch.setattr("pipelines.bundle.layout.MAX_BUNDLE", len(sound()) - 1)
    assert refused(sound()) == "form"


def test_members_are_bounded() -> None:
    many = write_tar((f"{n}", b"") for n in range(MAX_MEMBERS + 1))
    with pytest.raises(MalformedError, match="members"):
        read_tar(many)


def test_a_bundle_of_unknown_members_is_not_made(bundle: Maker) -> None:
    altered = bundle("identical")
    altered.members["log/checkpoint"] = b"x"
    with pytest.raises(MalformedError, match="log/checkpoint"):
        Bundle.of(altered.members)


@pytest.mark.parametrize("name", ["", "x" * 101, "ü"])
def test_a_tar_takes_no_name_that_it_cannot_give_back(name: str) -> None:
    with pytest.raises(ValueError, match=r"member|ascii"):
        write_tar([(name, b"")])


@FUZZ
@given(st.lists(st.tuples(st.from_regex(r"[a-z/.]{1,100}", fullmatch=True), st.binary())))
def test_what_is_written_is_read(found: list[tuple[str, bytes]]) -> None:
    assert read_tar(write_tar(found)) == found


@FUZZ
@given(st.binary(max_size=4096))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    assert refused(data) == "form"


@FUZZ
@given(st.binary(max_size=2048))
def test_arbitrary_bytes_behind_a_sound_beginning_are_refused(data: bytes) -> None:
    assert refused(sound()[: 2 * BLOCK] + data) == "form"


@FUZZ
@given(st.integers(0, len(sound()) * 8 - 1))
def test_a_flipped_bit_never_passes(bit: int) -> None:
    data = bytearray(sound())
    data[bit // 8] ^= 1 << bit % 8
    refused(bytes(data))


@FUZZ
@given(st.integers(0, len(sound()) - 1))
def test_a_truncated_bundle_never_passes(size: int) -> None:
    assert refused(sound()[:size]) == "form"


@FUZZ
@given(st.integers(0, len(sound())), st.integers(0, len(sound())), st.binary(max_size=40))
def test_a_bundle_with_a_piece_replaced_never_passes(one: int, two: int, piece: bytes) -> None:
    start, end = min(one, two), max(one, two)
    data = sound()[:start] + piece + sound()[end:]
    if data != sound():
        refused(data)


@FUZZ
@given(st.data())
def test_blocks_in_another_order_never_pass(data: st.DataObject) -> None:
    blocks = [sound()[n : n + BLOCK] for n in range(0, len(sound()), BLOCK)]
    one, two = (data.draw(st.integers(0, len(blocks) - 1)) for _ in range(2))
    if blocks[one] != blocks[two]:
        blocks[one], blocks[two] = blocks[two], blocks[one]
        refused(b"".join(blocks))


@FUZZ
@given(st.data())
def test_members_swapped_doubled_or_dropped_never_pass(data: st.DataObject) -> None:
    """The digests are made to fit, as a forger would; only a policy may be left out, as advice."""
    found = dict(Bundle.from_bytes(sound()).members)
    names = sorted(found.keys() - {"policy.dsse.json"})
    one, two = (data.draw(st.sampled_from(names)) for _ in range(2))
    match data.draw(st.sampled_from(["swap", "copy", "drop", "add"])):
        case "swap":
            found[one], found[two] = found[two], found[one]
        case "copy":
            found[one] = found[two]
        case "drop":
            del found[one]
        case _:
            found[f"{STATEMENTS}comparison-2.dsse.json"] = found[two]
    if found != Bundle.from_bytes(sound()).members:
        refused(packed(found))


@FUZZ
@given(st.data())
def test_a_changed_leaf_or_proof_never_passes(data: st.DataObject) -> None:
    found = dict(Bundle.from_bytes(sound()).members)
    name = data.draw(st.sampled_from([n for n in found if n.startswith(LOG)]))
    at = data.draw(st.integers(0, len(found[name]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != found[name][at]))
    found[name] = found[name][:at] + bytes([byte]) + found[name][at + 1 :]
    assert refused(packed(found)) in {"leaves", "inclusion", "logged", "chain", "commitment"}


@FUZZ
@given(st.data())
def test_a_changed_statement_never_passes_with_fitting_digests(data: st.DataObject) -> None:
    found = dict(Bundle.from_bytes(sound()).members)
    name = data.draw(st.sampled_from([n for n in found if n.startswith(STATEMENTS)]))
    at = data.draw(st.integers(0, len(found[name]) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = found[name][:at] + bytes([byte]) + found[name][at + 1 :]
    if changed != found[name]:
        refused(packed({**found, name: changed}))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"!<arch>\ndebian-binary   1", "a Debian package"),
        (b"PK\3\4wheel", "a zip file, as wheels are"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"", "an empty file"),
        (b"netbase", "something else"),
    ],
)
def test_what_was_taken_for_a_bundle_is_named(data: bytes, kind: str) -> None:
    with pytest.raises(MalformedError) as error:
        Bundle.from_bytes(data)
    assert error.value.got == kind
    assert MEDIA_TYPE in str(error.value.expected)


@FUZZ
@given(st.sampled_from(sorted(Bundle.from_bytes(sound()).members)), st.binary(max_size=300))
def test_rubbish_in_a_member_never_passes(name: str, rubbish: bytes) -> None:
    refused(packed({**Bundle.from_bytes(sound()).members, name: rubbish}))


@FUZZ
@given(st.binary(max_size=500))
def test_a_card_of_arbitrary_bytes_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        CenterCard.from_bytes(data)


def packed(found: dict[str, bytes]) -> bytes:
    from pipelines.bundle.layout import sums_of

    return Bundle(members=found, sums=sums_of(found)).to_bytes()
