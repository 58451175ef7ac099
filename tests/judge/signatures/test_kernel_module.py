"""Kernel modules: ours with the appended signature, and each way in which that must not pass."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.packing import DeflateEncoder, GzipPacking, XzPacking
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures import kernel_module
from pipelines.judge.signatures import unpacked as unpacked_streams
from pipelines.judge.signatures.kernel_module import pins
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft, Refused
from tests.judge.signatures.module_tricks import ADA, BOB, BY_ADA, OURS
from tests.judge.signatures.modules import appended, named, packed, pinned, pkcs7, signed
from tests.judge.signatures.planted import grafted
from tests.judge.signatures.signing import edited, value


def bare(algorithm: bytes) -> bytes:
    """Return an algorithm without NULL as its parameter, as newer versions of OpenSSL write it."""
    assert algorithm.endswith(b"\5\0")
    return value(0x30, algorithm[2:-2])


PLAIN = signed(OURS, ADA)
GOOD: dict[str, tuple[bytes, PinnedSignature]] = {
    "an elliptic key": (PLAIN, BY_ADA),
    "RSA": (signed(OURS, BOB), pinned(BOB)),
    "SHA-512": (signed(OURS, ADA, algorithm="sha512"), BY_ADA),
    "digests without a parameter": (
        appended(
            OURS,
            edited(edited(pkcs7(ADA, OURS), bare, 0, 1, 0, 1, 0), bare, 0, 1, 0, 3, 0, 2),
        ),
        BY_ADA,
    ),
    "a signer that is named by its issuer": (signed(OURS, ADA, issuer=True), BY_ADA),
    "xz with threads": (packed(PLAIN), BY_ADA),
    "xz without threads": (packed(PLAIN, XzPacking(preset=6, check="crc32")), BY_ADA),
    "xz of another preset": (packed(PLAIN, XzPacking(preset=2, extreme=True)), BY_ADA),
    "gzip": (packed(PLAIN, GzipPacking(encoder=DeflateEncoder(level=9))), BY_ADA),
    "gzip of another level": (packed(PLAIN, GzipPacking(mtime=77, os=255)), BY_ADA),
}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        *((name, OURS) for name in GOOD),
        *((name, packed(OURS)) for name in GOOD if name.startswith(("xz", "gzip"))),
    ],
)
def test_our_module_with_the_signature_is_the_shipped_file(name: str, ours: bytes) -> None:
    shipped, pins = GOOD[name]
    found = grafted(shipped, pins, ours)
    assert isinstance(found, Graft), found
    assert (found.sha256, found.size) == (Digest.of(shipped), len(shipped))
    assert [one.certificate for one in found.signers] == list(pins.signers)
    assert found.carried == ()
    assert 0 < found.taken < 600
    assert bool(found.packing) is not shipped.startswith(b"\x7fELF")


def test_a_certificate_without_a_key_identifier_is_named_by_its_issuer() -> None:
    bare = named("bare", key_id=False)
    found = grafted(signed(OURS, bare, issuer=True), pinned(bare), OURS)
    assert isinstance(found, Graft), found


@settings(max_examples=15)
@given(st.binary(max_size=300), st.booleans())
def test_any_module_signed_and_compressed_comes_back(content: bytes, threads: bool) -> None:
    ours = OURS[:16] + content
    packing = XzPacking(preset=0, check="none", threads=threads)
    shipped = packed(signed(ours, ADA), packing)
    found = grafted(shipped, BY_ADA, packed(ours, packing))
    assert isinstance(found, Graft), found


def test_every_altered_byte_is_refused() -> None:
    """None of them is listed as carried: each follows from the module, or is the signature."""
    for at in (*range(0, len(OURS), 9), *range(len(OURS), len(PLAIN))):
        made = bytearray(PLAIN)
        made[at] ^= 0x41
        assert not isinstance(grafted(bytes(made), BY_ADA, OURS), Graft), at


@pytest.mark.parametrize(
    ("shipped", "fault", "named"),
    [
        (packed(PLAIN), "unexpected-signer", "the key identifier "),
        (signed(OURS, ADA, issuer=True), "unexpected-signer", "Common Name: ada', number 7"),
        (OURS, "signature-unreadable", "not signed"),
        (appended(OURS, b"0\0"), "signature-unreadable", "cannot be read"),
    ],
)
def test_a_signer_is_named_to_whoever_looks_for_a_certificate(
    shipped: bytes, fault: str, named: str
) -> None:
    with pytest.raises(BadSignatureError) as raised:
        pins(io.BytesIO(shipped))
    assert raised.value.refused.fault == fault
    assert named in raised.value.refused.detail


def test_a_compressed_module_is_unpacked_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = packed(PLAIN)
    monkeypatch.setattr(kernel_module, "_MAX_MODULE", len(PLAIN))
    assert isinstance(grafted(shipped, BY_ADA, OURS), Graft)
    monkeypatch.setattr(kernel_module, "_MAX_MODULE", len(PLAIN) - 1)
    found = grafted(shipped, BY_ADA, OURS)
    assert isinstance(found, Refused)
    assert found.fault == "signature-unreadable"


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_stream_is_read_in_pieces_of_any_size(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked_streams, "CHUNK", size)
    ours = OURS + bytes(3 << 20 if size > 1 else 0)
    shipped = packed(signed(ours, ADA))
    assert isinstance(grafted(shipped, BY_ADA, ours), Graft)
    found = grafted(shipped + b"\0", BY_ADA, ours)
    assert isinstance(found, Refused)
    assert found.fault == "trailing-bytes"
