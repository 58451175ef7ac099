"""A delta is judged by what it gives and by what it rests on, whatever its own bytes are."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import pytest
from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import SamebitsError
from builders.jail.errors import JailEnd, JailFailedError, JailUnavailableError
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.recipe.update import DeclaredDelta, DeltaJudged, DeltaName
from pipelines.evidence.statements.comparison import Ground, ground
from pipelines.judge.compare import Declared, Facts, Unreachable, compare
from pipelines.judge.finding import FileFact, Finding
from pipelines.judge.updates import appliers
from pipelines.judge.updates.check_deltas import with_deltas
from pipelines.judge.updates.checked_delta import BaseChain, BaseRun, CheckedBase
from pipelines.judge.updates.delta_format import DeltaFormat, DeltaLimits
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault
from tests.fakes.jail import OpenJail

BASE, TARGET = b"the file of 1.0\n", b"the file of 1.0\nand a line of 1.1\n"
DELTA = b"+and a line of 1.1\n"
RUN = BaseRun(
    run="20260102T030405Z-0a1b2c3d",
    verdict=Verdict.IDENTICAL,
    comparison=Digest.of(b"B"),
    chain=BaseChain(
        links=1,
        release="acme/tool@1.0",
        sha256=Digest.of(BASE),
        run="20260102T030405Z-0a1b2c3d",
        worst=Verdict.IDENTICAL,
        worst_release="acme/tool@1.0",
    ),
)
NAME, FULL = "d.delta", "full"


def append(base: BinaryIO, delta: BinaryIO, out: BinaryIO, limits: DeltaLimits) -> None:
    """Apply a delta that is appended to its base, behind a plus."""
    sign, more = delta.read(1), delta.read()
    if sign != b"+":
        raise UpdateError(UpdateFault.UNREADABLE, f"it begins with {sign!r}")
    if len(made := base.read() + more) > limits.size:
        raise UpdateError(UpdateFault.UNBOUNDED, "more than the target has")
    out.write(made)


def flood(base: BinaryIO, delta: BinaryIO, out: BinaryIO, limits: DeltaLimits) -> None:
    """Write more than is allowed: a reader that a hostile delta has taken over."""
    out.write(base.read() + delta.read() + b"x" * (limits.size + 1))


def sorted_lines(base: BinaryIO, delta: BinaryIO, out: BinaryIO, _: DeltaLimits) -> None:
    """Write the lines of base and delta in order, as the members of what that gives."""
    out.writelines(sorted([*base.readlines(), *delta.read()[1:].splitlines(keepends=True)]))


def lines_of(target: BinaryIO, out: BinaryIO, _: DeltaLimits) -> None:
    """Write the lines of a full file in order."""
    out.writelines(sorted(target.readlines()))


@dataclass(kw_only=True)
class Update:
    """One delta, its target and its base, to be judged."""

    delta: bytes = DELTA
    rebuilt: dict[str, bytes] | None = None
    judged: DeltaJudged = DeltaJudged.APPLIED
    served: bytes | None = DELTA
    base: bytes = BASE
    run: BaseRun | None = RUN
    failing: SamebitsError | None = None
    jail: OpenJail | None = None
    """In place of one that reads, or fails."""
    changed: Callable[[Facts], Facts] = lambda facts: facts
    """What becomes of the facts before deltas are looked at."""
    more: tuple[str, ...] = ()
    """Names of other deltas like this one, in front of it."""

    def finding(self) -> Finding:
        return compare(self.facts())[-1]

    def facts(self) -> Facts:
        rebuilt = {FULL: TARGET} if self.rebuilt is None else self.rebuilt
        served = {FULL: TARGET, **dict.fromkeys((*self.more, NAME), self.served)}
        stands_in = self.judged is DeltaJudged.APPLIED
        facts = Facts(
            outcome=Outcome.BUILT,
            outcome_reason=None,
            declared=(
                Declared(name=FULL, published=Digest.of(TARGET)),
                *(
                    Declared(
                        name=name,
                        published=Digest.of(self.delta),
                        is_update=True,
                        stands_in=stands_in,
                    )
                    for name in (*self.more, NAME)
                ),
            ),
            rebuilt=tuple(
                Output(name=n, sha256=Digest.of(b), size=len(b), part=OutputKind.ARTEFACT)
                for n, b in rebuilt.items()
            ),
            served={
                n: Unreachable(reason="no answer") if b is None else fact(b)
                for n, b in served.items()
            },
            input_fault=None,
        )
        declared = DeclaredDelta(
            format=DeltaName.BSDIFF, judged=self.judged, base=Digest.of(self.base), target=FULL
        )
        base = CheckedBase(release="lab/tool@1.0", sha256=declared.base, judged=self.run)
        return with_deltas(
            self.changed(facts),
            dict.fromkeys((*self.more, NAME), declared),
            {declared.base: base},
            self.jail or OpenJail(self.failing),
            shipped=lambda n, _: io.BytesIO(served[n] or b""),
            rebuilt=lambda n, _: io.BytesIO(rebuilt[n]),
            base=lambda _: opened(self.base),
        )


def fact(data: bytes) -> FileFact:
    return FileFact(sha256=Digest.of(data), size=len(data))


@contextmanager
def opened(data: bytes) -> Iterator[BinaryIO]:
    yield io.BytesIO(data)


@pytest.fixture(autouse=True)
def format_of_deltas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(appliers.FORMATS, DeltaName.BSDIFF, DeltaFormat(apply=append))


REBUILT = {FULL: TARGET, NAME: DELTA}
NOT_JUDGED, BAD_BASE, OF_DELTA = (
    None,
    RUN.model_copy(update={"verdict": Verdict.DIFFERENT}),
    RUN.model_copy(update={"is_delta": True}),
)


CASES = [
    (
        Update(),
        Verdict.EQUIVALENT,
        Ground.DELTA_APPLIED,
        "the base with it applied is our full",
    ),
    (
        Update(judged=DeltaJudged.REBUILT, rebuilt=REBUILT),
        Verdict.IDENTICAL,
        Ground.SAME_DIGEST,
        "same SHA-256; the base with it applied is our full",
    ),
    (Update(rebuilt=REBUILT), Verdict.IDENTICAL, Ground.SAME_DIGEST, "same SHA-256"),
    (Update(judged=DeltaJudged.REBUILT), Verdict.MISSING, Ground.NOT_REBUILT, "left no file"),
    (
        Update(judged=DeltaJudged.REBUILT, rebuilt=REBUILT | {NAME: b"+other"}),
        Verdict.DIFFERENT,
        Ground.BYTES_DIFFER,
        "the bytes differ",
    ),
    (
        Update(rebuilt=REBUILT | {NAME: b"+other"}),
        Verdict.DIFFERENT,
        Ground.BYTES_DIFFER,
        "the bytes differ",
    ),
    (
        Update(delta=b"+and a LINE of 1.1\n", served=b"+and a LINE of 1.1\n"),
        Verdict.DIFFERENT,
        Ground.UPDATE_REFUSED,
        "application-mismatch: it gives sha256",
    ),
    (
        Update(judged=DeltaJudged.REBUILT, rebuilt=REBUILT | {FULL: TARGET.upper()}),
        Verdict.DIFFERENT,
        Ground.UPDATE_REFUSED,
        "application-mismatch: it gives sha256",
    ),
    (
        Update(base=b"the file of 0.9\n"),
        Verdict.DIFFERENT,
        Ground.UPDATE_REFUSED,
        "application-mismatch: ",
    ),
    (
        Update(delta=b"+" * 99, served=b"+" * 99),
        Verdict.DIFFERENT,
        Ground.UPDATE_REFUSED,
        "grows-without-bound: more than the target has",
    ),
    (
        Update(delta=b"?", served=b"?"),
        Verdict.DIFFERENT,
        Ground.UPDATE_REFUSED,
        "delta-unreadable: it begins with b'?'",
    ),
    (
        Update(run=NOT_JUDGED),
        Verdict.NOT_CHECKED,
        Ground.UPDATE_UNJUDGED,
        "base-not-judged: no run of this center has judged sha256",
    ),
    (
        Update(run=NOT_JUDGED, judged=DeltaJudged.REBUILT, rebuilt=REBUILT),
        Verdict.NOT_CHECKED,
        Ground.UPDATE_UNJUDGED,
        "base-not-judged",
    ),
    (
        Update(run=BAD_BASE),
        Verdict.NOT_CHECKED,
        Ground.UPDATE_UNJUDGED,
        "base-not-reproduced: sha256",
    ),
    (Update(run=OF_DELTA), Verdict.DIFFERENT, Ground.UPDATE_REFUSED, "delta-of-delta: sha256"),
    (
        Update(run=NOT_JUDGED, base=b"the file of 0.9\n"),
        Verdict.DIFFERENT,
        Ground.UPDATE_REFUSED,
        "application-mismatch",
    ),
    (
        Update(rebuilt={}),
        Verdict.NOT_CHECKED,
        Ground.UPDATE_UNJUDGED,
        "target-not-rebuilt: nothing was rebuilt that could be full",
    ),
    (
        Update(served=b"swapped"),
        Verdict.SHIPPED_MISMATCH,
        Ground.NOT_THE_PUBLISHED_FILE,
        "the file served as shipped is not the published one",
    ),
    (Update(served=None), Verdict.NOT_CHECKED, Ground.SHIPPED_UNREACHABLE, "no answer"),
    (
        Update(failing=JailUnavailableError("no jail", got="x")),
        Verdict.NOT_CHECKED,
        Ground.UPDATE_NOT_READ,
        "update-not-read: no jail",
    ),
    (
        Update(failing=JailFailedError(JailEnd.OUT_OF_MEMORY, "too much", got="x")),
        Verdict.DIFFERENT,
        Ground.UPDATE_REFUSED,
        "grows-without-bound: too much",
    ),
    (
        Update(failing=JailFailedError(JailEnd.CRASHED, "it crashed", got="x")),
        Verdict.DIFFERENT,
        Ground.UPDATE_REFUSED,
        "delta-unreadable: it crashed",
    ),
]


@pytest.mark.parametrize(("update", "verdict", "why", "reason"), CASES)
def test_a_delta_is_judged(update: Update, verdict: Verdict, why: Ground, reason: str) -> None:
    finding = update.finding()
    assert (finding.verdict, ground(finding, built=True)) == (verdict, why), finding.reason
    assert reason in finding.reason
    assert Finding.model_validate_json(finding.model_dump_json()) == finding


@pytest.mark.parametrize(
    ("update", "verdict"),
    [
        (Update(), Verdict.IDENTICAL),
        (Update(), Verdict.DIFFERENT),
        (Update(), Verdict.MISSING),
        (Update(run=NOT_JUDGED), Verdict.EQUIVALENT),
        (Update(run=NOT_JUDGED, rebuilt=REBUILT), Verdict.IDENTICAL),
        (Update(base=b"the file of 0.9\n", rebuilt=REBUILT), Verdict.IDENTICAL),
        (Update(base=b"the file of 0.9\n"), Verdict.EQUIVALENT),
        (Update(base=b"the file of 0.9\n"), Verdict.MISSING),
        (Update(judged=DeltaJudged.REBUILT), Verdict.EQUIVALENT),
    ],
)
def test_no_finding_on_a_delta_has_a_verdict_that_its_checks_contradict(
    update: Update, verdict: Verdict
) -> None:
    with pytest.raises(ValidationError, match="contradicted"):
        Finding.model_validate({**dict(update.finding()), "verdict": verdict})


def test_a_delta_without_a_fault_gives_our_target() -> None:
    found = Update(base=b"the file of 0.9\n").finding().delta
    assert found is not None
    assert found.applied != found.expected
    with pytest.raises(ValidationError, match="does not hold"):
        type(found).model_validate({**dict(found), "refused": None})


def test_what_the_jail_wrote_is_measured_outside_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(appliers.FORMATS, DeltaName.BSDIFF, DeltaFormat(apply=flood))
    finding = Update().finding()
    assert finding.verdict is Verdict.DIFFERENT
    assert finding.reason.startswith("grows-without-bound: ")


def test_a_format_without_an_applier_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(appliers.FORMATS, DeltaName.BSDIFF)
    finding = Update().finding()
    assert finding.reason == "unsupported-feature: no applier for bsdiff"


@pytest.mark.parametrize(("target", "verdict"), [(1, Verdict.EQUIVALENT), (2, Verdict.DIFFERENT)])
def test_without_canonical_bytes_members_are_compared(
    monkeypatch: pytest.MonkeyPatch, target: int, verdict: Verdict
) -> None:
    by_members = DeltaFormat(apply=sorted_lines, members=lines_of)
    monkeypatch.setitem(appliers.FORMATS, DeltaName.BSDIFF, by_members)
    finding = Update(rebuilt={FULL: TARGET * target}).finding()
    assert finding.verdict is verdict, finding.reason
    assert finding.delta
    assert finding.delta.members


def test_a_delta_that_nothing_has_checked_never_counts() -> None:
    data: dict[str, Any] = {"outcome": Outcome.BUILT, "outcome_reason": None, "input_fault": None}
    output = Output(name=NAME, sha256=Digest.of(DELTA), size=len(DELTA), part=OutputKind.ARTEFACT)
    declared = Declared(name=NAME, published=Digest.of(DELTA), is_update=True)
    facts = Facts(declared=(declared,), rebuilt=(output,), served={NAME: fact(DELTA)}, **data)
    (finding,) = compare(facts)
    assert (finding.verdict, finding.reason) == (
        Verdict.NOT_CHECKED,
        "update-not-read: nothing has checked it",
    )
    plain = replace(facts, declared=(replace(declared, is_update=False),))
    assert compare(plain)[0].verdict is Verdict.IDENTICAL
