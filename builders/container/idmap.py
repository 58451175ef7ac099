"""The map of a user namespace: what the ids in a container are on this machine.

Format: `user_namespaces` of the Linux manual pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from builders.core.errors import EngineError
from builders.core.frozen_model import FrozenModel

Id = Annotated[int, Field(ge=0, lt=1 << 32)]


class IdRange(FrozenModel):
    """Consecutive ids: the first in the container, the first on this machine, their number."""

    inside: Id
    outside: Id
    count: Id


IdMap = Annotated[tuple[IdRange, ...], Field(max_length=340)]  # the kernel takes no more


def read_id_map(text: str) -> IdMap:
    """Read `/proc/<pid>/uid_map` or `gid_map`."""
    rows = (map(int, line.split()) for line in text.splitlines())
    return tuple(IdRange(inside=i, outside=o, count=c) for i, o, c in rows)


def host_id(ids: IdMap, inside: int) -> int:
    """Return what an id in the container is on this machine; raises `EngineError`."""
    for part in ids:
        if part.inside <= inside < part.inside + part.count:
            return part.outside + inside - part.inside
    raise EngineError("the user namespace has no such id", got=inside, expected="a mapped id")


def hides_root(ids: Iterable[IdRange]) -> bool:
    """Say whether no id in the container is root of this machine: it has a user namespace."""
    starts = [part.outside for part in ids]
    return bool(starts) and min(starts) > 0
