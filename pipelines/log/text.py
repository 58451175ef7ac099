"""The parts of C2SP texts: lines, decimal numbers and base64, each in its canonical form.

Each function names what it refuses by `what`, and raises the error class it is given.
"""

from __future__ import annotations

import re

from pipelines.evidence import strictbase64
from pipelines.log.errors import LogError
from pipelines.log.merkle import MAX_SIZE

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


def parse_text(data: bytes, *, what: str, limit: int, error: type[LogError]) -> str:
    """Return UTF-8 text of at most `limit` bytes without control characters but newline."""
    if len(data) > limit:
        raise error(
            f"{what} is too large", got=f"{len(data)} bytes", expected=f"at most {limit} bytes"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise error(
            f"{what} is not UTF-8",
            got=f"byte {data[problem.start]:#04x} at {problem.start}",
            expected="UTF-8 text",
        ) from problem
    check_control(text, what=what, error=error)
    return text


def check_control(text: str, *, what: str, error: type[LogError]) -> None:
    """Refuse ASCII control characters other than newline."""
    if found := _CONTROL.search(text):
        raise error(
            f"{what} has a control character",
            got=f"U+{ord(found[0]):04X} at {found.start()}",
            expected="none but newline",
        )


def parse_base64(text: str, *, what: str, error: type[LogError]) -> bytes:
    """Return the bytes of standard base64 (RFC 4648, 4), padded and without stray bits."""
    try:
        return strictbase64.decode_base64(text)
    except ValueError as problem:
        raise error(
            f"{what} is not base64 in its canonical form",
            got=shown(text),
            expected="padded standard base64",
        ) from problem


def parse_number(text: str, *, what: str, error: type[LogError]) -> int:
    """Return a decimal number below 2**63, written without sign or leading zeros."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise error(
            f"{what} is not a number in its canonical form",
            got=shown(text),
            expected=f"0 to {MAX_SIZE} in decimal, without leading zeros",
        )
    return int(text)


def check_size(data: bytes, size: int, *, what: str, error: type[LogError]) -> None:
    """Refuse bytes of another length than `size`."""
    if len(data) != size:
        raise error(
            f"{what} has another length", got=f"{len(data)} bytes", expected=f"{size} bytes"
        )


def check_range(number: int, low: int, high: int, *, what: str, error: type[LogError]) -> None:
    """Refuse a number that is not between `low` and `high`; `what` says what is wrong with it."""
    if not low <= number <= high:
        raise error(what, got=number, expected=f"{low} to {high}")


def shown(text: str) -> str:
    """Return foreign text for a message: quoted, ASCII, short."""
    return f"{text!a:.80}"
