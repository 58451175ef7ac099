"""What a delta is applied for: our target, with the vendor's signature if it has one."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, BinaryIO

import pytest
from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.jail.errors import JailUnavailableError
from builders.recipe.signature import SignedFormat
from builders.recipe.update import DeltaName
from pipelines.judge.compare import Facts, Unreachable, Unread
from pipelines.judge.signatures.signature_format import Graft
from pipelines.judge.updates import appliers, check_deltas
from pipelines.judge.updates.checked_delta import CheckedDelta
from pipelines.judge.updates.delta_format import DeltaFormat, DeltaLimits
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault
from tests.judge.signatures.test_packed_plans import LyingJail
from tests.judge.updates.test_check_deltas import (
    FULL,
    NAME,
    RUN,
    TARGET,
    Update,
    append,
    lines_of,
)

UNSIGNED = b"as the build leaves it\n"


@pytest.fixture(autouse=True)
def format_of_deltas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(appliers.FORMATS, DeltaName.BSDIFF, DeltaFormat(apply=append))


def checked(update: Update) -> CheckedDelta:
    found = update.facts().deltas[NAME]
    assert isinstance(found, CheckedDelta), found
    return found


def fault(update: Update) -> str | None:
    refused = checked(update).refused
    return refused.fault if refused else None


@pytest.mark.parametrize(
    "changes", [{"outcome": Outcome.BUILD_FAILED}, {"input_fault": "an input holds it"}]
)
def test_without_a_build_or_with_a_false_input_nothing_is_applied(changes: dict[str, Any]) -> None:
    assert Update(changed=lambda facts: replace(facts, **changes)).facts().deltas == {}


def test_what_was_served_for_a_delta_is_applied_if_it_is_the_published_one() -> None:
    assert Update(served=b"swapped").facts().deltas == {}

    def unserved(facts: Facts) -> Facts:
        return replace(facts, served={**facts.served, "a": Unreachable(reason="no answer")})

    assert Update(more=("a", "b"), changed=unserved).facts().deltas.keys() == {"b", NAME}


def test_a_delta_that_no_jail_has_read_leaves_the_others() -> None:
    given = iter([JailUnavailableError("no jail", got="nothing")])

    class Jail(LyingJail):
        """A jail that is there from the second delta on."""

        def run(self, *words: Any, **more: Any) -> Any:
            for error in given:
                raise error
            return super().run(*words, **more)

    found = Update(more=("a",), jail=Jail()).facts().deltas
    assert isinstance(found["a"], Unread)
    second = found[NAME]
    assert isinstance(second, CheckedDelta)
    assert second.refused is None


@pytest.mark.parametrize(
    ("grafted", "expected"), [(TARGET, None), (b"masked", "application-mismatch")]
)
def test_our_target_with_the_vendors_signature_is_the_shipped_one(
    grafted: bytes, expected: str | None
) -> None:
    graft = Graft(
        format=SignedFormat.PE, sha256=Digest.of(grafted), size=len(grafted), signers=(), taken=1,
        signature=Digest.of(b"signature"), carried=(),
    )  # fmt: skip

    def signed(facts: Facts) -> Facts:
        return replace(facts, grafts={FULL: graft})

    unsigned = Update(rebuilt={FULL: UNSIGNED + bytes(99)})
    assert fault(unsigned) == "application-mismatch"
    assert fault(replace(unsigned, changed=signed)) == expected


def long_lines(target: BinaryIO, out: BinaryIO, _: DeltaLimits) -> None:
    """Write a list of members that is longer than a file."""
    out.write(b"a list of members: " + target.read())


def applied_at_length(base: BinaryIO, delta: BinaryIO, out: BinaryIO, limits: DeltaLimits) -> None:
    made = io.BytesIO()
    append(base, delta, made, limits)
    long_lines(io.BytesIO(made.getvalue()), out, limits)


def no_members(_: BinaryIO, __: BinaryIO, ___: DeltaLimits) -> None:
    raise UpdateError(UpdateFault.UNREADABLE, "no database")


def test_a_list_of_members_may_be_longer_than_the_target_and_has_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = DeltaFormat(apply=applied_at_length, members=long_lines)
    monkeypatch.setitem(appliers.FORMATS, DeltaName.BSDIFF, known)
    assert fault(Update()) is None
    monkeypatch.setattr(check_deltas, "_MEMBERS", 1)
    assert fault(Update()) == "grows-without-bound"


def test_of_a_target_without_members_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    known = DeltaFormat(apply=append, members=no_members)
    monkeypatch.setitem(appliers.FORMATS, DeltaName.BSDIFF, known)
    found = checked(Update())
    assert found.refused is not None
    assert found.refused.detail == "no database"
    assert (found.applied, found.expected) == (None, None)
    monkeypatch.setitem(
        appliers.FORMATS, DeltaName.BSDIFF, DeltaFormat(apply=no_members_of, members=lines_of)
    )
    assert checked(Update()).expected is not None


def no_members_of(_: BinaryIO, __: BinaryIO, ___: BinaryIO, ____: DeltaLimits) -> None:
    raise UpdateError(UpdateFault.UNREADABLE, "no delta")


def test_a_delta_without_a_fault_was_applied_to_a_base_that_was_judged() -> None:
    good = checked(Update())
    assert type(good).model_validate(dict(good)) == good
    unjudged = good.base.model_copy(update={"judged": None})
    for lacking in ({"applied": None, "expected": None}, {"base": unjudged}):
        with pytest.raises(ValidationError, match="does not hold"):
            type(good).model_validate({**dict(good), **lacking})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, f"one update from acme/tool@1.0 on (run {RUN.run}); no link is worse than IDENTICAL"),
        ({"links": 2, "run": None}, "2 updates from acme/tool@1.0 on (not judged by this center)"),
        (
            {"worst": Verdict.EQUIVALENT},
            "; the worst link is EQUIVALENT, in acme/tool@1.0",
        ),
    ],
)
def test_a_chain_says_what_it_rests_on(changes: dict[str, Any], said: str) -> None:
    assert said in str(RUN.chain.model_copy(update=changes))
