"""The bytes that findings are compared by, and the statements that a result names."""

from __future__ import annotations

from builders.core.enums import Outcome, Verdict
from pipelines.consensus.joined_result import Result
from pipelines.evidence.statements.statement import DigestSet
from tests.consensus.findings import (
    OTHER,
    SHIPPED,
    TAMPERED,
    differs,
    failed,
    joined,
    match,
    said,
    signed_match,
    wavers,
)


def test_a_file_with_its_signature_attached_is_the_same_as_one_built_whole() -> None:
    """One center has rebuilt the unsigned file, the other one the shipped bytes."""
    found = joined(signed_match("ada"), match("ada", center="ada-2"), k=1)
    assert found.result is Result.CONFIRMED
    (ada,) = found.operators
    assert ada.built == DigestSet(sha256=SHIPPED)
    again = joined(signed_match("ada", index=3), match("ada", index=9), k=1)
    assert again.result is Result.CONFIRMED


def test_an_attached_signature_counts_for_no_other_verdict() -> None:
    found = joined(differs("ada", grafted=SHIPPED), differs("bob"))
    assert found.result is Result.SUSPECT
    assert [o.built for o in found.operators] == [DigestSet(sha256=TAMPERED)] * 2


def test_without_an_attached_signature_the_rebuilt_bytes_are_compared() -> None:
    assert signed_match("ada", grafted=None).built == DigestSet(sha256=OTHER)


def test_of_a_run_that_was_not_built_no_bytes_are_told() -> None:
    odd = failed("ada", Outcome.TIMED_OUT, rebuilt=DigestSet(sha256=OTHER))
    (ada,) = joined(odd).operators
    assert (ada.built, ada.to_dict()["made"]) == (None, None)


def test_the_statements_behind_a_result_are_named_once_and_in_order() -> None:
    found = joined(*(match(name) for name in "hgfedcba"))
    names = [ref.name for ref in found.evidence]
    assert len(names) == 16
    assert names == sorted(set(names))
    assert list(found.matched) == list("abcdefgh")
    assert list(found.regions) == [f"{name}-1-land" for name in "abcdefgh"]


def test_an_operator_that_contradicts_itself_is_told_with_all_its_findings() -> None:
    found = joined(match("ada", index=9), differs("ada", center="ada-2", index=3))
    (ada,) = found.operators
    assert (ada.built, len(ada.basis), ada.matching) == (None, 2, ())
    assert len(found.evidence) == 4


def test_a_later_finding_on_the_same_bytes_takes_no_contradiction_away() -> None:
    later = joined(wavers("ada", index=3), differs("ada", index=9), differs("bob"))
    assert later.result is Result.NONDETERMINISTIC
    unsound = said("ada", verdict=Verdict.UNEXPECTED, index=3)
    assert joined(unsound, match("ada", index=9), k=1).result is Result.NONDETERMINISTIC
