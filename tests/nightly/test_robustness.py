"""The rebuild in a varied environment on the real engine: what it meets, and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import CancelledError, EngineError, StoreError
from builders.images.provide import ProvidedImage
from builders.rebuild.rebuild_result import OutputKind, RebuildResult
from pipelines.center.file import local_policy_file
from pipelines.center.keys import public_keys
from pipelines.evidence.dsse import Envelope, verify_envelope
from pipelines.evidence.report import (
    Attempt,
    Environment,
    Report,
    Robustness,
    RobustnessRebuild,
    changed_artefacts,
)
from pipelines.evidence.statements.reader import read_statement
from pipelines.evidence.statements.rebuilds import RobustnessStatement
from pipelines.evidence.stored_runs import ROBUSTNESS_RECORD
from pipelines.nightly import release_task
from pipelines.nightly.record import RobustnessResult
from pipelines.nightly.release_task import rebuild_elsewhere, rebuild_for_robustness
from pipelines.verify import steps
from pipelines.verify.publish import run_folder
from pipelines.verify.session import Job, Session
from pipelines.verify.verify import job_for, verify
from tests.command import samebits
from tests.lab import write_recipe

FACTS = {
    "hostname": "uname -n",
    "user": "id -u",
    "cores": "nproc",
    "folder-order": "mkdir many; cd many; seq 40 | xargs touch; ls -U; cd ..",
    "timezone": "date +%Z",
    "locale": "echo $LC_ALL",
    "firm": "echo firm; umask; pwd; echo $HOME $PATH",
}
DECLARED = {"hostname": "h", "timezone": "UTC", "locale": "C.UTF-8", "folder_order": "hashed"}


def facts_that_change(session: Session, folder: Path, build: dict[str, Any]) -> set[str]:
    """Rebuild a recipe whose outputs are facts, here and elsewhere; return which of them change."""
    artefacts = [
        {"name": n, "shipped": {"locator": "file:out.bin", "sha256": str(Digest.of(n.encode()))}}
        for n in FACTS
    ]
    script = "; ".join(f"{{ {command}; }} > /out/{name}" for name, command in FACTS.items())
    path = write_recipe(folder, [["sh", "-c", script]], build=build, artefacts=artefacts)
    with job_for(session, path) as job:
        inputs, image = steps.fetch_inputs(session, job), steps.provide_image(session, job)
        judged = steps.run_rebuild(session, job, inputs, image).rebuild
        again = rebuild_elsewhere(session, job).rebuild
    assert {o.name for o in again.outputs if o.part is OutputKind.ARTEFACT} == set(FACTS), (
        again.reason
    )
    return set(changed_artefacts(judged, again))


def fixed(session: Session) -> set[str]:
    """Return what cannot be moved on this machine."""
    return {"cores"} if session.engine.info().cpus == 1 else set()


def test_every_factor_is_seen_by_the_build(
    session: Session, tmp_path: Path, build_image: ProvidedImage
) -> None:
    expected = set(FACTS) - {"firm"} - fixed(session)
    assert facts_that_change(session, tmp_path / "open", {}) == expected


def test_what_is_declared_is_seen_unchanged(
    session: Session, tmp_path: Path, build_image: ProvidedImage
) -> None:
    assert facts_that_change(session, tmp_path / "declared", DECLARED) == {"user", "cores"} - fixed(
        session
    )


def built(job: Job) -> Report:
    """Return the report of a run that built something, which nobody ran."""
    rebuild = RebuildResult(outcome=Outcome.BUILT, exit_code=0)
    return Report(
        vendor="lab", product="one", version="1", center=job.center, run=job.run,
        outcome=Outcome.BUILT, verdict=Verdict.IDENTICAL, artefacts=(), timings={},
        environment=Environment(declared={}, method="script"),
        attempts=(Attempt(number=1, purpose="judged", rebuild=rebuild),),
    )  # fmt: skip


@pytest.mark.parametrize("error", [EngineError("gone"), StoreError("full"), OSError("gone")])
def test_whatever_breaks_elsewhere_breaks_nothing_here(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(session: Session, job: Job) -> RobustnessRebuild:
        raise error

    monkeypatch.setattr(release_task, "rebuild_elsewhere", broken)
    with job_for(session, write_recipe(tmp_path / "one", [["true"]])) as job:
        assert rebuild_for_robustness(session, job, built(job)) == RobustnessResult(
            result=Robustness.FAILED
        )


def test_a_cancelled_night_is_cancelled(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(session: Session, job: Job) -> RobustnessRebuild:
        raise CancelledError("stop")

    monkeypatch.setattr(release_task, "rebuild_elsewhere", stopped)
    path = write_recipe(tmp_path / "one", [["true"]])
    with job_for(session, path) as job, pytest.raises(CancelledError):
        rebuild_for_robustness(session, job, built(job))


class Elsewhere:
    """A release that was verified here, and rebuilt elsewhere."""

    def __init__(self, session: Session, folder: Path, script: str) -> None:
        path = write_recipe(folder, [["sh", "-c", script]], shipped=b"builder\n")
        with job_for(session, path) as job:
            self.job: Job = job
            self.report: Report = verify(session, job)
            self.shown: RobustnessResult | None = rebuild_for_robustness(session, job, self.report)
        self.session = session

    def statement(self) -> RobustnessStatement:
        """Return what was signed, after a look at the signature."""
        store = self.session.store
        data = store.get(run_folder(self.report) + ROBUSTNESS_RECORD, 1 << 20)
        envelope = Envelope.from_bytes(data)
        verify_envelope(envelope, [public_keys(self.session.center)["statements"]])
        statement = read_statement(envelope.payload)
        assert isinstance(statement, RobustnessStatement)
        return statement


def test_a_difference_elsewhere_is_signed_logged_and_no_part_of_the_verdict(
    session: Session, tmp_path: Path, build_image: ProvidedImage
) -> None:
    ran = Elsewhere(session, tmp_path / "elsewhere", "uname -n > /out/out.bin")
    assert ran.report.verdict is Verdict.IDENTICAL
    assert ran.shown is not None
    assert (ran.shown.result, ran.shown.changed) == (Robustness.DIFFERS, ("out.bin",))
    told = ran.statement().predicate
    assert [m.factor for m in told.moved] == list(ran.shown.moved)
    (artefact,) = told.artefacts
    assert artefact.judged is not None
    assert artefact.moved is not None
    assert artefact.judged.sha256 == Digest.of(b"builder\n")
    assert artefact.moved.sha256 == Digest.of(b"elsewhere\n")

    release, home = ran.report.release, session.center.home
    assert "robustness rebuild: other bytes" in samebits("evidence", "show", release, home=home).out
    bundle = tmp_path / "elsewhere.bundle.tar"
    assert samebits("evidence", "export", release, "--out", bundle, home=home).code == 0
    policy = local_policy_file(home)
    ended = samebits("evidence", "check", bundle, "--policy", policy, "--json", home=home)
    steps_told = {s["step"]: s for s in json.loads(ended.out)["steps"]}
    assert ended.code == 0, ended.out
    assert steps_told["tested"]["message"].startswith("differs, hostname, user")
    assert "1 robustness" in steps_told["kinds"]["message"]


def test_a_build_that_fails_elsewhere_is_told_as_that(
    session: Session, tmp_path: Path, build_image: ProvidedImage
) -> None:
    script = 'echo builder > /out/out.bin; [ "$TZ" = UTC ]'
    ran = Elsewhere(session, tmp_path / "particular", script)
    assert ran.report.verdict is Verdict.IDENTICAL
    assert ran.shown is not None
    assert ran.shown.result is Robustness.FAILED
    told = ran.statement().predicate
    assert (told.result, told.outcome, told.reason) == ("failed", "BUILD_FAILED", "exit-code")
    assert [a.moved for a in told.artefacts] == [None]


def test_beside_nothing_that_was_built_there_is_no_test(
    session: Session, tmp_path: Path, build_image: ProvidedImage
) -> None:
    ran = Elsewhere(session, tmp_path / "broken", "exit 3")
    assert ran.shown is None
    assert not session.store.has(run_folder(ran.report) + ROBUSTNESS_RECORD)
