"""What is listed as carried: exactly what was taken and no signature covers."""

from __future__ import annotations

import io

from builders.core.digest import Digest
from pipelines.judge.signatures.graft import _carried
from pipelines.judge.signatures.signature_format import Uncovered
from pipelines.judge.signatures.splice import Taken


def test_a_range_that_begins_or_ends_in_our_bytes_is_listed_in_part() -> None:
    data = bytes(range(40))
    taken = [Taken(offset=10, length=10, why="table"), Taken(offset=30, length=5, why="table")]
    bare = [
        Uncovered(offset=0, length=10, why="ours"),
        Uncovered(offset=5, length=10, why="structure"),
        Uncovered(offset=18, length=14, why="structure"),
    ]
    found = list(_carried(bare, taken, io.BytesIO(data)))
    assert [(one.offset, one.length) for one in found] == [(10, 5), (18, 2), (30, 2)]
    assert [one.sha256 for one in found] == [
        Digest.of(data[10:15]),
        Digest.of(data[18:20]),
        Digest.of(data[30:32]),
    ]
