"""Reading a release: what counts is signed, logged and in its place; all else is excluded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import StoreError
from infra.bench.madeup import EMPTY_POLICY, MadeUpFile
from pipelines.audit.center_audit import audit_center
from pipelines.audit.center_finding import ExclusionReason
from pipelines.audit.source import Source, UnreachableError
from pipelines.audit.statement_reader import StatementReader
from pipelines.evidence.dsse import Envelope, Signature, sign_envelope
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.evidence.statements.statement import DigestSet
from pipelines.log.errors import LogError
from tests.consensus.findings import OTHER_CLAIM
from tests.consensus.world import CONTENT, EARLIER, FILE, LATER, RELEASE, World, reasons
from tests.fakes.store import MemoryStore

DIFFERENT = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}


def test_three_centers_that_built_the_same_confirm_it(world: World) -> None:
    found = world.consensus()
    (one,) = found.artefacts
    assert (str(one.result), one.passed) == ("CONFIRMED", True)
    assert list(one.matched) == ["ada", "bob", "cyd"]
    assert reasons(found) == set()
    assert found.exit_code == 0
    assert one.work_proof is Proof.PROVED


def test_a_center_that_finds_other_bytes_splits_them() -> None:
    world = World()
    world["ada-1"].run()
    world["bob-1"].run()
    world["cyd-1"].run(files=DIFFERENT)
    assert world.result() == "SPLIT"
    assert world.consensus().exit_code == 1


def test_a_center_that_the_policy_does_not_know_is_counted_out() -> None:
    world = World("ada", "bob")
    stranger = World("eve")["eve-1"]
    stranger.run()
    found = world.read(also=(Source(center="eve-1", store=stranger.store),))
    assert [(o.center, o.reason) for o in found.excluded if o.center == "eve-1"] == [
        ("eve-1", ExclusionReason.UNKNOWN_CENTER)
    ]


def test_a_silent_peer_is_named_and_takes_nothing_from_the_others(world: World) -> None:
    world["cyd-1"].store.fail_on("list")
    found = world.consensus()
    assert str(found.artefacts[0].result) == "CONFIRMED"
    assert ("cyd-1", "silent") in reasons(found)


def test_a_peer_that_falls_silent_in_the_middle_says_nothing(world: World) -> None:
    world["cyd-1"].store.fail_on("get", after=1, times=1)
    found = world.consensus()
    assert list(found.artefacts[0].matched) == ["ada", "bob"]
    assert ("cyd-1", "silent") in reasons(found)


def test_a_fault_that_is_no_error_of_ours_is_silence_too(world: World) -> None:
    world["cyd-1"].store.fail_on("list", error=ConnectionResetError("reset"))
    assert ("cyd-1", "silent") in reasons(world.consensus())


def test_a_peer_that_has_nothing_of_the_release_is_named() -> None:
    world = World()
    world["ada-1"].run()
    assert {("bob-1", "nothing-of-this-release"), ("cyd-1", "nothing-of-this-release")} <= reasons(
        world.consensus()
    )


@pytest.mark.parametrize("name", ["0", "9"])
def test_a_mismatch_is_not_buried_under_names(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Of so many names only the last are read; the rest is missing, as what is removed."""
    monkeypatch.setattr("pipelines.audit.center_audit.MAX_RECORDS", 3)
    cyd = world["cyd-1"]
    cyd.run(run=LATER, files=DIFFERENT)
    assert reasons(world.consensus()) == set(), "an honest center may have rebuilt it often"
    for number in range(20):
        cyd.store.objects[f"public/releases/acme/tool/1.0/cyd-1/{name}/{number}"] = [b""]
    found = world.consensus()
    (one,) = found.artefacts
    told = reasons(found)
    assert ("cyd-1", "too-many-records") in told
    assert "cyd" in one.dissenting or ("cyd-1", "missing") in told
    assert "cyd" not in one.matched
    cyd.reported = set(cyd.about.results.values())
    assert "cyd" in one.dissenting or ("cyd-1", "withheld") in reasons(world.consensus())


RUBBISH = {
    "no-json": b"rubbish",
    "nothing": b"",
    "another-document": b'{"a": 1}',
    "not-utf-8": b"\xff\xfe",
    "nested": b"[" * 100_000,
    "large": b" " * (13 << 20),
}


@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_is_named_and_its_run_does_not_count(world: World, name: str) -> None:
    site = world["cyd-1"]
    key = site.publish(site.made(run=EARLIER))["comparison-1.dsse.json"]
    site.store.objects[key] = [RUBBISH[name]]
    found = world.consensus()
    assert reasons(found) == {
        ("cyd-1", "unreadable"),
        ("cyd-1", "incomplete"),
        ("cyd-1", "missing"),
    }
    assert list(found.artefacts[0].matched) == ["ada", "bob"]


def test_where_the_newest_run_cannot_be_read_the_center_says_nothing(world: World) -> None:
    site = world["cyd-1"]
    key = site.publish(site.made(run=LATER))["attempt-1.dsse.json"]
    site.store.objects[key] = [b"rubbish"]
    found = world.consensus()
    assert list(found.artefacts[0].matched) == ["ada", "bob"]


@pytest.mark.parametrize("run", [EARLIER, "20260102T030405Z-0a1b2c3d", LATER])
def test_rubbish_beside_it_hides_no_mismatch(run: str) -> None:
    world = World()
    for name in ("ada-1", "bob-1"):
        world[name].run()
    world["cyd-1"].run(files=DIFFERENT)
    prefix = f"public/releases/acme/tool/1.0/cyd-1/{run}"
    world["cyd-1"].store.objects[f"{prefix}/rubbish-1.dsse.json"] = [b"rubbish"]
    assert world.result() == "SPLIT"


@pytest.mark.parametrize("run", ["20260102T030405Z-0a1b2c3d", LATER])
def test_rubbish_that_its_log_does_not_have_takes_nothing_away(world: World, run: str) -> None:
    """Whoever can write to a store could silence its center otherwise."""
    prefix = f"public/releases/acme/tool/1.0/cyd-1/{run}"
    world["cyd-1"].store.objects[f"{prefix}/rubbish-1.dsse.json"] = [b"rubbish"]
    found = world.consensus()
    assert reasons(found) == {("cyd-1", "unreadable")}
    assert list(found.artefacts[0].matched) == ["ada", "bob", "cyd"]


def test_a_log_that_cannot_be_read_is_silence_and_one_that_is_broken_is_named(
    world: World,
) -> None:
    def broken(error: Exception) -> set[tuple[str, str]]:
        real = world.index_of

        def index_of(center: str, pae: Digest) -> int | None:
            if center == "cyd-1":
                raise error
            return real(center, pae)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(world, "index_of", index_of)
            found = world.read(None)
        return {(excluded.center, str(excluded.reason)) for excluded in found.excluded}

    assert broken(UnreachableError("no answer")) == {("cyd-1", "silent")}
    assert broken(LogError("altered")) == {("cyd-1", "log-broken")}


def test_a_statement_in_another_spelling_cannot_be_read(world: World) -> None:
    site = world["cyd-1"]
    spaced = sign_envelope(site.made().attempt().to_bytes().replace(b'":', b'": '), site.key)
    site.put("public/releases/acme/tool/1.0/cyd-1/" + f"{EARLIER}/attempt-1.dsse.json", spaced)
    assert reasons(world.consensus()) == {("cyd-1", "unreadable"), ("cyd-1", "missing")}


def _bob_who_found_otherwise_later() -> tuple[World, dict[str, str]]:
    world = World("ada", "bob")
    world["ada-1"].run()
    world["bob-1"].run()
    names = world["bob-1"].run(run=LATER, files=DIFFERENT)
    assert world.result() == "SPLIT"
    return world, names


def test_a_mismatch_that_is_taken_out_of_the_store_is_missed_by_the_log() -> None:
    world, names = _bob_who_found_otherwise_later()
    for name in names.values():
        del world["bob-1"].store.objects[name]
    assert reasons(world.consensus()) == {("bob-1", "missing")}
    assert world.result() == "PENDING"


def test_a_mismatch_whose_signature_is_spoilt_takes_the_match_away() -> None:
    world, names = _bob_who_found_otherwise_later()
    store = world["bob-1"].store
    for name in names.values():
        honest = Envelope.from_bytes(store.objects[name][-1])
        (signature,) = honest.signatures
        spoilt = Signature(keyid=signature.keyid, sig=signature.sig[::-1])
        store.objects[name] = [honest.model_copy(update={"signatures": (spoilt,)}).to_bytes()]
    assert {("bob-1", "bad-signature"), ("bob-1", "missing")} <= reasons(world.consensus())
    assert world.result() == "PENDING"


def test_a_mismatch_listed_apart_from_its_attempt_still_counts() -> None:
    world, names = _bob_who_found_otherwise_later()
    store = world["bob-1"].store
    real, apart = store.list, names["attempt-1.dsse.json"]

    def list_out_of_order(prefix: str) -> Iterator[str]:
        yield from (name for name in real(prefix) if name != apart)
        if apart.startswith(prefix):
            yield from (apart.replace(LATER, EARLIER), apart)

    store.list = list_out_of_order  # type: ignore[method-assign]
    assert world.result() == "SPLIT"


def test_a_store_that_shows_nothing_of_what_its_log_has_withholds_it() -> None:
    world = World("ada")
    for name in world["ada-1"].run().values():
        del world["ada-1"].store.objects[name]
    assert reasons(world.consensus()) == {("ada-1", "missing")}


def test_what_a_key_said_before_its_beginning_is_there_and_withholds_nothing() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    bob = world["bob-1"]
    bob.run(run=EARLIER, files=DIFFERENT)
    bob.start = len(bob.log)
    bob.run()
    assert reasons(world.consensus()) == {("bob-1", "key-not-yet")}
    assert world.result() == "CONFIRMED"


def test_a_run_that_failed_is_later_by_the_log_though_its_clock_is_an_hour_behind() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    bob = world["bob-1"]
    bob.run(run=LATER)
    failed = {
        FILE: MadeUpFile(published=CONTENT, served=None, built=None, verdict=Verdict.NOT_CHECKED)
    }
    bob.run(run=EARLIER, outcome=Outcome.BUILD_FAILED, files=failed, by_products={})
    first = world.consensus().artefacts[0]
    assert {v.operator: str(v.conclusion) for v in first.operators} == dict.fromkeys(
        ["ada", "bob"], "match"
    )
    assert [(e.center, str(e.reason), e.detail) for e in first.excluded] == [
        ("bob-1", "later-failure", f"BUILD_FAILED in {EARLIER}")
    ]


def test_who_once_found_other_bytes_for_the_same_claim_contradicts_itself(world: World) -> None:
    world["cyd-1"].run(run=EARLIER, files=DIFFERENT)
    assert world.result() == "SPLIT"


def test_the_claim_that_is_asked_about_is_our_newest_or_that_of_most() -> None:
    world = World()
    world["ada-1"].run(claim=OTHER_CLAIM)
    world["bob-1"].run()
    world["cyd-1"].run()
    (ours,) = world.consensus("ada-1").artefacts
    assert ours.subject.claim == OTHER_CLAIM
    assert str(ours.result) == "PENDING"
    (most,) = world.consensus(None).artefacts
    assert most.subject.claim == world["bob-1"].made().claim
    (asked,) = world.consensus("bob-1", claim=OTHER_CLAIM).artefacts
    assert asked.subject.claim == OTHER_CLAIM


def test_a_keyed_claim_joins_with_the_same_keyed_claim() -> None:
    world = World("ada", "bob")
    keyed = DigestSet(hmac_sha256=OTHER_CLAIM.sha256)
    for site in world.sites.values():
        site.run(claim=keyed)
    assert world.result() == "CONFIRMED"


def test_two_published_digests_of_one_name_are_two_artefacts() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    world["bob-1"].run(files={FILE: MadeUpFile.identical(b"another shipped file")})
    found = world.consensus()
    assert [str(one.result) for one in found.artefacts] == ["PENDING", "PENDING"]
    assert reasons(found) == {("ada-1", "other-published"), ("bob-1", "other-published")}


def test_an_artefact_that_nobody_speaks_of_is_not_checked() -> None:
    world = World("ada", "bob")
    expected = [(FILE, world["ada-1"].made().comparison(FILE, None).subject[0].digest.sha256)]
    found = world.consensus(expected=expected)
    assert [str(one.result) for one in found.artefacts] == ["NOT_CHECKED"]
    assert found.exit_code == 2


def test_our_own_store_that_fails_is_no_silence_of_others(world: World) -> None:
    """Its own bytes are asked for to check the others: that is a fault, not a finding."""
    own = world["ada-1"].store
    own.fail_on("open")
    with pytest.raises(StoreError):
        world.read()


def test_an_empty_policy_knows_nobody(world: World) -> None:
    source = Source(center="ada-1", store=world["ada-1"].store)
    reader = StatementReader(policy=EMPTY_POLICY, logs=world)
    (unknown,) = audit_center(reader, source, RELEASE).excluded
    assert unknown.reason is ExclusionReason.UNKNOWN_CENTER


def test_an_empty_store_is_no_pass() -> None:
    world = World("ada")
    source = Source(center="ada-1", store=MemoryStore())
    (nothing,) = audit_center(world.reader, source, RELEASE).excluded
    assert nothing.reason is ExclusionReason.NOTHING


def test_nothing_private_is_read_of_a_peer(world: World) -> None:
    world.consensus()
    read = {key for op, key in world["bob-1"].store.calls if op in {"get", "open", "list", "has"}}
    assert read
    assert all(key.startswith("public/") for key in read)
