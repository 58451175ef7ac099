"""Who signs checkpoints remembers the newest one, and signs only what continues it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from builders.core.errors import InfrastructureError
from pipelines.log.batch import batch_key
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.errors import LogError
from pipelines.log.signers import LocalCheckpointSigner
from pipelines.log.tiles import CHECKPOINT, checkpoint_key
from pipelines.log.writer import LogWriter
from tests.fakes.store import MemoryStore
from tests.log import keys
from tests.log.keys import ORIGIN
from tests.log.logs import (
    KEY,
    audited,
    entries,
    opened,
    reader,
    refused,
    signer,
)


def trees(store: MemoryStore, *sizes: int) -> list[Checkpoint]:
    return [reader(store).tree(size) for size in sizes]


def test_the_signer_signs_what_continues(store: MemoryStore, log: LogWriter, home: Path) -> None:
    log.append(entries(range(300)))
    three, five = trees(store, 3, 5)
    proof = reader(store).consistency(3, 5)
    mine = signer(home / "new")
    assert mine.newest() is None
    mine.sign(None, three, ())
    assert mine.newest() == three
    signature = mine.sign(three, five, proof)
    KEY.check(five.to_text().encode(), signature)
    assert signer(home / "new").newest() == five
    assert signer(home / "new").sign(five, five, ()) == signature


def test_the_signer_refuses_everything_else(store: MemoryStore, log: LogWriter, home: Path) -> None:
    log.append(entries(range(300)))
    three, five, six = trees(store, 3, 5, 6)
    proof = reader(store).consistency(5, 6)
    mine = signer(home / "new")
    mine.sign(None, five, ())
    other = replace(six, root=bytes(32))
    for old, new, path, match in (
        (five, three, (), "refuses to shorten the log; got 3 leaves; expected 5"),
        (five, replace(five, root=bytes(32)), (), "refuses a second root for 5 leaves"),
        (five, other, proof, "does not continue what it has signed"),
        (five, six, (), "does not continue what it has signed"),
        (five, six, (*proof, bytes(32)), "does not continue what it has signed"),
        (None, six, (), "was shown another checkpoint"),
        (three, six, reader(store).consistency(3, 6), "was shown another checkpoint"),
        (five, replace(six, origin="x"), proof, "is not of that log"),
    ):
        with pytest.raises(LogError, match=match):
            mine.sign(old, new, path)
        assert mine.newest() == five
    mine.sign(five, six, proof)


def test_a_damaged_memory_of_the_signer_is_refused(
    store: MemoryStore, log: LogWriter, home: Path
) -> None:
    log.append(entries(range(5)))
    (home / "signed").write_bytes(b"garbage")
    refused(store, log, "what the log's signer remembers is damaged")


def test_a_signer_that_cannot_remember_does_not_sign(
    store: MemoryStore, log: LogWriter, home: Path
) -> None:
    shutil.rmtree(home, ignore_errors=True)
    (home / "signed").mkdir(parents=True)
    with pytest.raises(InfrastructureError, match=r"cannot read .*signed"):
        log.append(entries(range(5)))
    assert CHECKPOINT not in store.objects


class Overtaken(LocalCheckpointSigner):
    """A signer that another writer of the log asks for the same checkpoint right before ours."""

    def sign(self, old: Checkpoint | None, new: Checkpoint, proof: Sequence[bytes]) -> bytes:
        if old != new:
            super().sign(old, new, proof)
        return super().sign(old, new, proof)


class Outrun(LocalCheckpointSigner):
    """A signer that signs a longer log of another writer right before it is asked."""

    outrun = False

    def newest(self) -> Checkpoint | None:
        if batch_key(0) in self.store.objects and not self.outrun:
            self.outrun = True
            other = opened(self.store, self.home / "other", signed=self.home)
            assert other.append(entries(range(6))).size == 6
        return super().newest()

    def __init__(self, store: MemoryStore, home: Path) -> None:
        super().__init__(keys.log(), home)
        self.store, self.home = store, home


class Unwilling(LocalCheckpointSigner):
    """A signer that refuses the first time."""

    refused = False

    def sign(self, old: Checkpoint | None, new: Checkpoint, proof: Sequence[bytes]) -> bytes:
        if not self.refused:
            self.refused = True
            raise LogError("the signer refuses")
        return super().sign(old, new, proof)


class Broken(LocalCheckpointSigner):
    """A signer that remembers what it was asked for, and returns another signature."""

    def sign(self, old: Checkpoint | None, new: Checkpoint, proof: Sequence[bytes]) -> bytes:
        return super().sign(old, new, proof)[::-1]


def test_a_writer_that_comes_second_at_the_signer_asks_again(
    store: MemoryStore, home: Path
) -> None:
    log = LogWriter(store, origin=ORIGIN, signer=Overtaken(keys.log(), home), home=home)
    assert [log.append(entries(range(size))).size for size in (3, 300)] == [3, 300]
    audited(store)


def test_a_writer_that_was_outrun_takes_what_was_signed(store: MemoryStore, home: Path) -> None:
    signer = Outrun(store, home)
    log = LogWriter(store, origin=ORIGIN, signer=signer, home=home)
    assert log.append(entries(range(3))).size == 3
    assert signer.outrun
    assert len(audited(store)) == 6


def test_a_signer_that_refuses_is_not_asked_again(store: MemoryStore, home: Path) -> None:
    log = LogWriter(store, origin=ORIGIN, signer=Unwilling(keys.log(), home), home=home)
    with pytest.raises(LogError, match="the signer refuses"):
        log.append(entries(range(3)))
    assert CHECKPOINT not in store.objects


def test_a_signature_that_does_not_verify_is_not_kept(store: MemoryStore, home: Path) -> None:
    log = LogWriter(store, origin=ORIGIN, signer=Broken(keys.log(), home), home=home)
    with pytest.raises(LogError, match="does not fit the text"):
        log.append(entries(range(3)))
    assert checkpoint_key(3) not in store.objects
