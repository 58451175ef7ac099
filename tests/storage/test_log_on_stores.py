"""The log on every store: the same tree, the same proofs, the same loser of a race."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from builders.core.errors import NotFoundError
from pipelines.log.batch import batch_key
from pipelines.log.merkle import leaf_hash
from pipelines.log.tiles import CHECKPOINT, checkpoint_key
from tests.log.keys import identity
from tests.log.logs import KEY, audited, entries, identities, opened
from tests.storage.conftest import Opener


def test_a_log_lives_in_it(opener: Opener, tmp_path: Path) -> None:
    log = opened(opener(), tmp_path / "home")
    log.append(entries(range(250)))
    done = log.append(entries(range(240, 300)))
    assert (done.start, done.size) == (250, 300)
    assert identities(audited(opener())) == identities(entries(range(300)))
    proof = opened(opener(), tmp_path / "home").prove(17)
    leaf = leaf_hash(log.append(entries([17])).leaves[0].leaf.to_bytes())
    assert proof.verify(leaf, identity(KEY)).checkpoint.size == 300
    assert opener().get(CHECKPOINT, 1000) == opener().get(checkpoint_key(300), 1000)


def test_a_log_is_finished_by_whoever_comes_next(opener: Opener, tmp_path: Path) -> None:
    """A process dies after its commit; another, with store and key alone, goes on."""

    class Died(BaseException):
        pass

    store = opener()
    log = opened(store, tmp_path / "home")
    log.append(entries(range(5)))
    real = store.put_record

    def die(key: str, data: bytes) -> None:
        real(key, data)
        if key == batch_key(5):
            raise Died

    store.put_record = die  # type: ignore[method-assign]
    with pytest.raises(Died):
        log.append(entries(range(5, 9)))
    del store.put_record
    with pytest.raises(NotFoundError):
        opener().get(checkpoint_key(9), 1000)
    done = opened(opener(), tmp_path / "other").append(entries(range(5, 12)))
    assert [placed.index for placed in done.leaves] == list(range(5, 12))
    assert identities(audited(opener())) == identities(entries(range(12)))


def test_appenders_race_on_it(opener: Opener, tmp_path: Path) -> None:
    start = Barrier(3)

    def work(worker: int) -> None:
        log = opened(opener(), tmp_path / f"home-{worker}")
        start.wait()
        for turn in range(2):
            first = (worker * 10 + turn) * 100
            log.append(entries(range(first, first + 4)))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    opened(opener(), tmp_path / "last").publish()
    assert len(audited(opener())) == 24
