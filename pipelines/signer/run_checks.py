"""All conditions on the evidence of a run, cheapest first, and those on a statement of status.

Here are those on the run itself, what follows from its recipe, and what was found; those on what
was built stand in `build_checks`.

A condition is only computed when those before it hold, and relies on them. Each rule has a false
statement that only it refuses (`tests/signer`), so that none can be lost unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from builders.core.digest import Digest
from builders.core.errors import UsageError
from builders.core.runid import parse_run_id
from builders.images.lock import ImageLock, load_lock
from builders.rebuild.rebuild_result import OutputKind
from builders.recipe.claim import claim_of
from builders.recipe.scope import scope_of
from pipelines.evidence.clocks import SKEW
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.statements.authorship import made_by
from pipelines.evidence.statements.comparison import ground
from pipelines.evidence.statements.statement import Statement
from pipelines.judge.finding import worst_verdict
from pipelines.signer.build_checks import build_conditions, robustness_conditions
from pipelines.signer.explanation_checks import explanation_conditions
from pipelines.signer.opened_evidence import MAX_RUN, Condition, OpenedEvidence, equal


def run_conditions(opened: OpenedEvidence) -> Iterator[Condition]:
    """Yield all conditions in their order; raises `RefusedError` where one cannot be computed."""
    yield from _identity(opened)
    yield from _declared(opened)
    yield from build_conditions(opened)
    yield from _artefacts(opened)
    yield from _shipped(opened)
    yield from _recomputed(opened)
    yield from robustness_conditions(opened)
    yield from explanation_conditions(opened)


def _identity(opened: OpenedEvidence) -> Iterator[Condition]:
    """Yield what concerns the run itself: its center, its release, its id and its times."""
    report, recipe = opened.report, opened.recipe
    yield equal("center", "a run of another center", report.center, opened.center.id)
    yield equal("release", "the report is about another release", report.release, recipe.release)
    example = "such as 20260102T030405Z-0a1b2c3d"
    yield Condition(
        "run-id", "the run has no proper id", _has_time(opened), f"{report.run!a:.80}", example
    )
    total = report.timings.get("total", -1.0)
    positive = all(seconds >= 0 for seconds in (total, *report.timings.values()))
    yield Condition(
        "times", "the run has impossible times", positive, total, "a total of 0 s or more"
    )
    yield Condition(
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
    """Yield what follows from the recipe: environment, image, claim, scope and SBOM."""
    build, environment, image = (
        opened.recipe.build,
        opened.report.environment,
        opened.evidence.image,
    )
    yield equal(
        "environment",
        "the environment is not the declared one",
        [environment.method, environment.image, environment.declared],
        [build.method, build.image, build.declared_environment()],
    )
    lock = _image_lock(opened)
    locked = build.image.rpartition("@sha256:")[2] if lock is None else str(lock.image.config)
    used = environment.image_config or image
    yield equal("image", "another builder image", [str(image), used], [locked, image])
    claim = claim_of(opened.loaded, image).digest
    yield equal("claim", "another claim", opened.report.claim, claim)
    scope = scope_of(opened.recipe).digest
    yield equal("scope", "another scope", opened.report.scope, scope)
    from pipelines.evidence.sbom import sbom  # noqa: PLC0415  # importing CycloneDX is slow

    bill = Digest.of(sbom(opened.recipe, image=image, lock=lock))
    yield equal("sbom", "another SBOM", opened.evidence.sbom, bill)


def _image_lock(opened: OpenedEvidence) -> ImageLock | None:
    """Return the lock of the recipe's image; None for `name@sha256:...`, which has none."""
    image = opened.recipe.build.image
    if "@sha256:" in image:
        return None
    try:
        return load_lock(opened.center.recipes / "images" / f"{image}.lock.yaml")
    except UsageError as error:
        what = "the signer does not know that builder image"
        raise RefusedError("image", what, got=error) from error


def _artefacts(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require one finding for every artefact in order, and one for every undeclared output."""
    declared = {artefact.name: 0 for artefact in opened.recipe.artefacts}
    claimed = [finding.name for finding in opened.report.artefacts]
    error = "an artefact is missing, or listed twice"
    yield equal("missing-artefact", error, [n for n in claimed if n in declared], list(declared))
    undeclared = sorted(name for name in claimed if name not in declared)
    expected = [o.name for o in opened.outputs if o.part is OutputKind.UNEXPECTED]
    error = "a finding about something that is neither declared nor left by the build, or none"
    yield equal("extra-artefact", error, undeclared, expected)


def _shipped(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require the published digests of the recipe, and in the vault every file that was served."""
    digests = {a.name: a.published.sha256 for a in opened.recipe.artefacts}
    for finding in opened.report.artefacts:
        published = finding.shipped.published if finding.shipped else None
        error = f"{finding.name} was published with another digest"
        yield equal("published", error, published, digests.get(finding.name))
    for name, fact in [(f.name, f.shipped) for f in opened.report.artefacts if f.shipped]:
        what, error = f"shipped file {name}", f"half a file for {name}"
        whole = (fact.sha256 is None) == (fact.size is None)
        yield Condition("shipped-bytes", error, whole, got=fact.size, expected="digest and size")
        if fact.sha256 is not None:
            size = opened.source.shipped(fact.sha256, name)[0]
            yield equal("shipped-bytes", f"{what} has another size", fact.size, size)
    declared = {name: {n.name for n in ones} for name, ones in opened.recipe.normalizers.items()}
    for finding in opened.report.artefacts:
        error = f"{finding.name} was normalized by what the recipe does not declare"
        odd = sorted(set(finding.normalizers) - declared.get(finding.name, set()))
        yield equal("normalized", error, odd, [])


def _recomputed(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require the recomputed findings."""
    built = opened.run.built
    pairs = list(zip(opened.report.artefacts, opened.recomputed, strict=True))
    for claimed, found in pairs:
        error = f"{claimed.name} was not rebuilt to these bytes"
        yield equal("rebuilt", error, [claimed.name, claimed.rebuilt], [found.name, found.rebuilt])
        error = f"another verdict on {claimed.name} ({found.reason})"
        yield equal("verdict", error, claimed.verdict, found.verdict)
        signatures = (claimed.signature, found.signature)
        yield equal("signature", f"another signature on {claimed.name}", *signatures)
        error = f"another ledger, delta or manifest of {claimed.name}"
        checked = [(one.ledger, one.delta, one.manifest) for one in (claimed, found)]
        yield equal("ledger", error, *checked)
        grounds = (ground(claimed, built=built), ground(found, built=built))
        yield equal("ground", f"another ground for {claimed.name}", *grounds)
    expected = worst_verdict(finding.verdict for finding in opened.recomputed)
    yield equal("worst", "another verdict on the release", opened.report.verdict, expected)
    early = [finding.name for finding in opened.report.artefacts if finding.is_explained]
    error = "the report explains a difference: that comes after the verdict is stated"
    yield Condition("final", error, not early, early[:3], "verdicts alone")


def status_conditions(statement: Statement, center: str, now: datetime) -> Iterator[Condition]:
    """Yield the conditions of a statement of status: by this center, and made now.

    The findings of a run are signed from its evidence alone, never from here. A heartbeat, a
    receipt or a cross-check has no bytes behind it that could be hashed again; what can be checked
    is its author and its time. The consensus of a summary is recomputed besides, by the caller.
    Raises `RefusedError` for a statement of another kind.
    """
    if (made := made_by(statement)) is None:
        raise RefusedError(
            "kind",
            "that is not signed on request",
            got=statement.KIND,
            expected="heartbeat, receipt, crosscheck, seal, acknowledgement or summary",
        )
    author, time = made
    yield equal("center", "the statement is by another center", author, center)
    yield Condition(
        "times",
        "the statement was not made just now",
        abs(now - time) <= SKEW,
        got=f"{time:%Y-%m-%dT%H:%M:%SZ}",
        expected=f"within {SKEW.seconds // 60} minutes of {now:%Y-%m-%dT%H:%M:%SZ}",
    )
