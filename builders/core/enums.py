"""The fixed sets of names: outcomes, verdicts, kinds of release, roles of inputs."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a rebuild ended. It never says whether bytes matched."""

    BUILT = "BUILT"
    BUILD_FAILED = "BUILD_FAILED"
    TIMED_OUT = "TIMED_OUT"
    OUT_OF_RESOURCES = "OUT_OF_RESOURCES"
    INPUT_UNAVAILABLE = "INPUT_UNAVAILABLE"
    INPUT_MISMATCH = "INPUT_MISMATCH"
    IMAGE_UNAVAILABLE = "IMAGE_UNAVAILABLE"
    IMAGE_MISMATCH = "IMAGE_MISMATCH"
    SOURCE_NOT_REVIEWED = "SOURCE_NOT_REVIEWED"
    INFRASTRUCTURE_ERROR = "INFRASTRUCTURE_ERROR"
    CANCELLED = "CANCELLED"


class Verdict(StrEnum):
    """What one center found for one artefact, worst first."""

    SHIPPED_MISMATCH = "SHIPPED_MISMATCH"
    DIFFERENT = "DIFFERENT"
    UNEXPECTED = "UNEXPECTED"
    MISSING = "MISSING"
    NOT_CHECKED = "NOT_CHECKED"
    EQUIVALENT = "EQUIVALENT"
    IDENTICAL_SIGNED = "IDENTICAL_SIGNED"
    IDENTICAL = "IDENTICAL"


class Kind(StrEnum):
    """The kind of a release."""

    BINARY = "binary"
    UPDATE = "update"
    RULESET = "ruleset"


class Role(StrEnum):
    """The role of an input in a rebuild."""

    SOURCE = "source"
    DEPENDENCY = "dependency"
    TOOLCHAIN = "toolchain"
    BASE = "base"
