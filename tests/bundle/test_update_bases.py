"""A delta in a bundle, and the bundle of the run that judged its base."""

from __future__ import annotations

from typing import Any

import pytest

from builders.core.digest import Digest
from pipelines.bundle.check import CheckResult, CheckStatus, check_bundle
from pipelines.evidence.privatekey import PrivateKey
from tests.bundle.bundles import RELEASE, Altered, Document, Maker, made
from tests.bundle.tells import PROVENANCE, in_one
from tests.bundle.test_check import statuses, wrong
from tests.evidence.contradictions import delta
from tests.signer.scene import OURS, THEIRS

BEFORE = "20260101T030405Z-0a1b2c3d"
OLDER = b"the bytes of rules.bin as they were in the release before\n"
FILES = {"rules.bin": OLDER, "rules.idx": b"the older index"}
_INPUTS = "predicate/buildDefinition/resolvedDependencies"


@pytest.fixture(scope="module")
def before(key: PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Altered:
    """Return the bundle of the run that judged the base."""
    folder = tmp_path_factory.mktemp("before")
    return made(folder, key, run=BEFORE, shipped=FILES, outputs=FILES)


@pytest.fixture(scope="module")
def differing(key: PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Altered:
    """Return that of a run which found another file in the place of the base."""
    folder = tmp_path_factory.mktemp("differing")
    built = {**FILES, "rules.bin": THEIRS}
    return made(folder, key, run=BEFORE, shipped=FILES, outputs=built)


def update(bundle: Maker, before: Altered, *, which: str = "comparison-1", **base: Any) -> Altered:
    """Return the bundle of a run in which `rules.idx` is a delta that leads to `rules.bin`."""
    altered = bundle("identical")
    target = {"digest": {"sha256": str(Digest.of(OURS))}, "size": len(OURS)}
    judged = {
        "release": RELEASE,
        "digest": {"sha256": str(Digest.of(OLDER))},
        "run": BEFORE,
        "comparison": {"sha256": before._digest(f"statements/{which}.dsse.json")},
        **base,
    }

    def change(document: Document) -> None:
        whole = {**judged, "chain": _chain(judged)}
        about: Document = {"target": target["digest"], "applied": target, "expected": target}
        delta(whole, **about)(document["predicate"])

    altered.statement("comparison-2", change)
    in_one(PROVENANCE, f"{_INPUTS}/1/digest", judged["digest"])(altered, altered.key)
    in_one(PROVENANCE, f"{_INPUTS}/1/annotations", {"role": "base"})(altered, altered.key)
    return altered


def _chain(judged: Document) -> Document:
    first = {name: judged[name] for name in ("release", "digest", "run")}
    return {"links": 1, **first, "worst": "IDENTICAL", "worstRelease": judged["release"]}


def check(altered: Altered, *bases: Altered) -> CheckResult:
    return check_bundle(
        altered.to_bytes(), trust=altered.trust(), bases=[one.to_bytes() for one in bases]
    )


def test_a_delta_is_proven_with_the_bundle_of_its_base(bundle: Maker, before: Altered) -> None:
    result = check(update(bundle, before), before)
    assert result.exit_code == 0
    found = statuses(result)
    assert (found["deltas"], found["bases"]) == (CheckStatus.OK, CheckStatus.OK)


def test_without_that_bundle_a_delta_is_not_proven(bundle: Maker, before: Altered) -> None:
    result = check(update(bundle, before))
    assert (result.exit_code, statuses(result)["bases"]) == (2, CheckStatus.UNCHECKED)
    (step,) = [step for step in result.steps if step.name == "bases"]
    assert f"run {BEFORE} of {RELEASE}" in step.message
    assert "--base" in step.message


def test_a_bundle_of_another_run_proves_no_base(bundle: Maker, before: Altered) -> None:
    result = check(update(bundle, before), bundle("identical"))
    assert (result.exit_code, statuses(result)["bases"]) == (2, CheckStatus.UNCHECKED)


def test_a_base_of_another_comparison_is_wrong(bundle: Maker, before: Altered) -> None:
    other = update(bundle, before, comparison={"sha256": "e" * 64})
    result = check(other, before)
    assert wrong(result) == "bases"
    assert "another comparison" in result.steps[-1].message


def test_a_base_that_was_judged_as_another_file_is_wrong(bundle: Maker, before: Altered) -> None:
    result = check(update(bundle, before, which="comparison-2"), before)
    assert wrong(result) == "bases"
    assert "another file" in result.steps[-1].message


def test_a_base_that_was_not_reproduced_is_wrong(bundle: Maker, differing: Altered) -> None:
    result = check(update(bundle, differing), differing)
    assert wrong(result) == "bases"
    assert "not reproduced" in result.steps[-1].message


def test_a_forged_bundle_of_a_base_is_wrong(
    bundle: Maker, other: PrivateKey, before: Altered, tmp_path_factory: pytest.TempPathFactory
) -> None:
    forged = made(tmp_path_factory.mktemp("f"), other, run=BEFORE, shipped=FILES, outputs=FILES)
    result = check(update(bundle, before), forged)
    assert result.exit_code != 0
    assert statuses(result)["bases"] is not CheckStatus.OK


def test_what_is_no_bundle_proves_no_base(bundle: Maker, before: Altered) -> None:
    altered = update(bundle, before)
    result = check_bundle(altered.to_bytes(), trust=altered.trust(), bases=[b"rubbish"])
    assert (result.exit_code, statuses(result)["bases"]) == (2, CheckStatus.UNCHECKED)
