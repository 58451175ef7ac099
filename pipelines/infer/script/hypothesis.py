"""A hypothesis for a vendor's own build: one declared environment, of typed values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePath
from typing import Any, NamedTuple

from builders.container.folderorder import CHOICES, HASHED
from builders.core.digest import Digest, canonical_json
from builders.core.enums import Kind
from builders.methods.clock import format_timestamp
from builders.methods.script import ScriptBuild
from pipelines.infer.journal import TIME_BITS, DraftReview, Scalar, Values, scalars_of
from pipelines.infer.packings import RecoveredPacking, declared_packings, packing_rows
from pipelines.infer.target import Target
from pipelines.infer.trial import inferred_head, render_draft

_FIELDS = ScriptBuild.model_fields
PATH, HOSTNAME, LOCALE = (str(_FIELDS[name].default) for name in ("path", "hostname", "locale"))
_UMASK, _ZONE = str(_FIELDS["umask"].default), str(_FIELDS["timezone"].default)
# Bits of one character of a path or host name.
_CHARACTER = 6.0
_BITS = {
    "source_date_epoch": TIME_BITS,
    "clock": TIME_BITS,
    "umask": 9.0,
    "folder_order": math.log2(CHOICES),
    "timezone": 5.0,
    "locale": 6.0,
}


class Change(NamedTuple):
    """One value to try, by the field of the hypothesis, and why."""

    field: str
    value: object
    reason: str


@dataclass(frozen=True, kw_only=True)
class ScriptedBuild:
    """What the vendor knows of the build: how it is run, in which image, and what it leaves."""

    image: str
    script: PurePath | None = None
    """A file beside the recipe; without it there are steps."""
    script_bytes: bytes | None = None
    steps: tuple[tuple[str, ...], ...] = ()
    by_products: tuple[str, ...] = ()
    kind: Kind = Kind.BINARY
    private: bool = False


@dataclass(frozen=True, kw_only=True)
class ScriptHypothesis:
    """One declared environment; `evidence` says why each value was chosen, by its name."""

    umask: str = _UMASK
    timezone: str = _ZONE
    locale: str = LOCALE
    path: str = PATH
    hostname: str = HOSTNAME
    folder_order: str = HASHED
    clock: int | None = None
    source_date_epoch: int | None = None
    packings: tuple[RecoveredPacking, ...] = ()
    evidence: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def with_changes(self, changes: Iterable[Change]) -> ScriptHypothesis:
        """Return the same with other values, of each field the first."""
        values: dict[str, Any] = {}
        reasons = dict(self.evidence)
        for name, value, reason in changes:
            if name not in values:
                values[name], reasons[name] = value, reason
        return replace(self, **values, evidence=tuple(reasons.items()))

    def values(self) -> Values:
        """Return what differs from the default environment, as plain data."""
        own = {f.name: (getattr(self, f.name), f.default) for f in fields(self) if f.compare}
        found = {
            name: None if value == default else value for name, (value, default) in own.items()
        }
        packings = declared_packings(self.packings)
        clock = None if self.clock is None else format_timestamp(self.clock)
        return found | {"clock": clock, "packings": packings or None}

    @property
    def key(self) -> str:
        """Return a digest of the values, the same for the same environment."""
        return Digest.of(canonical_json(self.values())).hex

    def __str__(self) -> str:
        """Return the values in one line."""
        return "; ".join(f"{k} {v}" for k, v in self.values().items() if v) or "nothing declared"

    def scalars(self) -> tuple[Scalar, ...]:
        """Return every value that was chosen by looking at the shipped files."""
        known = dict(self.evidence)
        rows = [
            (name, value, _BITS.get(name, _CHARACTER * len(str(value))), known.get(name, ""))
            for name, value in self.values().items()
            if name != "packings"
        ]
        return scalars_of([*rows, *packing_rows(self.packings)])


def script_draft(
    target: Target, build: ScriptedBuild, hypothesis: ScriptHypothesis, review: DraftReview | None
) -> str:
    """Return the YAML of a draft; with a review, a comment explains each value."""
    return render_draft(
        "script.yaml.j2",
        target,
        review,
        head=inferred_head(review),
        variables={"SOURCE_DATE_EPOCH": hypothesis.source_date_epoch},
        kind=build.kind,
        build=build,
        values=hypothesis.values(),
        packings=declared_packings(hypothesis.packings),
    )
