"""The base of an update counts by the newest logged run of the center itself that judged it."""

from __future__ import annotations

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.audit.base_runs import own_base_run
from pipelines.evidence.dsse import Envelope, sign_envelope
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement, Ground
from pipelines.judge.updates.checked_delta import BaseRun
from pipelines.storage.names import encode, release_prefix
from tests.evidence.examples import A, B, example_comparison
from tests.fakes.store import MemoryStore
from tests.log.keys import FixedKey

RELEASE = ReleaseName(vendor="acme", product="rules", version="1.10")
FIRST, SECOND, THIRD = (f"2026010{day}T030405Z-0a1b2c3d" for day in (1, 2, 3))


class Evidence:
    """A store with comparisons of one file, and the log that has some of them."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.logged: set[Digest] = set()

    def put(
        self, run: str, verdict: Verdict = Verdict.IDENTICAL, *, center: str = "zurich",
        folder: str = "zurich", logged: bool = True, inside: str | None = None, record: str = "1",
    ) -> Digest:  # fmt: skip
        """Put a comparison of `run`, into the folder of the run `inside`."""
        example = example_comparison()
        grounds = {Verdict.IDENTICAL: Ground.SAME_DIGEST, Verdict.NOT_CHECKED: Ground.NO_REBUILD}
        said = {
            "run": run,
            "verdict": verdict,
            "ground": grounds.get(verdict, Ground.BYTES_DIFFER),
            "center": center,
        }
        statement = ComparisonStatement(
            subject=example.subject, predicate=example.predicate.model_copy(update=said)
        )
        envelope: Envelope = sign_envelope(statement.to_bytes(), FixedKey("statements"))
        prefix = f"{release_prefix(*RELEASE.parts)}{encode(folder)}/{encode(inside or run)}/"
        self.store.put_record(f"{prefix}comparison-{record}.dsse.json", envelope.to_bytes())
        self.store.put_record(f"{prefix}attempt-{record}.dsse.json", b"never read")
        if logged:
            self.logged.add(envelope.digest())
        return statement.digest()

    def found(self, digest: Digest = A, release: ReleaseName = RELEASE) -> BaseRun | None:
        def is_own(envelope: Envelope) -> bool:
            return envelope.digest() in self.logged

        return own_base_run(self.store, "zurich", str(release), digest, is_own)


@pytest.fixture
def evidence() -> Evidence:
    made = Evidence()
    made.put(FIRST)
    return made


def test_the_newest_run_that_judged_the_file_is_named(evidence: Evidence) -> None:
    newest = evidence.put(SECOND, Verdict.DIFFERENT)
    assert (found := evidence.found())
    assert (found.run, found.verdict, found.comparison) == (SECOND, Verdict.DIFFERENT, newest)


def test_a_run_without_a_verdict_leaves_the_one_before_it(evidence: Evidence) -> None:
    evidence.put(SECOND, Verdict.NOT_CHECKED)
    assert (found := evidence.found())
    assert (found.run, found.verdict) == (FIRST, Verdict.IDENTICAL)


def test_what_the_log_does_not_have_counts_for_nothing(evidence: Evidence) -> None:
    evidence.put(SECOND, logged=False)
    assert (found := evidence.found())
    assert found.run == FIRST
    evidence.logged.clear()
    assert evidence.found() is None


def test_the_word_of_another_center_counts_for_nothing(evidence: Evidence) -> None:
    evidence.put(SECOND, folder="tokyo", center="tokyo")
    evidence.put(THIRD, center="tokyo")
    assert (found := evidence.found())
    assert found.run == FIRST


def test_a_statement_counts_in_the_folder_of_its_own_run_alone(evidence: Evidence) -> None:
    newest = evidence.put(SECOND, Verdict.DIFFERENT)
    evidence.put(FIRST, inside=THIRD)
    assert (found := evidence.found())
    assert (found.run, found.comparison) == (SECOND, newest)


@pytest.mark.parametrize("records", ["12", "21"])
def test_of_a_file_under_two_names_the_worse_verdict_counts(
    evidence: Evidence, records: str
) -> None:
    for record, verdict in zip(records, (Verdict.IDENTICAL, Verdict.DIFFERENT), strict=True):
        evidence.put(SECOND, verdict, record=record)
    assert (found := evidence.found())
    assert (found.run, found.verdict) == (SECOND, Verdict.DIFFERENT)


def test_another_file_or_release_was_not_judged(evidence: Evidence) -> None:
    assert evidence.found(B) is None
    assert evidence.found(release=ReleaseName(vendor="acme", product="rules", version="1")) is None


def test_a_record_that_cannot_be_read_hides_no_other(evidence: Evidence) -> None:
    prefix = f"{release_prefix(*RELEASE.parts)}zurich/{SECOND}/"
    evidence.store.put_record(f"{prefix}comparison-1.dsse.json", b"rubbish")
    assert (found := evidence.found())
    assert found.run == FIRST
