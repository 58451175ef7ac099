"""The secret of a private release."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from builders.core.digest import Digest
from builders.core.errors import StoreConflictError, UsageError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.salt import Salt, keep_salt, read_salt, release_salt, salt_key
from pipelines.storage.store import DamagedError
from tests.fakes.store import MemoryStore

RELEASE = ReleaseName(vendor="acme", product="engine", version="4.2")
SALT = Salt(secret=bytes(range(32)))


def test_it_is_made_once_and_kept_in_private() -> None:
    store = MemoryStore()
    made = release_salt(store, RELEASE)
    assert release_salt(store, RELEASE) == made
    assert list(store.objects) == ["private/salts/acme/engine/4.2"]
    assert len(made.secret) == 32


def test_two_releases_have_two() -> None:
    store = MemoryStore()
    other = ReleaseName(vendor="acme", product="engine", version="4.3")
    assert release_salt(store, RELEASE) != release_salt(store, other)


def test_of_racing_makers_one_wins() -> None:
    store = MemoryStore()

    def slowly(count: int) -> bytes:
        keep_salt(store, RELEASE, SALT)
        return b"x" * count

    assert release_salt(store, RELEASE, slowly) == SALT


def test_centers_that_share_it_tell_the_same() -> None:
    here, there = MemoryStore(), MemoryStore()
    made = release_salt(here, RELEASE)
    keep_salt(there, RELEASE, Salt.parse(made.to_text()))
    digest = Digest.of(b"source")
    assert release_salt(there, RELEASE).keyed(digest) == made.keyed(digest)


def test_another_salt_never_replaces_it() -> None:
    store = MemoryStore()
    release_salt(store, RELEASE)
    with pytest.raises(StoreConflictError):
        keep_salt(store, RELEASE, SALT)


def test_a_keyed_digest_is_what_openssl_makes_of_the_hex_digits() -> None:
    digest = Digest.of(b"source")
    expected = hmac.new(SALT.secret, str(digest).encode(), hashlib.sha256).hexdigest()
    assert SALT.keyed(digest).hex == expected


def test_it_is_not_shown() -> None:
    assert SALT.secret.hex() not in f"{SALT!r} {SALT}"


@pytest.mark.parametrize("text", ["", "abc", "A" * 64, "g" * 64, "a" * 63, "a" * 65, "ä" * 64])
def test_what_is_no_salt_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Salt.parse(text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\xff" * 32, b"a" * 64 + b"x" * 300])
def test_a_damaged_one_is_told(data: bytes) -> None:
    store = MemoryStore()
    store.put_record(salt_key(RELEASE), data)
    with pytest.raises(DamagedError, match="is damaged"):
        read_salt(store, RELEASE)
