"""Every planted cause is told as the field that it was planted in, with the bytes that differ."""

from __future__ import annotations

import io

import pytest

from infra.bench.planted import PlantedPair, planted_pairs
from pipelines.explain.quickdiff import quick_diff
from tests.explain.executables.planted_binaries import planted_binaries

PAIRS = [*planted_pairs(), *planted_binaries()]


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.cause for pair in PAIRS])
def test_the_planted_cause_is_named(pair: PlantedPair) -> None:
    look = quick_diff(io.BytesIO(pair.shipped), io.BytesIO(pair.rebuilt)).diff
    told = [field for field in look.fields if field.field in pair.fields]
    assert told, [field.field for field in look.fields]
    assert look.fields[0].field in pair.fields, "the most telling one comes first"
    named = sum(field.differing_bytes for field in told)
    assert named >= 0.95 * pair.differing, look.fields
