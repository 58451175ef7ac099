"""One release of a night, with a verifier of our own in the place of the rebuild."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import CancelledError, StoreError
from builders.rebuild.robustness_factors import Factor
from builders.recipe.recipe import load_recipe
from builders.recipe.scope import scope_of
from pipelines.center.center import Center
from pipelines.center.keys import make_local_policy
from pipelines.evidence.privatekey import KEY_USES, create_key
from pipelines.evidence.report import Environment, Report, Robustness, SourceFact
from pipelines.evidence.statements.people import Decision
from pipelines.evidence.statements.statement import DigestSet
from pipelines.judge.finding import FileFact, Finding, ShippedFact
from pipelines.nightly import release_task
from pipelines.nightly.night_plan import DueRelease
from pipelines.nightly.record import DueReason, Mode, NightEntry, RobustnessResult, result_key
from pipelines.nightly.release_task import run_release
from pipelines.policy.reviews.review_records import keep_review
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import REPORT
from pipelines.verify.publish import run_folder
from pipelines.verify.session import Job, Session
from pipelines.verify.verify import job_for
from tests.lab import write_recipe
from tests.nightly.nights import entry
from tests.policy.reviews.people import ADA, CLAIM, SOURCE, policy, signed

SHIPPED = b"one\n"
RECIPE = "recipes/releases/lab/one/1.yaml"
NIGHT = "20260102T010000Z-00000000"


class Verifier:
    """Says IDENTICAL, and counts how often it was asked."""

    def __init__(self, verdict: Verdict = Verdict.IDENTICAL) -> None:
        self.asked = 0
        self.verdict = verdict

    def __call__(self, session: Session, job: Job) -> Report:
        self.asked += 1
        recipe = job.recipe
        digest = Digest.of(SHIPPED)
        finding = Finding(
            name="out.bin",
            verdict=self.verdict,
            reason="said by a test",
            shipped=ShippedFact(published=digest, sha256=digest, size=4),
            rebuilt=FileFact(sha256=digest, size=4),
        )
        return Report(
            vendor=recipe.vendor, product=recipe.product, version=recipe.version,
            center=job.center, run=job.run, outcome=Outcome.BUILT, verdict=self.verdict,
            artefacts=(finding,), environment=Environment(declared={}, method="script"),
            timings={"total": 2.5},
        )  # fmt: skip


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Center:
    recipes = tmp_path / "recipes"
    write_recipe(recipes / "releases/lab/one", [["true"]], shipped=SHIPPED)
    monkeypatch.setenv("SAMEBITS_RECIPES", str(recipes))
    center = Center(id="mine", home=tmp_path / "home", store=tmp_path / "home/store")
    for use in KEY_USES:
        create_key(center.key_folder, use)
    make_local_policy(center)
    return center


def shipped_file(center: Center) -> Path:
    return center.home.parent / "recipes/releases/lab/one/out.bin"


def due(
    why: DueReason = DueReason.NEW, before: NightEntry | None = None, *, robustness: bool = False
) -> DueRelease:
    return DueRelease(
        recipe="releases/lab/one/1.yaml", release="lab/one@1", claim=Digest.of(b"claim"),
        published=Digest.of(b"published"), why=why, number=4, before=before,
        robustness=robustness,
    )  # fmt: skip


def test_a_rebuild_is_recorded(mine: Center) -> None:
    found = run_release(Session(mine), NIGHT, due(), verifier=Verifier())
    assert (found.mode, found.why, found.verdict) == (
        Mode.REBUILT,
        DueReason.NEW,
        Verdict.IDENTICAL,
    )
    assert (found.rebuilt, found.settled, found.seconds) == (4, Verdict.IDENTICAL, 2.5)
    store = DirectoryStore(mine.home / "store")
    stored = store.get(result_key("mine", NIGHT, "lab/one@1"), 1 << 20)
    assert NightEntry.model_validate_json(stored) == found


def test_a_release_with_a_result_is_not_done_again(mine: Center) -> None:
    first, second = Verifier(), Verifier(Verdict.NOT_CHECKED)
    found = run_release(Session(mine), NIGHT, due(), verifier=first)
    assert run_release(Session(mine), NIGHT, due(), verifier=second) == found
    assert (first.asked, second.asked) == (1, 0)


def test_two_at_once_do_it_once(mine: Center) -> None:
    begun, verifier = threading.Barrier(2), Verifier()
    found: list[NightEntry] = []

    def work() -> None:
        begun.wait()
        found.append(run_release(Session(mine), NIGHT, due(), verifier=verifier))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verifier.asked == 1
    assert found[0] == found[1]


def test_of_two_machines_the_first_result_counts(mine: Center) -> None:
    """The other one's lock is on another machine, so that both rebuild."""
    elsewhere = mine.model_copy(update={"home": mine.home.parent / "elsewhere"})
    theirs: list[NightEntry] = []

    def slower(session: Session, job: Job) -> Report:
        theirs.append(run_release(Session(elsewhere), NIGHT, due(), verifier=Verifier()))
        return Verifier()(session, job)

    assert run_release(Session(mine), NIGHT, due(), verifier=slower) == theirs[0]


def test_an_unchanged_release_is_looked_at_and_keeps_its_verdict(mine: Center) -> None:
    verifier, before = Verifier(), entry(rebuilt=2)
    found = run_release(Session(mine), NIGHT, due(DueReason.UNCHANGED, before), verifier=verifier)
    assert verifier.asked == 0
    assert (found.mode, found.verdict, found.run) == (Mode.FRESH, Verdict.IDENTICAL, before.run)
    assert found.rebuilt == 2, "looking is no rebuild"


def test_a_shipped_file_that_was_replaced_is_verified_as_a_whole(mine: Center) -> None:
    shipped_file(mine).write_bytes(b"something else\n")
    verifier = Verifier()
    found = run_release(Session(mine), NIGHT, due(DueReason.UNCHANGED, entry()), verifier=verifier)
    assert verifier.asked == 1
    assert (found.mode, found.why) == (Mode.REBUILT, DueReason.SHIPPED_CHANGED)


def test_a_shipped_file_out_of_reach_is_no_pass(mine: Center) -> None:
    shipped_file(mine).unlink()
    verifier, before = Verifier(), entry()
    found = run_release(Session(mine), NIGHT, due(DueReason.UNCHANGED, before), verifier=verifier)
    assert verifier.asked == 0
    assert (found.verdict, found.artefacts) == (Verdict.NOT_CHECKED, ())
    assert found.settled is Verdict.IDENTICAL


def test_a_rebuild_without_a_verdict_keeps_the_last_settled_one(mine: Center) -> None:
    verifier = Verifier(Verdict.NOT_CHECKED)
    found = run_release(Session(mine), NIGHT, due(DueReason.ROTATION, entry()), verifier=verifier)
    assert (found.verdict, found.settled) == (Verdict.NOT_CHECKED, Verdict.IDENTICAL)


def test_a_run_that_breaks_leaves_no_result(mine: Center) -> None:
    def broken(session: Session, job: Job) -> Report:
        raise StoreError("gone")

    with pytest.raises(StoreError):
        run_release(Session(mine), NIGHT, due(), verifier=broken)
    assert (
        run_release(Session(mine), NIGHT, due(), verifier=Verifier()).verdict is Verdict.IDENTICAL
    )


def test_a_night_that_is_stopped_leaves_no_result(mine: Center) -> None:
    session = Session(mine)

    def stopped(session: Session, job: Job) -> Report:
        session.cancelled.set()
        return Verifier(Verdict.NOT_CHECKED)(session, job)

    try:
        with pytest.raises(CancelledError):
            run_release(Session(mine), NIGHT, due(), verifier=stopped)
    finally:
        session.cancelled.clear()
    assert (
        run_release(Session(mine), NIGHT, due(), verifier=Verifier()).verdict is Verdict.IDENTICAL
    )


MOVED = RobustnessResult(result=Robustness.DIFFERS, moved=(Factor.USER,), changed=("out.bin",))


@pytest.mark.parametrize("wanted", [True, False])
def test_the_moved_rebuild_is_recorded_beside_the_verdict(
    mine: Center, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    monkeypatch.setattr(release_task, "rebuild_for_robustness", lambda *_: MOVED)
    found = run_release(Session(mine), NIGHT, due(robustness=wanted), verifier=Verifier())
    assert found.verdict is Verdict.IDENTICAL
    assert found.robustness == (Robustness.DIFFERS if wanted else None)
    assert found.moved == (MOVED if wanted else None)


def test_where_nothing_was_built_nothing_is_told_of_another_place(
    mine: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_task, "rebuild_for_robustness", lambda *_: None)
    found = run_release(Session(mine), NIGHT, due(robustness=True), verifier=Verifier())
    assert (found.robustness, found.moved) == (None, None)


def test_a_look_tells_nothing_of_an_earlier_moved_rebuild(mine: Center) -> None:
    before = entry(robustness=Robustness.DIFFERS, moved=MOVED)
    found = run_release(Session(mine), NIGHT, due(DueReason.UNCHANGED, before), verifier=Verifier())
    assert (found.verdict, found.robustness, found.moved) == (Verdict.IDENTICAL, None, None)


def recipe_scope(mine: Center) -> DigestSet:
    recipe = load_recipe(mine.home.parent / RECIPE).recipe
    return DigestSet(sha256=scope_of(recipe).digest)


@pytest.fixture
def reviewed(mine: Center, monkeypatch: pytest.MonkeyPatch) -> DueRelease:
    """Under a policy of one review: a release that was approved, and identical last night."""
    monkeypatch.setattr(Session, "policy", lambda *_: policy())
    review = signed("ada", ADA, scope=recipe_scope(mine))
    keep_review(DirectoryStore(mine.home / "store"), review)
    looked = due(DueReason.UNCHANGED, entry(claim=CLAIM, run=stored_run(mine, CLAIM)))
    return looked.model_copy(update={"claim": CLAIM})


def stored_run(mine: Center, claim: Digest) -> str:
    """Store the report of an identical run from the reviewed source; returns its id."""
    session = Session(mine)
    with job_for(session, mine.home.parent / RECIPE) as job:
        report = Verifier()(session, job)
    source = SourceFact(locator="file:source.c", sha256=SOURCE, source_digest=SOURCE)
    environment = report.environment.model_copy(update={"sources": (source,)})
    told = report.model_copy(update={"claim": claim, "environment": environment})
    store = DirectoryStore(mine.home / "store")
    store.put_record(f"{run_folder(told)}{REPORT}", told.to_json())
    return told.run


def test_a_verdict_that_is_still_reviewed_is_looked_at(mine: Center, reviewed: DueRelease) -> None:
    verifier = Verifier()
    found = run_release(Session(mine), NIGHT, reviewed, verifier=verifier)
    assert (found.mode, found.verdict, verifier.asked) == (Mode.FRESH, Verdict.IDENTICAL, 0)


def test_a_verdict_whose_review_was_withdrawn_is_verified_again(
    mine: Center, reviewed: DueRelease
) -> None:
    scope = recipe_scope(mine)
    withdrawn = signed("ada", ADA, scope=scope, decision=Decision.WITHDRAW, ago=timedelta(0))
    keep_review(DirectoryStore(mine.home / "store"), withdrawn)
    verifier = Verifier(Verdict.NOT_CHECKED)
    found = run_release(Session(mine), NIGHT, reviewed, verifier=verifier)
    assert (found.why, found.verdict, verifier.asked) == (
        DueReason.NOT_REVIEWED,
        Verdict.NOT_CHECKED,
        1,
    )


def test_a_run_of_another_claim_vouches_for_nothing(mine: Center, reviewed: DueRelease) -> None:
    before = entry(claim=CLAIM, run=stored_run(mine, Digest.of(b"another")))
    verifier = Verifier()
    run_release(
        Session(mine), NIGHT, reviewed.model_copy(update={"before": before}), verifier=verifier
    )
    assert verifier.asked == 1


@pytest.mark.parametrize(
    "change",
    [{"run": None}, {"run": "20260102T030405Z-ffffffff"}, {"run": "../nowhere"}],
    ids=["none", "gone", "rubbish"],
)
def test_a_verdict_whose_run_cannot_be_read_rests_on_no_review(
    mine: Center, reviewed: DueRelease, change: dict[str, Any]
) -> None:
    assert reviewed.before is not None
    before = reviewed.before.model_copy(update=change)
    verifier = Verifier()
    run_release(
        Session(mine), NIGHT, reviewed.model_copy(update={"before": before}), verifier=verifier
    )
    assert verifier.asked == 1
