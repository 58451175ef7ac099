"""Attacks on a log, found out by the witness of another center, and on the index of files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from builders.core.digest import Digest
from infra.bench.madeup import MadeUpKey, made_up_log
from pipelines.audit.log_audit import audit_log
from pipelines.audit.source import Source
from pipelines.evidence.file_index import index_report
from pipelines.evidence.statements.log_status import Heartbeat, Tree
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.leaf import StatementLeaf
from pipelines.log.log_reader import LogReader
from pipelines.log.note import NoteSigner, sign_note
from pipelines.log.tiles import CHECKPOINT
from pipelines.log.witness import WitnessOutcome
from tests.attacks.attack import Attack, Attacker, Reader, Stage
from tests.attacks.town import NOW, RUN, Town, honest
from tests.consensus.world import CONTENT, EARLIER, LATER
from tests.evidence.examples import STATEMENTS, heartbeat
from tests.fakes.store import MemoryStore

CENTER, STORE, NETWORK = Attacker.CENTER, Attacker.STORE, Attacker.NETWORK


def shown(by: Attacker, ends: str, deed: Callable[[Town, MemoryStore], object]) -> Attack:
    """Return an attack on a log that Ada's witness has cosigned: what it is shown next."""

    def play(stage: Stage) -> set[str]:
        town, store = honest(stage.folder), MemoryStore()
        town.round()
        deed(town, store)
        seen = town.look("ada", "cyd", store)
        assert seen.outcome is WitnessOutcome.REFUSED
        return {str(seen.complaint)}

    return Attack(by=by, reader=Reader.WITNESS, ends=ends, play=play)


def rolled_back(town: Town, store: MemoryStore) -> None:
    town.cyd.show(store, size=1)


def forked(town: Town, store: MemoryStore) -> None:
    """As long as before, with another last leaf."""
    town.cyd.leaves.pop()
    town.cyd.append(town.cyd.made(run=LATER).commitment())
    town.cyd.show(store)


def rewritten(town: Town, store: MemoryStore) -> None:
    """Longer than before, on top of another past."""
    town.cyd.leaves.clear()
    town.cyd.append(town.cyd.made(run=EARLIER).commitment())
    town.cyd.run(run=LATER)
    town.cyd.show(store)


def without_tiles(town: Town, store: MemoryStore) -> None:
    """The hashes below a true checkpoint are others."""
    town.cyd.append(town.cyd.made(run=LATER).commitment())
    town.cyd.show(store)
    for name in [n for n in store.objects if "/tile/0/" in n]:
        store.objects[name] = [bytes(len(store.objects[name][0]))]


def of_another_key(town: Town, store: MemoryStore) -> None:
    town.cyd.show(store)
    text = store.objects[CHECKPOINT][0].decode().partition("\n\n")[0] + "\n"
    stranger = NoteSigner(made_up_log("cyd-1").origin, MadeUpKey("a stranger"))
    store.objects[CHECKPOINT] = [sign_note(text, stranger)]


def audited(ends: str, deed: Callable[[Town], Heartbeat | None]) -> Attack:
    """Return an attack on a whole log and its store, by their center; `deed` may beat."""

    def play(stage: Stage) -> set[str]:
        town = honest(stage.folder)
        beat = deed(town)
        town.cyd.show()
        (member,) = (c for c in town.policy.policy.centers if c.id == "cyd-1")
        reader = LogReader(town.cyd.store, LogIdentity.of(member.log.key))
        source = Source(center="cyd-1", store=town.cyd.store)
        found = audit_log(reader, member, source=source, heartbeat=beat)
        return {str(gap.kind) for gap in found.gaps}

    return Attack(by=CENTER, reader=Reader.LOG_CHECK, ends=ends, play=play)


def leaf_left_out(town: Town) -> None:
    """The leaf and the record of one statement are gone."""
    del town.cyd.leaves[1]
    (name,) = (n for n in town.cyd.store.objects if n.endswith("/provenance-1.dsse.json"))
    del town.cyd.store.objects[name]


def chain_bent(town: Town) -> None:
    last = town.cyd.leaves[-1]
    assert isinstance(last, StatementLeaf)
    town.cyd.leaves[-1] = replace(last, previous=Digest("e" * 64))


def record_taken_back(town: Town) -> None:
    (name,) = (n for n in town.cyd.store.objects if n.endswith("/comparison-1.dsse.json"))
    del town.cyd.store.objects[name]


def leaf_taken_back(town: Town) -> None:
    """Only its newest leaf is gone, which no chain misses."""
    town.cyd.leaves.pop()


def leaf_of_another_kind(town: Town) -> None:
    last = town.cyd.leaves[-1]
    assert isinstance(last, StatementLeaf)
    town.cyd.leaves[-1] = replace(last, predicate_type=STATEMENTS["heartbeat"].predicate_type)


def beaten(size: int) -> Callable[[Town], Heartbeat]:
    """Return the deed of a center whose heartbeat spoke of another tree of that size."""

    def deed(_: Town) -> Heartbeat:
        tree = Tree(size=size, root=Digest.of(b"another tree"))
        made = heartbeat(center="cyd-1", log=tree, heads=[], releases=1, now=NOW)
        return made.predicate

    return deed


def fork_for_one_peer(folder: Path) -> set[str]:
    """Bob alone is shown another log of the same size; Ada reads what everybody else is shown."""
    town, store = honest(folder), MemoryStore()
    real = list(town.cyd.leaves)
    town.cyd.leaves.pop()
    town.cyd.append(town.cyd.made(run=LATER).commitment())
    town.cyd.show(store)
    town.look("bob", "cyd", store)
    town.cyd.leaves = real
    town.round()
    told = town.told()
    assert "CONFIRMED" not in told, "CONFIRMED"
    return told


def forged_entries(stage: Stage) -> set[str]:
    """Nobody has signed that Cyd matched: an entry and a report say so."""
    town = honest(stage.folder, runs=False)
    made = town.cyd.made().report().model_dump(mode="json", by_alias=True)
    index_report(town.cyd.store, made)
    town.round()
    found = town.file(CONTENT)
    assert found.exit_code == 2
    assert {one.finding.center.id for one in found.findings} == {"ada-1", "bob-1"}
    return {str(one.reason) for _, one in found.excluded}


def too_many_releases(stage: Stage) -> set[str]:
    """A peer names releases without end for one file."""
    town = honest(stage.folder)
    made = town.cyd.made().report()
    for number in range(201):
        other = made.model_copy(update={"version": f"2.{number}", "run": f"{RUN[:-3]}{number:03d}"})
        index_report(town.cyd.store, other.model_dump(mode="json", by_alias=True))
    town.round()
    found = town.file(CONTENT)
    assert found.exit_code == 0
    return {"silent" for center in found.silent if center == "cyd-1"}


def of_other_bytes(stage: Stage) -> set[str]:
    """A customer is given another file than was published, under the same name."""
    town = honest(stage.folder)
    town.round()
    found = town.file(b"given to one customer")
    assert (found.exit_code, found.findings) == (2, ())
    assert Digest.of(CONTENT) != Digest.of(b"given to one customer")
    return {"unknown"}


ATTACKS: dict[str, Attack] = {
    "leaf-left-out-of-its-chain": audited("skipped", leaf_left_out),
    "leaf-behind-another-one": audited("unchained", chain_bent),
    "record-taken-back": audited("missing", record_taken_back),
    "leaf-taken-back": audited("unlogged", leaf_taken_back),
    "leaf-of-another-kind": audited("mislabelled", leaf_of_another_kind),
    "log-shorter-than-it-was": audited("stale", beaten(9)),
    "log-of-another-tree": audited("altered", beaten(3)),
    "log-rolled-back": shown(CENTER, "shortened", rolled_back),
    "two-roots-of-one-size": shown(CENTER, "forked", forked),
    "past-rewritten": shown(CENTER, "inconsistent", rewritten),
    "tiles-of-another-log": shown(NETWORK, "altered", without_tiles),
    "checkpoint-of-another-key": shown(NETWORK, "unsigned", of_another_key),
    "fork-shown-to-one-peer": Attack(
        by=CENTER,
        reader=Reader.CONSENSUS,
        ends="log-forked",
        play=lambda stage: fork_for_one_peer(stage.folder),
    ),
    "report-that-nobody-signed": Attack(
        by=STORE, reader=Reader.CHECK, ends="nothing-of-this-release", play=forged_entries
    ),
    "releases-without-end": Attack(
        by=CENTER, reader=Reader.CHECK, ends="silent", play=too_many_releases
    ),
    "file-for-one-customer": Attack(
        by=Attacker.VENDOR, reader=Reader.CHECK, ends="unknown", play=of_other_bytes
    ),
}
