"""Who signed stands first, of two signatures, and of one that only one side has."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from builders.jail import Jail, ParserJail
from pipelines.explain.first_look import look_at
from pipelines.explain.sentences import sentences
from pipelines.verify.readers import READERS
from tests.fakes.jail import OpenJail
from tests.judge.signatures.pgp_signing import Signature, armor, ed25519_key
from tests.judge.signatures.rauc_signing import cms
from tests.judge.signatures.signing import Vendor

Maker = Callable[..., bytes]


def told(jail: Jail, one: bytes, other: bytes) -> list[str]:
    return list(sentences(look_at(jail, io.BytesIO(one), io.BytesIO(other)).diff))


def openpgp(user: str = "Ada") -> tuple[bytes, str]:
    key = ed25519_key(user)
    made = Signature(by=key, kind=0).packet(b"text")
    return armor(made, "SIGNATURE").encode(), key.fingerprint


def test_the_signers_of_two_cms_signatures_are_named() -> None:
    ada, bob = (Vendor.named(name, elliptic=True) for name in ("Ada", "Bob"))
    (first, *_) = told(OpenJail(), *(cms(by, b"text", detached=True) for by in (ada, bob)))
    assert first.startswith("`signer` says Common Name: Ada, serial ")
    assert "the rebuild Common Name: Bob, serial " in first


def test_the_keys_of_two_openpgp_signatures_are_named() -> None:
    (one, ours), (other, theirs) = openpgp("Ada"), openpgp("Bob")
    (first, *_) = told(OpenJail(), one, other)
    said = f"`signer` says OpenPGP key {ours}, the rebuild OpenPGP key {theirs} (signature)"
    assert first == said


@pytest.mark.parametrize("inside", [False, True])
def test_a_signature_that_was_only_shipped_is_named(make_zip: Maker, *, inside: bool) -> None:
    """In the jail, where a reader finds no module that it did not import before."""
    signature = cms(Vendor.named("Ada", elliptic=True), b"text", detached=True)
    files = {"a.txt": b"1"}
    jail = ParserJail(READERS) if inside else OpenJail()
    (first, *_) = told(jail, make_zip({**files, "META-INF/A.EC": signature}), make_zip(files))
    jail.close()
    assert first.startswith("`signer` says Common Name: Ada, serial ")
    assert first.endswith(", the rebuild has none (signature, META-INF/A.EC)")
