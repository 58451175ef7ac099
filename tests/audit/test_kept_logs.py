"""Logs that are read repeatedly: only their growth is read, and nothing unsigned is trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.errors import StoreError
from infra.bench.madeup import EMPTY_POLICY
from pipelines.audit.kept_logs import KeptLog, KeptLogs
from pipelines.audit.log_index import LogIndex
from pipelines.audit.logged_release import LoggedCommitment, LoggedRelease, run_tag
from pipelines.audit.source import UnreachableError
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.log_status import HeartbeatStatement
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.log.checkpoint import Checkpoint, LogIdentity
from pipelines.log.errors import LogError
from pipelines.log.leaf import FIRST, Entry, StatementEntry, StatementLeaf
from pipelines.log.log_reader import LogReader
from pipelines.log.merkle import leaf_hash
from pipelines.log.note import MAX_NOTE, Note, NoteSigner
from pipelines.log.notekey import NoteKey
from pipelines.log.tile_reader import LogSource
from pipelines.log.tiles import CHECKPOINT
from pipelines.log.writer import LogWriter
from pipelines.policy import PolicyCenter
from pipelines.policy.model import PolicyLog
from pipelines.storage.bounded import BoundedStore, BudgetError, PeerBudget
from tests.audit.test_witnessed import NOON
from tests.fakes.store import MemoryStore
from tests.log.keys import ORIGIN, FixedKey
from tests.log.logs import KEY, entry, opened, reader
from tests.log.raw import write_log

GONE = Digest.of(b"never logged")
KINDS = [kind.PREDICATE_TYPE for kind in (AttemptStatement, ComparisonStatement)]


def entries(numbers: Iterable[int]) -> list[Entry]:
    """Return entries of runs, in turn of two kinds and five releases; each fourth commits."""
    return [
        replace(one, predicate_type=KINDS[number % 2]) if isinstance(one, StatementEntry) else one
        for number, one in ((number, entry(number)) for number in numbers)
    ]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def log(store: MemoryStore, tmp_path: Path) -> LogWriter:
    made = opened(store, tmp_path)
    made.append(entries(range(600)))
    return made


def statements(numbers: Iterable[int]) -> list[StatementEntry]:
    return [one for one in entries(numbers) if isinstance(one, StatementEntry)]


def read(kept: KeptLogs, store: LogSource, key: NoteKey = KEY, *, settled: bool = False) -> KeptLog:
    found = kept.of(key)
    found.read(reader(store), lambda _: settled)
    return found


def told(kept: KeptLog) -> dict[str, LoggedRelease]:
    """Return all that is kept about the releases of `entries`."""
    return {name: kept.about(name) for name in (f"vendor/product@{n}" for n in range(5))}


def index_of_east(store: LogSource, kept: KeptLogs | None = None) -> LogIndex:
    """Return the index of the log of the center `east`, which is in `store`."""
    east = PolicyCenter(
        id="east",
        operator="east-body",
        region="east",
        builder="builder",
        verifier="verifier",
        log=PolicyLog(origin=ORIGIN, key=KEY),
        keys=(),
    )
    return LogIndex({"east": store}, replace(EMPTY_POLICY, centers=(east,)), kept)


def copied(store: MemoryStore) -> MemoryStore:
    """Return a store that has what `store` has now."""
    copy = MemoryStore()
    copy.objects = {key: list(versions) for key, versions in store.objects.items()}
    return copy


def bundles(store: MemoryStore) -> list[str]:
    """Return the entry bundles that were read since the last time."""
    found = [key for operation, key in store.calls if operation == "get" and "entries" in key]
    store.calls.clear()
    return found


def test_it_finds_what_the_log_has_and_nothing_else(store: MemoryStore, log: LogWriter) -> None:
    found, logs = read(KeptLogs(), store), index_of_east(store)
    about: dict[str, LoggedRelease] = {}
    for index, one in enumerate(entries(range(600))):
        release = about.setdefault(one.release, LoggedRelease())
        if isinstance(one, StatementEntry):
            assert found.index_of(one.pae) == index
            release.results[one.pae] = index
        else:
            release.commitments[run_tag(one.run)] = [LoggedCommitment(index, one.digest)]
    assert {release: found.about(release) for release in about} == about
    assert {release: logs.about("east", release) for release in about} == about
    assert (found.index_of(GONE), found.about("vendor/other@1")) == (None, LoggedRelease())


def test_a_statement_that_is_in_the_log_twice_is_where_it_was_first(store: MemoryStore) -> None:
    (other, same) = statements(range(2))
    write_log(store, [one.leaf(n, FIRST) for n, one in enumerate((other, same, same))])
    logs = index_of_east(store)
    assert [logs.index_of("east", one.pae) for one in (other, same)] == [0, 1]
    about = logs.about("east", same.release)
    assert (about.results, about.repeated) == ({same.pae: 1}, [2])


def test_a_statement_of_an_unknown_kind_is_named(store: MemoryStore) -> None:
    (known,) = statements(range(1))
    odd = replace(known, pae=GONE, predicate_type="https://example.org/other/v1")
    write_log(store, [known.leaf(0, FIRST), odd.leaf(1, FIRST)])
    logs = index_of_east(store)
    about = logs.about("east", known.release)
    assert (about.results, about.unknown) == ({known.pae: 0}, [1])
    assert logs.index_of("east", GONE) == 1


def test_what_is_of_no_run_is_found_and_is_about_no_release(
    store: MemoryStore, log: LogWriter
) -> None:
    beat = StatementEntry(
        center="east",
        release="v/p@1",
        pae=GONE,
        keyid="key",
        predicate_type=HeartbeatStatement.PREDICATE_TYPE,
    )
    log.append([beat])
    found = read(KeptLogs(), store)
    assert (found.index_of(GONE), found.about("v/p@1")) == (600, LoggedRelease())


@pytest.mark.parametrize("again", [False, True], ids=["open", "opened-again"])
def test_of_a_log_that_grew_the_growth_is_read(
    store: MemoryStore, log: LogWriter, tmp_path: Path, *, again: bool
) -> None:
    kept = KeptLogs(tmp_path / "kept")
    read(kept, store)
    log.append(entries(range(600, 605)))
    bundles(store)
    kept = KeptLogs(tmp_path / "kept") if again else kept
    found = read(kept, store)
    (only,) = bundles(store)
    assert "002" in only
    assert len(found) == 605
    assert [found.index_of(e.pae) for e in statements(range(604, 605))] == [604]
    read(kept, store)
    assert not bundles(store)


def test_a_log_that_a_witness_has_cosigned_is_read_again(
    store: MemoryStore, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint that is kept has signatures of others too."""
    witness = NoteSigner("west.example/witness", FixedKey("west"), clock=lambda: NOON)
    cosigned = Note.parse(store.get(CHECKPOINT, MAX_NOTE)).signed_by(witness)
    store.put_latest(CHECKPOINT, cosigned.to_bytes())
    found, tries = KeptLogs().of(KEY), iter(range(3))
    whole = KeptLog._read

    def counted(self: KeptLog, log: LogReader, settled: Callable[[Checkpoint], bool]) -> None:
        next(tries)
        whole(self, log, settled)

    monkeypatch.setattr(KeptLog, "_read", counted)
    for _ in range(2):
        found.read(LogReader(store, LogIdentity.of(KEY, witness.key)))
    assert len(found) == 600


@pytest.mark.parametrize("more", [0, 3, 5, 20])
def test_of_a_log_that_was_shortened_or_split_nothing_stays_once_it_is_settled(
    store: MemoryStore, log: LogWriter, tmp_path: Path, more: int
) -> None:
    kept, other = KeptLogs(), copied(store)
    log.append(entries(range(600, 605)))
    assert read(kept, store).index_of(Digest.of(b"604")) == 604
    opened(other, tmp_path / "other").append(entries(range(1000, 1000 + more)))
    with pytest.raises(UnreachableError, match="does not continue"):
        read(kept, other)
    assert kept.of(KEY).index_of(Digest.of(b"604")) == 604
    found = read(kept, other, settled=True)
    assert (len(found), found.index_of(Digest.of(b"604"))) == (600 + more, None)
    assert Digest.of(b"604") not in found.about("vendor/product@4").results
    assert told(found) == told(read(KeptLogs(), other))


@pytest.mark.parametrize("more", [0, 3, 5, 20])
def test_a_log_that_tells_another_story_in_a_later_round_counts_for_nothing(
    store: MemoryStore, log: LogWriter, tmp_path: Path, more: int
) -> None:
    other = copied(store)
    log.append(entries(range(600, 605)))
    index_of_east(store, KeptLogs(tmp_path / "kept")).about("east", "vendor/product@4")
    opened(other, tmp_path / "other").append(entries(range(1000, 1000 + more)))
    logs = index_of_east(other, KeptLogs(tmp_path / "kept"))
    with pytest.raises(LogError, match="is not what it has signed"):
        logs.about("east", "vendor/product@4")
    again = index_of_east(store, KeptLogs(tmp_path / "kept"))
    assert again.index_of("east", Digest.of(b"604")) == 604


@pytest.mark.parametrize("size", [590, 600, 700])
def test_another_log_of_the_same_key_is_read_anew(
    store: MemoryStore, log: LogWriter, tmp_path: Path, size: int
) -> None:
    kept, other = KeptLogs(), MemoryStore()
    read(kept, store)
    opened(other, tmp_path / "other").append(entries(range(1000, 1000 + size)))
    found = read(kept, other, settled=True)
    (first,) = statements(range(1000, 1001))
    assert (len(found), found.index_of(first.pae)) == (size, 0)
    assert found.index_of(Digest.of(b"0")) is None


@pytest.mark.parametrize(
    "fault",
    [StoreError("the store is out of order"), KeyboardInterrupt()],
    ids=["fault", "interrupt"],
)
def test_a_log_that_could_not_be_read_whole_is_read_on_the_next_time(
    store: MemoryStore, log: LogWriter, fault: BaseException
) -> None:
    early = copied(store)
    log.append(entries(range(600, 1200)))
    whole = told(read(KeptLogs(), store))
    for after in range(100):
        kept = KeptLogs()
        read(kept, early)
        store.fail_on("get", after=after, times=1, error=fault)
        try:
            read(kept, store)
        except (StoreError, KeyboardInterrupt):
            got = len(kept.of(KEY))
            bundles(store)
            assert told(read(kept, store)) == whole
            assert not any(f"/{n:03d}" in key for key in bundles(store) for n in range(got // 256))
        else:
            break
    assert after > 5, "there was something to fail"


@pytest.mark.parametrize("at_once", [1, 500, 2048])
def test_a_first_reading_completes_over_rounds(
    store: MemoryStore, log: LogWriter, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("pipelines.audit.kept_logs._AT_ONCE", at_once)
    monkeypatch.setattr("pipelines.audit.kept_logs._TRIES", 1)
    log.append(entries(range(600, 1600)))
    kept, rounds = KeptLogs(), 0
    bounded = BoundedStore(store, PeerBudget(size=250_000))
    while True:
        rounds += 1
        assert rounds < 100, "each round keeps what it has read"
        bounded.budget.renew()
        try:
            read(kept, bounded)
        except BudgetError:
            assert len(kept.of(KEY)) % 256 == 0, "whole bundles are kept"
        else:
            break
    assert rounds > 2
    assert told(kept.of(KEY)) == told(read(KeptLogs(), store))


@pytest.mark.parametrize(("at_once", "seconds"), [(2048, 0), (1, 3600)], ids=["slow", "large"])
def test_what_was_read_of_a_log_is_kept_before_more_is_asked_for(
    store: MemoryStore,
    log: LogWriter,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
    seconds: int,
) -> None:
    """Who gives up in the middle goes on from there."""
    monkeypatch.setattr("pipelines.audit.kept_logs._AT_ONCE", at_once)
    monkeypatch.setattr("pipelines.audit.kept_logs._SECONDS", seconds)
    kept, seen = KeptLogs(), []

    class Watched(MemoryStore):
        def get(self, key: str, limit: int) -> bytes:
            if "entries" in key:
                seen.append(len(kept.of(KEY)))
            return store.get(key, limit)

    read(kept, Watched())
    assert (seen, len(kept.of(KEY))) == ([0, 256, 512], 600)


def test_a_log_that_changes_in_the_middle_of_its_first_reading_is_found_out(
    store: MemoryStore, log: LogWriter, tmp_path: Path
) -> None:
    other = copied(store)
    log.append(entries(range(600, 1200)))
    opened(other, tmp_path / "other").append(entries(range(5000, 5700)))
    kept = KeptLogs()
    with pytest.raises(BudgetError):
        read(kept, BoundedStore(store, PeerBudget(size=250_000)))
    assert 0 < len(kept.of(KEY)) < 1200
    with pytest.raises(LogError, match="is not what it has signed"):
        index_of_east(other, kept).about("east", "vendor/product@4")


@pytest.mark.parametrize("damage", [b"no database", b""], ids=["other-bytes", "emptied"])
def test_what_is_damaged_is_read_again(
    store: MemoryStore, log: LogWriter, tmp_path: Path, damage: bytes
) -> None:
    folder = tmp_path / "kept"
    kept = read(KeptLogs(folder), store)
    (path,) = folder.glob("*.sqlite")
    whole = told(kept)
    kept._database.close()
    for file in folder.glob("*.sqlite*"):
        file.write_bytes(damage)
    assert told(read(KeptLogs(folder), store)) == whole
    assert path.stat().st_size > 1000


def test_what_others_could_have_written_is_not_believed(
    store: MemoryStore, log: LogWriter, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    read(KeptLogs(folder), store)
    folder.chmod(0o777)
    assert len(KeptLogs(folder).of(KEY)) == 0
    folder.chmod(0o700)
    assert len(KeptLogs(folder).of(KEY)) == 600


def chain(*places: tuple[int, Digest | None]) -> list[StatementLeaf]:
    """Return leaves of one release with these sequence numbers and previous hashes.

    None is the hash of the leaf before.
    """
    leaves: list[StatementLeaf] = []
    for number, (sequence, previous) in enumerate(places):
        one = statements([1])[0]
        made = replace(one, release="acme/tool@1", pae=Digest.of(b"%d" % number))
        before = Digest(leaf_hash(leaves[-1].to_bytes()).hex()) if leaves else FIRST
        leaves.append(made.leaf(sequence, previous or before))
    return leaves


@pytest.mark.parametrize(
    ("leaves", "unchained"),
    [
        (chain((0, None), (1, None), (2, None)), []),
        (chain((0, None), (2, None), (3, None)), [1]),
        (chain((0, None), (1, GONE), (2, None)), [1]),
        (chain((1, None), (2, None), (3, GONE)), [0, 2]),
    ],
    ids=["whole", "left-out", "another-before", "first-and-last"],
)
@pytest.mark.parametrize("rounds", [1, 3])
def test_leaves_that_do_not_follow_are_named_in_whichever_round_they_come(
    leaves: list[StatementLeaf], unchained: list[int], rounds: int
) -> None:
    kept = KeptLogs()
    for size in range(3 - rounds + 1, 4):
        store = MemoryStore()
        write_log(store, leaves[:size])
        found = read(kept, store)
    assert found.about("acme/tool@1").unchained == unchained
    assert found.about("acme/tool@1").before(2).unchained == [i for i in unchained if i < 2]
    assert found.about("acme/tool@2").unchained == []
