"""Checks of what was built: attempts, outcome, logs, outputs, seal, sources."""

from __future__ import annotations

from collections.abc import Callable

from builders.build.outputs import OutputKind, part_of
from builders.core.enums import Outcome, Role
from builders.core.errors import SamebitsError
from pipelines.evidence.errors import RefusedError, refused
from pipelines.evidence.statements.attempt import MAX_ATTEMPTS
from pipelines.evidence.statements.run import CONFIRMING
from pipelines.signer.case import MAX_RUN, Case
from pipelines.signer.recompute import read_source, seal_digest, sealed

# A run can still break or be stopped after its build succeeded, and before its seal.
_AFTER_THE_BUILD = frozenset({Outcome.INFRASTRUCTURE_ERROR, Outcome.CANCELLED})


def check_attempts(case: Case) -> None:
    """Require numbered attempts: a judged one, then retries, then at most one to confirm."""
    found = case.report.attempts
    numbers = [a.number for a in found]
    purposes = [a.purpose for a in found]
    building = purposes[:-1] if purposes[-1:] == [CONFIRMING] else purposes
    expected = ["judged", *["retry"] * (len(building) - 1)][: len(building)]
    if (
        numbers != list(range(1, len(found) + 1))
        or building != expected
        or len(found) > MAX_ATTEMPTS
    ):
        raise refused(
            "attempts",
            "the attempts are out of order",
            got=", ".join(f"{a.number} {a.purpose}"[:40] for a in found[:10]),
            expected="1 judged, then retries, then at most one confirming",
        )


def check_outcome(case: Case) -> None:
    """Require a build that ended well for BUILT, and its own name for one that failed."""
    outcome, judged = case.report.outcome, case.run.judged
    if outcome is Outcome.BUILT and judged is None:
        raise refused("outcome", "BUILT without a build", got="no attempt", expected="BUILT")
    broken = outcome in _AFTER_THE_BUILD and judged and judged.outcome is Outcome.BUILT
    if judged and outcome is not judged.outcome and not broken:
        raise refused(
            "outcome",
            "the outcome is not that of the attempt",
            got=outcome,
            expected=judged.outcome,
        )


def check_ending(case: Case) -> None:
    """Require exit code 0 of a rebuild that BUILT, and no outputs of any other."""
    for name, rebuild in case.rebuilds:
        built = rebuild.outcome is Outcome.BUILT
        clean = rebuild.exit_code == 0 and not rebuild.signal and not rebuild.oom_killed
        if (built and not clean) or (not built and rebuild.outputs):
            raise refused(
                "ending",
                f"{name} did not end as its outcome says",
                got=f"{rebuild.outcome}, exit code {rebuild.exit_code}, "
                f"{len(rebuild.outputs)} outputs",
                expected="exit code 0 when BUILT, and outputs only then",
            )


def check_figures(case: Case) -> None:
    """Require possible sizes and times of every rebuild."""
    attempts = len(case.report.attempts)
    total = case.report.timings.get("total", 0)
    for number, (name, rebuild) in enumerate(case.rebuilds):
        figures = (rebuild.peak_memory or 0, rebuild.wall_seconds or 0)
        longest = total if number < attempts else MAX_RUN.total_seconds()
        possible = all(0 <= f < 1 << 50 for f in figures) and figures[1] <= longest + 1
        codes = rebuild.exit_code in {None, *range(256)} and rebuild.signal in {
            None,
            *range(1, 128),
        }
        if not (possible and codes):
            raise refused(
                "figures",
                f"{name} has impossible figures",
                got=f"{figures[0]} bytes, {figures[1]} s of {longest} s",
                expected="no less than nothing, and no longer than the run",
            )


def check_logs(case: Case) -> None:
    """Require the log of every rebuild in the store, and one of each that succeeded."""
    for name, rebuild in case.rebuilds:
        if rebuild.log is not None:
            case.source.evidence(rebuild.log, check="log", what=f"log of {name}")
        elif rebuild.outcome is Outcome.BUILT:
            raise refused("log", "a build without a log", got="none", expected="a digest")


def check_output_names(case: Case) -> None:
    """Require outputs named as files in one folder, each once, in order."""
    for _, rebuild in case.rebuilds:
        names = [output.name for output in rebuild.outputs]
        odd = [n for n in names if not n.isprintable() or "/" in n or n[:1] in {"", "."}]
        if odd or names != sorted(set(names)):
            raise refused(
                "output-names",
                "outputs have names that no build leaves",
                got=f"{(odd or names)[:3]!a:.200}",
                expected="plain file names, each once, sorted",
            )


def check_output_parts(case: Case) -> None:
    """Require of every output the part that the recipe gives to its name."""
    for output in (o for _, rebuild in case.rebuilds for o in rebuild.outputs):
        part = part_of(output.name, case.recipe)
        if output.part is not part:
            raise refused(
                "output-parts",
                f"output {output.name} is something else to the recipe",
                got=output.part,
                expected=part,
            )


def check_output_bytes(case: Case) -> None:
    """Require the bytes of every output in the store, with its digest and size."""
    for output in (o for _, rebuild in case.rebuilds for o in rebuild.outputs):
        found = case.source.evidence(
            output.sha256, check="output-bytes", what=f"output {output.name}"
        )
        if found.size != output.size:
            raise refused(
                "output-bytes",
                f"output {output.name} has another size",
                got=f"{output.size} bytes",
                expected=f"{found.size} bytes",
            )


def check_seal(case: Case) -> None:
    """Require the seal of the outputs under this center and run; only a build has one."""
    if case.report.outcome is not Outcome.BUILT:
        if case.report.seal is not None:
            raise refused("seal", "a seal without a build", got=case.report.seal, expected="none")
        return
    expected = seal_digest(sealed(case))
    if case.report.seal != expected:
        raise refused(
            "seal", "the seal is not of these outputs", got=case.report.seal, expected=expected
        )


def check_by_products(case: Case) -> None:
    """Require all by-products, with their keyed digests."""
    judged = case.run.judged if case.report.outcome is Outcome.BUILT else None
    names = {o.name for o in (judged.outputs if judged else ()) if o.part is OutputKind.BY_PRODUCT}
    expected = tuple(line for line in sealed(case) if line.name in names) if names else ()
    if case.report.by_products != expected:
        raise refused(
            "by-products",
            "the by-products are not those of the build",
            got=f"{len(case.report.by_products)} lines",
            expected=f"{len(expected)} lines with their keyed digests",
        )


def check_sources(case: Case) -> None:
    """Require the sources of the recipe, and that what a reviewer read is in them."""
    told = case.report.environment.sources
    if not told and not case.report.attempts:
        return  # it ended before its inputs were there
    inputs = [item for item in case.recipe.inputs if item.role is Role.SOURCE]
    if [(s.locator, s.sha256) for s in told] != [(str(i.locator), i.sha256) for i in inputs]:
        raise refused(
            "sources",
            "the sources are not those of the recipe",
            got=f"{len(told)} sources",
            expected=f"{len(inputs)}, with the same locators and digests",
        )
    for fact, item in zip(told, inputs, strict=True):
        if fact.source_digest is None:
            continue
        try:
            expected = read_source(case, item)
        except RefusedError:
            raise
        except SamebitsError as error:
            raise refused("sources", "a source cannot be read", got=error, expected=None) from error
        if fact.source_digest != expected:
            raise refused(
                "sources", "another source digest", got=fact.source_digest, expected=expected
            )


CHECKS: dict[str, Callable[[Case], None]] = {
    "attempts": check_attempts,
    "outcome": check_outcome,
    "ending": check_ending,
    "figures": check_figures,
    "log": check_logs,
    "output-names": check_output_names,
    "output-parts": check_output_parts,
    "output-bytes": check_output_bytes,
    "seal": check_seal,
    "by-products": check_by_products,
    "sources": check_sources,
}
