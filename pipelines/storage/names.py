"""Keys, the names of objects in a store: the visibility, then percent-encoded segments.

A key that passes `check_key` is ASCII, canonical (each name has one spelling), valid for file
systems and S3, and safe as a relative path: it cannot leave the folder it is used in.
"""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import quote, unquote_to_bytes

from builders.core.digest import Digest
from builders.core.errors import UsageError

MAX_SEGMENT = 255
"""Bytes of one segment: the limit of Linux file systems for a file name."""
MAX_KEY = 900
"""Bytes of a whole key: the limit of S3 is 1024, including a prefix."""
REPORT = "report.json"
_LOG = "public/log/"
_PORTAL = "public/portal/"
PORTAL = f"{_PORTAL}current"
"""The pointer to the newest generation of a portal, in the store that has it."""
_MUTABLE = frozenset({f"{_LOG}checkpoint", PORTAL})
_SHOWN = 120
_PLAIN = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]+")  # text of which nothing is encoded
_PLAIN_KEY = re.compile(rf"(public|private)(/(?!\.\.?(/|$))[A-Za-z0-9._-]{{1,{MAX_SEGMENT}}})+")
_CONTENT = re.compile(
    r"(?:public/cas|private/cas|private/vault|public/portal/files)/sha256/([0-9a-f]{2})/(\1[0-9a-f]{62})"
)


class Visibility(StrEnum):
    """Who may see an object; the first segment of its key."""

    PUBLIC = "public"
    PRIVATE = "private"


_VISIBILITIES = frozenset(Visibility)


def encode(text: str) -> str:
    """Return `text` as one segment: all but letters, digits, `-`, `_` and `.` percent-encoded.

    `.` and `..` are encoded too. Raises `UsageError` for empty text, text that is not Unicode
    (lone surrogates), and a segment longer than `MAX_SEGMENT`.
    """
    if len(text) <= MAX_SEGMENT and _PLAIN.fullmatch(text):
        return text
    if text in {".", ".."}:
        return text.replace(".", "%2E")
    try:
        segment = quote(text, safe="").replace("~", "%7E")
    except UnicodeEncodeError as error:
        raise UsageError("a name is not Unicode text", got=repr(text[:_SHOWN])) from error
    if not 0 < len(segment) <= MAX_SEGMENT:
        raise UsageError(
            "a name cannot be part of an object's name",
            got=f"{text[:_SHOWN]!r}, {len(segment)} bytes when encoded",
            expected=f"1 to {MAX_SEGMENT} bytes",
            todo="Choose a shorter name",
        )
    return segment


def decode(segment: str) -> str:
    """Return the text of one segment; raises `UsageError` unless `encode` gives it back."""
    if len(segment) <= MAX_SEGMENT and _PLAIN.fullmatch(segment):
        return segment
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
        canonical = bool(text) and encode(text) == segment
    except (UnicodeError, UsageError):
        canonical = False
    if not canonical:
        expected = "letters, digits, - _ . and %XX, each text in its one spelling"
        raise _bad("part of an object's name is not canonical percent-encoding", segment, expected)
    return text


def check_key(key: str) -> str:
    """Return `key` when it can name an object; raises `UsageError` with what is wrong."""
    if len(key) <= MAX_KEY and _PLAIN_KEY.fullmatch(key):
        return key
    first, *rest = key.split("/")
    if first not in _VISIBILITIES or not rest:
        raise _bad("an object's name has no visibility", key, "public/... or private/...")
    for segment in rest:
        decode(segment)
    if len(key) > MAX_KEY:
        raise UsageError(
            "an object's name is too long", got=f"{len(key)} bytes", expected=f"at most {MAX_KEY}"
        )
    return key


def check_prefix(prefix: str) -> str:
    """Return `prefix` when it names a whole folder, as `public/releases/`; raises `UsageError`."""
    folder = prefix.removesuffix("/")
    if folder == prefix:
        raise _bad("a prefix does not end at a folder", prefix, "a trailing slash")
    if folder not in _VISIBILITIES:
        check_key(folder)
    return prefix


def cas(visibility: Visibility, digest: Digest) -> str:
    """Return the name of content-addressed evidence."""
    return f"{visibility}/cas/sha256/{digest.hex[:2]}/{digest.hex}"


def portal_file(digest: Digest) -> str:
    """Return the name of a file of a portal, which is kept apart from evidence."""
    return f"{_PORTAL}files/sha256/{digest.hex[:2]}/{digest.hex}"


def content_digest(key: str) -> Digest | None:
    """Return the digest that a content-addressed name promises; None for a named record."""
    match = _CONTENT.fullmatch(key)
    return Digest(match[2]) if match else None


def is_mutable(key: str) -> bool:
    """Say whether an object is replaced: a log's newest checkpoint, and a portal's pointer."""
    return key in _MUTABLE


def is_log(key: str) -> bool:
    """Say whether an object is part of the log; such objects are never queued."""
    return key.startswith(_LOG)


def check_mutable(key: str) -> str:
    """Return `key` when it names an object that is replaced; raises `UsageError`."""
    if not is_mutable(check_key(key)):
        expected = ", ".join(sorted(_MUTABLE))
        raise _bad("an object that is written once is not replaced", key, expected)
    return key


def check_immutable(key: str) -> str:
    """Return `key` when it names an object that is written once; raises `UsageError`."""
    if is_mutable(check_key(key)):
        what = "an object that is replaced cannot be a record"
        raise _bad(what, key, "a name that is written once")
    return key


def is_removable(key: str) -> bool:
    """Say whether an object is of a portal, which is no evidence: it may be removed."""
    return key.startswith(_PORTAL) and not is_mutable(key)


def check_removable(key: str) -> str:
    """Return `key` when it names an object that may be removed; raises `UsageError`."""
    if not is_removable(check_key(key)):
        raise _bad("evidence is not removed", key, f"a name below {_PORTAL}")
    return key


def _bad(what: str, name: str, expected: str) -> UsageError:
    return UsageError(what, got=repr(name[:_SHOWN]), expected=expected)


def private_twin(key: str) -> str:
    """Return the key of the complete private record whose public part is `key`."""
    return check_key(f"{Visibility.PRIVATE}/{key.removeprefix('public/')}")


def release_prefix(vendor: str, product: str, version: str) -> str:
    """Return the folder that holds every run of one release."""
    return check_prefix(f"public/releases/{encode(vendor)}/{encode(product)}/{encode(version)}/")


def release_run(vendor: str, product: str, version: str, center: str, run: str) -> str:
    """Return the folder of one run of one center."""
    folder = release_prefix(vendor, product, version)
    return check_prefix(f"{folder}{encode(center)}/{encode(run)}/")
