"""What a run keeps in its folder from before its commitment until all of it is published.

A process that dies in between leaves the folder behind, and the run is completed from it: the bytes
that were built, all that is known of them, once there is a verdict the report, and then what
explains it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError
from builders.core.frozen_model import FrozenModel
from builders.core.yamlfile import parse_document
from builders.images.provide import ProvidedImage
from builders.inputs.input_file import InputFile
from builders.rebuild.rebuild import LOG
from builders.rebuild.seal import Seal
from builders.rebuild.staging import OUTPUTS
from builders.rebuild.workspace import keep_folder
from builders.recipe.claim import recipe_script
from builders.recipe.recipe import LoadedRecipe, parse_recipe
from pipelines.evidence.report import Attempt, Report, ReviewFact, SourceFact
from pipelines.evidence.run_explanation import RunExplanation
from pipelines.storage import files as durable
from pipelines.storage.folders import opened_folder
from pipelines.verify.session import Job

_SEALED, _REPORT, _RECIPE, _SCRIPT = "sealed.json", "report.json", "recipe.yaml", "script"
_EXPLAINING, _EXPLANATION = "explaining", "explanation.json"

Kept = TypeVar("Kept", Report, RunExplanation)


class SealedRun(FrozenModel):
    """A run that was built and sealed, before it opens what was shipped."""

    path: Path
    """The recipe's file; its bytes are kept beside this."""
    claim: Digest
    seal: Seal
    attempts: tuple[Attempt, ...]
    """Those made so far; the last one was sealed."""
    image: ProvidedImage
    inputs: tuple[InputFile, ...]
    sources: tuple[SourceFact, ...]
    reviews: tuple[ReviewFact, ...]

    def keep(self, job: Job) -> None:
        """Write it durably into the folder of the run; raises `InfrastructureError`."""
        recipe = job.loaded.path.read_bytes()
        durable.replace(job.folder / _RECIPE, recipe)
        if (script := recipe_script(job.loaded)) is not None:
            durable.replace(job.folder / _SCRIPT, script)
        _sync(job, self.attempts)
        durable.replace(job.folder / _SEALED, self.model_dump_json().encode())
        keep_folder(job.folder)

    def loaded(self, folder: Path) -> LoadedRecipe:
        """Return the recipe of the run whose folder is that; raises `RecipeError`.

        Where its file is another one by now, or gone, the kept copy is used: then files beside the
        recipe are not found.
        """
        kept, script = folder / _RECIPE, folder / _SCRIPT
        data = kept.read_bytes()
        try:
            path = self.path if self.path.read_bytes() == data else kept
        except OSError:
            path = kept
        loaded = parse_recipe(parse_document(data.decode(), file=str(path)), path)
        return loaded.model_copy(
            update={"path": path, "script": script.read_bytes() if script.exists() else None}
        )


def is_sealed(folder: Path) -> bool:
    """Say whether the folder of a run keeps what it had committed to."""
    return (folder / _SEALED).exists()


def read_sealed(folder: Path) -> SealedRun | None:
    """Return what the folder of a run keeps; None for a run that had not committed.

    Raises `InfrastructureError` for what cannot be read.
    """
    path = folder / _SEALED
    try:
        return SealedRun.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise InfrastructureError(
            f"{path} cannot be read",
            got=error,
            todo=f"The run cannot be completed: remove {folder} once you know why",
        ) from error


def keep_report(job: Job, report: Report) -> None:
    """Write the report of a run durably into its folder, before anything is signed of it."""
    _sync(job, report.attempts)
    durable.replace(job.folder / _REPORT, report.to_json())


def read_kept_report(folder: Path) -> Report | None:
    """Return the report that the folder of a run keeps; None for a run without a verdict."""
    return _read_kept(folder / _REPORT, Report)


def drop_kept_report(folder: Path) -> None:
    """Remove the report that the folder of a run keeps; raises `InfrastructureError`."""
    path = folder / _REPORT
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise durable.write_error(path, error) from error


def _read_kept(path: Path, kind: type[Kept]) -> Kept | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise InfrastructureError(f"{path} cannot be read", got=error) from error


def begin_explaining(job: Job) -> int:
    """Note in the folder of a run that a process begins to explain it; returns how many have."""
    return _count_explaining(job, 1)


def uncount_explaining(job: Job) -> None:
    """Take back `begin_explaining`: the process was stopped, and did not die of it."""
    _count_explaining(job, -1)


def _count_explaining(job: Job, change: int) -> int:
    path = job.folder / _EXPLAINING
    count = (int(path.read_bytes()) if path.exists() else 0) + change
    durable.replace(path, str(count).encode())
    return count


def keep_explanation(job: Job, explanation: RunExplanation) -> None:
    """Write what explains a run durably into its folder, before it is signed."""
    _sync(job, (explanation.confirming,) if explanation.confirming else ())
    durable.replace(job.folder / _EXPLANATION, explanation.to_json())


def read_kept_explanation(folder: Path) -> RunExplanation | None:
    """Return what the folder of a run keeps of its explanation; None before there is one."""
    return _read_kept(folder / _EXPLANATION, RunExplanation)


def _sync(job: Job, attempts: tuple[Attempt, ...]) -> None:
    """Let logs and outputs of rebuilds outlive a power cut; raises `InfrastructureError`."""
    for attempt in attempts:
        folder = job.attempt(attempt.number)
        outputs = folder / OUTPUTS
        files = [outputs / output.name for output in attempt.rebuild.outputs]
        if attempt.rebuild.log is not None:
            files.append(folder / LOG)
        try:
            for path in files:
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())
            for part in (outputs, folder, job.folder):
                if part.is_dir():
                    with opened_folder(part) as fd:
                        os.fsync(fd)
        except OSError as error:
            raise durable.write_error(folder, error) from error
