"""A release in a few fields, from real signed runs: its standing, and how that came about."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders.core.enums import Outcome, Verdict
from builders.core.runid import run_started
from infra.bench.madeup import MadeUpFile
from pipelines.consensus.consensus_result import Consensus
from pipelines.consensus.join import join
from pipelines.consensus.release_consensus import JoinedRelease
from pipelines.evidence.statements.statement import DigestSet
from pipelines.portal.release_line import (
    ReleaseLine,
    is_private,
    release_line,
    seen_at,
    shown_artefacts,
)
from tests.alarms.alarming import OTHER, run_id
from tests.consensus.world import CONTENT, FILE, World
from tests.portal.lines import line as made
from tests.portal.lines import step

FAILED = {FILE: MadeUpFile(published=CONTENT, served=None, built=None, verdict=Verdict.NOT_CHECKED)}


def line_of(world: World) -> ReleaseLine:
    return release_line(joined(world))


def joined(world: World) -> JoinedRelease:
    return JoinedRelease(read=world.read(), consensus=world.consensus(), recipe=None)


def steps(found: ReleaseLine) -> list[tuple[str, str]]:
    return [(str(step.standing), step.run) for step in found.steps]


def test_a_release_that_all_have_built_is_confirmed_by_all(world: World) -> None:
    found = line_of(world)
    assert (found.standing, found.matched, found.dissenting) == (
        "confirmed",
        ("ada", "bob", "cyd"),
        (),
    )
    assert [(run.center, run.verdict) for run in found.runs] == [
        (f"{name}-1", "IDENTICAL") for name in ("ada", "bob", "cyd")
    ]


def test_the_steps_tell_when_the_standing_changed_and_no_more() -> None:
    world = World()
    for day, name in ((2, "ada"), (3, "bob"), (4, "cyd")):
        world[f"{name}-1"].run(run=run_id(day))
    world["cyd-1"].run(run=run_id(5), files=OTHER)
    found = line_of(world)
    assert steps(found) == [
        ("unchecked", run_id(2)),
        ("confirmed", run_id(3)),
        ("different", run_id(5)),
    ]
    assert (found.standing, found.since) == ("different", found.steps[-1].at)
    assert found.since is not None
    assert found.since.isoformat() == "2026-01-05T03:04:05+00:00"


def test_runs_that_say_nothing_new_cost_no_joining(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(3, 20):
        world["ada-1"].run(run=run_id(day))
    found, joins = joined(world), []

    def counted(*given: Any, **more: Any) -> Consensus:
        joins.append(given)
        return join(*given, **more)

    monkeypatch.setattr("pipelines.portal.release_line.join", counted)
    assert [step.run for step in release_line(found).steps] == [found.read.findings[0].run]
    assert len(joins) < 3


def test_the_newest_run_of_a_center_is_told_also_when_it_failed(world: World) -> None:
    world["ada-1"].run(run=run_id(8), outcome=Outcome.BUILD_FAILED, files=FAILED, by_products={})
    run = line_of(world).runs[0]
    assert (run.run, run.outcome, run.verdict) == (run_id(8), "BUILD_FAILED", "NOT_CHECKED")


def test_a_run_of_a_month_that_is_none_has_no_time(world: World) -> None:
    odd = "20261302T030405Z-0a1b2c3d"
    found = joined(world)
    findings = tuple(replace(finding, run=odd) for finding in found.read.findings)
    line = release_line(replace(found, read=replace(found.read, findings=findings)))
    assert {run.started for run in line.runs} == {None}
    assert (line.steps, line.since) == ((), None)


def test_an_artefact_of_a_closed_source_is_named_once_a_center_has_named_it(world: World) -> None:
    found = joined(world)
    (artefact,) = found.consensus.artefacts
    unknown = replace(artefact, subject=replace(artefact.subject, artefact="secret.deb"))
    consensus = replace(found.consensus, artefacts=(artefact, unknown))
    assert len(shown_artefacts(replace(found, consensus=consensus))) == 2
    claim = replace(found.read.findings[0], claim=_keyed(found))
    read = replace(found.read, findings=(claim, *found.read.findings[1:]))
    closed = replace(found, read=read, consensus=consensus)
    assert is_private(closed)
    assert [one.subject.artefact for one in shown_artefacts(closed)] == ["tool.deb"]
    assert [one.name for one in release_line(closed).artefacts] == ["tool.deb"]


def _keyed(found: JoinedRelease) -> DigestSet:
    claim = found.read.findings[0].claim
    return DigestSet(hmac_sha256=claim.sha256)


def test_a_release_without_runs_is_not_checked() -> None:
    found = line_of(World())
    assert (found.standing, found.steps, found.since, found.runs) == ("unchecked", (), None, ())


def test_a_run_of_the_future_is_of_when_it_was_first_seen() -> None:
    def at(line: ReleaseLine) -> list[int]:
        return [step.at.day for step in line.steps]

    now = run_started(run_id(10))
    told = made(steps=(step("confirmed", run_id(3)), step("different", run_id(28))))
    first = seen_at(told, None, now)
    assert at(first) == [3, 10]
    assert at(seen_at(told, first, now + timedelta(days=2))) == [3, 10]
    assert at(seen_at(told, None, run_started(run_id(29)))) == [3, 28]
    between = (told.steps[0], step("suspect", run_id(12)), told.steps[1])
    later = seen_at(made(steps=between), first, now + timedelta(days=3))
    assert at(later) == [3, 12, 12], "in the order of the runs all the same"
