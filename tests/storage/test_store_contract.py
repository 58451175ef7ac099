"""What every store promises; it runs over each implementation."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, StoreConflictError, StoreError, UsageError
from builders.inputs.vault import Vault
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import DamagedError, Store, TooLargeError
from tests.storage.conftest import Opener
from tests.storage.versions import versions

KEY = "public/releases/v/p/1.0/center/run/report.json"
LATEST = "public/log/checkpoint"
HOSTILE = [
    "",
    "public",
    "public/",
    "/public/x",
    "other/x",
    "public//x",
    "public/x/",
    "public/./x",
    "public/../private/x",
    "public/..",
    "private/a\\b",
    "private/a b",
    "private/a\0b",
    "private/a\nb",
    "private/é",
    "private/%2f",
    "private/%41",
    "private/%",
    "private/%ff",
    "private/a~",
    "private/" + "x" * 256,
    "private/" + "/".join(["x" * 200] * 5),
]


def test_a_record_reads_back(store: Store) -> None:
    store.put_record(KEY, b"{}")
    assert store.has(KEY)
    assert store.get(KEY, 2) == b"{}"
    with store.open(KEY) as stream:
        assert stream.read() == b"{}"


def test_a_record_is_there_for_the_next_process(opener: Opener) -> None:
    opener().put_record(KEY, b"{}")
    assert opener().get(KEY, 10) == b"{}"


def test_the_same_record_twice_is_success(opener: Opener) -> None:
    for _ in range(2):
        opener().put_record(KEY, b"same")
    assert len(versions(opener(), KEY)) == 1


@pytest.mark.parametrize("other", [b"", b"othe", b"others", b"Other"])
def test_a_record_is_never_replaced(store: Store, other: bytes) -> None:
    store.put_record(KEY, b"other")
    with pytest.raises(StoreConflictError, match=r"exists with other bytes; got .*; expected .*\."):
        store.put_record(KEY, other)
    assert store.get(KEY, 10) == b"other"


def test_an_empty_record_is_a_record(store: Store) -> None:
    store.put_record(KEY, b"")
    assert store.get(KEY, 0) == b""
    with pytest.raises(StoreConflictError):
        store.put_record(KEY, b"x")


def test_of_racing_writers_exactly_one_wins(opener: Opener) -> None:
    def write(number: int) -> bool:
        mine = opener()
        start.wait()
        try:
            mine.put_record(key, b"%d" % number)
        except StoreConflictError:
            return False
        return True

    for turn in range(5):
        key = f"public/race/{turn}"
        start = Barrier(16)
        with ThreadPoolExecutor(16) as pool:
            won = list(pool.map(write, range(16)))
        assert won.count(True) == 1
        assert opener().get(key, 10) == b"%d" % won.index(True)


def test_of_racing_equal_writers_all_succeed(opener: Opener) -> None:
    def write(_: int) -> None:
        mine = opener()
        start.wait()
        mine.put_record(KEY, b"equal")

    start = Barrier(16)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(16)))
    assert opener().get(KEY, 10) == b"equal"


def test_a_missing_object_is_named(store: Store) -> None:
    store.put_record("public/a/b", b"")
    for key in ("public/a/c", "public/z/c", "public/a"):
        assert not store.has(key)
        assert versions(store, key) == []
        with pytest.raises(NotFoundError, match=key):
            store.get(key, 10)
        with pytest.raises(NotFoundError, match=key):
            store.open(key)


def test_a_store_that_was_never_written_is_empty(store: Store) -> None:
    assert not store.has(KEY)
    assert list(store.list("public/")) == []
    assert versions(store, KEY) == []


def test_a_reader_is_never_given_more_than_it_asked_for(store: Store) -> None:
    store.put_record(KEY, b"12345")
    assert store.get(KEY, 5) == b"12345"
    with pytest.raises(TooLargeError, match="at most 4 bytes"):
        store.get(KEY, 4)


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 200_000])
def test_what_is_read_whole_is_read_to_its_end(store: Store, size: int) -> None:
    store.put_record(KEY, data := os.urandom(size))
    assert store.get(KEY, size) == store.get(KEY, 1 << 24) == data
    with pytest.raises(TooLargeError, match=f"at most {size - 1} bytes"):
        store.get(KEY, size - 1)


def test_names_come_in_order_of_their_bytes(store: Store) -> None:
    names = [
        "a",
        "a-b",
        "a.b/c",
        "a0",
        "aa/b/c",
        "A",
        "B/a",
        "a%2Bb",
        "_",
        "a_/z",
        "ab/c",
        "aa/b.c",
    ]
    for name in names:
        store.put_record(f"public/x/{name}", b"")
    store.put_record("public/xy/z", b"")
    store.put_record("private/x/z", b"")
    assert list(store.list("public/x/")) == sorted(f"public/x/{name}" for name in names)
    assert list(store.list("public/x/aa/")) == ["public/x/aa/b.c", "public/x/aa/b/c"]
    assert list(store.list("public/none/")) == []
    assert len(list(store.list("public/"))) == len(names) + 1


@pytest.mark.parametrize("prefix", ["", "/", "public", "public/x", "public/../", "x/", "public//"])
def test_a_prefix_is_a_whole_folder(store: Store, prefix: str) -> None:
    with pytest.raises(UsageError):
        store.list(prefix)


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_names_are_refused_everywhere(store: Store, tmp_path: Path, key: str) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"x")
    for call in (
        lambda: store.has(key),
        lambda: store.open(key),
        lambda: store.get(key, 10),
        lambda: store.put_record(key, b"x"),
        lambda: store.put_file(key, source),
    ):
        with pytest.raises(UsageError):
            call()
    assert list(store.list("public/")) == list(store.list("private/")) == []


@pytest.mark.parametrize("visibility", list(Visibility))
def test_content_is_stored_once_under_its_digest(
    store: Store, tmp_path: Path, visibility: Visibility
) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"content")
    digest = store.put_cas(visibility, source)
    assert digest == store.put_cas(visibility, b"content") == Digest.of(b"content")
    assert store.get(cas(visibility, digest), 100) == b"content"
    assert list(store.list(f"{visibility}/cas/")) == [cas(visibility, digest)]
    other = next(v for v in Visibility if v is not visibility)
    assert not store.has(cas(other, digest))


def test_a_content_name_takes_no_other_bytes(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"other")
    key = cas(Visibility.PUBLIC, Digest.of(b"content"))
    with pytest.raises(DamagedError, match="does not hold what its name promises"):
        store.put_file(key, source)
    assert not store.has(key)


def test_damaged_content_is_not_handed_out(store: Store) -> None:
    key = cas(Visibility.PUBLIC, Digest.of(b"content"))
    store.put_record(key, b"cOntent")
    with pytest.raises(DamagedError, match="does not hold what its name promises"):
        store.get(key, 100)


def test_content_of_another_size_is_a_conflict(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"content")
    digest = Digest.of(b"content")
    store.put_record(cas(Visibility.PUBLIC, digest), b"conten")
    store.put_record(Vault.key(digest), b"")
    with pytest.raises(StoreConflictError, match="got 6 bytes; expected 7 bytes"):
        store.put_cas(Visibility.PUBLIC, source)
    with pytest.raises(StoreConflictError, match="got 0 bytes; expected 7 bytes"):
        store.put_file(Vault.key(digest), source)


def test_an_existing_object_is_left_alone(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"content")
    key = Vault.key(Digest.of(b"content"))
    store.put_file(key, source)
    before = versions(store, key)
    assert len(before) == 1
    store.put_file(key, source)
    assert versions(store, key) == before


def test_only_regular_files_are_stored(store: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(StoreError, match="cannot store"):
            store.put_cas(Visibility.PUBLIC, path)


def test_the_newest_checkpoint_is_the_one_object_that_is_replaced(opener: Opener) -> None:
    for number in range(3):
        opener().put_latest(LATEST, b"%d" % number)
        for reader in (opener(), opener()):
            assert reader.has(LATEST)
            assert reader.get(LATEST, 1) == b"%d" % number
            with reader.open(LATEST) as stream:
                assert stream.read() == b"%d" % number


def test_a_reader_sees_each_replacement(store: Store) -> None:
    for data in (b"first", b"second", b"", b"third"):
        store.put_latest(LATEST, data)
        assert versions(store, LATEST)[-1][1] == len(data)
        assert list(store.list("public/log/")) == [LATEST]
        assert store.get(LATEST, 10) == data


def test_a_checkpoint_that_was_never_written_is_missing(store: Store) -> None:
    with pytest.raises(NotFoundError, match=LATEST):
        store.get(LATEST, 10)
    store.put_latest(LATEST, b"12345")
    with pytest.raises(TooLargeError, match="at most 4 bytes"):
        store.get(LATEST, 4)


@pytest.mark.parametrize("key", [*HOSTILE, KEY, LATEST + "s/1", "private/log/checkpoint"])
def test_nothing_else_is_replaced(store: Store, key: str) -> None:
    with pytest.raises(UsageError):
        store.put_latest(key, b"x")


def test_what_is_replaced_is_no_record(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"x")
    with pytest.raises(UsageError, match="cannot be a record"):
        store.put_record(LATEST, b"x")
    with pytest.raises(UsageError, match="cannot be a record"):
        store.put_file(LATEST, source)
    assert not store.has(LATEST)


def test_of_racing_replacements_one_stays_whole(opener: Opener) -> None:
    def write(number: int) -> None:
        mine = opener()
        start.wait()
        for _ in range(3):
            mine.put_latest(LATEST, b"%d" % number * 10_000)
            there = mine.get(LATEST, 10_000)
            assert there == there[:1] * 10_000

    start = Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert len(opener().get(LATEST, 10_000)) == 10_000


def test_a_vault_lives_in_it(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"content")
    vault = Vault(store)
    vault.add(source, Digest.of(b"content"), what="a file")
    vault.stage(Digest.of(b"content"), tmp_path / "staged")
    assert (tmp_path / "staged").read_bytes() == b"content"
    assert list(vault.digests()) == [Digest.of(b"content")]
