"""The same contradictions are found in a bundle."""

from __future__ import annotations

import pytest

from pipelines.bundle.check import CheckStatus
from tests.bundle.bundles import Altered, Maker
from tests.bundle.tells import COMPARISON, PROVENANCE, in_one, member_of, payload_of, without
from tests.bundle.test_check import statuses, wrong
from tests.evidence.contradictions import (
    DELTAS_NOT_BUILT,
    DELTAS_REFUTED,
    IMPOSSIBLE,
    REFUTED,
    SOUND,
    Change,
    delta,
    masked,
    refused,
    signed,
)

_INPUTS = "predicate/buildDefinition/resolvedDependencies"


def told(bundle: Maker, change: Change) -> Altered:
    """Return a bundle of a file that differs, of which the comparison says something else."""
    altered = bundle("different")
    without("explanation-1")(altered, altered.key)
    altered.statement(COMPARISON, lambda document: change(document["predicate"]))
    return altered


@pytest.mark.parametrize("name", [*SOUND, "refused"])
def test_a_sound_signature_checks(bundle: Maker, name: str) -> None:
    found = statuses(told(bundle, {**SOUND, "refused": refused()}[name]).check())
    assert (found["schema"], found["verdicts"]) == (CheckStatus.OK, CheckStatus.OK)


@pytest.mark.parametrize("name", REFUTED)
def test_a_verdict_that_its_statement_refutes_is_wrong(bundle: Maker, name: str) -> None:
    assert wrong(told(bundle, REFUTED[name]).check()) == "verdicts"


def told_of_delta(bundle: Maker, change: Change) -> Altered:
    """Return a bundle of a file that is the same, and is said to be a delta."""
    altered = bundle("identical")
    altered.statement(COMPARISON, lambda document: change(document["predicate"]))
    return altered


@pytest.mark.parametrize("name", sorted(DELTAS_REFUTED.keys() - DELTAS_NOT_BUILT))
def test_a_delta_whose_checks_refute_its_verdict_is_wrong(bundle: Maker, name: str) -> None:
    assert wrong(told_of_delta(bundle, DELTAS_REFUTED[name]).check()) == "verdicts"


def test_a_delta_on_what_is_no_base_of_the_build_is_wrong(bundle: Maker) -> None:
    assert wrong(told_of_delta(bundle, delta()).check()) == "deltas"


def test_a_delta_to_what_the_run_has_not_built_is_wrong(bundle: Maker) -> None:
    altered = told_of_delta(bundle, delta())
    base = payload_of(altered, member_of(COMPARISON))["predicate"]["delta"]["base"]["digest"]
    in_one(PROVENANCE, f"{_INPUTS}/1/digest", base)(altered, altered.key)
    in_one(PROVENANCE, f"{_INPUTS}/1/annotations", {"role": "base"})(altered, altered.key)
    result = altered.check()
    assert wrong(result) == "deltas"
    assert "leads to another file" in result.steps[-1].message


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_no_comparison_can_say_is_no_statement(bundle: Maker, name: str) -> None:
    assert wrong(told(bundle, IMPOSSIBLE[name]).check()) == "schema"


def with_input(altered: Altered, which: str) -> Altered:
    """Let the shipped or the rebuilt file be an input of the build."""
    found = payload_of(altered, member_of(COMPARISON))["predicate"]
    file = {"shipped": found["shipped"]["published"], "rebuilt": found["rebuilt"]["digest"]}[which]
    in_one(PROVENANCE, f"{_INPUTS}/1/digest", {**file, "gitCommit": "a" * 40})(altered, altered.key)
    return altered


@pytest.mark.parametrize("which", ["shipped", "rebuilt"])
@pytest.mark.parametrize("change", [signed(), masked()], ids=["signed", "masked"])
def test_neither_the_shipped_nor_the_rebuilt_file_may_be_an_input(
    bundle: Maker, change: Change, which: str
) -> None:
    result = with_input(told(bundle, change), which).check()
    assert wrong(result) == "inputs"
    assert f"with the {which} file as the input" in result.steps[-1].message


def test_a_keyed_copy_of_the_rebuilt_file_is_found_too(bundle: Maker) -> None:
    keyed = {"hmac_sha256": "e" * 64}
    altered = told(bundle, signed())
    in_one(COMPARISON, "predicate/rebuilt/digest", keyed)(altered, altered.key)
    in_one(PROVENANCE, "subject/0/digest", keyed)(altered, altered.key)
    assert wrong(with_input(altered, "rebuilt").check()) == "inputs"


@pytest.mark.parametrize("which", ["shipped", "rebuilt"])
def test_a_difference_is_one_with_any_inputs(bundle: Maker, which: str) -> None:
    altered = with_input(told(bundle, lambda _: None), which)
    assert statuses(altered.check())["inputs"] is CheckStatus.OK
