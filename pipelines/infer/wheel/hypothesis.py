"""A hypothesis for a wheel: one build environment, made of typed values counted in bits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement

from builders.container.folderorder import CHOICES, HASHED
from builders.core.digest import Digest, canonical_json
from builders.methods.clock import ClockStep, format_timestamp
from pipelines.infer.journal import TIME_BITS, DraftReview, Scalar, Values, scalars_of
from pipelines.infer.machine_traces import ZONES
from pipelines.infer.packings import RecoveredPacking, declared_packings, packing_rows
from pipelines.infer.target import Target
from pipelines.infer.trial import inferred_head, render_draft
from pipelines.infer.wheel.toolchain import Tool

# Seconds from the first step of a build to its second one, at most.
MAX_STEP = 600
# Seeds of Python's hashes that are tried beside 0; any one gives a set of few words its order.
SEEDS = (1, 2, 3, 4)
# Single files with a mode of their own; more of them explain nothing.
MAX_FILES = 20
# What all inferred values of one recipe may carry together; more would be copying.
MAX_BITS = 400.0
_UMASK_BITS = 9.0
# One of 64 versions of a tool.
_VERSION_BITS = 6.0
_BITS = {
    "source_date_epoch": TIME_BITS,
    "clock": TIME_BITS,
    "then": math.log2(MAX_STEP / 2) + 1,  # an even second within the longest step
    "umask": _UMASK_BITS,
    "source_umask": _UMASK_BITS,
    "python_tag": 2.0,
    "folder_order": math.log2(CHOICES),
    "hash_seed": math.log2(len(SEEDS) + 1),
    "timezone": math.log2(len(ZONES)),
}
_DEFAULTS = {"umask": "022", "timezone": "UTC"}


@dataclass(frozen=True, kw_only=True, order=True)
class FileChange:
    """One file of the source with another mode, in octal."""

    path: str
    mode: str


@dataclass(frozen=True, kw_only=True)
class WheelHypothesis:
    """One build environment to be tried.

    - `epoch`: SOURCE_DATE_EPOCH.
    - `clock`: the time of a frozen clock.
    - `then`: the time to which it advances once.
    - `before`: the step before which it advances.
    - `python_tag`: the tag given to bdist_wheel on its command line.
    - `files`: modes of single files of the source, as a checkout had them.
    - `hash_seed`: PYTHONHASHSEED.
    - `requirements`: what the toolchain had to meet beyond the requirements of the release.
    - `packings`: how the wheel is packed again after the build.
    - `evidence`: why each value was chosen, by its name.
    """

    image: str
    tools: tuple[Tool, ...] = ()
    epoch: int | None = None
    clock: int | None = None
    then: int | None = None
    before: ClockStep = "wheel"
    umask: str = _DEFAULTS["umask"]
    source_umask: str | None = None
    timezone: str = _DEFAULTS["timezone"]
    python_tag: str | None = None
    files: tuple[FileChange, ...] = ()
    folder_order: str = HASHED
    hash_seed: int = 0
    requirements: tuple[Requirement, ...] = ()
    packings: tuple[RecoveredPacking, ...] = ()
    evidence: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def because(self, **reasons: str) -> WheelHypothesis:
        """Return the same with reasons added."""
        return replace(self, evidence=tuple({**dict(self.evidence), **reasons}.items()))

    def with_epoch(self, epoch: int, reason: str) -> WheelHypothesis:
        """Return the same with SOURCE_DATE_EPOCH in place of a declared clock."""
        found = replace(self, epoch=epoch, clock=None, then=None)
        return found.because(source_date_epoch=reason)

    def with_clock(self, clock: int, reason: str) -> WheelHypothesis:
        """Return the same with a frozen clock in place of SOURCE_DATE_EPOCH."""
        return replace(self, epoch=None, clock=clock, then=None).because(clock=reason)

    def why(self, name: str) -> str:
        """Return the reason of a value."""
        return dict(self.evidence).get(name, "the default")

    def values(self) -> Values:
        """Return what makes this one differ from others, as plain data."""
        return {
            "before": self.before if self.then is not None else None,
            "clock": _moment(self.clock),
            "files": {change.path: change.mode for change in self.files},
            "folder_order": None if self.folder_order == HASHED else self.folder_order,
            "hash_seed": self.hash_seed or None,
            "image": self.image,
            "packings": declared_packings(self.packings) or None,
            "python_tag": self.python_tag,
            "source_date_epoch": self.epoch,
            "source_umask": self.source_umask,
            "then": _moment(self.then),
            "timezone": self.timezone,
            "tools": {tool.project: str(tool.version) for tool in self.tools},
            "umask": self.umask,
        }

    @property
    def key(self) -> str:
        """Return a digest of the values, the same for the same environment."""
        return Digest.of(canonical_json(self.values())).hex

    def __str__(self) -> str:
        """Return image, tools and values in one line."""
        tools = ", ".join(f"{tool.project} {tool.version}" for tool in self.tools)
        skipped = {"image", "tools"}
        kept = [f"{k} {v}" for k, v in self.values().items() if v and k not in skipped]
        return "; ".join([self.image, tools, *kept])

    def scalars(self, *, images: int, files: int) -> tuple[Scalar, ...]:
        """Return every value that was chosen by looking at the shipped file.

        `images` and `files` of the source are the numbers of choices.
        """
        values, known = self.values(), dict(self.evidence)
        one_file = _UMASK_BITS + math.log2(max(1, files))

        def inferred(*names: str) -> list[tuple[str, object, float]]:
            return [(n, values[n], _BITS[n]) for n in names if values[n] != _DEFAULTS.get(n)]

        rows = [
            *([("image", self.image, math.log2(images))] if images > 1 else []),
            *((t.project, t.version, _VERSION_BITS) for t in self.tools if t.project in known),
            *inferred("source_date_epoch", "clock", "then", "umask", "source_umask", "python_tag"),
            *((f"mode of {c.path}", c.mode, one_file) for c in self.files),
            *inferred("folder_order", "hash_seed", "timezone"),
        ]
        explained = [(name, value, bits, self.why(name)) for name, value, bits in rows]
        return scalars_of([*explained, *packing_rows(self.packings)])


def _moment(seconds: int | None) -> str | None:
    return None if seconds is None else format_timestamp(seconds)


def wheel_draft(
    target: Target, hypothesis: WheelHypothesis, review: DraftReview | None = None
) -> str:
    """Return the YAML of a draft; with a review, a comment explains each value."""
    values = hypothesis.values()
    return render_draft(
        "wheel.yaml.j2",
        target,
        review,
        head=inferred_head(review),
        variables={
            "SOURCE_DATE_EPOCH": values["source_date_epoch"],
            "PYTHONHASHSEED": values["hash_seed"],
        },
        values=values,
        tools=hypothesis.tools,
        packings=declared_packings(hypothesis.packings),
    )
