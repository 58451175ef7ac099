"""The lock of the preload: which sources, in which image, to which library; its other files."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from builders.core.digest import Digest, canonical_json
from builders.core.yamlfile import parse_document, parse_model

LOCK = "preload.lock.yaml"
SOURCES = ("clock.c", "programs.c")


class PreloadLock(BaseModel):
    """Digests of the C sources, of the config of the image with the compiler, of the library."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    schema_: Annotated[Literal["samebits/preload-lock/v1"], Field(alias="schema")]
    image: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    config: Digest
    sources: Digest
    library: Digest


@cache
def preload_lock() -> PreloadLock:
    """Read the lock that came with this version of samebits."""
    text = _file(LOCK).decode()
    return parse_model(parse_document(text, file=f"builders/preload/{LOCK}"), PreloadLock)


def sources() -> dict[str, bytes]:
    """Return the C sources of the library, by name."""
    return {name: _file(name) for name in SOURCES}


def sources_digest() -> Digest:
    """Return one digest of all sources: of the canonical JSON of the digest of each."""
    return Digest.of(canonical_json({n: str(Digest.of(data)) for n, data in sources().items()}))


def probe_bytes() -> bytes:
    """Return the script that proves the clock before a build; its digest is part of the claim."""
    return _file("clock.sh")


def _file(name: str) -> bytes:
    return (resources.files("builders.preload") / name).read_bytes()
