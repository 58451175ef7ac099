"""One commit states a run: half of it in the log, or in pieces, states nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome
from infra.bench.madeup import MadeUpFile
from pipelines.audit.center_audit import audit_center
from pipelines.audit.run_state import AuditedRun
from pipelines.audit.source import Source
from pipelines.evidence.report import Purpose
from tests.consensus.world import CONTENT, FILE, RELEASE, Site, World, reasons

TWO = {FILE: MadeUpFile.identical(CONTENT), "z.deb": MadeUpFile.identical(b"another file\n")}
RECORDS = ["provenance-1", "comparison-1", "comparison-2", "attempt-1"]


def audited(world: World) -> AuditedRun:
    site = world["bob-1"]
    source = Source(center=site.id, store=site.store)
    (run,) = audit_center(world.reader, source, RELEASE).runs
    return run


def results(world: World) -> set[str]:
    return {str(one.result) for one in world.consensus().artefacts}


def state(
    world: World, *, files: dict[str, MadeUpFile], between: str = "", left_out: str = ""
) -> Site:
    """Log the statements of a run, with something else before one of them, or without one."""
    world["ada-1"].run(files=TWO)
    site = world["bob-1"]
    run = site.made(files=files)
    site.commit(run)
    for name, envelope in run.envelopes(site.key).items():
        record = name.removesuffix(".dsse.json")
        if record == between:
            site.log += [Digest.of(b"a heartbeat"), Digest.of(b"and another")]
        site.put(run.folder() + name, envelope, logged=record != left_out)
    return site


@pytest.mark.parametrize("left_out", ["comparison-1", "comparison-2", "attempt-1"])
def test_a_run_of_which_half_is_logged_is_not_stated(left_out: str) -> None:
    world = World("ada", "bob")
    state(world, files=TWO, left_out=left_out)
    assert str(audited(world).state) == "open"
    assert audited(world).findings == ()
    assert results(world) == {"PENDING"}


@pytest.mark.parametrize("between", ["comparison-2", "attempt-1"])
def test_a_run_that_is_logged_in_pieces_is_not_stated(between: str) -> None:
    world = World("ada", "bob")
    state(world, files=TWO, between=between)
    assert str(audited(world).state) == "open"
    assert {e.detail for e in audited(world).excluded} >= {"not stated by one commit"}
    assert ("bob-1", "incomplete") in reasons(world.consensus())
    assert results(world) == {"PENDING"}


def test_a_mismatch_counts_however_it_was_logged() -> None:
    """Who could take a difference back by logging it in pieces would."""
    world = World("ada", "bob")
    files = {**TWO, FILE: MadeUpFile.different(CONTENT, b"other bytes\n")}
    state(world, files=files, between="attempt-1")
    (found,) = audited(world).findings
    assert (found.artefact, str(found.verdict)) == (FILE, "DIFFERENT")
    assert results(world) == {"SPLIT", "PENDING"}


@pytest.mark.parametrize("between", ["", "comparison-1"])
def test_what_stands_beside_the_leaves_of_a_run_takes_nothing_away(between: str) -> None:
    world = World("ada", "bob")
    state(world, files=TWO, between=between)
    assert str(audited(world).state) == "stated"
    assert results(world) == {"CONFIRMED"}


def test_provenance_may_be_logged_between_them() -> None:
    world = World("ada", "bob")
    world["ada-1"].run(files=TWO)
    site = world["bob-1"]
    run = site.made(files=TWO)
    site.commit(run)
    envelopes = {n.removesuffix(".dsse.json"): e for n, e in run.envelopes(site.key).items()}
    assert sorted(envelopes) == sorted(RECORDS)
    for name in ("attempt-1", "comparison-1", "provenance-1", "comparison-2"):
        site.put(f"{run.folder()}{name}.dsse.json", envelopes[name])
    assert str(audited(world).state) == "stated"


def test_runs_of_the_first_format_were_logged_one_by_one() -> None:
    world = World("ada", "bob")
    world["ada-1"].run(files=TWO, scope=None)
    site = world["bob-1"]
    run = site.made(files=TWO, scope=None)
    site.commit(run)
    for name, envelope in run.envelopes(site.key).items():
        site.log.append(Digest.of(name.encode()))
        site.put(run.folder() + name, envelope)
    assert str(audited(world).state) == "stated"


def test_one_statement_of_the_first_format_lifts_no_rule_from_the_others() -> None:
    world = World("ada", "bob")
    world["ada-1"].run(files=TWO)
    site = world["bob-1"]
    run = site.made(files=TWO)
    site.commit(run)
    failed = replace(run, scope=None).attempt()
    changes: dict[str, Any] = {"outcome": Outcome.INFRASTRUCTURE_ERROR, "seal": None}
    failed = failed.model_copy(update={"predicate": failed.predicate.model_copy(update=changes)})
    last = run.attempt()
    changes = {"number": 2, "purpose": Purpose.RETRY}
    last = last.model_copy(update={"predicate": last.predicate.model_copy(update=changes)})
    envelopes = {n: e for n, e in run.envelopes(site.key).items() if not n.startswith("attempt")}
    for name, envelope in envelopes.items():
        if name == "comparison-2.dsse.json":
            site.log += [Digest.of(b"a heartbeat"), Digest.of(b"and another")]
        site.put(run.folder() + name, envelope)
    for name, statement in (("attempt-1", failed), ("attempt-2", last)):
        site.put(f"{run.folder()}{name}.dsse.json", site.sign(statement))
    assert (failed.version, last.version) == (1, 2)
    assert str(audited(world).state) == "open"
    assert ("bob-1", "incomplete") in reasons(world.consensus())
    assert results(world) == {"PENDING"}
