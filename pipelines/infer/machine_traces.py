"""Settings of the vendor's machine that leave traces: order of folders, time zone.

ext4 sorts a folder by a hash of the names: half of MD4 (RFC 1320), started from the seed of the
file system, as the documentation of ext4 describes. Only what a recipe can declare is tried.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from builders.container.folderorder import SEEDS, hash_seed, hashed

# One zone for each set of rules, the likely ones first.
ZONES = (
    "UTC", "America/Los_Angeles", "America/New_York", "Europe/Berlin", "Europe/London",
    "America/Chicago", "America/Denver", "Asia/Shanghai", "Asia/Tokyo", "Asia/Kolkata",
    "Australia/Sydney", "America/Sao_Paulo", "Europe/Helsinki", "Europe/Moscow",
    "America/Phoenix", "Asia/Jerusalem", "America/Argentina/Buenos_Aires", "Australia/Brisbane",
    "Australia/Adelaide", "Australia/Perth", "Pacific/Auckland", "Asia/Dubai", "Asia/Karachi",
    "Asia/Dhaka", "Asia/Bangkok", "Asia/Tehran", "Asia/Kathmandu", "America/Halifax",
    "America/St_Johns", "America/Anchorage", "Pacific/Honolulu", "America/Bogota",
    "America/Caracas", "Africa/Lagos", "Africa/Johannesburg", "Africa/Nairobi",
    "Atlantic/Reykjavik", "Europe/Istanbul",
)  # fmt: skip
# Seconds: a zip keeps even ones only, and tools round up or down.
TOLERANCE = 2
_WORD = 0xFFFFFFFF
_BLOCK = 32
_RECORD = "RECORD"
# Function, constant, order of the words of a block, and the rotation of each sum.
_ROUNDS: tuple[tuple[Callable[[int, int, int], int], int, Sequence[int], Sequence[int]], ...] = (
    (lambda x, y, z: z ^ (x & (y ^ z)), 0, (0, 1, 2, 3, 4, 5, 6, 7), (3, 7, 11, 19)),
    (lambda x, y, z: (x & y) + ((x ^ y) & z), 0x5A827999, (1, 3, 5, 7, 0, 2, 4, 6), (3, 5, 9, 13)),
    (lambda x, y, z: x ^ y ^ z, 0x6ED9EBA1, (3, 7, 2, 6, 1, 5, 0, 4), (3, 9, 11, 15)),
)


def zones_for(pairs: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Yield the zones that explain every pair of (time since 1970, local time read as UTC)."""
    known = list(pairs)
    for name in ZONES:
        try:
            zone = ZoneInfo(name)
        except ZoneInfoNotFoundError:
            continue
        if all(abs(local(at, zone) - seen) <= TOLERANCE for at, seen in known):
            yield name


def local(at: int, zone: ZoneInfo) -> int:
    """Return the local time of `at` in `zone`, written as seconds since 1970 as if it were UTC."""
    moment = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return int(moment.replace(tzinfo=UTC).timestamp())


def name_hash(name: str, order: str) -> tuple[int, int]:
    """Return the key by which ext4 sorts `name` under a hashed order: hash and minor hash."""
    data = name.encode("utf-8", "surrogateescape")
    state = struct.unpack("<4I", uuid.UUID(hash_seed(order)).bytes)
    for start in range(0, len(data), _BLOCK):
        state = _mixed(state, _words(data[start:]))
    return state[1] & ~1, state[2]


def order_of(paths: Iterable[str], folders: Sequence[str], first: str) -> str | None:
    """Return an order under which the files of all `folders` are listed as in `paths`.

    It is the first that explains the folder `first` too, else the first; None without any.
    """
    names = names_of(paths)
    found = [o for o in map(hashed, SEEDS) if all(_explains(o, names[f]) for f in folders)]
    also = (o for o in found if _explains(o, names.get(first, [])))
    return next(also, found[0] if found else None)


def is_reordered(left: Iterable[str], right: Iterable[str]) -> bool:
    """Say whether the names that both sides have are in another order."""
    one, other = list(left), list(right)
    common = set(one) & set(other)
    return [name for name in one if name in common] != [name for name in other if name in common]


def reordered(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    """Return the folders whose files, of those in both, are in another order."""
    left, right = names_of(one), names_of(other)
    return tuple(f for f in left if f in right and is_reordered(left[f], right[f]))


def names_of(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of the files of each folder in their order; a wheel's RECORD comes last."""
    found: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if name != _RECORD:
            found.setdefault(folder, []).append(name)
    return found


def _explains(order: str, names: Sequence[str]) -> bool:
    hashes = (name_hash(name, order) for name in names)
    return all(one <= other for one, other in pairwise(hashes))


def _words(data: bytes) -> list[int]:
    """Return the first block as eight words: bytes are signed, and the length fills the rest."""
    fill = len(data) & 0xFF
    fill |= fill << 8 | fill << 16 | fill << 24
    words = []
    for start in range(0, _BLOCK, 4):
        word = fill
        for byte in data[:_BLOCK][start : start + 4]:
            word = (word << 8) + (byte - 256 if byte > 127 else byte) & _WORD
        words.append(word)
    return words


def _mixed(state: tuple[int, ...], words: Sequence[int]) -> tuple[int, ...]:
    a, b, c, d = state
    for function, constant, order, turns in _ROUNDS:
        for step, index in enumerate(order):
            total = (a + function(b, c, d) + words[index] + constant) & _WORD
            turn = turns[step % 4]
            turned = (total << turn | total >> (32 - turn)) & _WORD
            a, b, c, d = d, turned, b, c
    return tuple((x + y) & _WORD for x, y in zip(state, (a, b, c, d), strict=True))
