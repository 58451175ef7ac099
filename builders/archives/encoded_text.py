"""Long runs of base64 or of hexadecimal digits inside other bytes, decoded as they come.

Line breaks, spaces, quotes and commas inside a run mean nothing, nor do the zeros of UTF-16, `\\n`,
`\\x` and `0x`. Base64 may be URL-safe.
"""

from __future__ import annotations

import binascii
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2
from typing import Literal

from builders.archives.streams import ByteSink

SHORTEST = 128
"""Characters of a run; shorter ones are names, words and digests."""
_GAPS = b" \t\r\n\0\"'\\,"
_YES, _NO = b"y", b"n"


@dataclass(frozen=True, kw_only=True)
class TextEncoding:
    """One way to write bytes as text."""

    name: Literal["base64", "hex"]
    group: int
    """Characters that are decoded together."""
    alphabet: bytes
    ignored: tuple[bytes, ...]
    """What stands between characters, beside gaps."""
    varied: float
    """Bits of information in a character of encoded data, at least."""
    decode: Callable[[bytes], bytes]
    """Decodes whole groups, or at the end of a run whatever is left."""

    def characters(self, piece: bytes) -> bytes:
        """Return `piece` without what means nothing inside a run."""
        for what in self.ignored:
            piece = piece.replace(what, b"")
        return piece.translate(None, _GAPS)

    def marks(self, characters: bytes) -> bytes:
        """Return `y` for every character of the alphabet and `n` for any other."""
        return characters.translate(_MARKS[self.name])


def _from_base64(characters: bytes) -> bytes:
    left = len(characters) % 4
    if left == 1:
        characters = characters[:-1]
    elif left:
        characters += b"=" * (4 - left)
    return binascii.a2b_base64(characters.translate(_STANDARD))


def _from_hex(characters: bytes) -> bytes:
    return binascii.unhexlify(characters[: len(characters) // 2 * 2])


_STANDARD = bytes.maketrans(b"-_", b"+/")
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ENCODINGS = (
    TextEncoding(
        name="base64",
        group=4,
        alphabet=_LETTERS + b"0123456789+/-_",
        ignored=(b"\\n", b"\\r"),
        varied=4.9,
        decode=_from_base64,
    ),
    TextEncoding(
        name="hex",
        group=2,
        alphabet=b"0123456789abcdefABCDEF",
        ignored=(b"0x", b"\\x", b"0X", b"\\X", b":"),
        varied=2.8,
        decode=_from_hex,
    ),
)
_MARKS = {
    e.name: bytes(_YES[0] if byte in e.alphabet else _NO[0] for byte in range(256))
    for e in ENCODINGS
}


class TextRuns:
    """Finds the runs of one encoding in the bytes that it is fed, and decodes them.

    Where the bytes of a run begin is not known: letters may stand before it. So each run is decoded
    from each of its first characters that could begin a group.
    """

    def __init__(self, encoding: TextEncoding, opened: Callable[[], ByteSink]) -> None:
        """Call `opened` for where the bytes of a run go."""
        self._encoding = encoding
        self._opened = opened
        self._held = b""
        self._ahead = b""
        self._run: Sequence[_Decoder] = ()

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        piece, self._held = self._held + piece, b""
        if piece.endswith((b"\\", b"0")):  # perhaps half of what is ignored
            piece, self._held = piece[:-1], piece[-1:]
        self._take(piece)

    def _take(self, piece: bytes) -> None:
        text = self._ahead + self._encoding.characters(piece)
        marks, at = self._encoding.marks(text), 0
        self._ahead = b""
        while True:
            if not self._run:
                start = marks.find(_YES * SHORTEST, at)
                if start < 0:
                    self._ahead = text[max(at, len(text) - SHORTEST + 1) :]
                    return
                at = start
                group = self._encoding.group
                self._run = [_Decoder(self._encoding, n, self._opened()) for n in range(group)]
            stop = marks.find(_NO, at)
            for decoder in self._run:
                decoder.feed(text[at : stop if stop >= 0 else None])
            if stop < 0:
                return
            self._close()
            at = stop

    def end(self) -> None:
        """Decode what is left."""
        self._take(self._held)
        self._held = b""
        self._close()

    def _close(self) -> None:
        for decoder in self._run:
            decoder.end()
        self._run = ()


class _Decoder:
    """Decodes one run, without its first `skipped` characters."""

    def __init__(self, encoding: TextEncoding, skipped: int, sink: ByteSink) -> None:
        self._encoding = encoding
        self._skipped = skipped
        self._sink = sink
        self._left = b""

    def feed(self, characters: bytes) -> None:
        characters = self._left + characters
        if self._skipped:
            characters = characters[self._skipped :]  # a run is longer than a group
            self._skipped = 0
        whole = len(characters) // self._encoding.group * self._encoding.group
        self._left = characters[whole:]
        self._sink.feed(self._encoding.decode(characters[:whole]))

    def end(self) -> None:
        self._sink.feed(self._encoding.decode(self._left))
        self._sink.end()


def encoded_runs(text: str) -> list[str]:
    """Return what looks like encoded data in `text`: `600 characters of base64`.

    Nothing is decoded. Words without gaps can make a long run, but use few letters and those
    unevenly.
    """
    for encoding in reversed(ENCODINGS):  # hexadecimal digits are base64 too
        characters = encoding.characters(text.encode())
        runs = re.finditer(b"y{%d,}" % SHORTEST, encoding.marks(characters))
        sizes = [len(run[0]) for run in runs if _varied(characters[slice(*run.span())], encoding)]
        if sizes:
            return [f"{size} characters of {encoding.name}" for size in sizes]
    return []


def _varied(text: bytes, encoding: TextEncoding) -> bool:
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * log2(share) for share in shares) >= encoding.varied
