"""Attacks on what centers state of a release, found out by a consensus.

Cyd lies: it states a match that it never had, or hides a mismatch. Or somebody else has its store,
or a key of it. In every case three operators would confirm the file if the lie were believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from infra.bench.madeup import MadeUpFile, MadeUpKey
from pipelines.evidence.dsse import Envelope, Signature, sign_envelope
from pipelines.evidence.release_name import ReleaseName
from pipelines.log.leaf import StatementLeaf, own_key
from pipelines.policy import ConsensusRules
from pipelines.storage.bounded import BoundedStore, PeerBudget
from tests.attacks.attack import Attack, Attacker, Reader, Stage
from tests.attacks.town import Town, entry_of, honest
from tests.consensus.findings import OTHER_CLAIM
from tests.consensus.test_peers import TinyRecords
from tests.consensus.world import CONTENT, EARLIER, FILE, FILES, LATER, RELEASE
from tests.evidence.examples import STATEMENTS

DIFFERENT = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}
TAMPERED = {FILE: MadeUpFile.different(b"tampered with", CONTENT)}
Deed = Callable[[Town], object]


def stated(
    by: Attacker, ends: str, deed: Deed, *, runs: bool = False, confirmed: bool = False
) -> Attack:
    """Return an attack on a town in which Cyd has built, or not; it must not be confirmed."""

    def play(stage: Stage) -> set[str]:
        town = honest(stage.folder, runs=runs)
        deed(town)
        told = town.told()
        assert ("CONFIRMED" in told) is confirmed
        return told

    return Attack(by=by, reader=Reader.CONSENSUS, ends=ends, play=play)


def hidden(by: Attacker, ends: str, hide: Callable[[Town, dict[str, str]], object]) -> Attack:
    """Return an attack on a town in which Cyd has found other bytes later, and hides that."""

    def deed(town: Town) -> None:
        names = town.cyd.run(run=LATER, files=DIFFERENT)
        town.round()
        assert "SPLIT" in town.told()
        hide(town, names)

    return stated(by, ends, deed, runs=True)


def by_stranger(town: Town) -> None:
    town.cyd.append(town.cyd.made().commitment())
    town.cyd.publish(town.cyd.made(), key=MadeUpKey("a stranger"))
    town.round()


def under_its_key_id(town: Town) -> None:
    """Whoever has the store of Cyd, and not its key."""
    stranger = MadeUpKey("a stranger")
    for name in town.cyd.run().values():
        envelope = Envelope.from_bytes(town.cyd.store.get(name, 1 << 20))
        forged = Signature(keyid=town.cyd.key.public.keyid, sig=stranger.sign(envelope.pae()))
        again = envelope.model_copy(update={"signatures": (forged,)})
        town.cyd.store.objects[name] = [again.to_bytes()]
    town.round()


def not_logged(town: Town) -> None:
    town.round()  # its log is empty
    made = town.cyd.made()
    for name, envelope in made.envelopes(town.cyd.key).items():
        town.cyd.store.put_record(made.folder() + name, envelope.to_bytes())


def key_range(**limits: Any) -> Deed:
    def deed(town: Town) -> None:
        town.cyd.run()
        town.houses["cyd"] = replace(town.cyd, **limits)
        town.round()

    return deed


def not_shown_to_witnesses(town: Town) -> None:
    town.cyd.append(town.cyd.made(run=EARLIER).commitment())
    town.round()
    town.cyd.run()
    town.cyd.show()


def after_a_look(town: Town) -> None:
    town.cyd.run(committed=False)
    town.round()


def silent_after_commitment(town: Town) -> None:
    town.cyd.append(town.cyd.made(run=LATER).commitment())
    town.round()


def abandoned(town: Town) -> None:
    """It did not like what it found; its witnesses come by for two days."""
    silent_after_commitment(town)
    town.now += timedelta(days=2)
    town.round()


def failed_after_commitment(town: Town) -> None:
    """It did not like what it found, and says that nothing was built."""
    made = town.cyd.made(run=LATER)
    town.cyd.append(made.commitment())
    unbuilt = replace(FILES[FILE], served=None, built=None, verdict=Verdict.NOT_CHECKED)
    town.cyd.publish(replace(made, outcome=Outcome.BUILD_FAILED, files={FILE: unbuilt}))
    town.round()


def of_another_center(town: Town) -> None:
    """All that Ada signed stands in the store and in the log of Cyd."""
    ada = town["ada"].made()
    for name, envelope in ada.envelopes(town["ada"].key).items():
        key = f"{ada.folder()}{name}".replace("/ada-1/", "/cyd-1/")
        town.cyd.store.put_record(key, envelope.to_bytes())
        town.cyd.append(entry_of(envelope, "cyd-1", ada.release))
    town.round()


def in_the_name_of_another(town: Town) -> None:
    """Cyd signs that Ada matched, in a folder of its own."""
    made = town["ada"].made(run=LATER)
    for name, envelope in made.envelopes(town.cyd.key).items():
        key = f"{made.folder()}{name}".replace("/ada-1/", "/cyd-1/")
        town.cyd.store.put_record(key, envelope.to_bytes())
        town.cyd.append(entry_of(envelope, "cyd-1", made.release))
    town.round()


def of_another_release(town: Town) -> None:
    """What it built as 0.9 stands in the folder of 1.0."""
    made = town.cyd.made(release=str(ReleaseName(vendor="acme", product="tool", version="0.9")))
    town.cyd.append(made.commitment())
    for name, envelope in made.envelopes(town.cyd.key).items():
        key = f"{made.folder()}{name}".replace("/0.9/", "/1.0/")
        town.cyd.store.put_record(key, envelope.to_bytes())
        town.cyd.append(entry_of(envelope, "cyd-1", "acme/tool@1.0"))
    town.round()


def of_another_builder(town: Town) -> None:
    town.cyd.run(builder="https://samebits.example/centers/elsewhere/builder")
    town.round()


def one_file_left_out(town: Town) -> None:
    """Of two artefacts one differs; its comparison is neither stored nor logged."""
    for name in ("ada", "bob"):
        town[name].run(run=LATER, files={**FILES, "tool.idx": MadeUpFile.identical(b"index")})
    files = {**FILES, "tool.idx": MadeUpFile.different(b"index", b"another")}
    made = town.cyd.made(files=files, run=LATER)
    town.cyd.append(made.commitment())
    for name, envelope in made.envelopes(town.cyd.key).items():
        if name != "comparison-2.dsse.json":
            town.cyd.store.put_record(made.folder() + name, envelope.to_bytes())
            town.cyd.append(entry_of(envelope, "cyd-1", made.release))
    town.round()


def removed(town: Town, names: dict[str, str]) -> None:
    for name in names.values():
        del town.cyd.store.objects[name]


def moved(town: Town, names: dict[str, str]) -> None:
    objects = town.cyd.store.objects
    name = names["comparison-1.dsse.json"]
    elsewhere = town.cyd.made().folder() + "comparison-9.dsse.json"
    objects[elsewhere] = objects.pop(name)


def damaged(town: Town, names: dict[str, str]) -> None:
    town.cyd.store.objects[names["comparison-1.dsse.json"]] = [b"{}"]


def echo(town: Town) -> None:
    """It has the public file alone: of by-products it makes something up."""
    town.cyd.run(by_products={"tool-dbgsym.deb": b"made up"})
    town.round()


def without_provenance(town: Town) -> None:
    names = town.cyd.run()
    del town.cyd.store.objects[names["provenance-1.dsse.json"]]
    town.round()


def nothing_to_prove(town: Town) -> None:
    """None has by-products, and the policy requires a proof."""
    town.rules = ConsensusRules(k=3, work_proof="required")
    for house in town.houses.values():
        house.run(run=LATER, by_products={})
    town.round()


def one_key(town: Town) -> None:
    """Bob lets Cyd have its key, which so speaks with two voices."""
    town.cyd.append(town.cyd.made().commitment())
    town.cyd.publish(town.cyd.made(), key=town["bob"].key)
    centers = town.policy.policy.centers
    town.changes["centers"] = (*centers[:2], replace(centers[2], keys=centers[1].keys))
    town.round()


def equal_leaves(town: Town) -> None:
    town.cyd.leaves.append(town.cyd.leaves[-1])
    town.round()


def chain_bent(town: Town) -> None:
    last = town.cyd.leaves[-1]
    assert isinstance(last, StatementLeaf)
    town.cyd.leaves[-1] = replace(last, previous=Digest("e" * 64))
    town.round()


def unknown_kind(town: Town) -> None:
    envelope = sign_envelope(STATEMENTS["review"].to_bytes(), town.cyd.key)
    town.cyd.append(
        entry_of(envelope, "cyd-1", "acme/tool@1.0", predicate_type="https://x.example/new/v9")
    )
    town.round()


def relabelled(town: Town) -> None:
    """The leaf of the mismatch says that it is a heartbeat, so that nobody would miss it."""
    made = town.cyd.made(run=LATER, files=DIFFERENT)
    town.cyd.append(made.commitment())
    for name, envelope in made.envelopes(town.cyd.key).items():
        kind = STATEMENTS["heartbeat"].predicate_type
        town.cyd.store.put_record(made.folder() + name, envelope.to_bytes())
        town.cyd.append(entry_of(envelope, "cyd-1", own_key("cyd-1"), predicate_type=kind))
    town.round()


def another_file_to_a_region(town: Town) -> None:
    """The vendor gives Cyd's region another file than it has published."""
    files = {
        FILE: replace(FILES[FILE], served=b"for this region", verdict=Verdict.SHIPPED_MISMATCH)
    }
    town.cyd.run(files=files)
    town.round()


def tampered(town: Town) -> None:
    """What the vendor published is not what its source builds."""
    for house in town.houses.values():
        house.run(run=LATER, files=TAMPERED)
    town.round()


def other_source(town: Town) -> None:
    town.cyd.run(claim=OTHER_CLAIM)
    town.round()


def other_scope(town: Town) -> None:
    """The recipe that the vendor sends Cyd calls the file that differs a by-product."""
    town.cyd.run(scope=OTHER_CLAIM)
    town.round()


def two_published(town: Town) -> None:
    """Cyd is told of another published digest, so that what differs matches there."""
    town.cyd.run(files={FILE: MadeUpFile.identical(b"other bytes")})
    town.round()


def endless(town: Town) -> None:
    town.round()
    town.cyd.store.fail_on("list")


def without_end(town: Town) -> None:
    """A million tiny records, of which a round reads as many as its budget has room for."""
    town.round()
    budget = PeerBudget(seconds=5, size=100_000)
    town.shown["cyd"] = BoundedStore(TinyRecords(town.cyd.store), budget)


def missed_twice(town: Town, names: dict[str, str]) -> None:
    """The witness of Ada misses it on two days."""
    indexes = [i for i, leaf in enumerate(town.cyd.leaves) if leaf.release == str(RELEASE)][-1:]
    removed(town, {"": names["attempt-1.dsse.json"]})
    for day in (0, 2):
        now = town.now + timedelta(days=day)
        origin = town.cyd.log_key.key.name
        town.witness("ada").report_absent(origin, {str(RELEASE): indexes}, now)


def missed_by_nobody_else(town: Town) -> None:
    """The witness of Bob reports leaves of Cyd whose statements are all there."""
    town.round()
    for day in (0, 2):
        now = town.now + timedelta(days=day)
        origin = town.cyd.log_key.key.name
        town.witness("bob").report_absent(origin, {str(RELEASE): [1, 2, 3]}, now)
    assert town.told() == {"CONFIRMED"}


def back_to_an_old_format(town: Town) -> None:
    """It has stated another release in version 2, which says more."""
    town.cyd.run(release="acme/other@1.0")
    town.cyd.run(run=LATER, scope=None)
    town.round()


def old_format(town: Town) -> None:
    """Version 1 names no scope, so that a file could be hidden in it."""
    town.changes["min_evidence"] = 2
    town.cyd.run(scope=None)
    town.round()


def altered_on_the_way(town: Town) -> None:
    town.round()
    (name,) = [n for n in town.cyd.store.objects if "/tile/entries/" in n]
    data = bytearray(town.cyd.store.objects[name][0])
    data[40] ^= 1
    town.cyd.store.objects[name] = [bytes(data)]


def no_such_center(town: Town) -> None:
    """A fourth center speaks, which the policy does not name."""
    town.round()
    town.changes["centers"] = town.policy.policy.centers[:2]
    town.changes["consensus"] = town.policy.policy.consensus


CENTER, STORE, VENDOR, NETWORK = Attacker.CENTER, Attacker.STORE, Attacker.VENDOR, Attacker.NETWORK
ATTACKS: dict[str, Attack] = {
    "match-signed-by-a-stranger": stated(STORE, "unknown-key", by_stranger),
    "match-forged-under-a-known-key-id": stated(STORE, "bad-signature", under_its_key_id),
    "match-that-no-log-has": stated(CENTER, "not-logged", not_logged),
    "match-under-a-key-that-has-ended": stated(STORE, "key-ended", key_range(end=1)),
    "match-under-a-key-before-its-log-index": stated(CENTER, "key-not-yet", key_range(start=99)),
    "match-hidden-from-the-witnesses": stated(CENTER, "awaiting-witness", not_shown_to_witnesses),
    "build-after-a-look-at-the-shipped-file": stated(CENTER, "uncommitted", after_a_look),
    "commitment-without-a-word": stated(
        CENTER, "open", silent_after_commitment, runs=True, confirmed=True
    ),
    "commitment-abandoned": stated(CENTER, "abandoned", abandoned, runs=True),
    "failure-after-the-commitment": stated(
        CENTER, "failed-after-commitment", failed_after_commitment, runs=True
    ),
    "replay-of-another-center": stated(CENTER, "other-center", of_another_center),
    "match-in-the-name-of-another-center": stated(
        CENTER, "misplaced: of another center", in_the_name_of_another
    ),
    "replay-of-another-release": stated(
        CENTER, "misplaced: of another release", of_another_release
    ),
    "match-of-another-builder": stated(CENTER, "other-builder", of_another_builder),
    "one-artefact-left-out": stated(CENTER, "incomplete", one_file_left_out),
    "mismatch-removed": hidden(CENTER, "missing", removed),
    "mismatch-that-is-missed-twice": hidden(CENTER, "withheld", missed_twice),
    "false-report-of-an-absence": stated(
        Attacker.CENTER, "CONFIRMED", missed_by_nobody_else, runs=True, confirmed=True
    ),
    "mismatch-moved-to-another-run": hidden(CENTER, "misplaced: of another run", moved),
    "mismatch-damaged": hidden(STORE, "unreadable", damaged),
    "mismatch-logged-as-something-else": stated(CENTER, "mislabelled", relabelled, runs=True),
    "match-without-a-build": stated(CENTER, "work-wrong", echo),
    "proof-of-work-held-back": stated(CENTER, "work-absent", without_provenance),
    "nothing-that-could-prove-the-work": stated(VENDOR, "work-none", nothing_to_prove),
    "one-key-of-two-operators": stated(Attacker.OPERATOR, "shared-key", one_key),
    "equal-leaves": stated(CENTER, "logged-twice", equal_leaves, runs=True, confirmed=True),
    "leaf-behind-another-leaf": stated(CENTER, "unchained", chain_bent, runs=True, confirmed=True),
    "leaf-of-an-unknown-kind": stated(
        CENTER, "unknown-kind", unknown_kind, runs=True, confirmed=True
    ),
    "another-file-for-one-region": stated(VENDOR, "served-another-file", another_file_to_a_region),
    "file-that-the-source-does-not-build": stated(VENDOR, "SUSPECT", tampered),
    "another-source-for-one-center": stated(VENDOR, "other-claim", other_source),
    "file-hidden-by-the-recipe": stated(VENDOR, "other-scope", other_scope),
    "two-published-digests": stated(VENDOR, "other-published", two_published),
    "store-that-does-not-answer": stated(NETWORK, "silent", endless),
    "records-without-end": stated(CENTER, "behind", without_end, runs=True),
    "back-to-an-older-format": stated(CENTER, "downgraded", back_to_an_old_format),
    "evidence-of-an-older-format": stated(CENTER, "old-evidence", old_format),
    "log-altered-on-the-way": stated(NETWORK, "log-broken", altered_on_the_way, runs=True),
    "center-that-nobody-knows": stated(CENTER, "unknown-center", no_such_center, runs=True),
}
