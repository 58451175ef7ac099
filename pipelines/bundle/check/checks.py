"""All checks of a bundle, one rule a function, in the order of asking.

What comes later relies on what came before, so the first that finds something wrong is the last
that is asked. What cannot be checked does not stop the others, and is never a pass. Every check has
a lie that it finds out (`tests/bundle/lies.py`), so that none can be lost unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipelines.bundle.check import (
    filechecks,
    findingchecks,
    formchecks,
    logchecks,
    policychecks,
    robustchecks,
    runchecks,
    signerchecks,
)
from pipelines.bundle.check.dossier import Dossier, GivenFile, Trust
from pipelines.bundle.check.result import CheckResult, NotNeededError, Status, Step, UncheckedError
from pipelines.evidence.errors import EvidenceError

Check = Callable[[Dossier], str]

CHECKS: dict[str, Check] = {
    "form": formchecks.check_form,
    "members": formchecks.check_known_members,
    "digests": formchecks.check_digests,
    "card": formchecks.check_card,
    "keys": formchecks.check_keys,
    "policy": policychecks.check_policy,
    "given-policy": policychecks.check_given_policy,
    "envelopes": formchecks.check_envelopes,
    "signatures": signerchecks.check_signatures,
    "key-use": signerchecks.check_key_use,
    "schema": formchecks.check_schema,
    "kinds": formchecks.check_kinds,
    "builder": signerchecks.check_builder,
    "report": runchecks.check_report,
    "run": runchecks.check_run,
    "times": runchecks.check_times,
    "claim": runchecks.check_claim,
    "attempts": runchecks.check_attempts,
    "outcome": runchecks.check_outcome,
    "seal": runchecks.check_seal,
    "leaves": logchecks.check_leaves,
    "inclusion": logchecks.check_inclusion,
    "logged": logchecks.check_logged,
    "chain": logchecks.check_chain,
    "commitment": logchecks.check_commitment,
    "key-time": policychecks.check_key_time,
    "witnesses": policychecks.check_witnesses,
    "fresh": policychecks.check_fresh,
    "subjects": findingchecks.check_subjects,
    "complete": findingchecks.check_complete,
    "artefacts": findingchecks.check_artefacts,
    "built": findingchecks.check_built,
    "provenance": findingchecks.check_provenance,
    "log": runchecks.check_log,
    "by-products": runchecks.check_by_products,
    "environment": findingchecks.check_environment,
    "inputs": findingchecks.check_inputs,
    "verdicts": findingchecks.check_verdicts,
    "release-verdict": findingchecks.check_release_verdict,
    "tested": robustchecks.check_tested,
    "moved": robustchecks.check_moved,
    "evidence": filechecks.check_evidence,
    "files": filechecks.check_files,
    "sealed": filechecks.check_sealed,
}
"""Every rule by its name."""


def check_bundle(data: bytes, *, trust: Trust, files: Iterable[GivenFile] = ()) -> CheckResult:
    """Check the bytes of a bundle, and `files` against it; whatever is found is in the result."""
    dossier = Dossier(data=data, trust=trust, files=tuple(files))
    steps: list[Step] = []
    for name, check in CHECKS.items():
        try:
            status, message = Status.OK, check(dossier)
        except NotNeededError as error:
            status, message = Status.NOTE, str(error)
        except UncheckedError as error:
            status, message = Status.UNCHECKED, str(error)
        except EvidenceError as error:
            status, message = Status.WRONG, str(error)
        steps.append(Step(name=name, status=status, message=message))
        if status is Status.WRONG:
            return CheckResult(steps=tuple(steps))
    return _result(dossier, steps)


def _result(dossier: Dossier, steps: list[Step]) -> CheckResult:
    report = dossier.report
    return CheckResult(
        steps=tuple(steps),
        release=report.release,
        center=report.center,
        run=report.run,
        outcome=report.outcome,
        artefacts=tuple((b.subject[0].name, b.predicate.verdict) for b in dossier.comparisons),
        files=filechecks.answers(dossier),
    )
