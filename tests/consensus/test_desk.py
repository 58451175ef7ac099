"""Centers as they really are: files, keys, stores, logs, one signed policy; and the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from builders.digest import Digest
from builders.errors import NotFoundError, UsageError
from pipelines.bench.madeup import MadeUpFile, MadeUpKey, MadeUpRun
from pipelines.center import Center, load_center
from pipelines.cli.consensus import command
from pipelines.consensus.desk import check_summary, join_release, open_desk, publish_joined
from pipelines.consensus.logged import LogIndexes
from pipelines.consensus.remembered import LogMemory
from pipelines.consensus.silence import Asked
from pipelines.consensus.verified import SilentError
from pipelines.evidence.directory import DirectoryStore
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.keys import REPORT, Visibility, private_twin
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.signed import statement_of
from pipelines.evidence.signing import create_key
from pipelines.evidence.statements import CrosscheckStatement, SummaryStatement
from pipelines.log.errors import LogError
from pipelines.log.note import MAX_NOTE
from pipelines.log.tiles import CHECKPOINT
from pipelines.policy import (
    CenterKey,
    ConsensusRules,
    Operator,
    Policy,
    PolicyCenter,
)
from pipelines.policy.signed import add_signature
from pipelines.publickeys import log_key, public_keys
from pipelines.rounds import join_round
from pipelines.signer.local import center_key
from pipelines.workshop import workshop
from tests.consensus.world import CONTENT, FILE, FILES, PRODUCTS, RELEASE
from tests.fakes.store import MemoryStore

NAMES = ("europe", "asia")
RECIPE = """\
schema: samebits/recipe/v1
vendor: acme
product: tool
version: "1.0"
kind: binary
platform: linux/amd64
build: {{method: script, image: debian-trixie-build, steps: [["true"]]}}
inputs:
  - {{role: source, locator: "file:source.tar", sha256: {source}}}
artefacts:
  - name: {name}
    shipped: {{locator: "pkg:deb/debian/tool@1.0?arch=amd64", sha256: {shipped}}}
by_products: ["*-dbgsym.deb"]
"""


@dataclass(kw_only=True)
class Table:
    """Two centers of two operators that know each other."""

    root: Path

    def file(self, name: str) -> Path:
        return self.root / f"{name}.yaml"

    def center(self, name: str) -> Center:
        return load_center(self.file(name))

    def publish(self, name: str, **changes: Any) -> MadeUpRun:
        """Do what a run does at its end: store its outputs and statements, and log those."""
        center = self.center(name)
        run = MadeUpRun(
            **{
                "center": name,
                "builder": center.builder_id,
                "release": str(RELEASE),
                "run": "20260102T030405Z-0a1b2c3d",
                "files": FILES,
                "by_products": PRODUCTS,
                **changes,
            }
        )
        store = DirectoryStore(self.root / name / "store")
        for content in run.outputs.values():
            store.put_cas(Visibility.PRIVATE, content)
        book = workshop(center).logbook()
        with book.storing(run.folder()):
            for record, envelope in run.envelopes(center_key(center)).items():
                store.put_record(run.folder() + record, envelope.to_bytes())
        store.put_record(private_twin(run.folder() + REPORT), run.report().to_json())
        book.settle()
        return run

    def sign_policy(self, *, version: int = 1, rules: ConsensusRules | None = None) -> None:
        laws = {name: MadeUpKey(f"law of {name}") for name in NAMES}
        policy = Policy(
            version=version,
            expires=datetime(2099, 1, 1, tzinfo=UTC),
            operators=tuple(
                Operator(name=f"{n}-body", legal=f"{n} Ltd", key=laws[n].public) for n in NAMES
            ),
            threshold=2,
            centers=tuple(self.known(name) for name in NAMES),
            consensus=rules or ConsensusRules(k=2, regions=2),
        )
        signed = None
        for name in NAMES:
            signed = add_signature(policy, f"{name}-body", laws[name], to=signed)
        assert signed is not None
        (self.root / "policy.dsse.json").write_bytes(signed.envelope.to_bytes())

    def known(self, name: str) -> PolicyCenter:
        center = self.center(name)
        return PolicyCenter(
            id=name,
            operator=f"{name}-body",
            region=name,
            builder=center.builder_id,
            verifier=center.verifier_id,
            origin=center.origin,
            log_key=str(log_key(center)),
            keys=(CenterKey(key=public_keys(center)["statements"]),),
        )

    def run(self, *words: str, center: str = "europe") -> tuple[int, Any]:
        done = CliRunner().invoke(
            command, [str(RELEASE), "--json", "--center", str(self.file(center)), *words]
        )
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    made = Table(root=tmp_path)
    for name in NAMES:
        (other,) = [n for n in NAMES if n != name]
        made.file(name).write_text(
            f"schema: samebits/center/v1\nid: {name}\nhome: {name}\nstore: {name}/store\n"
            f"operator: {name}-body\nregion: {name}\npolicy: policy.dsse.json\n"
            f"peers: [{{id: {other}, store: {other}/store}}]\n"
        )
        for use in ("statements", "log", "witness"):
            create_key(tmp_path / name / "keys", use)
    made.sign_policy()
    recipe = tmp_path / "recipes/releases/acme/tool/1.0.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(
        RECIPE.format(source=Digest.of(b"source"), shipped=Digest.of(CONTENT), name=FILE)
    )
    monkeypatch.setenv("SAMEBITS_RECIPES", str(tmp_path / "recipes"))
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "home"))
    yield made
    workshop.cache_clear()


def test_two_centers_confirm_and_sign_and_the_next_supersedes(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    code, told = table.run("--publish")
    assert (code, told["artefacts"][0]["consensus"]) == (0, "CONFIRMED")
    assert told["artefacts"][0]["matched"] == ["asia-body", "europe-body"]
    assert len(told["published"]) == 2
    europe = DirectoryStore(table.root / "europe" / "store")
    statements = [
        statement_of(Envelope.from_bytes(europe.get(name, 1 << 20))) for name in told["published"]
    ]
    cross, summary = statements
    assert isinstance(cross, CrosscheckStatement)
    assert isinstance(summary, SummaryStatement)
    assert str(cross.predicate.proof) == "proved"
    assert summary.predicate.resource_uri == "pkg:deb/debian/tool@1.0?arch=amd64"
    assert summary.predicate.verified_levels == ("SLSA_BUILD_REPRODUCED",)
    again = table.run("--publish")
    assert (again[0], again[1]["published"]) == (0, [])
    table.publish("asia", run="20260103T030405Z-00000003")
    later = table.run("--publish")[1]["published"]
    assert [name.rpartition("/")[2] for name in later if "consensus" in name] == [
        "000002.dsse.json"
    ]


def test_what_is_signed_is_logged(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    _, told = table.run("--publish")
    desk = open_desk(table.center("europe"), datetime.now(UTC))
    logs = LogIndexes({"europe": desk.store}, desk.policy.policy)
    for name in told["published"]:
        envelope = Envelope.from_bytes(desk.store.get(name, 1 << 20))
        assert logs("europe", envelope.digest()) is not None


def test_whoever_checks_summaries_reads_no_leaf_of_a_log_twice(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    _, told = table.run("--publish")
    europe, memory = table.center("europe"), LogMemory()
    (name,) = (n for n in told["published"] if n.startswith("public/consensus"))
    store = DirectoryStore(table.root / "europe" / "store")
    summary = statement_of(Envelope.from_bytes(store.get(name, 1 << 20)))
    assert isinstance(summary, SummaryStatement)
    check_summary(europe, summary, datetime.now(UTC), memory=memory)
    for bundle in (table.root / "asia/store/public/log/tile/entries/000.p").iterdir():
        bundle.unlink()
    check_summary(europe, summary, datetime.now(UTC), memory=memory)
    with pytest.raises(RefusedError):
        check_summary(europe, summary, datetime.now(UTC), memory=LogMemory())


def test_what_a_peer_has_logged_and_shows_no_more_takes_its_match_away(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    other = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}
    run = table.publish("asia", run="20260103T030405Z-00000003", files=other)
    assert [a["consensus"] for a in table.run()[1]["artefacts"]] == ["SPLIT"]
    for record in run.envelopes(center_key(table.center("asia"))):
        (table.root / "asia" / "store" / (run.folder() + record)).unlink()
    code, told = table.run()
    assert code == 2
    assert [a["consensus"] for a in told["artefacts"]] == ["PENDING"]
    assert [o["why"] for o in told["counted_out"]] == ["withheld"]


def test_a_round_that_takes_long_signs_every_summary_at_its_own_moment(table: Table) -> None:
    """A signer takes nothing that is older than some minutes, and a round may be."""
    for name in NAMES:
        table.publish(name)
    began = iter([datetime.now(UTC) - timedelta(minutes=10)])
    found = join_round(
        table.center("europe"), [str(RELEASE)], clock=lambda: next(began, datetime.now(UTC))
    )
    assert found.failed == ()
    assert [one.exit_code for one in found.joined] == [0]


def test_the_cross_checks_of_both_convince_a_third(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    for name in NAMES:
        table.run("--publish", center=name)
    third = table.root / "third.yaml"
    third.write_text(
        "schema: samebits/center/v1\nid: third\nhome: third\npolicy: policy.dsse.json\n"
        "peers: [{id: europe, store: europe/store}, {id: asia, store: asia/store}]\n"
    )
    done = CliRunner().invoke(command, [str(RELEASE), "--center", str(third)])
    assert done.exit_code == 0, done.output
    assert "CONFIRMED" in done.output
    assert "third: unknown-center" in done.output


def test_a_peer_that_built_other_bytes_fails_the_release(table: Table) -> None:
    table.publish("europe")
    table.publish("asia", files={FILE: MadeUpFile.different(CONTENT, b"other bytes")})
    code, told = table.run("--publish")
    assert (code, told["artefacts"][0]["consensus"]) == (1, "SPLIT")
    europe = DirectoryStore(table.root / "europe" / "store")
    summaries = [n for n in told["published"] if n.startswith("public/consensus")]
    statement = statement_of(Envelope.from_bytes(europe.get(summaries[0], 1 << 20)))
    assert isinstance(statement, SummaryStatement)
    assert str(statement.predicate.verification_result) == "FAILED"


def test_people_are_told_who_was_served_another_file(table: Table) -> None:
    from builders.words import Verdict

    table.publish("europe")
    replaced = MadeUpFile(
        published=CONTENT, served=b"replaced", built=CONTENT, verdict=Verdict.SHIPPED_MISMATCH
    )
    table.publish("asia", files={FILE: replaced})
    done = CliRunner().invoke(command, [str(RELEASE), "--center", str(table.file("europe"))])
    assert done.exit_code == 1
    assert "! SHIPPED_MISMATCH: asia (asia) was served" in done.output
    assert "not counted: asia: served-another-file" in done.output


def test_a_release_that_nobody_speaks_of_is_not_checked(table: Table) -> None:
    code, told = table.run()
    assert (code, [a["consensus"] for a in told["artefacts"]]) == (2, ["NOT_CHECKED"])


def test_without_a_recipe_the_strictest_rules_hold(table: Table) -> None:
    from builders.words import Kind
    from pipelines.consensus.desk import rules_for

    desk = open_desk(table.center("europe"), datetime.now(UTC))
    policy = Policy(
        consensus=ConsensusRules(k=1, max_dissent=1),
        consensus_kinds={Kind.RULESET: ConsensusRules(k=3, regions=2)},
    )
    from dataclasses import replace

    odd = replace(desk, policy=replace(desk.policy, policy=policy))
    assert rules_for(odd, None) == ConsensusRules(k=3, regions=2, max_dissent=0)


def test_a_log_that_was_altered_silences_its_center(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    note = table.root / "asia" / "store" / CHECKPOINT
    note.chmod(0o644)
    note.write_bytes(note.read_bytes().replace(b"\n", b"\n\n", 1))
    code, told = table.run()
    assert code == 2
    assert ("asia", "log-broken") in {(o["center"], o["why"]) for o in told["counted_out"]}


def test_a_log_that_is_not_there_has_no_statements(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    (table.root / "asia" / "store" / CHECKPOINT).unlink()
    code, told = table.run()
    assert code == 2
    assert ("asia", "log-broken") in {(o["center"], o["why"]) for o in told["counted_out"]}


def test_a_peer_that_did_not_answer_once_is_not_asked_again() -> None:
    store = MemoryStore()
    asked = Asked(store)
    store.put_record("public/x/y", b"z")
    assert (asked.get("public/x/y", 9), list(asked.list("public/x/"))) == (b"z", ["public/x/y"])
    with pytest.raises(NotFoundError):
        asked.get("public/x/n", 9)
    store.fail_on("list", times=1)
    for _ in range(3):
        with pytest.raises(SilentError):
            list(asked.list("public/x/"))
        with pytest.raises(SilentError):
            asked.get("public/x/y", 9)
    assert [operation for operation, _ in store.calls].count("list") == 2


def test_a_log_that_is_broken_is_read_once(table: Table) -> None:
    table.publish("asia")
    store = MemoryStore()
    desk = open_desk(table.center("europe"), datetime.now(UTC))
    logs = LogIndexes({"asia": store}, desk.policy.policy)
    for _ in range(3):
        with pytest.raises(LogError):
            logs("asia", Digest.of(b""))
    assert len(store.calls) == 1


def test_a_log_that_cannot_be_read_is_silence(table: Table) -> None:
    store, memory = MemoryStore(), LogMemory()
    store.fail_on("get")
    desk = open_desk(table.center("europe"), datetime.now(UTC))
    for logs in (
        LogIndexes({"asia": store}, desk.policy.policy),
        LogIndexes({"asia": store}, desk.policy.policy, memory=memory),
    ):
        store.calls.clear()
        for _ in range(3):
            with pytest.raises(SilentError):
                logs.about("asia", str(RELEASE))
        assert len(store.calls) == 1


@pytest.mark.parametrize(("room", "again"), [(0, True), (-1, False)])
def test_a_log_that_is_too_large_for_a_memory_is_read_and_not_taken_in(
    table: Table, room: int, *, again: bool
) -> None:
    run = table.publish("asia")
    folder = table.root / "asia" / "store"
    policy = open_desk(table.center("europe"), datetime.now(UTC)).policy.policy
    envelopes = run.envelopes(center_key(table.center("asia"))).values()
    memory = LogMemory(limit=len(envelopes) + room)
    logs = LogIndexes({"asia": DirectoryStore(folder)}, policy, memory=memory)
    assert sorted(logs("asia", e.digest()) or 0 for e in envelopes) == [0, 1, 2]
    for bundle in (folder / "public/log/tile/entries/000.p").iterdir():
        bundle.unlink()
    logs = LogIndexes({"asia": DirectoryStore(folder)}, policy, memory=memory)
    if again:
        assert sorted(logs("asia", e.digest()) or 0 for e in envelopes) == [0, 1, 2]
    else:
        with pytest.raises(LogError):
            logs.about("asia", str(RELEASE))


def test_a_log_that_is_too_large_for_a_memory_drives_no_other_out(table: Table) -> None:
    small = table.publish("europe")
    for run in ("20260102T030405Z-00000002", "20260103T030405Z-00000003"):
        table.publish("asia", run=run)
    stores = {name: DirectoryStore(table.root / name / "store") for name in NAMES}
    policy = open_desk(table.center("europe"), datetime.now(UTC)).policy.policy
    memory = LogMemory(limit=len(small.envelopes(center_key(table.center("europe")))))
    before = LogIndexes(stores, policy, memory=memory)
    told = [before.about(name, str(RELEASE)) for name in NAMES]
    assert [len(one) for one in told] == [2, 4]
    for bundle in (table.root / "europe/store/public/log/tile/entries/000.p").iterdir():
        bundle.unlink()
    after = LogIndexes(stores, policy, memory=memory)
    assert [after.about(name, str(RELEASE)) for name in NAMES] == told


def test_a_center_file_whose_key_is_missing_cannot_publish(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    workshop.cache_clear()
    (table.root / "europe" / "keys" / "statements.key").unlink()
    desk = open_desk(table.center("europe"), datetime.now(UTC))
    joined = join_release(desk, RELEASE)
    from pipelines.evidence.errors import KeyFileError

    with pytest.raises(KeyFileError):
        publish_joined(desk, joined, datetime.now(UTC))


def test_a_center_without_a_policy_joins_nothing(table: Table, tmp_path: Path) -> None:
    alone = tmp_path / "alone.yaml"
    alone.write_text("schema: samebits/center/v1\nid: alone\nhome: alone\n")
    with pytest.raises(UsageError, match="has no policy"):
        open_desk(load_center(alone), datetime.now(UTC))


def test_the_implicit_center_makes_its_own_policy(table: Table) -> None:
    desk = open_desk(load_center(None), datetime.now(UTC))
    assert [c.id for c in desk.policy.policy.centers] == ["local"]
    found = join_release(desk, RELEASE).consensus
    assert found.exit_code == 2


def test_a_recipe_of_another_release_under_this_name_is_refused(table: Table) -> None:
    recipe = table.root / "recipes/releases/acme/tool/1.0.yaml"
    recipe.write_text(recipe.read_text().replace('"1.0"', '"2.0"'))
    desk = open_desk(table.center("europe"), datetime.now(UTC))
    with pytest.raises(UsageError, match="another release"):
        join_release(desk, RELEASE)


@pytest.mark.parametrize("claim", ["x", "A" * 64])
def test_a_claim_that_is_none_is_refused(table: Table, claim: str) -> None:
    done = CliRunner().invoke(command, [str(RELEASE), "--claim", claim])
    assert isinstance(done.exception, UsageError)


def test_another_claim_can_be_asked_about(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    _, told = table.run("--claim", str(Digest.of(b"another claim")))
    assert [a["consensus"] for a in told["artefacts"]] == ["NOT_CHECKED"]


def test_only_the_releases_that_are_asked_about_are_kept(table: Table) -> None:
    run = table.publish("asia")
    store = DirectoryStore(table.root / "asia" / "store")
    desk = open_desk(table.center("europe"), datetime.now(UTC))
    envelope = next(iter(run.envelopes(center_key(table.center("asia"))).values()))
    other = ReleaseName(vendor="acme", product="other", version="1.0")
    for releases, expected in (([RELEASE], True), ([other], False), (None, True)):
        logs = LogIndexes({"asia": store}, desk.policy.policy, releases)
        assert (logs("asia", envelope.digest()) is not None) is expected
    assert LogIndexes({}, desk.policy.policy)("asia", envelope.digest()) is None
    empty = LogIndexes({"asia": DirectoryStore(table.root / "none")}, desk.policy.policy)
    with pytest.raises(LogError):
        empty("asia", envelope.digest())
    assert store.get(CHECKPOINT, MAX_NOTE)
