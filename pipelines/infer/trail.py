"""The trail: every try of one release, in order, and what came of them.

It is kept by the digest of what was asked, so that a second run returns at once, or goes on where
the first one was stopped.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError

from builders.core.digest import Digest, canonical_json
from builders.core.enums import Outcome, Verdict
from pipelines.evidence.report import Record
from pipelines.infer.wheel.target import Target

LOG_KEPT = 8192

Status = Literal["identical", "different", "build failed", "not available"]


class _Part(Record):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class ScalarRecord(_Part):
    """One inferred value; `bits` is how much it could carry at most."""

    name: str
    value: str
    bits: float
    evidence: str


class CauseRecord(_Part):
    """One cause that remains, and what it was seen in."""

    name: str
    detail: str


class DifferenceRecord(_Part):
    """What differed after a try; see `pipelines.infer.wheel.differences`."""

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


class TryRecord(_Part):
    """One try. `claim` is that of its recipe: the same claim is not tried twice."""

    number: int
    claim: Digest
    values: dict[str, str | int | dict[str, str] | None]
    bits: float
    outcome: Outcome
    verdict: Verdict
    reason: str
    seconds: float
    log: str = ""
    differences: DifferenceRecord | None = None


class Trail(_Part):
    """The tries of one release. `seconds` is what they took; sizes of values are in bits."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: Literal["samebits/trail/v1"] = Field(default="samebits/trail/v1", alias="schema")
    release: str
    artefact: str
    shipped: Digest
    source: Digest
    status: Status
    finished: bool
    """False when tries or time ran out before ideas did."""
    reason: str
    notes: tuple[str, ...] = ()
    scalars: tuple[ScalarRecord, ...] = ()
    bits: float = 0
    causes: tuple[CauseRecord, ...] = ()
    tries: tuple[TryRecord, ...] = ()
    seconds: float = 0
    basis: Digest | None = None
    """Of the images and scripts that were there: with others, an old trail says nothing."""
    recipe: str | None = None
    """The text of the draft: of the identical try, else of the nearest one."""


class TrailFolder:
    """Trails below `<home>/infer`."""

    def __init__(self, home: Path, target: Target) -> None:
        """Keep the trail of `target`."""
        asked = {
            "release": target.release,
            "shipped": target.shipped.sha256.hex,
            "source": target.source.sha256.hex,
        }
        self.path = home / "infer" / Digest.of(canonical_json(asked)).hex / "trail.json"

    def load(self) -> Trail | None:
        """Return the trail of an earlier run; None without one that this version can read."""
        try:
            return Trail.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return None

    def save(self, trail: Trail) -> None:
        """Write the trail at once or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.path.parent, delete=False) as partial:
            partial.write(trail.model_dump_json(indent=1, by_alias=True).encode() + b"\n")
        os.replace(partial.name, self.path)  # noqa: PTH105  # a name is all there is
