"""A log that is read repeatedly: only its growth is read, and nothing unsigned is trusted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Self

import pytest

from builders.core.digest import Digest
from builders.core.errors import CancelledError, StoreError
from infra.bench.madeup import EMPTY_POLICY
from pipelines.audit.log_index import CachedLog, LogCache, LogIndex
from pipelines.audit.logged_release import LoggedCommitment, LoggedRelease, run_tag
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.log_status import HeartbeatStatement
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.log.leaf import FIRST, Entry, StatementEntry
from pipelines.log.notekey import ED25519, NoteKey
from pipelines.log.writer import LogWriter
from pipelines.policy import PolicyCenter
from pipelines.policy.model import PolicyLog
from tests.fakes.store import MemoryStore
from tests.log.keys import ORIGIN
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


def read(cache: LogCache, store: MemoryStore, key: NoteKey = KEY) -> CachedLog:
    return cache.read(reader(store), key)


def indexes(
    store: MemoryStore, cache: LogCache | None = None, releases: Iterable[ReleaseName] | None = None
) -> LogIndex:
    """Return what a desk asks of the center `east`, whose log is in `store`."""
    east = PolicyCenter(
        id="east",
        operator="east-body",
        region="east",
        builder="builder",
        verifier="verifier",
        log=PolicyLog(origin=ORIGIN, key=KEY),
        keys=(),
    )
    policy = replace(EMPTY_POLICY, centers=(east,))
    return LogIndex({"east": store}, policy, releases, cache)


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
    found = read(LogCache(), store)
    about: dict[str, LoggedRelease] = {}
    for index, one in enumerate(entries(range(600))):
        told = about.setdefault(one.release, LoggedRelease())
        if isinstance(one, StatementEntry):
            assert found.index_of(one.pae) == index
            told.results[one.pae] = index
        else:
            told.commitments[run_tag(one.run)] = [LoggedCommitment(index, one.digest)]
    assert {release: found.about(release) for release in about} == about
    assert (found.index_of(GONE), found.about("vendor/other@1")) == (None, LoggedRelease())


def test_without_a_memory_the_answers_are_the_same(store: MemoryStore, log: LogWriter) -> None:
    logs, found = indexes(store), read(LogCache(), store)
    for one in statements(range(600)):
        assert logs.index_of("east", one.pae) == found.index_of(one.pae)
        assert logs.about("east", one.release) == found.about(one.release)
    assert logs.index_of("east", GONE) is None
    assert logs.about("east", "vendor/other@1") == LoggedRelease()


@pytest.mark.parametrize("cache", [None, LogCache()], ids=["read-anew", "remembered"])
def test_a_statement_that_is_in_the_log_twice_is_where_it_was_first(
    store: MemoryStore, cache: LogCache | None
) -> None:
    (other, same) = statements(range(2))
    write_log(store, [one.leaf(n, FIRST) for n, one in enumerate((other, same, same))])
    logs = indexes(store, cache)
    assert [logs.index_of("east", one.pae) for one in (other, same)] == [0, 1]
    about = logs.about("east", same.release)
    assert (about.results, about.repeated) == ({same.pae: 1}, [2])


@pytest.mark.parametrize("cache", [None, LogCache()], ids=["read-anew", "remembered"])
def test_a_statement_of_an_unknown_kind_is_named(
    store: MemoryStore, cache: LogCache | None
) -> None:
    (known,) = statements(range(1))
    odd = replace(known, pae=GONE, predicate_type="https://example.org/other/v1")
    write_log(store, [known.leaf(0, FIRST), odd.leaf(1, FIRST)])
    logs = indexes(store, cache)
    about = logs.about("east", known.release)
    assert (about.results, about.unknown) == ({known.pae: 0}, [1])
    assert logs.index_of("east", GONE) == 1


def test_a_place_is_the_first_and_bytes_of_two_leaves_are_none() -> None:
    found = CachedLog(packed=bytearray(range(128)) * 2)
    assert found.index_of(Digest(bytes(range(64, 96)).hex())) == 1
    assert found.index_of(Digest(bytes(range(8, 40)).hex())) is None


def test_of_one_release_every_leaf_is_kept_and_no_other(store: MemoryStore, log: LogWriter) -> None:
    release = ReleaseName(vendor="vendor", product="product", version="4")
    logs = indexes(store, releases=[release])
    for one in statements(range(600)):
        kept = one.release == str(release)
        assert (logs.index_of("east", one.pae) is not None) is kept
        assert (one.pae in logs.about("east", one.release).results) is kept


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
    found = read(LogCache(), store)
    assert (found.index_of(GONE), found.about("v/p@1")) == (600, LoggedRelease())


def test_of_a_log_that_grew_the_growth_is_read(store: MemoryStore, log: LogWriter) -> None:
    cache = LogCache()
    read(cache, store)
    log.append(entries(range(600, 605)))
    bundles(store)
    found = read(cache, store)
    (only,) = bundles(store)
    assert "002" in only
    assert len(found) == 605
    assert [found.index_of(e.pae) for e in statements(range(604, 605))] == [604]
    read(cache, store)
    assert not bundles(store)


@pytest.mark.parametrize("more", [0, 3, 5, 20])
def test_of_a_log_that_was_shortened_or_split_nothing_stays(
    store: MemoryStore, log: LogWriter, tmp_path: Path, more: int
) -> None:
    cache, other = LogCache(), copied(store)
    log.append(entries(range(600, 605)))
    assert read(cache, store).index_of(Digest.of(b"604")) == 604
    opened(other, tmp_path / "other").append(entries(range(1000, 1000 + more)))
    found = read(cache, other)
    assert (len(found), found.index_of(Digest.of(b"604"))) == (600 + more, None)
    assert Digest.of(b"604") not in found.about("vendor/product@4").results
    assert found == read(LogCache(), other)


def test_what_was_taken_in_when_the_reading_was_stopped_is_not_believed(
    store: MemoryStore, log: LogWriter, tmp_path: Path
) -> None:
    class Stopped(bytearray):
        def __iadd__(self, other: bytes, /) -> Self:  # type: ignore[override, misc]
            self.extend(other)
            raise CancelledError("stopped")

    cache, other = LogCache(), copied(store)
    found = read(cache, store)
    log.append(entries(range(600, 605)))
    opened(other, tmp_path / "other").append(entries(range(1000, 1020)))
    found.packed = Stopped(found.packed)
    with pytest.raises(CancelledError):
        read(cache, store)
    assert read(cache, other) == read(LogCache(), other)


@pytest.mark.parametrize("size", [590, 600, 700])
def test_another_log_of_the_same_key_is_read_anew(
    store: MemoryStore, log: LogWriter, tmp_path: Path, size: int
) -> None:
    cache, other = LogCache(), MemoryStore()
    read(cache, store)
    opened(other, tmp_path / "other").append(entries(range(1000, 1000 + size)))
    found = read(cache, other)
    (first,) = statements(range(1000, 1001))
    assert (len(found), found.index_of(first.pae)) == (size, 0)
    assert found.index_of(Digest.of(b"0")) is None


def test_two_that_read_at_once_read_the_growth_once(store: MemoryStore, log: LogWriter) -> None:
    cache = LogCache()
    read(cache, store)
    log.append(entries(range(600, 605)))
    bundles(store)
    other = Thread(target=read, args=(cache, store))

    class Meanwhile:
        def get(self, key: str, limit: int) -> bytes:
            if other.ident is None:
                other.start()
                other.join(0.2)
            return store.get(key, limit)

    assert len(cache.read(reader(Meanwhile()), KEY)) == 605
    other.join()
    assert len(bundles(store)) == 1


@pytest.mark.parametrize(
    "fault",
    [StoreError("the store is out of order"), KeyboardInterrupt()],
    ids=["fault", "interrupt"],
)
def test_a_log_that_could_not_be_read_whole_is_read_well_the_next_time(
    store: MemoryStore, log: LogWriter, fault: BaseException
) -> None:
    early = copied(store)
    log.append(entries(range(600, 1200)))
    whole = read(LogCache(), store)
    for after in range(100):
        cache = LogCache()
        read(cache, early)
        store.fail_on("get", after=after, times=1, error=fault)
        try:
            read(cache, store)
        except (StoreError, KeyboardInterrupt):
            bundles(store)
            assert read(cache, store) == whole
            assert not any("/000" in key for key in bundles(store))
        else:
            break
    assert after > 5, "there was something to fail"


def test_no_more_leaves_are_remembered_than_the_limit(store: MemoryStore, log: LogWriter) -> None:
    cache = LogCache(limit=599)
    assert len(read(cache, store)) == 600
    bundles(store)
    read(cache, store)
    assert len(bundles(store)) == 3


def test_the_log_that_was_read_longest_ago_is_forgotten_first(
    store: MemoryStore, log: LogWriter
) -> None:
    cache = LogCache(limit=1200)
    a, b, c = (NoteKey(name=name, algorithm=ED25519, key=bytes(32)) for name in "abc")
    for key in (a, b, a, c):
        read(cache, store, key)
    bundles(store)
    for key in (a, c):
        read(cache, store, key)
    assert not bundles(store)
    read(cache, store, b)
    assert len(bundles(store)) == 3
