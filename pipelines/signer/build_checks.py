"""Conditions on what was built: attempts, outcome, logs, outputs, seal, sources, robustness."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builders.core.enums import Outcome, Role
from builders.core.errors import InfrastructureError, SamebitsError
from builders.inputs.source_digest import source_digest
from builders.rebuild.outputs import part_of
from builders.rebuild.robustness_factors import Factor, KeptReason
from builders.rebuild.robustness_plan import declares, default_value, varied_values
from builders.rebuild.seal import hide_names, seal_digest
from pipelines.evidence.clocks import SKEW
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.report import Purpose
from pipelines.evidence.statements.rebuilds import MAX_ATTEMPTS
from pipelines.signer.opened_evidence import MAX_RUN, Condition, OpenedEvidence, equal

# A run can still break or be stopped after its build succeeded, and before its seal.
_AFTER_THE_BUILD = frozenset({Outcome.INFRASTRUCTURE_ERROR, Outcome.CANCELLED})
_SEVERAL = re.compile(r"[2-9]|[1-9][0-9]{1,3}")
"""Cores of a machine, more than one."""


def build_conditions(opened: OpenedEvidence) -> Iterator[Condition]:
    """Yield the conditions in their order; raises `RefusedError` for bytes that are not there."""
    yield _attempts(opened)
    yield _outcome(opened)
    yield from _rebuilds(opened)
    yield from _outputs(opened)
    yield from _seal(opened)
    yield from _sources(opened)


def _attempts(opened: OpenedEvidence) -> Condition:
    """Require numbered attempts: a judged one, then retries."""
    attempts = opened.report.attempts
    due = [Purpose.JUDGED, *[Purpose.RETRY] * (MAX_ATTEMPTS - 1)][: len(attempts)]
    expected = [f"{n} {purpose}" for n, purpose in enumerate(due, start=1)]
    given = [f"{a.number} {a.purpose}" for a in attempts]
    return equal("attempts", "the attempts are out of order", given, expected)


def _outcome(opened: OpenedEvidence) -> Condition:
    """Require a build that succeeded for BUILT, and the outcome of the attempt for a failure."""
    outcome, judged = opened.report.outcome, opened.run.judged
    if judged is None:
        built = outcome is Outcome.BUILT
        return Condition("outcome", "BUILT without a build", not built, "no attempt", "BUILT")
    broken = outcome in _AFTER_THE_BUILD and judged.outcome is Outcome.BUILT
    expected = outcome if broken else judged.outcome
    return equal("outcome", "the outcome is not that of the attempt", outcome, expected)


def _rebuilds(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require of every rebuild an ending that fits its outcome, possible figures, and its log."""
    attempts = len(opened.report.attempts)
    total = opened.report.timings.get("total", 0)
    for number, (name, rebuild) in enumerate(opened.rebuilds):
        built = rebuild.outcome is Outcome.BUILT
        clean = rebuild.exit_code == 0 and not rebuild.signal and not rebuild.oom_killed
        yield Condition(
            "ending",
            f"{name} did not end as its outcome says",
            clean if built else not rebuild.outputs,
            got=f"{rebuild.outcome}, exit code {rebuild.exit_code}, {len(rebuild.outputs)} outputs",
            expected="exit code 0 when BUILT, and outputs only then",
        )
        memory, seconds = rebuild.peak_memory or 0, rebuild.wall_seconds or 0
        longest = total if number < attempts else MAX_RUN.total_seconds()
        yield Condition(
            "figures",
            f"{name} has impossible figures",
            all(0 <= figure < 1 << 50 for figure in (memory, seconds))
            and seconds <= longest + 1
            and rebuild.exit_code in {None, *range(256)}
            and rebuild.signal in {None, *range(1, 128)},
            got=f"{memory} bytes, {seconds} s of {longest} s",
            expected="nothing negative, and no longer than the run",
        )
        logged = rebuild.log is not None or not built
        yield Condition("log", "a build without a log", logged, "none", "a digest")
        if rebuild.log is not None:
            opened.source.measure(rebuild.log, check="log", what=f"log of {name}")


def _outputs(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require outputs with file names, each once and in order, and with the bytes in the store."""
    for _, rebuild in opened.rebuilds:
        names = [output.name for output in rebuild.outputs]
        odd = [n for n in names if not n.isprintable() or "/" in n or n[:1] in {"", "."}]
        yield Condition(
            "output-names",
            "outputs have names that no build leaves",
            not odd and names == sorted(set(names)),
            got=f"{(odd or names)[:3]!a:.200}",
            expected="plain file names, each once, sorted",
        )
        for output in rebuild.outputs:
            what, part = f"output {output.name}", part_of(output.name, opened.recipe)
            error = f"{what} is something else to the recipe"
            yield equal("output-parts", error, output.part, part)
            size, _ = opened.source.measure(
                output.sha256, check="output-bytes", what=what, key=opened.seal_key
            )
            yield equal("output-bytes", f"{what} has another size", output.size, size)


def _seal(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require the seal of the outputs under this center and run, and all by-products."""
    report = opened.report
    lines = hide_names(opened.sealed, opened.seal_key) if opened.salt else opened.sealed
    expected = seal_digest(lines) if opened.run.built else None
    yield equal("seal", "the seal is not of these outputs", report.seal, expected)
    names = {o.name for o in opened.outputs if o.part.is_by_product}
    made = [line for line in opened.sealed if line.name in names]
    error = "the by-products are not those of the build"
    yield equal("by-products", error, list(report.by_products), made)


def _sources(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require the sources of the recipe, and the source digests that reviewers know."""
    sources = opened.report.environment.sources
    if not sources and not opened.report.attempts:
        return  # it ended before its inputs were there
    inputs = [item for item in opened.recipe.inputs if item.role is Role.SOURCE]
    expected = [f"{item.locator} {item.sha256}" for item in inputs]
    claimed = [f"{source.locator} {source.sha256}" for source in sources]
    yield equal("sources", "the sources are not those of the recipe", claimed, expected)
    pairs = zip(sources, inputs, strict=True)
    for fact, item in [(f, i) for f, i in pairs if f.source_digest is not None]:
        try:
            files = opened.input_files(item)
            digest = source_digest(
                files, lambda file: opened.source.vault.open(file.sha256), opened.source.jail
            )
        except (InfrastructureError, RefusedError):
            raise  # a reader that gave no answer says nothing of the evidence
        except SamebitsError as error:
            raise RefusedError("sources", "a source cannot be read", got=error) from error
        yield equal("sources", "another source digest", fact.source_digest, digest)


def robustness_conditions(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require of a robustness rebuild that it varied what the recipe does not declare.

    How it went is checked like the attempts. Its result is not part of the evidence: the statement
    derives it from the digests.
    """
    robustness, report, build = opened.evidence.robustness, opened.report, opened.recipe.build
    if robustness is None:
        return
    error = "a robustness rebuild without a judged build"
    yield equal("tested", error, report.outcome, Outcome.BUILT)
    finished, now = opened.run.finished, opened.now
    yield Condition(
        "tested",
        "the robustness rebuild was not made after the run",
        finished <= robustness.tested_on <= now + SKEW,
        got=f"{robustness.tested_on:%Y-%m-%dT%H:%M:%SZ}",
        expected=f"{finished:%Y-%m-%dT%H:%M:%SZ} to {now:%Y-%m-%dT%H:%M:%SZ}",
    )
    declared = [factor for factor in Factor if declares(build, factor)]
    kept = [k.factor for k in robustness.kept if k.why is KeptReason.DECLARED]
    yield equal("factors", "other factors are declared", kept, declared)
    values = varied_values(report.run)
    for varied in robustness.moved:
        before, after = default_value(build, varied.factor), values[varied.factor]
        from_default = varied.before == before if before else _SEVERAL.fullmatch(varied.before)
        yield Condition(
            "factors",
            f"{varied.factor} was varied from or to another value",
            bool(from_default) and varied.after == after,
            got=f"{varied.before!a:.80} to {varied.after!a:.80}",
            expected=f"{before or 'several'} to {after}",
        )
