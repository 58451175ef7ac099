"""A committed batch of leaves: one object, created once, after which the batch is in the log.

It holds the leaves and the root of the tree before them, so that any writer can integrate it.
If two writers race, the store lets only one of them create it.
"""

from __future__ import annotations

from dataclasses import dataclass

from builders.core.digest import canonical_json
from pipelines.evidence.strictjson import read_object
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.errors import LogError
from pipelines.log.leaf import MAX_LEAF
from pipelines.log.text import check_range
from pipelines.log.tiles import PREFIX

SCHEMA = "samebits/log-commit/v1"
MAX_LEAVES = 25_000
"""Leaves of the largest batch: more than a run has statements."""
MAX_BATCH = MAX_LEAVES * MAX_LEAF * 2
"""Bytes of the object: in JSON text a quote is two."""


def batch_key(start: int) -> str:
    """Return the name of the batch whose first leaf has the index `start`."""
    return f"{PREFIX}commit/{start:020d}"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The leaves that come after those of `tree`."""

    tree: Checkpoint
    leaves: tuple[bytes, ...]

    def __post_init__(self) -> None:
        what = "a batch has too few or too many leaves"
        check_range(len(self.leaves), 1, MAX_LEAVES, what=what, error=LogError)

    def to_bytes(self) -> bytes:
        """Return the object."""
        leaves = [leaf.decode() for leaf in self.leaves]
        return canonical_json({**_fields_of(self.tree), "leaves": leaves})


def read_batch(data: bytes, tree: Checkpoint) -> Batch:
    """Read the batch that continues `tree`.

    Raises `MalformedError`, and `LogError` for a batch of another tree.
    """
    what = batch_key(tree.size)
    fields = read_object(data, what=what, limit=MAX_BATCH)
    leaves = fields.get("leaves")
    if not isinstance(leaves, list) or not all(isinstance(leaf, str) for leaf in leaves):
        raise _altered(what, got="no list of leaves", expected="texts")
    for name, value in _fields_of(tree).items():
        if fields.get(name) != value:
            raise _altered(what, got=f"{name} {fields.get(name)!a:.120}", expected=value)
    batch = Batch(tree=tree, leaves=tuple(leaf.encode() for leaf in leaves))
    if batch.to_bytes() != data:  # that has no other fields
        raise _altered(what, got="other bytes", expected="canonical JSON (RFC 8785)")
    return batch


def _fields_of(tree: Checkpoint) -> dict[str, object]:
    return {"origin": tree.origin, "root": tree.root.hex(), "schema": SCHEMA, "start": tree.size}


def _altered(what: str, *, got: object, expected: object) -> LogError:
    return LogError(
        f"{what} does not continue the log",
        got=got,
        expected=expected,
        todo="Another program wrote there, or the log was shortened or replaced: find out which",
    )
