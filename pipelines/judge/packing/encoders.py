"""Which encoder wrote a deflate stream, and with which parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product

from builders.packing.compress import MAX_WHOLE, PackingError, deflated
from builders.packing.parameters import LEVELS, DeflateEncoder, Strategy

_ITERATIONS = (15, 5)
"""Of zopfli: its default, and what it advises for larger files."""
_SLOW, _SLOWEST = 4 << 20, 64 << 10
"""Bytes of content that the slow levels of libdeflate, and zopfli, are tried on."""
_USUAL = (6, 9, 1, 5, 8, 7, 4, 3, 2, 0)
_MEMORY = (8, 9, *range(7, 0, -1))
_RARE: tuple[Strategy, ...] = ("rle", "huffman", "fixed")


def encoders() -> Iterator[DeflateEncoder]:
    """Yield every encoder that is tried, the usual and the fast ones first."""
    seen: set[DeflateEncoder] = set()
    for encoder in _all():
        if encoder not in seen:
            seen.add(encoder)
            yield encoder


def _all() -> Iterator[DeflateEncoder]:
    for library, memory in (("zlib", 8), ("zlib", 9), ("zlib-ng", 8)):
        for level in _USUAL:
            yield _encoder(library, level, memory)
    for memory, level in product((8, 9), _USUAL):
        yield _encoder("zlib", level, memory, "filtered")
    for level in LEVELS["libdeflate"]:
        yield _encoder("libdeflate", level)
    for memory, level in product(_MEMORY, _USUAL):
        yield _encoder("zlib", level, memory)
    for strategy, memory, level in product(_RARE, (8, 9), (6, 9, 1)):
        yield _encoder("zlib", level, memory, strategy)
    for level in _USUAL:
        yield _encoder("zlib-ng", level, 9)
    for level in _ITERATIONS:
        yield _encoder("zopfli", level)


def _encoder(
    library: str, level: int, memory: int = 8, strategy: str = "default"
) -> DeflateEncoder:
    return DeflateEncoder.model_validate(
        {"library": library, "level": level, "memory_level": memory, "strategy": strategy}
    )


def is_affordable(encoder: DeflateEncoder, size: int) -> bool:
    """Say whether it is tried on a content of `size` bytes."""
    match encoder.library:
        case "zopfli":
            return size <= _SLOWEST
        case "libdeflate":
            return size <= (_SLOW if encoder.level > 9 else MAX_WHOLE)
        case _:
            return True


def gives(
    content: Iterable[bytes], encoder: DeflateEncoder, packed: Callable[[int], bytes]
) -> bool:
    """Say whether an encoder makes a stream of a content, whole and no more.

    `packed` reads the next bytes of the stream. The first byte that differs ends it.
    """
    try:
        for made in deflated(content, encoder):
            if packed(len(made)) != made:
                return False
    except PackingError:
        return False
    return not packed(1)
