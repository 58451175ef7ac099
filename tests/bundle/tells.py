"""What a lie in a bundle is, and the single changes that lies are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipelines.evidence.dsse import Envelope
from pipelines.evidence.privatekey import PrivateKey
from pipelines.evidence.statements.statement import show_time
from tests.bundle.bundles import STATEMENTS, Altered, Document
from tests.evidence.examples import NOW

PROVENANCE, COMPARISON = "provenance-1", "comparison-1"
GRAFTING = "provenance-2"
ATTEMPT, ROBUSTNESS = "attempt-1", "robustness-1"
OTHER = "e" * 64
LATER = show_time(NOW.replace(minute=59))
Tell = Callable[[Altered, PrivateKey], object]
"""Changes a bundle, with the center's key in it; the key beside is of somebody else."""


@dataclass(frozen=True)
class Lie:
    """What is changed in the bundle of which scene, and which check must notice."""

    check: str
    tell: Tell
    scene: str = "identical"
    says: str = ""
    """What the message must say, where one check has several rules for the same thing."""
    policy: bool = True
    """Whether the reader has a policy, or trusts the center's key alone."""
    unchecked: bool = False
    """Whether it is told as something that cannot be checked, which ends in exit code 2."""


def member_of(name: str) -> str:
    """Return the member that a statement is."""
    return f"{STATEMENTS}{name}.dsse.json"


def payload_of(altered: Altered, member: str) -> Document:
    """Return what a statement says."""
    document: Document = json.loads(Envelope.from_bytes(altered.members[member]).payload)
    return document


def set_at(document: Document, path: str, value: Any) -> None:
    """Put a value where a path of names and indexes leads; None takes away what is there."""
    *folders, last = path.split("/")
    node: Any = document
    for part in folders:
        node = node[int(part)] if isinstance(node, list) else node[part]
    key = int(last) if isinstance(node, list) else last
    if value is None:
        del node[key]
    else:
        node[key] = value


def in_one(name: str, path: str, value: Any) -> Tell:
    """Change one statement, by its name."""
    return lambda a, _: a.statement(name, lambda d: set_at(d, path, value))


def in_every(kind: str, path: str, value: Any) -> Tell:
    """Change all statements of a kind alike."""
    return lambda a, _: a.every(kind, lambda d: set_at(d, path, value))


def in_report(path: str, value: Any) -> Tell:
    """Change the report, in which None stands as null."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        def change(document: Document) -> None:
            if value is None:
                set_at(document, path, 0)
                document[path] = None
            else:
                set_at(document, path, value)

        altered.report(change)

    return tell


def in_card(path: str, value: Any) -> Tell:
    return lambda a, _: a.card(lambda d: set_at(d, path, value))


def by_product(named: str, **changes: Any) -> Tell:
    """Change a by-product in the provenance."""
    return lambda a, _: a.statement(
        PROVENANCE,
        lambda d: [
            r.update(changes)
            for r in d["predicate"]["runDetails"]["byproducts"]
            if r["name"] == named
        ],
    )


def both(*tells: Tell) -> Tell:
    def tell(altered: Altered, other: PrivateKey) -> None:
        for one in tells:
            one(altered, other)

    return tell


def add(member: str, data: bytes) -> Tell:
    return lambda a, _: a.members.__setitem__(member, data)


def drop(member: str) -> Tell:
    return lambda a, _: a.members.__delitem__(member)


def put(name: str, document: Document) -> Tell:
    return lambda a, _: a.put(member_of(name), document)


def rename(old: str, new: str) -> Tell:
    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.members[member_of(new)] = altered.members.pop(member_of(old))

    return tell


def swap(one: str, two: str) -> Tell:
    return both(rename(one, "swapped-1"), rename(two, one), rename("swapped-1", two))


def without(kind_and_number: str) -> Tell:
    """Delete a statement, and close the gap in the numbers."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        kind, _, number = kind_and_number.rpartition("-")
        del altered.members[member_of(kind_and_number)]
        for later in range(int(number) + 1, 10):
            if member_of(f"{kind}-{later}") in altered.members:
                rename(f"{kind}-{later}", f"{kind}-{later - 1}")(altered, other)

    return tell
