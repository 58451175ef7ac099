"""Every rule of the verdict, one row each; removing a rule turns at least one row red."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.rebuild.rebuild_result import Output, OutputKind
from pipelines.judge.compare import Declared, Facts, Unreachable, compare, confirm_difference
from pipelines.judge.finding import Confirmation, FileFact, Finding

GOOD = FileFact(sha256=Digest.of(b"good"), size=4)
OTHER = FileFact(sha256=Digest.of(b"other"), size=5)
EVIL = FileFact(sha256=Digest.of(b"evil"), size=4)
LONGER = FileFact(sha256=GOOD.sha256, size=5)
AWAY = Unreachable(reason="no answer")
COPIED = "copied-input: a.deb is already in the dependency b.deb"
REPLACED = (
    f"the file served as shipped is not the published one: got sha256 {EVIL.sha256}, "
    f"the recipe pins {GOOD.sha256}"
)
BLIND = "input-not-scanned: the source s.zip: broken"


def facts(
    *,
    outcome: Outcome = Outcome.BUILT,
    declared: tuple[str, ...] = ("a.deb",),
    rebuilt: Mapping[str, tuple[FileFact, OutputKind]] | None = None,
    served: Mapping[str, FileFact | Unreachable] | None = None,
    input_fault: str | None = None,
) -> Facts:
    return Facts(
        outcome=outcome,
        outcome_reason="" if outcome is Outcome.BUILT else "the reason",
        declared=tuple(Declared(name=name, published=GOOD.sha256) for name in declared),
        rebuilt=tuple(
            Output(name=name, sha256=file.sha256, size=file.size, part=part)
            for name, (file, part) in (rebuilt or {}).items()
        ),
        served={"a.deb": GOOD} if served is None else served,
        input_fault=input_fault,
    )


def built(file: FileFact) -> dict[str, tuple[FileFact, OutputKind]]:
    return {"a.deb": (file, OutputKind.ARTEFACT)}


RULES: dict[str, tuple[Facts, Verdict, str]] = {
    "same bytes": (facts(rebuilt=built(GOOD)), Verdict.IDENTICAL, "same SHA-256"),
    "other bytes": (facts(rebuilt=built(OTHER)), Verdict.DIFFERENT, "4 bytes shipped, 5 rebuilt"),
    "same size, other bytes": (facts(rebuilt=built(EVIL)), Verdict.DIFFERENT, "the bytes differ"),
    "one digest with two sizes": (
        facts(rebuilt=built(LONGER)),
        Verdict.DIFFERENT,
        "the bytes differ",
    ),
    "nothing of that name": (facts(), Verdict.MISSING, "left no file"),
    "nothing of that name, and shipped out of reach": (
        facts(served={"a.deb": AWAY}),
        Verdict.MISSING,
        "left no file",
    ),
    "shipped out of reach": (
        facts(rebuilt=built(GOOD), served={"a.deb": AWAY}),
        Verdict.NOT_CHECKED,
        "no answer; the rebuilt file has the published digest",
    ),
    "shipped out of reach, other bytes": (
        facts(rebuilt=built(OTHER), served={"a.deb": AWAY}),
        Verdict.NOT_CHECKED,
        "no answer; the rebuilt file has not the published digest",
    ),
    "shipped never fetched": (
        facts(rebuilt=built(GOOD), served={}),
        Verdict.NOT_CHECKED,
        "it was not fetched",
    ),
    "another file is served": (
        facts(rebuilt=built(GOOD), served={"a.deb": EVIL}),
        Verdict.SHIPPED_MISMATCH,
        f"got sha256 {EVIL.sha256}, the recipe pins {GOOD.sha256}",
    ),
    "the served file is rebuilt, and is not the published one": (
        facts(rebuilt=built(EVIL), served={"a.deb": EVIL}),
        Verdict.SHIPPED_MISMATCH,
        "not the published one",
    ),
    "another file is served, nothing was rebuilt": (
        facts(served={"a.deb": EVIL}),
        Verdict.SHIPPED_MISMATCH,
        "not the published one",
    ),
    "copied input": (
        facts(rebuilt=built(GOOD), input_fault=COPIED),
        Verdict.NOT_CHECKED,
        "copied-input: ",
    ),
    "copied input and other bytes": (
        facts(rebuilt=built(OTHER), input_fault=COPIED),
        Verdict.NOT_CHECKED,
        "copied-input: ",
    ),
    "copied input and nothing rebuilt": (
        facts(input_fault=COPIED),
        Verdict.NOT_CHECKED,
        "copied-input: ",
    ),
    "copied input and another file served": (
        facts(rebuilt=built(GOOD), served={"a.deb": EVIL}, input_fault=COPIED),
        Verdict.NOT_CHECKED,
        f"{COPIED}; {REPLACED}",
    ),
    "an input could not be searched": (
        facts(rebuilt=built(GOOD), input_fault=BLIND),
        Verdict.NOT_CHECKED,
        "input-not-scanned: ",
    ),
    "no build, before a copied input": (
        facts(outcome=Outcome.CANCELLED, input_fault=COPIED),
        Verdict.NOT_CHECKED,
        "CANCELLED: the reason",
    ),
}
for _outcome in Outcome:
    if _outcome is not Outcome.BUILT:
        RULES[f"outcome {_outcome}"] = (
            facts(outcome=_outcome, rebuilt=built(GOOD)),
            Verdict.NOT_CHECKED,
            f"no rebuild to compare with: {_outcome}: the reason",
        )
        RULES[f"outcome {_outcome} and another file served"] = (
            facts(outcome=_outcome, served={"a.deb": EVIL}),
            Verdict.NOT_CHECKED,
            f"{_outcome}: the reason; {REPLACED}",
        )


@pytest.mark.parametrize(("given", "verdict", "reason"), list(RULES.values()), ids=list(RULES))
def test_each_rule(given: Facts, verdict: Verdict, reason: str) -> None:
    (finding,) = compare(given)
    assert finding.name == "a.deb"
    assert finding.verdict is verdict
    assert reason in finding.reason
    assert finding.shipped is not None
    assert finding.shipped.published == GOOD.sha256


def test_a_finding_carries_the_digests_it_was_made_of() -> None:
    (finding,) = compare(facts(rebuilt=built(OTHER), served={"a.deb": EVIL}))
    assert finding.shipped is not None
    assert (finding.shipped.sha256, finding.shipped.size) == (EVIL.sha256, 4)
    assert finding.rebuilt == OTHER


@pytest.mark.parametrize(
    ("coverage", "judged"),
    [
        (OutputKind.BY_PRODUCT, False),
        (OutputKind.IGNORED, False),
        (OutputKind.UNEXPECTED, True),
        (OutputKind.ARTEFACT, True),
    ],
)
def test_an_output_that_nothing_covers(coverage: OutputKind, judged: bool) -> None:
    findings = compare(facts(rebuilt={**built(GOOD), "x": (OTHER, coverage)}))
    verdicts = [(f.name, f.verdict) for f in findings]
    assert verdicts == [("a.deb", Verdict.IDENTICAL)] + [("x", Verdict.UNEXPECTED)] * judged
    if judged:
        assert findings[1].rebuilt == OTHER
        assert findings[1].shipped is None


def test_a_declared_artefact_is_judged_whatever_its_coverage_says() -> None:
    (finding,) = compare(facts(rebuilt={"a.deb": (OTHER, OutputKind.BY_PRODUCT)}))
    assert finding.verdict is Verdict.DIFFERENT


def test_an_undeclared_output_is_not_checked_when_an_input_was_copied() -> None:
    findings = compare(
        facts(rebuilt={**built(GOOD), "x": (OTHER, OutputKind.UNEXPECTED)}, input_fault=COPIED)
    )
    assert [f.verdict for f in findings] == [Verdict.NOT_CHECKED, Verdict.NOT_CHECKED]
    assert findings[1].reason.startswith("copied-input: ")


def test_a_build_that_failed_left_nothing_unexpected() -> None:
    given = facts(outcome=Outcome.BUILD_FAILED, rebuilt={"x": (OTHER, OutputKind.UNEXPECTED)})
    assert [f.name for f in compare(given)] == ["a.deb"]


def test_each_artefact_has_its_own_verdict() -> None:
    given = facts(
        declared=("a.deb", "b.deb", "c.deb"),
        rebuilt={"a.deb": (GOOD, OutputKind.ARTEFACT), "b.deb": (OTHER, OutputKind.ARTEFACT)},
        served={"a.deb": GOOD, "b.deb": GOOD, "c.deb": GOOD},
    )
    assert [f.verdict for f in compare(given)] == [
        Verdict.IDENTICAL,
        Verdict.DIFFERENT,
        Verdict.MISSING,
    ]


def test_nothing_declared_gives_no_finding() -> None:
    assert compare(facts(declared=())) == ()


def test_names_are_unique() -> None:
    with pytest.raises(ValueError, match=r"declared: 'a\.deb' is there twice"):
        facts(declared=("a.deb", "a.deb"))
    twice = Output(name="x", sha256=GOOD.sha256, size=4, part=OutputKind.UNEXPECTED)
    with pytest.raises(ValueError, match="rebuilt: 'x' is there twice"):
        Facts(
            outcome=Outcome.BUILT,
            outcome_reason="",
            declared=(),
            rebuilt=(twice, twice),
            served={},
            input_fault=None,
        )


def different() -> Finding:
    return compare(facts(rebuilt=built(OTHER)))[0]


@pytest.mark.parametrize(
    ("again", "shows", "varies"),
    [
        (GOOD.sha256, Confirmation.SHIPPED, True),
        (EVIL.sha256, Confirmation.OTHER, True),
        (OTHER.sha256, Confirmation.SAME, False),
        (None, Confirmation.ABSENT, False),
    ],
)
def test_a_second_rebuild_confirms_a_difference_or_does_not(
    again: Digest | None, shows: Confirmation, *, varies: bool
) -> None:
    confirmed = confirm_difference(different(), again)
    assert (confirmed, confirmed.varies) == (shows, varies)


def test_only_a_difference_is_confirmed() -> None:
    (identical,) = compare(facts(rebuilt=built(GOOD)))
    with pytest.raises(ValueError, match="only DIFFERENT"):
        confirm_difference(identical, GOOD.sha256)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (facts(rebuilt=built(GOOD), input_fault=COPIED), COPIED),
        (
            facts(declared=(), rebuilt=built(GOOD)),
            "the build left a file that no declaration covers",
        ),
        (
            replace(facts(outcome=Outcome.BUILD_FAILED), outcome_reason=""),
            "no rebuild to compare with: BUILD_FAILED",
        ),
    ],
)
def test_a_reason_says_what_is_wrong_and_no_more(given: Facts, reason: str) -> None:
    (found,) = compare(given)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (None, "the build succeeded and left no file of this name"),
        (
            "all.tar#x",
            "the build succeeded, and no file all.tar#x could be taken from what it left",
        ),
    ],
)
def test_what_is_missing_says_where_it_was_looked_for(output: str | None, reason: str) -> None:
    facts = Facts(
        outcome=Outcome.BUILT,
        outcome_reason=None,
        declared=(Declared(name="x", published=GOOD.sha256, output=output),),
        rebuilt=(),
        served={},
        input_fault=None,
    )
    (finding,) = compare(facts)
    assert (finding.verdict, finding.reason) == (Verdict.MISSING, reason)
