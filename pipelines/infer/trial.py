"""One trial of a draft: the rebuild and the judgement of a verification, without evidence.

Nothing is signed, logged or stored, and the build never sees the shipped files.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.core.runid import RunId, new_run_id
from builders.images.provide import claimed_digest
from builders.inputs.fetching import fetch_missing
from builders.rebuild.rebuild import LOG
from builders.rebuild.staging import OUTPUTS
from builders.rebuild.workspace import workspace
from builders.recipe.claim import claim_of
from pipelines.infer.draft import load_draft
from pipelines.infer.target import Pin
from pipelines.judge.finding import FileFact, Finding
from pipelines.verify import steps
from pipelines.verify.judging import judge
from pipelines.verify.session import Job, Session

_TAIL = 1 << 16


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """The result of one trial; without findings, nothing was rebuilt and judged.

    - `reason`: why there are no outputs; empty when there are.
    - `log`: the end of the build log.
    - `outputs`: the files that were built; they are deleted when the search ends.
    """

    outcome: Outcome
    reason: str
    findings: tuple[Finding, ...] = ()
    log: str = ""
    outputs: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrialWorkspace:
    """The run and the folder of the trials of one search."""

    session: Session
    run: RunId
    folder: Path

    def copy(self, pin: Pin) -> Path:
        """Return a checked copy of a file of the vault, which is fetched first if it is missing.

        Raises `InputUnavailableError`, `InputMismatchError`.
        """
        session, path = self.session, Path(tempfile.mkdtemp(dir=self.folder)) / pin.sha256.hex
        fetch_missing(session.vault, session.fetcher, [pin], session.workdir)
        session.vault.stage(pin.sha256, path)
        return path

    def claim(self, draft: str) -> Digest:
        """Return the claim of a draft."""
        loaded = load_draft(draft, self.folder)
        image = claimed_digest(loaded.recipe.build.image, self.session.images)
        return claim_of(loaded, image).digest

    def rebuild(self, draft: str, artefacts: Iterable[Pin], *, seconds: int) -> TrialResult:
        """Rebuild a draft within `seconds`, and compare the outputs with the digests of artefacts.

        Raises `RebuildError`, as a rebuild does.
        """
        session, loaded = self.session, load_draft(draft, self.folder)
        limits = loaded.recipe.limits
        limits = limits.model_copy(update={"time": min(seconds, limits.time)})
        recipe = loaded.recipe.model_copy(update={"limits": limits})
        job = Job(
            loaded=loaded.model_copy(update={"recipe": recipe}),
            center=session.center.id,
            run=self.run,
            folder=Path(tempfile.mkdtemp(dir=self.folder, prefix="trial-")),
        )
        inputs = steps.fetch_inputs(session, job)
        attempt = steps.run_rebuild(session, job, inputs, steps.provide_image(session, job))
        rebuilt, folder = attempt.rebuild, job.attempt(attempt.number)
        outcome, reason = rebuilt.outcome, rebuilt.reason
        served = {pin.name: self._fact(pin) for pin in artefacts}
        findings = judge(session, job, inputs, attempt, served, outcome=outcome, reason=reason)
        shutil.rmtree(folder / "inputs", ignore_errors=True)
        return TrialResult(
            outcome=outcome,
            reason=reason or "",
            findings=findings,
            log=(folder / LOG).read_bytes()[-_TAIL:].decode("utf-8", "replace"),
            outputs=tuple(folder / OUTPUTS / output.name for output in rebuilt.outputs),
        )

    def _fact(self, pin: Pin) -> FileFact:
        """Return what the index states of a file; the size that it does not, from the vault."""
        size = self.session.vault.verify(pin.sha256) if pin.size is None else pin.size
        return FileFact(sha256=pin.sha256, size=size)


@contextmanager
def trial_workspace(session: Session) -> Iterator[TrialWorkspace]:
    """Open a workspace; at exit its folder and the containers of its run are removed."""
    run = new_run_id()
    with workspace(session.center.runs, run) as folder:
        try:
            yield TrialWorkspace(session=session, run=run, folder=folder)
        finally:
            session.sweep(run)
