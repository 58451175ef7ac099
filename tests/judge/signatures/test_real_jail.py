"""Grafts in the real jail, which has no files to import from when a file is read."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa

from builders.core.digest import Digest
from builders.jail import ParserJail
from builders.packing import GzipPacking
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.signature_format import Graft
from pipelines.verify.readers import READERS
from tests.judge.signatures import (
    cdiff_tricks,
    database_tricks,
    module_tricks,
    pe_tricks,
    rauc_tricks,
    rpm_tricks,
    text_tricks,
    texts,
    tuf_tricks,
)
from tests.judge.signatures.modules import packed, signed
from tests.judge.signatures.pgp_signing import PgpKey
from tests.judge.signatures.rpm_signing import PGP
from tests.judge.signatures.signing import Signing
from tests.judge.signatures.signing import signed as signed_program

KEYS = {
    "DSA": PgpKey(dsa.generate_private_key(1024), 17),  # noqa: S505
    "ECDSA": PgpKey(ec.generate_private_key(ec.SECP256R1()), 19),
    "Ed25519": rpm_tricks.ADA,
    "Ed448": PgpKey(ed448.Ed448PrivateKey.generate(), 28),
    "RSA": PgpKey(rsa.generate_private_key(public_exponent=65537, key_size=2048), 1),
}


def by(key: PgpKey) -> tuple[bytes, bytes, PinnedSignature]:
    """Return a signed package, ours, and who signed it."""
    made = rpm_tricks.RPM
    return made.signed(made.by(key), made.by(key, PGP)), rpm_tricks.OURS, rpm_tricks.pinned(key)


_MODULE = signed(module_tricks.OURS, module_tricks.ADA)
FILES: dict[str, tuple[bytes, bytes, PinnedSignature]] = {
    "clear-signed text": (text_tricks.WHOLE, texts.DSC, text_tricks.BY_ADA),
    "cdiff": (cdiff_tricks.SHIPPED, cdiff_tricks.OURS, cdiff_tricks.BY_CLAMAV),
    "TUF": (tuf_tricks.SHIPPED, tuf_tricks.OURS, tuf_tricks.PINS),
    "CVD": (database_tricks.WHOLE, database_tricks.OWN, database_tricks.PINS),
    "kernel module": (_MODULE, module_tricks.OURS, module_tricks.BY_ADA),
    "kernel module in xz": (packed(_MODULE), module_tricks.OURS, module_tricks.BY_ADA),
    "kernel module in gzip": (
        packed(_MODULE, GzipPacking()), packed(module_tricks.OURS), module_tricks.BY_ADA
    ),
    "PE by an elliptic key": (
        signed_program(pe_tricks.OURS, Signing(by=pe_tricks.BOB)),
        pe_tricks.OURS,
        pe_tricks.pinned(pe_tricks.BOB),
    ),
    "RAUC bundle": (rauc_tricks.GOOD, rauc_tricks.OURS, rauc_tricks.BY_ADA),
    **{f"RPM package by {n}": by(k) for n, k in KEYS.items()},
}  # fmt: skip


@pytest.fixture(scope="module")
def jail() -> Iterator[ParserJail]:
    jail = ParserJail(READERS)
    yield jail
    jail.close()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_grafted_in_the_real_jail(jail: ParserJail, name: str) -> None:
    shipped, ours, pins = FILES[name]
    found = graft(jail, io.BytesIO(shipped), io.BytesIO(ours), pins, io.BytesIO())
    assert isinstance(found, Graft), found
    assert found.sha256 == Digest.of(shipped)
