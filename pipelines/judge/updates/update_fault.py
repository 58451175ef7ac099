"""What can be wrong with an update, by name."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from builders.core.frozen_model import FrozenModel

MAX_DETAIL = 500


class UpdateFault(StrEnum):
    """Why a delta or a manifest is not what it should be."""

    APPLICATION_MISMATCH = "application-mismatch"
    """The base with the delta applied is not our target."""
    BASE_NOT_JUDGED = "base-not-judged"
    BASE_NOT_REPRODUCED = "base-not-reproduced"
    """The base was judged, and is not what its source builds."""
    DELTA_OF_DELTA = "delta-of-delta"
    """The base is a delta itself."""
    TARGET_NOT_REBUILT = "target-not-rebuilt"
    UNREADABLE = "delta-unreadable"
    OUTSIDE_BASE = "reads-outside-base"
    UNBOUNDED = "grows-without-bound"
    LEFT_OVER = "bytes-left-over"
    LENGTH = "length-differs"
    """A declared length that lies."""
    CHECKSUM = "checksum-differs"
    WRONG_BASE = "wrong-base"
    """The delta or the manifest names another base."""
    UNSUPPORTED = "unsupported-feature"
    ORDER = "commands-out-of-order"
    DOWNGRADE = "downgrade"
    STALE_MANIFEST = "stale-manifest"
    EXPIRED = "expired"
    MIXED_SNAPSHOTS = "mixed-snapshots"
    FIELD_MISMATCH = "field-mismatch"
    """What a manifest says of a file is not so of ours."""
    NOTHING_RECOMPUTED = "nothing-recomputed"
    MISSING_SIGNATURE = "missing-signature"
    WEAK_SIGNATURE = "weak-signature"
    SIGNATURE_REFUSED = "signature-refused"
    """The signature of a manifest does not count; the detail says why."""
    MANIFEST_UNREADABLE = "manifest-unreadable"
    WRONG_ROLE = "wrong-role"
    """A manifest of another role than the recipe says."""
    WRONG_LENGTH = "wrong-length"
    """The length that a manifest says of a file is not that of ours."""
    UNLISTED_FILE = "unlisted-file"
    """A manifest does not list what it has to."""
    UNDECLARED_FILE = "undeclared-file"
    """A manifest lists what is no file of the release."""
    AMBIGUOUS_EDIT = "ambiguous-edit"
    """An edit that fits more than one place."""
    DUPLICATE_LINE = "duplicate-line"
    """Two edits of one line."""


UNJUDGED = frozenset(
    {
        UpdateFault.BASE_NOT_JUDGED,
        UpdateFault.BASE_NOT_REPRODUCED,
        UpdateFault.TARGET_NOT_REBUILT,
    }
)
"""Faults that leave an artefact NOT_CHECKED. With any other it is DIFFERENT, whatever its bytes."""


class UpdateRefused(FrozenModel):
    """What is wrong with a delta or a manifest."""

    fault: UpdateFault
    detail: Annotated[str, Field(max_length=MAX_DETAIL)]


class UpdateError(Exception):
    """Raised inside of a format, and returned by it as an `UpdateRefused`."""

    def __init__(self, fault: UpdateFault, detail: str) -> None:
        """Keep both parts."""
        super().__init__(detail)
        self.refused = UpdateRefused(fault=fault, detail=detail[:MAX_DETAIL])


class UpdateResult(StrEnum):
    """What the checks of an update leave of the verdict on an artefact."""

    BYTES_DECIDE = "bytes-decide"
    """Nothing is wrong, and the build has to leave the shipped bytes."""
    STANDS_IN = "stands-in"
    """Nothing is wrong, and that may stand in for the same bytes: EQUIVALENT."""
    REFUSED = "refused"
    UNJUDGED = "unjudged"


def update_result(fault: UpdateFault | None, *, stands_in: bool) -> UpdateResult:
    """Return what a fault, or none, leaves of the verdict."""
    if fault is None:
        return UpdateResult.STANDS_IN if stands_in else UpdateResult.BYTES_DECIDE
    return UpdateResult.UNJUDGED if fault in UNJUDGED else UpdateResult.REFUSED
