"""A cross-check: one center on another's proof of work, from its own bytes; subject = its seal.

Predicate type `https://samebits.example/crosscheck/v1`. The keyed digests of by-products that a
center publishes can only be made of the bytes themselves (`builders.build.seal`). Whoever truly
built the same claim has those bytes, makes the keyed digests again, and signs what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from builders.core.digest import Digest
from pipelines.evidence.statements.statement import (
    DigestSet,
    Identifier,
    Line,
    Part,
    Release,
    RunName,
    Statement,
    Time,
    subject,
)

CROSSCHECK = "https://samebits.example/crosscheck/v1"
SEAL = "seal"
_MAX_LISTED = 20_000


class Proof(StrEnum):
    """What came of checking a proof of work."""

    WRONG = "wrong"
    """The keyed digest is not of these bytes."""
    ABSENT = "absent"
    """There should be a keyed digest, and there is none."""
    PROVED = "proved"
    NONE = "none"
    """There is nothing that could prove anything."""


class CheckedFile(Part):
    """One by-product of the checked run."""

    name: Line
    proof: Proof


class CheckedRun(Part):
    """The run whose work is checked."""

    center: Identifier
    run: RunName


class Crosscheck(Part):
    """Who checked whose work, with the bytes of which run of its own, and what came of it."""

    release: Release
    center: Identifier
    run: RunName
    """Of the center that checks: the run whose bytes were used."""
    claim: DigestSet
    """That both runs were of."""
    checked: CheckedRun
    proof: Proof
    seal: Proof
    """Whether all lines of the seal can be made again; `none` where other outputs were built."""
    files: Annotated[tuple[CheckedFile, ...], Field(max_length=_MAX_LISTED)]
    checked_on: Time

    @model_validator(mode="after")
    def _of_another(self) -> Self:
        if self.checked.center == self.center:
            message = "a center cannot prove its own work; expected another center"
            raise ValueError(message)
        if self.proof is not overall((file.proof for file in self.files), self.seal):
            message = "the proof is not that of its parts"
            raise ValueError(message)
        return self


class CrosscheckStatement(Statement):
    """A cross-check; its subject is the seal of the checked run."""

    predicate_type: Literal["https://samebits.example/crosscheck/v1"] = (
        "https://samebits.example/crosscheck/v1"
    )
    predicate: Crosscheck


def overall(files: Iterable[Proof], seal: Proof) -> Proof:
    """Return what the parts come to: the worst of them, and never more than the by-products prove.

    A seal over nothing but shipped files can be made by whoever has those.
    """
    found = set(files)
    for bad in (Proof.WRONG, Proof.ABSENT):
        if bad in {*found, seal}:
            return bad
    return Proof.PROVED if Proof.PROVED in found else Proof.NONE


def crosscheck(
    *,
    release: str,
    center: str,
    run: str,
    claim: DigestSet,
    checked: CheckedRun,
    seal: Digest,
    seal_proof: Proof,
    files: tuple[CheckedFile, ...],
    now: datetime,
) -> CrosscheckStatement:
    """Return what `center` found, at `now` (UTC), with the bytes of its own `run`."""
    return CrosscheckStatement(
        subject=(subject(SEAL, seal),),
        predicate=Crosscheck(
            release=release,
            center=center,
            run=run,
            claim=claim,
            checked=checked,
            proof=overall((file.proof for file in files), seal_proof),
            seal=seal_proof,
            files=files,
            checked_on=now.replace(microsecond=0),
        ),
    )
