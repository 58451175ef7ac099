"""Two rule sets and a folder of samples, given to the engines of the rules in a container."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import IO, BinaryIO

from builders.container.spec import EndReason, RunLabels
from builders.core.errors import InfrastructureError, UsageError
from builders.core.runid import new_run_id
from builders.images.provide import ensure_image
from builders.methods.method import INPUTS, OUTPUTS
from builders.rebuild.tool_container import ToolLimits, ToolResult, run_in_container
from pipelines.rules.engines.engine_runs import MOST_RESULT, EngineRun, read_runs
from pipelines.rules.engines.packed_rules import PACK_RULES, NamedFiles
from pipelines.verify.session import Session

IMAGE = "rule-engines"
_RESULT = "result.json"
_SIDES = ("old", "new")
_MOST_SAMPLES = 10_000
_MOST_BYTES = 1 << 30
_LIMITS = ToolLimits(seconds=900, memory=3 << 30)
_LOG_SHOWN = 500

NamedFile = tuple[str, BinaryIO]


def run_engines(
    session: Session,
    old: Sequence[NamedFile],
    new: Sequence[NamedFile],
    samples: Path,
) -> tuple[EngineRun, ...]:
    """Return what each engine catches of the files below `samples` with the old and new rules.

    Rules are files or archives, which the jail unpacks. Raises `UsageError` for a folder without
    samples or too many of them, `InfrastructureError` where nothing can be run.
    """
    named = _samples(samples)
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
            _pack_samples(samples, named, out)
        tars = [f"{INPUTS}/{name}.tar" for name in (*_SIDES, "samples")]
        argv = ("/usr/bin/python3", "-I", f"{INPUTS}/driver.py", *tars, f"{OUTPUTS}/{_RESULT}")
        outputs = folder / "out"
        outputs.mkdir()
        result = _run(session, argv, inputs, outputs, folder)
        return read_runs(_result(outputs, result), dict(named))


def _samples(folder: Path) -> list[tuple[str, str]]:
    """Return the samples below a folder: the name that the engines see, and its path there."""
    found = [
        file.relative_to(folder).as_posix()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.is_symlink()
    ]
    if not found or len(found) > _MOST_SAMPLES:
        raise UsageError(
            f"{folder} is no folder of samples",
            got=f"{len(found)} files",
            expected=f"a folder of 1 to {_MOST_SAMPLES} files",
        )
    return [(f"sample-{number:05}", path) for number, path in enumerate(found)]


def _pack_samples(folder: Path, named: Sequence[tuple[str, str]], out: IO[bytes]) -> None:
    size = 0
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, path in named:
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
        IMAGE, session.images, session.engine, session.workdir, counter, offline=session.offline
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
