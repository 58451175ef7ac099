"""In which of four words each consensus is told; not checked is neither a pass nor a failure."""

from __future__ import annotations

import pytest

from builders.core.enums import Verdict
from pipelines.audit.center_finding import CenterFinding
from pipelines.portal.standing import Standing, standing_of, standing_of_verdict, worst_standing
from tests.consensus.findings import (
    cancelled,
    differs,
    differs_otherwise,
    equivalent,
    failed,
    joined,
    match,
    served_another,
    unreachable,
)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ((match("ada"), match("bob")), "confirmed"),
        ((match("ada"),), "unchecked"),
        ((), "unchecked"),
        ((unreachable("ada"), unreachable("bob")), "unchecked"),
        ((failed("ada"), failed("bob")), "unchecked"),
        ((cancelled("ada"),), "unchecked"),
        ((differs("ada"),), "different"),
        ((differs("ada"), match("bob")), "different"),
        ((differs("ada"), differs_otherwise("bob")), "different"),
        ((differs("ada"), differs("bob")), "suspect"),
        ((match("ada"), match("bob"), served_another("cyd")), "suspect"),
        ((served_another("ada"),), "suspect"),
    ],
)
def test_the_standing_of_a_consensus(findings: tuple[CenterFinding, ...], expected: str) -> None:
    assert standing_of(joined(*findings)) == expected


def test_what_is_the_same_but_for_masked_fields_is_not_confirmed() -> None:
    found = joined(equivalent("ada"), equivalent("bob"), allowed="strip-signature")
    assert standing_of(found) == "unchecked"


def test_what_passes_in_spite_of_allowed_dissent_is_confirmed() -> None:
    found = joined(match("ada"), match("bob"), differs("cyd"), max_dissent=1)
    assert (found.result, standing_of(found)) == ("SPLIT", "confirmed")


@pytest.mark.parametrize("verdict", Verdict)
def test_no_verdict_but_identical_ones_is_confirmed(verdict: Verdict) -> None:
    confirmed = standing_of_verdict(verdict) is Standing.CONFIRMED
    assert confirmed is verdict.startswith("IDENTICAL")
    assert (standing_of_verdict(verdict) is Standing.UNCHECKED) is (verdict == "NOT_CHECKED")


def test_a_release_stands_as_its_worst_artefact() -> None:
    assert worst_standing(Standing) is Standing.SUSPECT
    assert worst_standing([Standing.CONFIRMED, Standing.UNCHECKED]) is Standing.UNCHECKED
    assert worst_standing([Standing.UNCHECKED, Standing.DIFFERENT]) is Standing.DIFFERENT
    assert worst_standing([]) is Standing.UNCHECKED
