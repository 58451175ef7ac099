"""Damaged files in the jail: each gives a value or a declared error, in time and within memory.

`FUZZ_SECONDS=600 pytest tests/judge/test_fuzzed.py` goes on for ten minutes a reader, and with
`FUZZ_SEED` from another place on. `python -m tests.fuzz` is guided by what a file covers.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.jail import JailFailedError, ParserJail
from pipelines.verify.readers import READERS
from tests import fuzz

_ALL = 20.0
"""Seconds for all readers together."""
SECONDS = float(os.environ.get("FUZZ_SECONDS", _ALL / len(fuzz.TARGETS)))
SEED = int(os.environ.get("FUZZ_SEED", "0"))


@pytest.fixture(scope="module")
def jail() -> Iterator[ParserJail]:
    jail = ParserJail(READERS)
    yield jail
    jail.close()


def test_every_reader_is_fuzzed() -> None:
    assert {target.reader for target in fuzz.TARGETS.values()} == set(READERS)
    memory = {name: one.load()[0].limits.memory for name, one in fuzz.TARGETS.items()}
    large = {name for name, most in memory.items() if most > 512 << 20}
    assert {fuzz.TARGETS[name].reader for name in large} == {
        "builders.packing.repack:REPACK",
        "pipelines.explain.packing.recover:PACKING",
        "pipelines.rules.engines.packed_rules:PACK_RULES",
        "pipelines.rules.engines.packed_rules:PACK_SAMPLES",
        "pipelines.rules.reading:CHANGES",
    }
    assert max(memory.values()) == 1 << 30


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_a_damaged_file_costs_no_more_than_a_sound_one(
    jail: ParserJail, name: str, tmp_path: Path
) -> None:
    target, tried = fuzz.TARGETS[name], 0
    chance, known = random.Random(SEED), target.seeds()  # noqa: S311  # not for secrets
    reader, parameters = target.load()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        content = fuzz.damaged(chance.choice(known), chance.choice(known), chance)
        tried += 1
        try:
            with tempfile.TemporaryFile() as out:
                jail.run(
                    reader,
                    list(target.files(content)),
                    parameters,
                    outputs=[out] if target.writes else [],
                    seconds=fuzz.SECONDS,
                )
        except reader.errors:
            continue
        except JailFailedError as error:
            (tmp_path / "damaged").write_bytes(content)
            pytest.fail(f"{tmp_path / 'damaged'}, file {tried} of seed {SEED}: {error}")
    assert tried > 0
