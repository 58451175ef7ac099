"""Verifications that leave no evidence: of candidates before they ship, and dry runs.

They take the same steps to the same verdicts, but nothing is signed, stored or logged.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

from builders.core.errors import UsageError
from builders.core.frozen_model import FrozenModel
from builders.recipe.recipe import LoadedRecipe
from pipelines.evidence.report import Report
from pipelines.evidence.run_explanation import RunExplanation


class Unpublished(StrEnum):
    """Why a run leaves no evidence."""

    CANDIDATE = "candidate"
    DRY_RUN = "dry-run"


class UnpublishedReport(FrozenModel):
    """The report of a run that left no evidence.

    It is not a `Report`, so no signer, store or bundle takes it; nor is its document one.
    """

    unpublished: Unpublished
    report: Report
    explanation: RunExplanation | None = None
    """What explains its differences; there is no comparison that it could name."""

    def to_document(self) -> dict[str, Any]:
        """Return the report as plain data, with `unpublished` in front."""
        document = self.report.model_dump(mode="json", by_alias=True)
        return {"unpublished": str(self.unpublished), **document}


def require_candidates(recipes: Iterable[LoadedRecipe], folder: Path) -> list[str]:
    """Require a file for every artefact, and return the names of all other files in `folder`.

    Raises `UsageError` for a folder that cannot be read, and for the first missing file.
    """
    try:
        present = {path.name for path in folder.iterdir() if path.is_file()}
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be read",
            got=error.strerror,
            expected="a folder with the candidate of every artefact",
        ) from error
    wanted: set[str] = set()
    for loaded in recipes:
        names = [artefact.name for artefact in loaded.recipe.artefacts]
        wanted.update(names)
        if lacking := [name for name in names if name not in present]:
            raise UsageError(
                f"{folder} has no candidate of {', '.join(lacking[:5])}",
                got=", ".join(sorted(present)[:5]) or "an empty folder",
                expected=f"a file for every artefact of {loaded.recipe.release}, by its name",
            )
    return sorted(present - wanted)
