"""Whether evidence is what it says, one rule a function, cheapest first.

Each raises `RefusedError` under its own name; every rule has a lie that only it catches
(`tests/signer/lies.py`), so that none can be lost unseen.
"""

from __future__ import annotations

from collections.abc import Callable

from builders.core.digest import Digest
from builders.core.errors import RecipeError
from builders.core.runid import parse_run_id
from builders.recipe.claim import claim_of
from pipelines.evidence.errors import refused
from pipelines.signer import buildchecks, findingchecks, movedchecks
from pipelines.signer.case import MAX_RUN, SKEW, Case

Check = Callable[[Case], None]


def check_center(case: Case) -> None:
    """Require a run of the center whose key this is."""
    if case.report.center != case.center.id:
        raise refused(
            "center", "a run of another center", got=case.report.center, expected=case.center.id
        )


def check_release(case: Case) -> None:
    """Require a report about the release of the recipe."""
    if case.report.release != case.recipe.release:
        raise refused(
            "release",
            "the report is about another release",
            got=case.report.release,
            expected=case.recipe.release,
        )


def check_run_id(case: Case) -> None:
    """Require an id with a time in it."""
    try:
        parse_run_id(case.report.run)
        _ = case.run.started
    except ValueError as error:
        raise refused(
            "run-id",
            "the run has no proper id",
            got=f"{case.report.run!a:.80}",
            expected="such as 20260102T030405Z-0a1b2c3d",
        ) from error


def check_times(case: Case) -> None:
    """Require that time runs forwards, and that no run comes from the future."""
    times = case.report.timings
    total = times.get("total", -1.0)
    if not all(t >= 0 for t in (total, *times.values())):
        raise refused(
            "times", "the run has impossible times", got=total, expected="a total of 0 s or more"
        )
    if total > MAX_RUN.total_seconds() or case.run.finished > case.now + SKEW:
        raise refused(
            "times",
            "the run ended in the future",
            got=f"{case.report.run[:16]} and {total} s",
            expected=f"before {case.now:%Y-%m-%dT%H:%M:%SZ}",
        )


def check_environment(case: Case) -> None:
    """Require the environment that the recipe declares."""
    environment, build = case.report.environment, case.recipe.build
    told = (environment.declared, environment.method, environment.image)
    if told != (build.declared_environment(), build.method, build.image):
        raise refused(
            "environment",
            "the environment is not the declared one",
            got=f"method {environment.method}, image {environment.image}",
            expected=f"method {build.method}, image {build.image}, and its declared environment",
        )


def check_image(case: Case) -> None:
    """Require the locked builder image."""
    lock = case.locks(case.recipe.build.image)
    digest = case.recipe.build.image.rpartition("@sha256:")[2]
    locked = digest if lock is None else str(lock.image.config)
    used = case.report.environment.image_config
    if str(case.evidence.image) != locked or used not in {None, case.evidence.image}:
        raise refused(
            "image",
            "another builder image",
            got=f"sha256 {case.evidence.image} claimed, {used} used",
            expected=locked,
        )


def check_claim(case: Case) -> None:
    """Require the claim of the recipe, its script and the image."""
    try:
        claim = claim_of(case.loaded, case.evidence.image).digest
    except RecipeError as error:
        raise refused("claim", "the claim cannot be made", got=error, expected=None) from error
    if case.report.claim != claim:
        raise refused("claim", "another claim", got=case.report.claim, expected=claim)


def check_sbom(case: Case) -> None:
    """Require the SBOM of the recipe and the lock."""
    from pipelines.evidence.sbom import sbom  # noqa: PLC0415  # CycloneDX takes a while

    lock = case.locks(case.recipe.build.image)
    expected = Digest.of(sbom(case.recipe, image=case.evidence.image, lock=lock))
    if case.evidence.sbom != expected:
        raise refused("sbom", "another SBOM", got=case.evidence.sbom, expected=expected)


def check_all(case: Case) -> None:
    """Run every check; the first that fails raises `RefusedError`."""
    for check in CHECKS.values():
        check(case)


CHECKS: dict[str, Check] = {
    "center": check_center,
    "release": check_release,
    "run-id": check_run_id,
    "times": check_times,
    "environment": check_environment,
    "image": check_image,
    "claim": check_claim,
    "sbom": check_sbom,
    **buildchecks.CHECKS,
    **findingchecks.CHECKS,
    **movedchecks.CHECKS,
}
"""Every rule by its name, in the order of asking; what comes later relies on what came before."""
