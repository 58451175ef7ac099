"""What people and programs are told of an update, by two centers as they really are."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from infra.bench.madeup import MadeUpFile, MadeUpRun, made_up_delta
from pipelines.consensus.release_consensus import join_release
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.consensus_results import SummaryStatement
from pipelines.evidence.statements.reader import read_statement
from pipelines.evidence.statements.statement import DigestSet
from pipelines.evidence.statements.updates import BaseReference, ChainSummary
from pipelines.nightly.periodic import join_round
from pipelines.storage.directory import DirectoryStore
from tests.command import Ended, samebits
from tests.consensus.two_centers import NAMES, TwoCenters
from tests.consensus.world import CONTENT, FILE, LATER, RELEASE

UPDATE = ReleaseName(vendor="acme", product="tool", version="1.1")
DELTA, TARGET, PATCH = "tool.bsdiff", b"the bytes of 1.1", b"a delta to 1.1"
UPDATED = "20260102T040506Z-0a1b2c3e"


def told(centers: TwoCenters, *words: str) -> Ended:
    return samebits(*words, "--center", centers.file("europe"), home=centers.root / "customer")


def publish_update(centers: TwoCenters, name: str, base: MadeUpRun, **changes: Any) -> MadeUpRun:
    """Publish an update on what a center found in the run `base`."""
    (compared,) = [s for s in base.statements() if isinstance(s, ComparisonStatement)]
    digest = compared.subject[0].digest
    reference = BaseReference(
        release=base.release,
        digest=digest,
        run=base.run,
        comparison=DigestSet(sha256=compared.digest()),
        chain=ChainSummary(
            links=1,
            release=base.release,
            digest=digest,
            run=base.run,
            worst=Verdict.IDENTICAL,
            worst_release=base.release,
        ),
    )
    files = {
        FILE: MadeUpFile.identical(TARGET),
        DELTA: made_up_delta(PATCH, TARGET, reference),
    }
    return centers.publish(
        name, **{"release": str(UPDATE), "files": files, "run": UPDATED, "scope": _SCOPE, **changes}
    )


_SCOPE = DigestSet(sha256=Digest.of(b"the scope of 1.1"))


@pytest.fixture
def updated(centers: TwoCenters) -> TwoCenters:
    """Return two centers that have judged a release, and an update on it."""
    for name in NAMES:
        publish_update(centers, name, centers.publish(name))
    return centers


def differ(centers: TwoCenters) -> None:
    """Let one center find the base to be another file, which it had matched before."""
    other = MadeUpFile.different(CONTENT, b"other bytes")
    centers.publish("asia", run=LATER, files={FILE: other})


def test_consensus_says_what_an_update_rests_on(updated: TwoCenters) -> None:
    ended = told(updated, "consensus", str(UPDATE))
    assert ended.code == 0
    assert "rests on acme/tool@1.0, which is CONFIRMED" in ended.out
    document = told(updated, "consensus", str(UPDATE), "--json").document()
    bases = {a["artefact"]: a["base"] for a in document["artefacts"]}
    assert bases == {
        FILE: None,
        DELTA: {
            "release": "acme/tool@1.0",
            "sha256": str(Digest.of(CONTENT)),
            "consensus": "CONFIRMED",
            "fault": None,
            "worst": "acme/tool@1.0 tool.deb",
            "links": 1,
            "anchor": {"release": "acme/tool@1.0", "sha256": str(Digest.of(CONTENT))},
        },
    }


def test_consensus_fails_an_update_whose_base_fails(updated: TwoCenters) -> None:
    differ(updated)
    ended = told(updated, "consensus", str(UPDATE))
    assert ended.code == 1
    assert "it would pass, were it not for its base" in ended.out
    assert (
        "base-failed: it rests on acme/tool@1.0, and acme/tool@1.0 tool.deb is SPLIT" in ended.out
    )


def test_check_says_what_a_delta_rests_on(updated: TwoCenters) -> None:
    file = updated.root / DELTA
    file.write_bytes(PATCH)
    ended = told(updated, "check", str(file))
    assert ended.code == 0
    assert "rests on acme/tool@1.0, which is CONFIRMED" in ended.out
    differ(updated)
    ended = told(updated, "check", str(file))
    assert (ended.code, ended.out.splitlines()[0]) == (1, f"NOT REPRODUCED: {DELTA}")
    assert "base-failed" in ended.out


def test_the_summary_of_an_update_fails_with_its_base_and_has_no_alarm_of_its_own(
    updated: TwoCenters,
) -> None:
    session = updated.session("europe")
    first = join_round(session, [str(RELEASE), str(UPDATE)])
    assert [one.exit_code for one in first.joined] == [0, 0]
    updated.witness()
    differ(updated)
    later = join_round(updated.session("europe"), [str(RELEASE), str(UPDATE)])
    assert later.failed == ()
    assert {str(alarm.release) for alarm in later.raised} == {str(RELEASE)}
    folder = f"public/consensus/acme/tool/1.1/{DELTA}/"
    store = DirectoryStore(updated.root / "europe" / "store")
    newest = max(name for name in store.list(folder) if name.endswith(".dsse.json"))
    summary = read_statement(Envelope.from_bytes(store.get(newest, 1 << 20)).payload)
    assert isinstance(summary, SummaryStatement)
    found = (summary.predicate.verification_result, summary.predicate.consensus.result)
    assert found == ("FAILED", "SPLIT")
    assert summary.predicate.consensus.supersedes is not None


def test_an_update_is_joined_again_once_its_base_has_changed(
    updated: TwoCenters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.nightly.settled.AGAIN", 0)
    names = [str(UPDATE), str(RELEASE)]
    for release in (RELEASE, UPDATE):
        recipe_without(updated, release)
    assert join_round(updated.session("europe"), names).unchanged == 0
    for name in NAMES:
        updated.run("--publish", center=name)
    join_round(updated.session("europe"), names)
    assert join_round(updated.session("europe"), names).unchanged == 2
    updated.publish("asia", run=LATER)
    assert join_round(updated.session("europe"), names).unchanged == 0


def recipe_without(centers: TwoCenters, release: ReleaseName) -> None:
    """Remove the recipe of a release, so that the findings alone say what is joined."""
    path = centers.root / f"recipes/releases/{release.vendor}/{release.product}"
    (path / f"{release.version}.yaml").unlink(missing_ok=True)


def test_a_statement_that_names_no_release_as_its_base_stops_nothing(centers: TwoCenters) -> None:
    for name in NAMES:
        base = replace(centers.publish(name), release="-/-@-")
        publish_update(centers, name, base)
    view = centers.session("europe").consensus_view(datetime.now(UTC))
    found = {one.subject.artefact: one for one in join_release(view, UPDATE).consensus.artefacts}
    base_of = found[DELTA].base
    assert base_of is not None
    assert (found[DELTA].result, base_of.fault) == ("PENDING", "base-unknown")
    assert json.dumps(found[DELTA].to_dict())
