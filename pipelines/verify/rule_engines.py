"""Two rule sets and a folder of samples, given to the engines of the rules in a container."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import resources
from pathlib import Path
from typing import BinaryIO

from builders.container.spec import EndReason, RunLabels
from builders.core.errors import InfrastructureError, UsageError
from builders.core.runid import new_run_id
from builders.images.provide import ensure_image
from builders.inputs.fetching import fetch_missing
from builders.jail.file_reader import Nothing
from builders.locators.fetcher import FetchRequest
from builders.methods.method import INPUTS, OUTPUTS
from builders.rebuild.tool_container import ToolLimits, ToolResult, run_in_container
from builders.recipe.recipe import LoadedRecipe
from pipelines.rules.engines.engine_runs import MOST_RESULT, EngineRun, read_runs
from pipelines.rules.engines.packed_rules import (
    MOST_SAMPLES,
    PACK_RULES,
    PACK_SAMPLES,
    NamedFiles,
    sample_name,
)
from pipelines.verify.release_source import recipe_of
from pipelines.verify.session import Session

ENGINES_IMAGE = "rule-engines"
_RESULT = "result.json"
_SIDES = ("old", "new")
_MOST_BYTES = 1 << 30
_LIMITS = ToolLimits(seconds=900, memory=3 << 30)
_LOG_SHOWN = 500

NamedFile = tuple[str, BinaryIO]
PackSamples = Callable[[BinaryIO], dict[str, str]]
"""Writes samples as a tar, and returns their paths by the names that engines see."""


def run_engines(
    session: Session,
    old: Sequence[NamedFile],
    new: Sequence[NamedFile],
    pack: PackSamples,
) -> tuple[EngineRun, ...]:
    """Return what each engine catches of samples with the old and new rules.

    Rules are files or archives, which the jail unpacks. `pack` is of `folder_samples` or
    `archived_samples`. Raises `UsageError` for no samples or too many of them,
    `InfrastructureError` where nothing can be run.
    """
    session.workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=session.workdir, prefix="engines-") as made:
        folder = Path(made)
        inputs = {"driver.py": folder / "driver.py"}
        driver = resources.files("pipelines.rules.engines").joinpath("driver.py")
        inputs["driver.py"].write_bytes(driver.read_bytes())
        for side, files in zip(_SIDES, (old, new), strict=True):
            inputs[f"{side}.tar"] = folder / f"{side}.tar"
            _pack_rules(session, files, inputs[f"{side}.tar"])
        inputs["samples.tar"] = folder / "samples.tar"
        with inputs["samples.tar"].open("wb") as out:
            named = pack(out)
        tars = [f"{INPUTS}/{name}.tar" for name in (*_SIDES, "samples")]
        argv = ("/usr/bin/python3", "-I", f"{INPUTS}/driver.py", *tars, f"{OUTPUTS}/{_RESULT}")
        outputs = folder / "out"
        outputs.mkdir()
        result = _run(session, argv, inputs, outputs, folder)
        return read_runs(_result(outputs, result), named)


def folder_samples(folder: Path) -> PackSamples:
    """Return what packs the files below a folder."""

    def pack(out: BinaryIO) -> dict[str, str]:
        found = [
            file.relative_to(folder).as_posix()
            for file in sorted(folder.rglob("*"))
            if file.is_file() and not file.is_symlink()
        ]
        named = _named(found, what=f"{folder} is no folder of samples")
        _pack_folder(folder, named, out)
        return named

    return pack


@contextmanager
def recipe_samples(session: Session, release: str) -> Iterator[PackSamples]:
    """Yield what packs the samples that the recipe of a release names.

    They are fetched if the vault lacks them; raises as `fetch_missing` does, and `UsageError` for a
    release without a recipe, or one that names none.
    """
    loaded = recipe_of(release, session)
    wants = samples_wants(loaded)
    if not wants:
        raise UsageError(
            f"the recipe of {release} names no samples",
            expected="`samples` with the locator and sha256 of an archive",
            todo="Name a folder: `samebits rules test OLD NEW SAMPLES`",
        )
    fetch_missing(session.vault, session.fetcher, wants, session.workdir)
    with session.vault.open(wants[0].sha256) as archive:
        yield partial(_pack_archive, session, archive, f"the samples of {release} cannot be used")


def samples_wants(loaded: LoadedRecipe) -> list[FetchRequest]:
    """Return what is to be fetched of the samples of a recipe, if it names any."""
    samples, folder = loaded.recipe.samples, loaded.folder
    if samples is None:
        return []
    return [
        FetchRequest(locator=samples.locator, name="samples", sha256=samples.sha256, folder=folder)
    ]


def _pack_archive(session: Session, archive: BinaryIO, what: str, out: BinaryIO) -> dict[str, str]:
    packed = session.jail.run(PACK_SAMPLES, [archive], Nothing(), outputs=[out])
    if packed.cut:
        raise UsageError(what, got="too much", expected=f"{MOST_SAMPLES} files, 1 GiB in all")
    return _named(packed.paths, what=what)


def _named(paths: Sequence[str], *, what: str) -> dict[str, str]:
    """Return the paths of samples by the names that engines see."""
    if not 0 < len(paths) <= MOST_SAMPLES:
        expected = f"1 to {MOST_SAMPLES} files"
        raise UsageError(what, got=f"{len(paths)} files", expected=expected)
    return {sample_name(number): path for number, path in enumerate(paths)}


def _pack_folder(folder: Path, named: Mapping[str, str], out: BinaryIO) -> None:
    size = 0
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, path in named.items():
            with (folder / path).open("rb") as stream:
                entry = tarfile.TarInfo(name)
                entry.size = os.fstat(stream.fileno()).st_size
                size += entry.size
                if size > _MOST_BYTES:
                    raise UsageError(
                        f"the samples in {folder} are too large",
                        got=f"more than {_MOST_BYTES} bytes",
                        todo="Name a folder with fewer of them",
                    )
                tar.addfile(entry, stream)


def _pack_rules(session: Session, files: Sequence[NamedFile], path: Path) -> None:
    given = NamedFiles(names=tuple(name for name, _ in files))
    with path.open("wb") as out:
        streams = [stream for _, stream in files]
        packed = session.jail.run(PACK_RULES, streams, given, outputs=[out])
    if packed.cut:
        raise UsageError("a rule set is too large for the engines", got=f"{packed.files} files")


def _run(
    session: Session, argv: Sequence[str], inputs: dict[str, Path], outputs: Path, folder: Path
) -> ToolResult:
    counter = session.counter("rules")
    image = ensure_image(
        ENGINES_IMAGE,
        session.images,
        session.engine,
        session.workdir,
        counter,
        offline=session.offline,
    )
    with session.budget.share(cpus=1, memory=_LIMITS.memory, cancelled=session.cancelled):
        session.raise_if_cancelled()
        session.progress.step("rules", "running the engines")
        return run_in_container(
            argv,
            inputs=inputs,
            outputs=outputs,
            limits=_LIMITS,
            engine=session.engine,
            image=image.reference,
            workdir=folder,
            labels=RunLabels(run=new_run_id(), center=session.center.id),
            cancelled=session.cancelled,
        )


def _result(outputs: Path, result: ToolResult) -> bytes:
    """Return what the driver wrote; raises `InfrastructureError` when it did not end well."""
    end = result.container
    path = outputs / _RESULT
    if end.ended is not EndReason.EXITED or end.exit_code != 0 or _RESULT not in result.outputs:
        said = result.log[-_LOG_SHOWN:].decode("utf-8", "backslashreplace").strip()
        got = "out of memory" if end.oom_killed else f"{end.ended}, exit code {end.exit_code}"
        raise InfrastructureError(
            "the engines did not run to their end", got=f"{got}: {said}", todo="Give fewer samples"
        )
    with path.open("rb") as stream:
        data = stream.read(MOST_RESULT + 1)
    if len(data) > MOST_RESULT:
        raise InfrastructureError("the engines found too much", expected=f"{MOST_RESULT} bytes")
    return data
