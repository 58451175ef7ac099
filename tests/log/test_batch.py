"""A committed batch is read only as what it was written as."""

from __future__ import annotations

import json

import pytest

from pipelines.log.batch import Batch, read_batch
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.errors import LogError
from tests.log.keys import ORIGIN

TREE = Checkpoint(origin=ORIGIN, size=7, root=bytes(32))


@pytest.mark.parametrize("leaves", [[1], ["a", 1], ["a", None], {}, None])
def test_leaves_are_texts(leaves: object) -> None:
    fields = json.loads(Batch(tree=TREE, leaves=(b"a",)).to_bytes())
    data = json.dumps({**fields, "leaves": leaves}).encode()
    with pytest.raises(LogError, match="no list of leaves"):
        read_batch(data, TREE)


@pytest.mark.parametrize("field", ["origin", "root", "schema", "start"])
def test_it_continues_one_tree(field: str) -> None:
    whole = Batch(tree=TREE, leaves=(b"a",))
    assert read_batch(whole.to_bytes(), TREE) == whole
    data = json.dumps({**json.loads(whole.to_bytes()), field: "x"}).encode()
    with pytest.raises(LogError, match=f"got {field} 'x'"):
        read_batch(data, TREE)
