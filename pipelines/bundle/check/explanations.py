"""Checks of what explains a run: of comparisons in the bundle, and no part of any verdict."""

from __future__ import annotations

from builders.core.enums import Verdict
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.check.result import NotNeededError, require, require_equal
from pipelines.evidence.statements.comparison import Comparison
from pipelines.evidence.statements.explanation import ExplainedComparison
from pipelines.evidence.statements.statement import show_time
from pipelines.judge.finding import Confirmation


def check_explained(opened: OpenedBundle) -> str:
    """Require that each explanation names a comparison of the run, and follows from its digests."""
    if not opened.explanations:
        raise NotNeededError("nothing explains the run, or nothing of it is in the bundle")
    (statement,) = opened.explanations
    explained, compared = statement.predicate, {s.name: s for s in opened.comparisons}
    for attempt in opened.attempts:
        finished = attempt.predicate.finished_on
        later = explained.explained_on >= finished
        what, got = "the run was explained before its end", show_time(explained.explained_on)
        require(later, what, got, f"{show_time(finished)} or later")
    for about, subject in zip(explained.artefacts, statement.subject, strict=True):
        comparison = compared.get(about.name)
        digest = comparison.digest() if comparison else None
        what = f"the explanation of {about.name} names another comparison"
        require_equal(what, about.comparison.sha256, digest)
        if comparison is not None:
            what = f"the explanation of {about.name} is about other bytes"
            require_equal(what, subject, comparison.subject[0])
            _check_follows(about, comparison.predicate)
    causes = sum(len(about.causes) for about in explained.artefacts)
    return f"{len(explained.artefacts)} artefacts, {causes} causes: no part of a verdict"


def _check_follows(about: ExplainedComparison, comparison: Comparison) -> None:
    told = about.explanation
    bare = not (about.causes or about.confirmation or told.json_diff or told.html_diff)
    what = f"{about.name} has no difference to explain"
    require(bare or comparison.verdict is Verdict.DIFFERENT, what, comparison.verdict, "DIFFERENT")
    again = about.rebuilt
    if again is None or comparison.rebuilt is None or comparison.shipped is None:
        return
    expected = Confirmation.OTHER
    if again == comparison.rebuilt.digest:
        expected = Confirmation.SAME
    elif again == comparison.shipped.published:
        expected = Confirmation.SHIPPED
    require_equal(f"what the confirming rebuild left of {about.name}", about.confirmation, expected)
