"""Whether evidence is true: all conditions on the evidence of a run, cheapest first.

A condition is only computed when those before it hold, and relies on them. Each rule has a false
statement that only it refuses (`tests/signer`), so that none can be lost unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator

from builders.core.digest import Digest
from builders.core.errors import RecipeError
from builders.core.runid import parse_run_id
from builders.recipe.claim import claim_of
from pipelines.evidence.errors import refused
from pipelines.signer.build_checks import build_conditions
from pipelines.signer.opened_evidence import MAX_RUN, SKEW, Condition, OpenedEvidence, equal, true
from pipelines.signer.robustness_checks import robustness_conditions
from pipelines.signer.verdict_checks import verdict_conditions


def run_conditions(opened: OpenedEvidence) -> Iterator[Condition]:
    """Yield all conditions in their order; raises `RefusedError` where one cannot be computed."""
    yield from _identity(opened)
    yield from _declared(opened)
    yield from build_conditions(opened)
    yield from verdict_conditions(opened)
    yield from robustness_conditions(opened)


def _identity(opened: OpenedEvidence) -> Iterator[Condition]:
    """Yield what concerns the run itself: its center, its release, its id and its times."""
    report, recipe = opened.report, opened.recipe
    yield equal("center", "a run of another center", report.center, opened.center.id)
    yield equal("release", "the report is about another release", report.release, recipe.release)
    example = "such as 20260102T030405Z-0a1b2c3d"
    yield true(
        "run-id", "the run has no proper id", _has_time(opened), f"{report.run!a:.80}", example
    )
    total = report.timings.get("total", -1.0)
    positive = all(seconds >= 0 for seconds in (total, *report.timings.values()))
    yield true("times", "the run has impossible times", positive, total, "a total of 0 s or more")
    yield true(
        "times",
        "the run ended in the future",
        total <= MAX_RUN.total_seconds() and opened.run.finished <= opened.now + SKEW,
        got=f"{report.run[:16]} and {total} s",
        expected=f"before {opened.now:%Y-%m-%dT%H:%M:%SZ}",
    )


def _has_time(opened: OpenedEvidence) -> bool:
    try:
        parse_run_id(opened.report.run)
        _ = opened.run.started
    except ValueError:
        return False
    return True


def _declared(opened: OpenedEvidence) -> Iterator[Condition]:
    """Yield what follows from the recipe: environment, image, claim and SBOM."""
    environment, build, image = (
        opened.report.environment,
        opened.recipe.build,
        opened.evidence.image,
    )
    yield true(
        "environment",
        "the environment is not the declared one",
        (environment.declared, environment.method, environment.image)
        == (build.declared_environment(), build.method, build.image),
        got=f"method {environment.method}, image {environment.image}",
        expected=f"method {build.method}, image {build.image}, and its declared environment",
    )
    lock = opened.locks(build.image)
    locked = build.image.rpartition("@sha256:")[2] if lock is None else str(lock.image.config)
    yield true(
        "image",
        "another builder image",
        str(image) == locked and environment.image_config in {None, image},
        got=f"sha256 {image} claimed, {environment.image_config} used",
        expected=locked,
    )
    try:
        claim = claim_of(opened.loaded, image).digest
    except RecipeError as error:
        raise refused("claim", "the claim cannot be made", got=error, expected=None) from error
    yield equal("claim", "another claim", opened.report.claim, claim)
    from pipelines.evidence.sbom import sbom  # noqa: PLC0415  # importing CycloneDX is slow

    bill = Digest.of(sbom(opened.recipe, image=image, lock=lock))
    yield equal("sbom", "another SBOM", opened.evidence.sbom, bill)
