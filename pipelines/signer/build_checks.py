"""Conditions on what was built: attempts, outcome, logs, outputs, seal, sources."""

from __future__ import annotations

from collections.abc import Iterator

from builders.core.enums import Outcome, Role
from builders.core.errors import SamebitsError
from builders.inputs.source_digest import source_digest
from builders.rebuild.outputs import part_of
from builders.rebuild.rebuild_result import OutputKind
from builders.rebuild.seal import seal_digest
from pipelines.evidence.errors import RefusedError, refused
from pipelines.evidence.report import Purpose
from pipelines.evidence.statements.attempt import MAX_ATTEMPTS
from pipelines.signer.opened_evidence import MAX_RUN, Condition, OpenedEvidence, equal, true

# A run can still break or be stopped after its build succeeded, and before its seal.
_AFTER_THE_BUILD = frozenset({Outcome.INFRASTRUCTURE_ERROR, Outcome.CANCELLED})


def build_conditions(opened: OpenedEvidence) -> Iterator[Condition]:
    """Yield the conditions in their order; raises `RefusedError` for bytes that are not there."""
    yield _attempts(opened)
    yield _outcome(opened)
    yield from _rebuilds(opened)
    yield from _outputs(opened)
    yield from _seal(opened)
    yield from _sources(opened)


def _attempts(opened: OpenedEvidence) -> Condition:
    """Require numbered attempts: a judged one, then retries, then at most one to confirm."""
    attempts = opened.report.attempts
    purposes = [a.purpose for a in attempts]
    building = purposes[:-1] if purposes[-1:] == [Purpose.CONFIRMING] else purposes
    expected = ["judged", *["retry"] * (len(building) - 1)][: len(building)]
    numbered = [a.number for a in attempts] == list(range(1, len(attempts) + 1))
    return true(
        "attempts",
        "the attempts are out of order",
        numbered and building == expected and len(attempts) <= MAX_ATTEMPTS,
        got=", ".join(f"{a.number} {a.purpose}"[:40] for a in attempts[:10]),
        expected="1 judged, then retries, then at most one confirming",
    )


def _outcome(opened: OpenedEvidence) -> Condition:
    """Require a build that succeeded for BUILT, and the outcome of the attempt for a failure."""
    outcome, judged = opened.report.outcome, opened.run.judged
    if judged is None:
        built = outcome is Outcome.BUILT
        return true("outcome", "BUILT without a build", not built, "no attempt", "BUILT")
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
        yield true(
            "ending",
            f"{name} did not end as its outcome says",
            clean if built else not rebuild.outputs,
            got=f"{rebuild.outcome}, exit code {rebuild.exit_code}, {len(rebuild.outputs)} outputs",
            expected="exit code 0 when BUILT, and outputs only then",
        )
        memory, seconds = rebuild.peak_memory or 0, rebuild.wall_seconds or 0
        longest = total if number < attempts else MAX_RUN.total_seconds()
        yield true(
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
        yield true("log", "a build without a log", logged, "none", "a digest")
        if rebuild.log is not None:
            opened.source.measure(rebuild.log, check="log", what=f"log of {name}")


def _outputs(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require outputs with file names, each once and in order, and with the bytes in the store."""
    for _, rebuild in opened.rebuilds:
        names = [output.name for output in rebuild.outputs]
        odd = [n for n in names if not n.isprintable() or "/" in n or n[:1] in {"", "."}]
        yield true(
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
            found = opened.source.measure(output.sha256, check="output-bytes", what=what)
            yield equal("output-bytes", f"{what} has another size", output.size, found.size)


def _seal(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require the seal of the outputs under this center and run, and all by-products."""
    report = opened.report
    expected = seal_digest(opened.sealed) if opened.run.built else None
    yield equal("seal", "the seal is not of these outputs", report.seal, expected)
    names = {o.name for o in opened.outputs if o.part is OutputKind.BY_PRODUCT}
    lines = tuple(line for line in opened.sealed if line.name in names)
    yield true(
        "by-products",
        "the by-products are not those of the build",
        report.by_products == lines,
        got=f"{len(report.by_products)} lines",
        expected=f"{len(lines)} lines with their keyed digests",
    )


def _sources(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require the sources of the recipe, and the source digests that reviewers know."""
    sources = opened.report.environment.sources
    if not sources and not opened.report.attempts:
        return  # it ended before its inputs were there
    inputs = [item for item in opened.recipe.inputs if item.role is Role.SOURCE]
    yield true(
        "sources",
        "the sources are not those of the recipe",
        [(s.locator, s.sha256) for s in sources] == [(str(i.locator), i.sha256) for i in inputs],
        got=f"{len(sources)} sources",
        expected=f"{len(inputs)}, with the same locators and digests",
    )
    for fact, item in zip(sources, inputs, strict=True):
        if fact.source_digest is None:
            continue
        try:
            files = list(opened.source.input_files(item))
            digest = source_digest(files, lambda file: opened.source.open_vaulted(file.sha256))
        except RefusedError:
            raise
        except SamebitsError as error:
            raise refused("sources", "a source cannot be read", got=error, expected=None) from error
        yield equal("sources", "another source digest", fact.source_digest, digest)
