"""The journal of a search: every trial of one release, in order, and its result.

It is stored under the digest of release and files, so that a later search returns a finished result
at once, or resumes after the last trial of an interrupted one.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, ValidationError

from builders.core.digest import Digest, canonical_json
from builders.core.enums import Outcome, Verdict
from builders.core.frozen_model import FrozenModel
from pipelines.infer.target import Target

Status = Literal["identical", "different", "build failed", "not available"]
Values = dict[str, str | int | dict[str, str] | None]
# An even second of the time that a zip can hold (128 years).
TIME_BITS = 31.0


class Scalar(FrozenModel):
    """One inferred value; `bits` is how much of the shipped file it could carry at most."""

    name: str
    value: str
    bits: float
    evidence: str


def scalars_of(rows: Iterable[tuple[str, object, float, str]]) -> tuple[Scalar, ...]:
    """Return the scalars of rows of name, value, bits and evidence; a value of None has none."""
    return tuple(
        Scalar(name=name, value=str(value), bits=round(bits, 1), evidence=evidence)
        for name, value, bits, evidence in rows
        if value is not None
    )


class RemainingCause(FrozenModel):
    """One reason why the rebuilt file still differs, or was not built, and where it shows."""

    name: str
    detail: str


class WheelDifferences(FrozenModel):
    """Where a rebuilt wheel differs. Pairs are `(shipped, rebuilt)`, paths those of the wheel.

    - `content`: files with other content, without RECORD, which follows from the others.
    - `line_endings`: those of `content` that differ only in line endings.
    - `version_strings`: those of `content` that differ only in version numbers and commit names.
    - `shuffled`: those of `content` with the same lines or words in another order, and how many
      moved.
    - `lost_packages`: packages that only the shipped top_level.txt names.
    - `metadata`: the lines of METADATA that differ, with `-` for shipped and `+` for rebuilt.
    - `wheel`: the lines of WHEEL that differ.
    - `order`: whether the members that both wheels have are in another order.
    - `reordered`: folders whose files are in another order: as members, else in RECORD.
    - `packing`: files with equal content that are compressed to another size or with another
      method.
    """

    only_shipped: tuple[str, ...] = ()
    only_rebuilt: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    line_endings: tuple[str, ...] = ()
    version_strings: tuple[str, ...] = ()
    shuffled: dict[str, int] = Field(default_factory=dict)
    lost_packages: tuple[str, ...] = ()
    times: dict[str, tuple[int | None, int | None]] = Field(default_factory=dict)
    modes: dict[str, tuple[int | None, int | None]] = Field(default_factory=dict)
    metadata: tuple[str, ...] = ()
    wheel: tuple[str, ...] = ()
    record_order: bool = False
    order: bool = False
    reordered: tuple[str, ...] = ()
    packing: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """Return a distance between the two wheels: content counts most."""
        return (
            1000 * (len(self.only_shipped) + len(self.only_rebuilt) + len(self.content))
            - 500 * len(self.shuffled)
            + 10 * len(self.packing)
            + len(self.modes)
            + len(self.times)
            + self.order
            + self.record_order
        )


class TrialRecord(FrozenModel):
    """One trial. `claim` is that of its recipe; no claim is tried twice."""

    number: int
    claim: Digest
    values: Values
    bits: float
    outcome: Outcome
    verdict: Verdict
    reason: str
    seconds: float
    log: str = ""
    differences: WheelDifferences | None = None


class SearchJournal(FrozenModel):
    """The trials of one release and the nearest recipe; `seconds` of wall time in all.

    - `finished`: false when the limits on trials or time ended the search.
    - `basis`: the digest of images, scripts and rules; with other ones the trials are repeated.
    - `recipe`: the draft of the identical trial, else of the nearest one.
    """

    model_config = ConfigDict(populate_by_name=True)

    schema_: Literal["samebits/trail/v1"] = Field(default="samebits/trail/v1", alias="schema")
    release: str
    artefact: str
    shipped: Digest
    source: Digest
    status: Status
    finished: bool
    reason: str
    notes: tuple[str, ...] = ()
    scalars: tuple[Scalar, ...] = ()
    bits: float = 0
    causes: tuple[RemainingCause, ...] = ()
    tries: tuple[TrialRecord, ...] = ()
    seconds: float = 0
    basis: Digest | None = None
    recipe: str | None = None

    @classmethod
    def of(cls, target: Target, **fields: Any) -> SearchJournal:
        """Return the journal of a target with these fields."""
        return cls(
            release=target.release,
            artefact=target.artefact,
            shipped=target.digest,
            source=target.source.sha256,
            **fields,
        )


class DraftReview(NamedTuple):
    """What a draft tells its reviewer: the journal of the search, and the verdict of the trial."""

    journal: SearchJournal
    verdict: Verdict


def basis_digest(rules: int, scripts: Iterable[bytes], **facts: object) -> Digest:
    """Return the digest of all that decides a search, beside the release and its index."""
    digests = [str(Digest.of(script)) for script in scripts]
    return Digest.of(canonical_json({"rules": rules, "scripts": digests, **facts}))


class JournalFile:
    """The journal of one target below `<home>/infer`, stamped with the time since now."""

    def __init__(self, home: Path, target: Target, basis: Digest | None = None) -> None:
        """Keep the journal of `target` for searches on `basis`."""
        key = {
            "release": target.release,
            "shipped": target.digest.hex,
            "source": target.source.sha256.hex,
        }
        self.path = home / "infer" / Digest.of(canonical_json(key)).hex / "trail.json"
        self._basis, self._start = basis, time.monotonic()

    def load(self) -> SearchJournal | None:
        """Return the stored journal; None without a readable one on the same basis."""
        try:
            found = SearchJournal.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return None
        return found if self._basis in {None, found.basis} else None

    def stamp(self, journal: SearchJournal) -> SearchJournal:
        """Return the journal with the basis and the time since the search began."""
        seconds = round(time.monotonic() - self._start, 3)
        return journal.model_copy(update={"seconds": seconds, "basis": self._basis})

    def save(self, journal: SearchJournal) -> SearchJournal:
        """Stamp the journal, replace the stored one atomically, and return it."""
        journal = self.stamp(journal)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.path.parent, delete=False) as partial:
            partial.write(journal.model_dump_json(indent=1, by_alias=True).encode() + b"\n")
        os.replace(partial.name, self.path)  # noqa: PTH105  # the temporary file is known by name
        return journal
