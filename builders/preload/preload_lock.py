"""The lock of the preloaded library: its sources, the image that compiles it, and its digest."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import Field

from builders.core.digest import Digest, canonical_json
from builders.core.frozen_model import FrozenModel
from builders.core.yamlfile import parse_document, parse_model

LOCK = "preload.lock.yaml"
SOURCES = ("clock.c", "programs.c")


class PreloadLock(FrozenModel):
    """Digests of the C sources, of the config of the compiler's image, and of the library."""

    schema_: Annotated[Literal["samebits/preload-lock/v1"], Field(alias="schema")]
    image: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    config: Digest
    sources: Digest
    library: Digest


@cache
def preload_lock() -> PreloadLock:
    """Read the lock that is part of this version of samebits."""
    text = _file(LOCK).decode()
    return parse_model(parse_document(text, file=f"builders/preload/{LOCK}"), PreloadLock)


def sources() -> dict[str, bytes]:
    """Return the C sources of the library, by name."""
    return {name: _file(name) for name in SOURCES}


def sources_digest() -> Digest:
    """Return one digest of all sources: that of the canonical JSON of their digests."""
    return Digest.of(canonical_json({n: str(Digest.of(data)) for n, data in sources().items()}))


def probe_bytes() -> bytes:
    """Return the script that checks the clock before a build; its digest is in the claim."""
    return _file("clock.sh")


def _file(name: str) -> bytes:
    return (resources.files("builders.preload") / name).read_bytes()
