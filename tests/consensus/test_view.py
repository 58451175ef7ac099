"""The view of a center: what it joins of a release, tells people and signs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from builders.core.digest import Digest
from builders.core.errors import UsageError
from infra.bench.madeup import EMPTY_POLICY, MadeUpFile
from pipelines.audit.log_index import LogIndex
from pipelines.center.center import load_center
from pipelines.cli.findings import consensus as command
from pipelines.consensus.release_consensus import join_release
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.statements.consensus_results import CrosscheckStatement, SummaryStatement
from pipelines.evidence.statements.reader import read_statement
from pipelines.nightly.periodic import join_round, publish_joined
from pipelines.policy import ConsensusRules
from pipelines.policy.model import PolicyRules
from pipelines.storage.directory import DirectoryStore
from pipelines.verify.session import Session
from tests.consensus.two_centers import NAMES, TwoCenters
from tests.consensus.world import CONTENT, FILE, RELEASE


def test_two_centers_confirm_and_sign_and_the_next_supersedes(centers: TwoCenters) -> None:
    for name in NAMES:
        centers.publish(name)
    code, told = centers.run("--publish")
    assert (code, told["artefacts"][0]["consensus"]) == (0, "CONFIRMED")
    assert told["artefacts"][0]["matched"] == ["asia-body", "europe-body"]
    assert len(told["published"]) == 2
    europe = DirectoryStore(centers.root / "europe" / "store")
    statements = [
        read_statement(Envelope.from_bytes(europe.get(name, 1 << 20)).payload)
        for name in told["published"]
    ]
    cross, summary = statements
    assert isinstance(cross, CrosscheckStatement)
    assert isinstance(summary, SummaryStatement)
    assert str(cross.predicate.proof) == "proved"
    assert summary.predicate.resource_uri == "pkg:deb/debian/tool@1.0?arch=amd64"
    assert summary.predicate.verified_levels == ("SLSA_BUILD_REPRODUCED",)
    again = centers.run("--publish")
    assert (again[0], again[1]["published"]) == (0, [])
    centers.publish("asia", run="20260103T030405Z-00000003")
    later = centers.run("--publish")[1]["published"]
    assert [name.rpartition("/")[2] for name in later if "consensus" in name] == [
        "000002.dsse.json"
    ]


def test_what_is_signed_is_logged(centers: TwoCenters) -> None:
    for name in NAMES:
        centers.publish(name)
    _, told = centers.run("--publish")
    view = centers.session("europe").consensus_view(datetime.now(UTC))
    logs = LogIndex({"europe": view.store}, view.policy.policy)
    for name in told["published"]:
        envelope = Envelope.from_bytes(view.store.get(name, 1 << 20))
        assert logs.index_of("europe", envelope.digest()) is not None


def test_a_round_that_takes_long_signs_every_summary_at_its_own_moment(centers: TwoCenters) -> None:
    """A signer takes nothing that is older than some minutes, and a round may be."""
    for name in NAMES:
        centers.publish(name)
    began = iter([datetime.now(UTC) - timedelta(minutes=10)])
    found = join_round(
        centers.session("europe"), [str(RELEASE)], clock=lambda: next(began, datetime.now(UTC))
    )
    assert found.failed == ()
    assert [one.exit_code for one in found.joined] == [0]


def test_the_cross_checks_of_both_convince_a_third(centers: TwoCenters) -> None:
    for name in NAMES:
        centers.publish(name)
    for name in NAMES:
        centers.run("--publish", center=name)
    third = centers.root / "third.yaml"
    third.write_text(
        "schema: samebits/center/v1\nid: third\nhome: third\npolicy: policy.dsse.json\n"
        "peers: [{id: europe, store: europe/store}, {id: asia, store: asia/store}]\n"
    )
    done = CliRunner().invoke(command, [str(RELEASE), "--center", str(third)])
    assert done.exit_code == 0, done.output
    assert "CONFIRMED" in done.output
    assert "third: unknown-center" in done.output


def test_a_peer_that_built_other_bytes_fails_the_release(centers: TwoCenters) -> None:
    centers.publish("europe")
    centers.publish("asia", files={FILE: MadeUpFile.different(CONTENT, b"other bytes")})
    code, told = centers.run("--publish")
    assert (code, told["artefacts"][0]["consensus"]) == (1, "SPLIT")
    europe = DirectoryStore(centers.root / "europe" / "store")
    summaries = [n for n in told["published"] if n.startswith("public/consensus")]
    statement = read_statement(Envelope.from_bytes(europe.get(summaries[0], 1 << 20)).payload)
    assert isinstance(statement, SummaryStatement)
    assert str(statement.predicate.verification_result) == "FAILED"


def test_people_are_told_who_was_served_another_file(centers: TwoCenters) -> None:
    from builders.core.enums import Verdict

    centers.publish("europe")
    replaced = MadeUpFile(
        published=CONTENT, served=b"replaced", built=CONTENT, verdict=Verdict.SHIPPED_MISMATCH
    )
    centers.publish("asia", files={FILE: replaced})
    done = CliRunner().invoke(command, [str(RELEASE), "--center", str(centers.file("europe"))])
    assert done.exit_code == 1
    assert "ALARM SHIPPED_MISMATCH: asia (asia) was served" in done.output
    assert "not counted: asia: served-another-file" in done.output


def test_a_release_that_nobody_speaks_of_is_not_checked(centers: TwoCenters) -> None:
    code, told = centers.run()
    assert (code, [a["consensus"] for a in told["artefacts"]]) == (2, ["NOT_CHECKED"])


def test_without_a_recipe_the_strictest_rules_hold(centers: TwoCenters) -> None:
    from builders.core.enums import Kind
    from pipelines.consensus.release_consensus import rules_for

    view = centers.session("europe").consensus_view(datetime.now(UTC))
    kinds = {Kind.RULESET: ConsensusRules(k=3, regions=2)}
    policy = replace(EMPTY_POLICY, consensus=PolicyRules(k=1, max_dissent=1, kinds=kinds))
    odd = replace(view, policy=replace(view.policy, policy=policy))
    assert rules_for(odd, None) == ConsensusRules(k=3, regions=2, max_dissent=0)


def test_a_center_file_whose_key_is_missing_cannot_publish(centers: TwoCenters) -> None:
    for name in NAMES:
        centers.publish(name)
    (centers.root / "europe" / "keys" / "statements.key").unlink()
    view = centers.session("europe").consensus_view(datetime.now(UTC))
    joined = join_release(view, RELEASE)
    from pipelines.evidence.errors import KeyFileError

    with pytest.raises(KeyFileError):
        publish_joined(centers.session("europe"), view, joined, datetime.now(UTC))


def test_a_center_without_a_policy_joins_nothing(centers: TwoCenters, tmp_path: Path) -> None:
    alone = tmp_path / "alone.yaml"
    alone.write_text("schema: samebits/center/v1\nid: alone\nhome: alone\n")
    with pytest.raises(UsageError, match="has no policy"):
        Session(load_center(alone)).consensus_view(datetime.now(UTC))


def test_the_implicit_center_makes_its_own_policy(centers: TwoCenters) -> None:
    view = Session(load_center(None)).consensus_view(datetime.now(UTC))
    assert [c.id for c in view.policy.policy.centers] == ["local"]
    found = join_release(view, RELEASE).consensus
    assert found.exit_code == 2


def test_a_recipe_of_another_release_under_this_name_is_refused(centers: TwoCenters) -> None:
    recipe = centers.root / "recipes/releases/acme/tool/1.0.yaml"
    recipe.write_text(recipe.read_text().replace('"1.0"', '"2.0"'))
    view = centers.session("europe").consensus_view(datetime.now(UTC))
    with pytest.raises(UsageError, match="another release"):
        join_release(view, RELEASE)


@pytest.mark.parametrize("claim", ["x", "A" * 64])
def test_a_claim_that_is_none_is_refused(centers: TwoCenters, claim: str) -> None:
    done = CliRunner().invoke(command, [str(RELEASE), "--claim", claim])
    assert isinstance(done.exception, UsageError)


def test_another_claim_can_be_asked_about(centers: TwoCenters) -> None:
    for name in NAMES:
        centers.publish(name)
    _, told = centers.run("--claim", str(Digest.of(b"another claim")))
    assert [a["consensus"] for a in told["artefacts"]] == ["NOT_CHECKED"]
