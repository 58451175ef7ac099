"""Looking for what must not be told, in whatever form it could be told."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_DEPTH = 3


def needles(texts: Iterable[str], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return every spelling of every text, and of every digest of every file."""
    found: dict[str, bytes] = {}
    for text in texts:
        for spelling in {text, quote(text, safe=""), text.encode().hex(), text.lower()}:
            found[f"text {spelling}"] = spelling.encode()
    for name, data in files.items():
        found |= digest_needles(name, *(hashlib.new(a, data).digest() for a in _ALGORITHMS))
    return found


_ALGORITHMS = ("sha256", "sha1", "md5", "sha512")


def digest_needles(name: str, *digests: bytes) -> dict[str, bytes]:
    found = {}
    for digest in digests:
        plain = base64.b64encode(digest).rstrip(b"=")
        found[f"{len(digest)} bytes of {name}"] = digest
        found[f"hex of {name}, {len(digest)}"] = digest.hex().encode()
        found[f"upper hex of {name}, {len(digest)}"] = digest.hex().upper().encode()
        found[f"base64 of {name}, {len(digest)}"] = plain
        found[f"url base64 of {name}, {len(digest)}"] = base64.urlsafe_b64encode(digest).rstrip(
            b"="
        )
    return found


def leaks(folder: Path, wanted: Mapping[str, bytes]) -> list[str]:
    """Return what of `wanted` is anywhere below `folder`: in names, bytes, or what they encode."""
    found = []
    for path in sorted(folder.rglob("*")):
        texts = [str(path.relative_to(folder)).encode()]
        if path.is_file():
            texts.append(path.read_bytes())
        for text in texts:
            for form in _forms(text, _DEPTH):
                found += [f"{path}: {what}" for what, needle in wanted.items() if needle in form]
    return found


def _forms(data: bytes, depth: int) -> Iterator[bytes]:
    yield data
    if b"%" in data:
        yield unquote_to_bytes(data)
    if depth == 0:
        return
    for match in _BASE64.findall(data):
        for decode in (base64.b64decode, base64.urlsafe_b64decode):
            padded = match.rstrip(b"=") + b"=" * (-len(match.rstrip(b"=")) % 4)
            try:
                decoded = decode(padded)
            except (binascii.Error, ValueError):
                continue
            if len(match) > 100 or decoded.isascii():
                yield from _forms(decoded, depth - 1)
            else:
                yield decoded
