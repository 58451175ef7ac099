"""A hypothesis: one build environment, made of typed scalars that can be counted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from builders.container.folderorder import CHOICES, HASHED
from builders.core.digest import Digest, canonical_json
from builders.methods.clock import ClockStep, format_timestamp
from pipelines.infer.wheel.toolchain import Tool

TIME_BITS = 31.0
"""An even second of the time that a zip can hold (128 years)."""
MAX_STEP = 600
"""Seconds from the first step of a build to its second one, at most."""
STEP_BITS = math.log2(MAX_STEP / 2) + 1
"""An even second within that."""
UMASK_BITS = 9.0
TAG_BITS = 2.0
ORDER_BITS = math.log2(CHOICES)
SEEDS = (1, 2, 3, 4)
"""Seeds of Python's hashes that are tried beside 0; any one gives a set of few words its order."""
SEED_BITS = math.log2(len(SEEDS) + 1)
MAX_FILES = 20
"""Single files with a mode of their own; more of them explain nothing."""
MAX_BITS = 400.0
"""What all inferred values of one recipe may carry together; more would be copying."""


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """One inferred value; `bits` is how much of the shipped file it could carry at most."""

    name: str
    value: str
    bits: float
    evidence: str


@dataclass(frozen=True, kw_only=True, order=True)
class FileChange:
    """One file of the source with another mode, in octal."""

    path: str
    mode: str


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """One build environment to be tried."""

    image: str
    tools: tuple[Tool, ...] = ()
    epoch: int | None = None
    """SOURCE_DATE_EPOCH."""
    clock: int | None = None
    """A clock that stands still."""
    then: int | None = None
    """The time to which it goes on once."""
    before: ClockStep = "wheel"
    """When it does."""
    umask: str = "022"
    source_umask: str | None = None
    timezone: str = "UTC"
    python_tag: str | None = None
    """The tag given to bdist_wheel on its command line."""
    files: tuple[FileChange, ...] = ()
    """Modes of single files of the source, as a checkout had them."""
    folder_order: str = HASHED
    hash_seed: int = 0
    """PYTHONHASHSEED."""
    evidence: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """Why each value was chosen, by its name."""

    def because(self, **reasons: str) -> Hypothesis:
        """Return the same with reasons added."""
        return replace(self, evidence=tuple({**dict(self.evidence), **reasons}.items()))

    def why(self, name: str) -> str:
        """Return the reason of a value."""
        return dict(self.evidence).get(name, "the default")

    def values(self) -> dict[str, Any]:
        """Return what makes this one differ from others, as plain data."""
        return {
            "before": self.before if self.then is not None else None,
            "clock": format_timestamp(self.clock) if self.clock is not None else None,
            "files": {change.path: change.mode for change in self.files},
            "folder_order": self._order,
            "hash_seed": self.hash_seed or None,
            "image": self.image,
            "python_tag": self.python_tag,
            "source_date_epoch": self.epoch,
            "source_umask": self.source_umask,
            "then": format_timestamp(self.then) if self.then is not None else None,
            "timezone": self.timezone,
            "tools": {tool.project: str(tool.version) for tool in self.tools},
            "umask": self.umask,
        }

    @property
    def _order(self) -> str | None:
        return None if self.folder_order == HASHED else self.folder_order

    @property
    def key(self) -> str:
        """Return a digest of the values, the same for the same environment."""
        return Digest.of(canonical_json(self.values())).hex

    def scalars(self, *, images: int, zones: int, versions: int, files: int) -> tuple[Scalar, ...]:
        """Return every value that was chosen by looking at the shipped file.

        `images`, `zones`, `versions` and `files` of the source are how many there were to choose
        from.
        """
        known = dict(self.evidence)
        one_file = UMASK_BITS + math.log2(max(1, files))
        rows: list[tuple[str, object, float, bool]] = [
            ("image", self.image, math.log2(max(1, images)), images > 1),
            *(
                (tool.project, tool.version, math.log2(max(2, versions)), tool.project in known)
                for tool in self.tools
            ),
            ("source_date_epoch", self.epoch, TIME_BITS, self.epoch is not None),
            ("clock", format_timestamp(self.clock or 0), TIME_BITS, self.clock is not None),
            ("then", format_timestamp(self.then or 0), STEP_BITS, self.then is not None),
            ("umask", self.umask, UMASK_BITS, self.umask != "022"),
            ("source_umask", self.source_umask, UMASK_BITS, self.source_umask is not None),
            ("python_tag", self.python_tag, TAG_BITS, self.python_tag is not None),
            *((f"mode of {c.path}", c.mode, one_file, True) for c in self.files),
            ("folder_order", self.folder_order, ORDER_BITS, self._order is not None),
            ("hash_seed", self.hash_seed, SEED_BITS, self.hash_seed != 0),
            ("timezone", self.timezone, math.log2(zones), self.timezone != "UTC"),
        ]
        return tuple(
            Scalar(name=name, value=str(value), bits=round(bits, 1), evidence=self.why(name))
            for name, value, bits, chosen in rows
            if chosen
        )
