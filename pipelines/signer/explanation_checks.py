"""Conditions on what explains a run: it is of logged comparisons, and made after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from builders.core.digest import Digest
from builders.core.enums import Outcome
from pipelines.audit.base_runs import IsLogged
from pipelines.evidence.clocks import SKEW
from pipelines.evidence.dsse import PAYLOAD_TYPE, pae
from pipelines.evidence.report import Purpose
from pipelines.evidence.run_explanation import ExplainedArtefact
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.statement import Statement
from pipelines.judge.compare import confirm_difference
from pipelines.judge.finding import Confirmation, Finding
from pipelines.signer.opened_evidence import Condition, OpenedEvidence, equal


def explanation_conditions(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require an explanation of this run, of what differs, and of bytes that are in the store."""
    explanation, report = opened.evidence.explanation, opened.report
    if explanation is None:
        return
    about = ("vendor", "product", "version", "center", "run")
    error = "the explanation is of another run"
    yield equal("explained", error, explanation.only(*about), report.only(*about))
    finished, now, made = opened.run.finished, opened.now, explanation.explained_on
    yield Condition(
        "explained",
        "the run was not explained after it",
        finished <= made <= now + SKEW,
        got=f"{made:%Y-%m-%dT%H:%M:%SZ}",
        expected=f"{finished:%Y-%m-%dT%H:%M:%SZ} to {now:%Y-%m-%dT%H:%M:%SZ}",
    )
    findings = {finding.name: finding for finding in opened.recomputed if finding.shipped}
    names = [artefact.name for artefact in explanation.artefacts]
    error = "explained is something that is no artefact, or one twice"
    known = [name for name in findings if name in names]
    yield equal("explained", error, names, known)
    again = explanation.confirming
    differs = any(finding.differs for finding in opened.recomputed)
    error = "a confirming rebuild without a difference, or none that is numbered as one"
    due = f"{len(report.attempts) + 1} {Purpose.CONFIRMING}"
    given = f"{again.number} {again.purpose}" if again else "none"
    yield Condition("confirming", error, again is None or (differs and given == due), given, due)
    for artefact in explanation.artefacts:
        yield from _explained(opened, artefact, findings[artefact.name])


def _explained(
    opened: OpenedEvidence, artefact: ExplainedArtefact, finding: Finding
) -> Iterator[Condition]:
    error = f"what the confirming rebuild showed of {artefact.name}"
    yield equal("confirming", error, artefact.confirmation, _confirmation(opened, finding))
    found, what = artefact.explanation, f"explanation of {artefact.name}"
    digests = [d for d in (found.json_diff, found.html_diff) if d is not None]
    allowed = finding.differs or not (digests or artefact.causes)
    error = f"{artefact.name} has no difference to explain"
    yield Condition("explanation", error, allowed, finding.verdict, "DIFFERENT")
    for digest in digests:
        opened.source.measure(digest, check="explanation", what=what)


def _confirmation(opened: OpenedEvidence, finding: Finding) -> Confirmation | None:
    explanation = opened.evidence.explanation
    again = explanation.confirming.rebuild if explanation and explanation.confirming else None
    if again is None or again.outcome is not Outcome.BUILT:
        return None
    if not finding.differs:
        return None
    return confirm_difference(finding, again.artefacts.get(finding.name))


def stated_conditions(
    opened: OpenedEvidence, statements: Iterable[Statement], is_logged: IsLogged
) -> Iterator[Condition]:
    """Require that an explanation names comparisons of this run, and that these are logged."""
    explanation = opened.evidence.explanation
    if explanation is None:
        return
    compared = [s for s in statements if isinstance(s, ComparisonStatement)]
    digests = {statement.name: statement.digest() for statement in compared}
    for artefact in explanation.artefacts:
        error = f"the explanation of {artefact.name} names another comparison"
        yield equal("compared", error, artefact.comparison, digests.get(artefact.name))
    for statement in compared:
        if explanation.about(statement.name) is not None:
            digest = Digest.of(pae(PAYLOAD_TYPE, statement.to_bytes()))
            error = f"{statement.name} is explained before its comparison is logged"
            yield Condition("logged", error, is_logged(digest), "not in the log", "in the log")
