"""A witness that was restored remembers what it cosigned after the backup."""

from __future__ import annotations

import shutil
from pathlib import Path

from builders.core.digest import Digest
from pipelines.center.logs import witness_peers
from pipelines.log.witness import WitnessOutcome
from tests.centers.three import Three
from tests.command import samebits


def commit(three: Three, seal: bytes) -> None:
    with three.session("asia") as session:
        session.logbook().commit(
            release="lab/rules@1",
            run=f"20260102T030405Z-{Digest.of(seal).hex[:8]}",
            claim=Digest.of(b"claim"),
            seal=Digest.of(seal),
        )


def witnessed(three: Three) -> WitnessOutcome:
    with three.session("europe") as session:
        seen = dict(witness_peers(session.center, three.policy(), session.store))
    return seen["asia"].outcome


def test_a_peer_that_went_back_as_far_as_the_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    made = Three.made(tmp_path / "made")
    made.file("europe").write_text(f"{made.file('europe').read_text()}store: elsewhere\n")
    commit(made, b"one")
    assert witnessed(made) is WitnessOutcome.COSIGNED
    words = ("--center", made.file("europe"))
    backup = tmp_path / "backup.tar"
    assert samebits("center", "backup", backup, *words, home=tmp_path).code == 0
    before = made.copied(tmp_path / "before")
    commit(made, b"two")
    assert witnessed(made) is WitnessOutcome.COSIGNED
    keys = tmp_path / "keys"
    shutil.copytree(made.root / "europe/keys", keys, ignore=shutil.ignore_patterns("log"))
    for name in ("europe", "asia"):
        shutil.rmtree(made.root / name)
    shutil.copytree(before.root / "asia", made.root / "asia", symlinks=True)
    shutil.copytree(keys, made.root / "europe/keys")
    told = samebits("center", "restore", backup, "--json", *words, home=tmp_path).document()
    assert told["cosigned_since"] == ["samebits.example/centers/asia"]
    made.close()
    commit(made, b"another one")
    assert witnessed(made) is WitnessOutcome.REFUSED
