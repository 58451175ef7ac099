"""A cross-check: one center on another's proof of work, from its own bytes; subject = its seal.

The keyed digests of by-products that a center publishes can only be made of the bytes themselves
(`builders.rebuild.seal`). A center that built the same claim has those bytes, makes the keyed
digests again, and signs the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from pipelines.evidence.statements.statement import (
    MAX_LISTED,
    NAMESPACE,
    DigestSet,
    Identifier,
    Line,
    ReleaseText,
    RunIdText,
    Statement,
    StatementPart,
    Time,
)


class Proof(StrEnum):
    """What came of checking a proof of work."""

    WRONG = "wrong"
    """The keyed digest is not of these bytes."""
    ABSENT = "absent"
    """There should be a keyed digest, and there is none."""
    PROVED = "proved"
    NONE = "none"
    """There is nothing that could prove anything."""


class CheckedFile(StatementPart):
    """One by-product of the checked run."""

    name: Line
    proof: Proof


class CheckedRun(StatementPart):
    """The run whose work is checked."""

    center: Identifier
    run: RunIdText


class Crosscheck(StatementPart):
    """Who checked whose work, with the bytes of which run of its own, and what came of it."""

    release: ReleaseText
    center: Identifier
    run: RunIdText
    """Of the center that checks: the run whose bytes were used."""
    claim: DigestSet
    """That both runs were of."""
    checked: CheckedRun
    proof: Proof
    seal: Proof
    """Whether all lines of the seal can be made again; `none` where other outputs were built."""
    files: Annotated[tuple[CheckedFile, ...], Field(max_length=MAX_LISTED)]
    checked_on: Time

    @model_validator(mode="after")
    def _of_another(self) -> Self:
        if self.checked.center == self.center:
            raise ValueError("a center cannot prove its own work; expected another center")
        if self.proof is not overall((file.proof for file in self.files), self.seal):
            raise ValueError("the proof is not that of its parts")
        return self


class CrosscheckStatement(Statement, kind="crosscheck", predicate_type=f"{NAMESPACE}crosscheck/v1"):
    """A cross-check; its subject `seal` is the seal of the checked run."""

    predicate: Crosscheck


def overall(files: Iterable[Proof], seal: Proof) -> Proof:
    """Return the proof of the whole: that of its worst part, at most what the by-products prove.

    A seal over nothing but shipped files can be made by anybody who has those.
    """
    found = set(files)
    for bad in (Proof.WRONG, Proof.ABSENT):
        if bad in {*found, seal}:
            return bad
    return Proof.PROVED if Proof.PROVED in found else Proof.NONE
