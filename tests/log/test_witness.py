"""A witness cosigns what grew from what it saw, refuses all else, and never forgets."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders.core.errors import InfrastructureError, StoreError
from pipelines.evidence.dsse import Envelope, verify_envelope
from pipelines.evidence.statements.log_status import RefusalStatement
from pipelines.evidence.statements.reader import read_statement
from pipelines.log.checkpoint import LogIdentity, open_checkpoint
from pipelines.log.cosignatures import (
    checkpoints_with_leaf,
    collect,
    cosigned_checkpoints,
)
from pipelines.log.errors import LogError
from pipelines.log.fork import ForkProof
from pipelines.log.note import MAX_NOTE, Note
from pipelines.log.notekey import NoteKey
from pipelines.log.tiles import CHECKPOINT
from pipelines.log.witness import Witness, WitnessOutcome, WitnessResult, origin_folder
from pipelines.log.writer import LogWriter
from tests.fakes.store import MemoryStore
from tests.log import keys
from tests.log.keys import ORIGIN, identity
from tests.log.logs import KEY, entries, opened

NAME = "samebits.example/centers/asia/witness"


class Clock:
    """A clock that moves one second a look."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def log_store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def log(log_store: MemoryStore, tmp_path: Path) -> LogWriter:
    return opened(log_store, tmp_path / "log")


@pytest.fixture
def witness_store() -> MemoryStore:
    """The witness's own store."""
    return MemoryStore()


@pytest.fixture
def witness(witness_store: MemoryStore, tmp_path: Path) -> Witness:
    return made(witness_store, tmp_path / "witness")


def made(
    witness_store: MemoryStore, home: Path, *, name: str = NAME, key: str = "witness"
) -> Witness:
    return Witness(
        home=home, store=witness_store, private=keys.FixedKey(key), name=name, clock=Clock()
    )


def look(witness: Witness, store: MemoryStore) -> WitnessResult:
    return witness.cosign(store, identity(KEY))


def witnessed(*witnesses: NoteKey) -> LogIdentity:
    return identity(KEY, witnesses=witnesses)


def test_a_log_that_grows_is_cosigned_each_time(
    witness: Witness, log: LogWriter, log_store: MemoryStore, witness_store: MemoryStore
) -> None:
    for count in (3, 300, 700):
        log.append(entries(range(count)))
        seen = look(witness, log_store)
        assert (seen.outcome, seen.size) == (WitnessOutcome.COSIGNED, count)
        assert seen.record is not None
        signed = open_checkpoint(
            witness_store.get(seen.record, MAX_NOTE), identity(KEY, witnesses=[witness.key])
        )
        assert signed.checkpoint.size == count
        assert [c.key for c in signed.cosignatures] == [witness.key]


def test_the_same_checkpoint_is_cosigned_anew_with_its_time(
    witness: Witness, log: LogWriter, log_store: MemoryStore
) -> None:
    log.append(entries(range(3)))
    first, second = look(witness, log_store), look(witness, log_store)
    assert first.record != second.record
    assert second.outcome is WitnessOutcome.COSIGNED


def test_two_looks_within_a_second_leave_one_record(
    log: LogWriter, log_store: MemoryStore, witness_store: MemoryStore, tmp_path: Path
) -> None:
    """Even where the log signs the same tree with one more key in between."""
    private, new = keys.FixedKey("witness"), keys.log(word="new")
    witness = Witness(
        home=tmp_path, store=witness_store, private=private, name=NAME, clock=lambda: keys.NOON
    )
    log.append(entries(range(3)))
    known = identity(KEY, new.key)
    first = witness.cosign(log_store, known)
    note = Note.parse(log_store.get(CHECKPOINT, MAX_NOTE))
    log_store.put_latest(CHECKPOINT, note.signed_by(new).to_bytes())
    assert witness.cosign(log_store, known) == first


def test_a_log_that_does_not_answer_is_silent(witness: Witness, log_store: MemoryStore) -> None:
    seen = look(witness, log_store)
    assert seen.outcome is WitnessOutcome.SILENT
    assert seen.record is None
    assert (seen.to_dict()["sight"], seen.to_dict()["complaint"]) == ("silent", None)


def test_a_shortened_log_is_refused_and_the_refusal_signed(
    witness: Witness, log: LogWriter, log_store: MemoryStore, witness_store: MemoryStore
) -> None:
    log.append(entries(range(3)))
    before = log_store.get(CHECKPOINT, MAX_NOTE)
    log.append(entries(range(9)))
    look(witness, log_store)
    log_store.put_latest(CHECKPOINT, before)
    seen = look(witness, log_store)
    assert (seen.outcome, seen.complaint) == (WitnessOutcome.REFUSED, "shortened")
    told = refusal(witness_store, seen)
    assert told.predicate.before is not None
    assert told.predicate.before.size == 9
    assert "9 leaves" in told.predicate.reason
    assert seen.to_dict()["complaint"] == "shortened"
    assert not [key for key in witness_store.objects if "/fork/" in key]


def test_a_refused_log_is_cosigned_again_when_it_is_whole(
    witness: Witness, log: LogWriter, log_store: MemoryStore
) -> None:
    log.append(entries(range(3)))
    before = log_store.get(CHECKPOINT, MAX_NOTE)
    log.append(entries(range(9)))
    good = log_store.get(CHECKPOINT, MAX_NOTE)
    look(witness, log_store)
    log_store.put_latest(CHECKPOINT, before)
    assert look(witness, log_store).outcome is WitnessOutcome.REFUSED
    log_store.put_latest(CHECKPOINT, good)
    assert look(witness, log_store).outcome is WitnessOutcome.COSIGNED


def test_a_forked_log_leaves_a_proof_that_anybody_can_verify(
    witness: Witness,
    log: LogWriter,
    log_store: MemoryStore,
    witness_store: MemoryStore,
    tmp_path: Path,
) -> None:
    log.append(entries(range(5)))
    look(witness, log_store)
    other = MemoryStore()
    opened(other, tmp_path / "other").append(entries(range(100, 105)))
    seen = look(witness, other)
    assert (seen.outcome, seen.complaint) == (WitnessOutcome.REFUSED, "forked")
    [name] = [key for key in witness_store.list(origin_folder(ORIGIN)) if "/fork/" in key]
    fork = ForkProof.parse(witness_store.get(name, 1 << 20)).verify(identity(KEY))
    assert fork.size == 5


def test_a_longer_log_of_another_past_is_refused(
    witness: Witness, log: LogWriter, log_store: MemoryStore, tmp_path: Path
) -> None:
    log.append(entries(range(5)))
    look(witness, log_store)
    other = MemoryStore()
    opened(other, tmp_path / "other").append(entries(range(100, 111)))
    seen = look(witness, other)
    assert (seen.outcome, seen.complaint) == (WitnessOutcome.REFUSED, "inconsistent")


def test_an_altered_tile_is_refused(
    witness: Witness, log: LogWriter, log_store: MemoryStore
) -> None:
    log.append(entries(range(5)))
    look(witness, log_store)
    log.append(entries(range(600)))
    for key in [k for k in log_store.objects if "/tile/0/" in k]:
        data = log_store.objects[key][0]
        log_store.objects[key][0] = data[:-1] + bytes([data[-1] ^ 1])
    seen = look(witness, log_store)
    assert seen.outcome is WitnessOutcome.REFUSED
    assert seen.complaint in {"altered", "inconsistent"}


@pytest.mark.parametrize("data", [b"", b"rubbish", b"a\n1\nAAAA\n\n", "— x y\n".encode()])
def test_rubbish_is_refused(
    witness: Witness, log_store: MemoryStore, witness_store: MemoryStore, data: bytes
) -> None:
    log_store.put_latest(CHECKPOINT, data)
    seen = look(witness, log_store)
    assert (seen.outcome, seen.complaint) == (WitnessOutcome.REFUSED, "unsigned")
    assert refusal(witness_store, seen).predicate.before is None
    assert look(witness, log_store).record == seen.record  # the same complaint once


def test_the_log_of_another_key_is_refused(
    witness: Witness, log: LogWriter, log_store: MemoryStore
) -> None:
    log.append(entries(range(5)))
    other = NoteKey(name=ORIGIN, algorithm=KEY.algorithm, key=keys.log(word="other").key.key)
    seen = witness.cosign(log_store, identity(other))
    assert (seen.outcome, seen.complaint) == (WitnessOutcome.REFUSED, "unsigned")


def test_it_remembers_before_it_can_be_read(
    log: LogWriter, log_store: MemoryStore, witness_store: MemoryStore, tmp_path: Path
) -> None:
    """Killed while it stores the cosignature, it still knows what it had accepted."""
    log.append(entries(range(5)))
    witness_store.fail_on("put")
    dying = made(witness_store, tmp_path / "witness")
    with pytest.raises(StoreError):
        look(dying, log_store)
    witness_store.heal()
    other = MemoryStore()
    opened(other, tmp_path / "other").append(entries(range(100, 105)))
    assert look(made(witness_store, tmp_path / "witness"), other).complaint == "forked"


def test_a_damaged_memory_is_no_first_look(
    witness: Witness, log: LogWriter, log_store: MemoryStore, tmp_path: Path
) -> None:
    log.append(entries(range(5)))
    look(witness, log_store)
    [note] = (tmp_path / "witness").glob("*.note")
    note.write_bytes(b"x")
    with pytest.raises(LogError, match="damaged"):
        look(witness, log_store)
    shutil.rmtree(tmp_path / "witness")
    assert look(witness, log_store).outcome is WitnessOutcome.COSIGNED


def test_a_home_that_cannot_be_written_is_one_message(
    log: LogWriter, log_store: MemoryStore, witness_store: MemoryStore, tmp_path: Path
) -> None:
    log.append(entries(range(5)))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InfrastructureError, match="cannot write"):
        look(made(witness_store, tmp_path / "file" / "home"), log_store)
    assert not witness_store.objects, "nothing is cosigned that is not remembered"


def test_the_owner_collects_what_witnesses_wrote(
    log: LogWriter, log_store: MemoryStore, tmp_path: Path
) -> None:
    stores = [MemoryStore(), MemoryStore()]
    names = ["w1.example/w", "w2.example/w"]
    witnesses = [
        made(store, tmp_path / name.partition(".")[0], name=name, key=name.partition(".")[0])
        for store, name in zip(stores, names, strict=True)
    ]
    log.append(entries(range(5)))
    look(witnesses[0], log_store)
    log.append(entries(range(9)))
    for one in witnesses:
        look(one, log_store)
    known = witnessed(*(one.key for one in witnesses))
    assert collect(log_store, stores, known, log) == 2
    published = open_checkpoint(log_store.get(CHECKPOINT, MAX_NOTE), known)
    assert published.checkpoint.size == 9
    assert published.cosigners == set(known.witnesses)
    assert {key.name for key in published.cosigners} == set(names)
    log_store.calls.clear()
    assert collect(log_store, stores, known, log) == 0
    assert "put" not in {operation for operation, _ in log_store.calls}
    log.append(entries(range(10)))  # what was cosigned does not hold the log up
    assert log.checkpoint() is not None


def test_strangers_and_liars_are_not_collected(
    log: LogWriter, log_store: MemoryStore, witness_store: MemoryStore, tmp_path: Path
) -> None:
    log.append(entries(range(5)))
    stranger = made(witness_store, tmp_path / "stranger", key="stranger")
    look(stranger, log_store)
    witness_store.put_record(f"{origin_folder(ORIGIN)}{'9' * 20}-1", b"rubbish")
    trusted = made(MemoryStore(), tmp_path / "w", key="witness")
    assert list(cosigned_checkpoints([witness_store], witnessed(trusted.key))) == []
    assert collect(log_store, [witness_store], witnessed(trusted.key), log) == 0


def test_of_several_cosignatures_the_newest_is_published(
    witness: Witness, log: LogWriter, log_store: MemoryStore, witness_store: MemoryStore
) -> None:
    log.append(entries(range(5)))
    look(witness, log_store)
    known = witnessed(witness.key)
    collect(log_store, [witness_store], known, log)
    look(witness, log_store)
    times = sorted(
        c.time
        for signed in cosigned_checkpoints([witness_store], known)
        for c in signed.cosignatures
    )
    assert times[0] < times[-1]
    assert collect(log_store, [witness_store], known, log) == 1
    published = open_checkpoint(
        log_store.get(CHECKPOINT, MAX_NOTE), identity(KEY, witnesses=[witness.key])
    )
    assert [c.time for c in published.cosignatures] == [times[-1]]


def test_the_best_checkpoint_holds_the_leaf_and_all_cosignatures(
    log: LogWriter, log_store: MemoryStore, tmp_path: Path
) -> None:
    stores = [MemoryStore(), MemoryStore()]
    one = made(stores[0], tmp_path / "a", name="w1.example/w", key="w1")
    two = made(stores[1], tmp_path / "b", name="w2.example/w", key="w2")
    log.append(entries(range(5)))
    look(one, log_store)
    look(two, log_store)
    log.append(entries(range(9)))
    look(one, log_store)
    known = witnessed(one.key, two.key)
    seen = list(cosigned_checkpoints(stores, known))
    found = checkpoints_with_leaf(seen, index=3)
    assert [(s.checkpoint.size, len(s.cosignatures)) for s in found] == [(9, 1), (5, 2)]
    assert [s.checkpoint.size for s in checkpoints_with_leaf(seen, index=5)] == [9]


def refusal(witness_store: MemoryStore, seen: WitnessResult) -> RefusalStatement:
    assert seen.record is not None
    envelope = Envelope.from_bytes(witness_store.get(seen.record, 1 << 20))
    verify_envelope(envelope, [keys.FixedKey("witness").public])
    statement = read_statement(envelope.payload)
    assert isinstance(statement, RefusalStatement)
    return statement
