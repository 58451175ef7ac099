"""Damaged archives in the jail: each gives a list or an `ArchiveError`, in time and within memory.

`FUZZ_SECONDS=600 pytest tests/judge/test_fuzzed.py` goes on for ten minutes, and with `FUZZ_SEED`
from another place on.
"""

from __future__ import annotations

import io
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.archives import ArchiveError
from builders.jail import JailFailedError, Nothing, ParserJail
from pipelines.judge.copied import FILES
from tests.judge.attacks import ATTACKS

SECONDS = float(os.environ.get("FUZZ_SECONDS", "10"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
_LIMIT = 20.0
"""Seconds of one file; a busy machine takes its time too."""
_SMALL = 1 << 20
_NUMBERS = (b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"77777777777", b"99999999")


@pytest.fixture(scope="module")
def jail() -> Iterator[ParserJail]:
    jail = ParserJail([FILES.name])
    yield jail
    jail.close()


def seeds(data: Path) -> list[bytes]:
    files = [path.read_bytes() for path in sorted(data.iterdir()) if path.is_file()]
    made = (ATTACKS[name](1) for name in ("long_names", "sparse", "huge_size", "nested_gzips"))
    return [content for content in [*files, *made] if 0 < len(content) <= _SMALL]


def damaged(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return `content` with some bytes changed, cut out, said twice or taken from `other`."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        at, size = chance.randrange(len(found) + 1), chance.choice((1, 4, 12, 512, 4096))
        match chance.randrange(5):
            case 0:
                found[at : at + size] = chance.randbytes(size)
            case 1:
                found[at : at + size] = b""
            case 2:
                found[at:at] = found[at : at + size] * chance.randint(1, 40)
            case 3:
                start = chance.randrange(len(other))
                found[at:at] = other[start : start + size]
            case _:
                number = chance.choice(_NUMBERS)
                found[at : at + len(number)] = number
    return bytes(found)


def test_a_damaged_archive_costs_no_more_than_a_sound_one(
    jail: ParserJail, data: Path, tmp_path: Path
) -> None:
    chance, known, tried = random.Random(SEED), seeds(data), 0  # noqa: S311  # not for secrets
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        content = damaged(chance.choice(known), chance.choice(known), chance)
        tried += 1
        try:
            jail.run(FILES, [io.BytesIO(content)], Nothing(), seconds=_LIMIT)
        except ArchiveError:
            continue
        except JailFailedError as error:
            (tmp_path / "damaged").write_bytes(content)
            pytest.fail(f"{tmp_path / 'damaged'}, file {tried} of seed {SEED}: {error}")
    assert tried > SECONDS  # of what the machine has to spare
