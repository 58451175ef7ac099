from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.core.errors import UsageError
from builders.inputs.vault import Vault
from pipelines.storage import names
from pipelines.storage.names import Visibility

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=28)


@given(TEXT)
def test_any_text_is_one_segment_and_back(text: str) -> None:
    segment = names.encode(text)
    assert segment.isascii()
    assert "/" not in segment
    assert names.decode(segment) == text
    key = names.check_key(f"private/{segment}")
    assert posixpath.normpath(key) == key


@given(st.text(max_size=40))
def test_a_segment_has_one_spelling_or_is_refused(segment: str) -> None:
    try:
        text = names.decode(segment)
    except UsageError:
        return
    assert names.encode(text) == segment


@given(
    st.text(max_size=60) | st.from_regex(r"(public|private)(/[a.%2EF~]{0,6}){1,4}", fullmatch=True)
)
def test_an_accepted_key_stays_in_its_folder(key: str) -> None:
    try:
        names.check_key(key)
    except UsageError:
        return
    assert key.isascii()
    assert key.split("/", maxsplit=1)[0] in {"public", "private"}
    assert posixpath.normpath(key) == key
    assert all(0 < len(part) <= names.MAX_SEGMENT for part in key.split("/"))


@given(TEXT, TEXT)
def test_two_names_never_meet(one: str, other: str) -> None:
    assert (names.encode(one) == names.encode(other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("1:1.0.18-1+deb13u1~x!", "1%3A1.0.18-1%2Bdeb13u1%7Ex%21"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("...", "..."),
        ("a/b", "a%2Fb"),
        ("%2E", "%252E"),
    ],
)
def test_segments_are_spelled_like_this(text: str, segment: str) -> None:
    assert names.encode(text) == segment


@pytest.mark.parametrize("text", ["", "x" * 256, "~" * 86, "\ud800"])
def test_what_is_no_segment_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        names.encode(text)


def test_a_run_has_its_folder() -> None:
    assert (
        names.release_run("debian", "libsodium", "1.0.18-1+deb13u1", "eu-1", "20260101T000000Z-0a")
        == "public/releases/debian/libsodium/1.0.18-1%2Bdeb13u1/eu-1/20260101T000000Z-0a/"
    )
    with pytest.raises(UsageError, match="too long"):
        names.release_run(*["x" * 200] * 5)


def test_content_names_are_known_by_their_digest() -> None:
    digest = Digest.of(b"")
    kept = (*(names.cas(v, digest) for v in Visibility), Vault.key(digest))
    for key in (*kept, names.portal_file(digest)):
        assert names.content_digest(names.check_key(key)) == digest
        assert names.content_digest(key + "0") is None
        assert names.content_digest(key.replace("/e3/", "/e4/")) is None
    assert names.content_digest(f"public/x/sha256/e3/{digest}") is None


def test_only_files_of_a_portal_are_removed() -> None:
    digest = Digest.of(b"")
    for key in (names.portal_file(digest), "public/portal/generations/1.json"):
        assert names.check_removable(key) == key
    evidence = (names.cas(Visibility.PUBLIC, digest), Vault.key(digest), "public/log/checkpoint")
    for key in (*evidence, names.PORTAL, "public/portal/../cas/x", "public/portals/x"):
        with pytest.raises(UsageError):
            names.check_removable(key)
