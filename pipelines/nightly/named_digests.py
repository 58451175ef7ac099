"""Every digest that recipes, images and the records of a store name: what is wanted of a vault.

Digests are searched for as text, in whatever names them, so that none is missed for want of a
format. An input may name others, as the description of a Debian source does; so those that are
named are searched too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import NotFoundError
from builders.inputs.vault import Vault
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import content_digest

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_SMALL = 4 << 20
"""Bytes of the largest input or piece of evidence that may name others."""


def digests_named(
    places: Iterable[Path], vault: DirectoryStore, records: DirectoryStore | None
) -> set[Digest]:
    """Return all digests in the files of `places` and the records of a store, if that is local.

    Inputs in `vault` that one of them names are read, too. Raises `StoreError` and OSError.
    """
    found = set[Digest]()
    for place in places:
        for path in (place, *place.rglob("*")):
            if path.is_file():
                found |= set(_in(path.read_bytes()))
    if records is not None:
        for part in ("public/", "private/"):
            for key in records.list(part):
                found |= set(_in_record(records, key))
    waiting = set(found)
    while waiting:
        new = {d for one in waiting for d in _in_input(vault, one)} - found
        found |= new
        waiting = new
    return found


def _in(data: bytes) -> Iterator[Digest]:
    for match in _DIGEST.findall(data):
        yield Digest(match.decode())


def _in_record(store: DirectoryStore, key: str) -> Iterator[Digest]:
    """Yield the digests in a record, or in evidence that is JSON."""
    if key.startswith("private/vault/"):
        return
    path = store.root / key
    if content_digest(key) is not None:
        with path.open("rb") as stream:
            data = stream.read(_SMALL) if stream.read(1) == b"{" else b""
        yield from _in(data)
        return
    data = path.read_bytes()
    yield from _in(data)
    if key.endswith(SUFFIX) and len(data) <= MAX_ENVELOPE:
        try:
            yield from _in(Envelope.from_bytes(data).payload)
        except EvidenceError:
            return


def _in_input(vault: DirectoryStore, digest: Digest) -> Iterator[Digest]:
    try:
        with vault.open(Vault.key(digest)) as stream:
            data = stream.read(_SMALL + 1)
    except NotFoundError:
        return
    if len(data) <= _SMALL:
        yield from _in(data)
