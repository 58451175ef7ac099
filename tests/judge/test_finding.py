from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.recipe.normalizers import NormalizerName
from pipelines.judge.difference import Cause, CauseName
from pipelines.judge.finding import (
    Explanation,
    ExplanationStatus,
    FileFact,
    Finding,
    ShippedFact,
    verdicts_exit_code,
    worst_verdict,
)
from pipelines.judge.normalizers.ledger import LedgerLine, MaskFault, MaskLedger, NotMasked

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")
PUBLISHED = ShippedFact(published=ONE)
GENUINE = ShippedFact(published=ONE, sha256=ONE, size=1)
REPLACED = ShippedFact(published=ONE, sha256=TWO, size=1)
SAME, OTHER = FileFact(sha256=ONE, size=1), FileFact(sha256=TWO, size=1)
LONGER = FileFact(sha256=ONE, size=2)

ALLOWED: dict[Verdict, set[tuple[ShippedFact | None, FileFact | None]]] = {
    Verdict.IDENTICAL: {(GENUINE, SAME)},
    Verdict.DIFFERENT: {(GENUINE, OTHER), (GENUINE, LONGER)},
    Verdict.SHIPPED_MISMATCH: {(REPLACED, r) for r in (None, SAME, OTHER, LONGER)},
    Verdict.MISSING: {(s, None) for s in (PUBLISHED, GENUINE)},
    Verdict.UNEXPECTED: {(None, r) for r in (SAME, OTHER, LONGER)},
    Verdict.IDENTICAL_SIGNED: set(),
    Verdict.EQUIVALENT: set(),  # none without a normalizer
}
CASES = list(
    itertools.product(ALLOWED, (None, PUBLISHED, GENUINE, REPLACED), (None, SAME, OTHER, LONGER))
)


@pytest.mark.parametrize(("verdict", "shipped", "rebuilt"), CASES)
def test_no_verdict_stands_against_its_own_digests(
    verdict: Verdict, shipped: ShippedFact | None, rebuilt: FileFact | None
) -> None:
    def make() -> Finding:
        return Finding(name="a", verdict=verdict, reason="r", shipped=shipped, rebuilt=rebuilt)

    if (shipped, rebuilt) in ALLOWED[verdict]:
        assert make().verdict is verdict
    else:
        with pytest.raises(ValidationError, match="contradicted"):
            make()


LINE = LedgerLine(
    normalizer=NormalizerName.ZIP_TIMES,
    version=1,
    members=(),
    field="modification-time",
    offset=0,
    length=1,
    shipped=Digest.of(b"1"),
    rebuilt=Digest.of(b"2"),
    data=b"1".hex(),
    reason="r",
    signed=False,
)
LEDGER = MaskLedger(sha256=ONE, size=1, lines=(LINE,))
MASKED: dict[str, Any] = {
    "name": "a",
    "verdict": Verdict.EQUIVALENT,
    "reason": "r",
    "shipped": GENUINE,
    "rebuilt": OTHER,
    "normalizers": ("zip-times",),
    "ledger": LEDGER,
}


def test_equivalent_needs_a_ledger_of_the_shipped_file_and_its_normalizers() -> None:
    assert Finding(**MASKED).verdict is Verdict.EQUIVALENT
    for changed in (
        {"ledger": None},
        {"ledger": None, "normalizers": ()},
        {"normalizers": ()},
        {"normalizers": ("zip-times", "ar-times")},
        {"normalizers": ("ar-times",)},
        {"ledger": MaskLedger(sha256=TWO, size=1, lines=(LINE,))},
        {"ledger": MaskLedger(sha256=ONE, size=2, lines=(LINE,))},
        {"ledger": NotMasked(fault=MaskFault.MODE, detail="d"), "normalizers": ()},
        {"verdict": Verdict.DIFFERENT},
        {"verdict": Verdict.IDENTICAL, "rebuilt": SAME},
    ):
        with pytest.raises(ValidationError, match=r"contradicted|other normalizers"):
            Finding(**{**MASKED, **changed})


def test_why_nothing_was_masked_stands_with_different_alone() -> None:
    refused: dict[str, Any] = {
        **MASKED,
        "ledger": NotMasked(fault=MaskFault.MODE, detail="d"),
        "normalizers": (),
    }
    assert Finding(**{**refused, "verdict": Verdict.DIFFERENT}).verdict is Verdict.DIFFERENT
    with pytest.raises(ValidationError, match="contradicted by the ledger"):
        Finding(**{**refused, "verdict": Verdict.IDENTICAL, "rebuilt": SAME})


@pytest.mark.parametrize(
    ("shipped", "rebuilt"), [(GENUINE, None), (None, OTHER), (REPLACED, OTHER)]
)
def test_a_normalizer_is_no_ground_without_both_files(
    shipped: ShippedFact | None, rebuilt: FileFact | None
) -> None:
    with pytest.raises(ValidationError, match="contradicted"):
        Finding(**{**MASKED, "shipped": shipped, "rebuilt": rebuilt})


def test_a_verdict_without_a_reason_is_refused() -> None:
    with pytest.raises(ValidationError, match="reason"):
        Finding(name="a", verdict=Verdict.NOT_CHECKED, reason="")


def finding(verdict: Verdict) -> Finding:
    # IDENTICAL_SIGNED cannot be made yet; what is summed up is the verdict alone
    return Finding.model_construct(name="a", verdict=verdict, reason="r")


EXPECTED = {
    Verdict.SHIPPED_MISMATCH: 1,
    Verdict.DIFFERENT: 1,
    Verdict.UNEXPECTED: 1,
    Verdict.MISSING: 1,
    Verdict.NOT_CHECKED: 2,
    Verdict.EQUIVALENT: 1,
    Verdict.IDENTICAL_SIGNED: 0,
    Verdict.IDENTICAL: 0,
}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_exit_code_of_one_verdict(verdict: Verdict) -> None:
    assert verdicts_exit_code([finding(verdict).verdict]) == EXPECTED[verdict]


@pytest.mark.parametrize(("one", "other"), list(itertools.product(Verdict, Verdict)))
def test_exit_code_of_two_verdicts(one: Verdict, other: Verdict) -> None:
    codes = {EXPECTED[one], EXPECTED[other]}
    expected = 1 if 1 in codes else max(codes)
    assert verdicts_exit_code([finding(one).verdict, finding(other).verdict]) == expected


def test_nothing_checked_is_no_pass() -> None:
    assert verdicts_exit_code([]) == 2
    assert worst_verdict([]) is Verdict.NOT_CHECKED


ORDER = (
    "SHIPPED_MISMATCH",
    "DIFFERENT",
    "UNEXPECTED",
    "MISSING",
    "NOT_CHECKED",
    "EQUIVALENT",
    "IDENTICAL_SIGNED",
    "IDENTICAL",
)


@pytest.mark.parametrize(("worse", "better"), list(itertools.combinations(ORDER, 2)))
def test_the_worst_verdict_counts(worse: str, better: str) -> None:
    both = [finding(Verdict(better)), finding(Verdict(worse))]
    assert worst_verdict(f.verdict for f in both) is Verdict(worse)
    assert worst_verdict(f.verdict for f in reversed(both)) is Verdict(worse)


def test_the_report_entry_has_the_fields_that_programs_read() -> None:
    found = Finding(
        name="a.deb",
        verdict=Verdict.DIFFERENT,
        reason="the bytes differ",
        shipped=GENUINE,
        rebuilt=OTHER,
        causes=(Cause(name=CauseName.CONTENT, detail="d"),),
        explanation=Explanation(status=ExplanationStatus.COMPLETE, json_diff=ONE, html_diff=TWO),
    )
    entry = found.model_dump(mode="json")
    assert entry == {
        "name": "a.deb",
        "verdict": "DIFFERENT",
        "reason": "the bytes differ",
        "shipped": {
            "published": ONE.hex,
            "sha256": ONE.hex,
            "size": 1,
            "from_vault": False,
            "fetched_on": None,
        },
        "rebuilt": {"sha256": TWO.hex, "size": 1},
        "signature": None,
        "normalizers": [],
        "ledger": None,
        "delta": None,
        "manifest": None,
        "causes": [{"name": "content", "detail": "d"}],
        "explanation": {
            "status": "complete",
            "note": None,
            "tool": None,
            "exit_code": None,
            "signal": None,
            "json": ONE.hex,
            "html": TWO.hex,
            "first_look": None,
            "carried": [],
        },
    }
    assert Finding.model_validate_json(json.dumps(entry)) == found
