"""A center that was restored from a backup: it goes on with its newest log, or not at all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders.core.digest import Digest
from pipelines.center.center import Center, load_center
from pipelines.center.keys import log_key, make_local_policy
from pipelines.evidence.privatekey import create_key
from pipelines.log.checkpoint import Checkpoint, LogIdentity
from pipelines.log.errors import LogError
from pipelines.log.log_reader import LogReader
from pipelines.log.merkle import EMPTY_ROOT
from pipelines.log.note import sign_note
from pipelines.log.witness import Witness, WitnessOutcome, origin_folder
from pipelines.nightly.alarms import outside_alarms
from pipelines.nightly.record import AlarmKind
from pipelines.storage.directory import DirectoryStore
from pipelines.verify.session import Session
from tests.command import Ended, samebits
from tests.log import keys
from tests.log.keys import FixedKey


class Restored:
    """A center whose home and store are apart, and a peer that witnesses its log."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "zurich.yaml"
        self.file.write_text(
            f"schema: samebits/center/v1\nid: zurich\nhome: {folder}/home\nstore: {folder}/store\n"
            f"peers: [{{id: basel, store: {folder}/basel}}]\n"
        )
        for use in ("statements", "log", "witness"):
            create_key(self.center.key_folder, use)
        make_local_policy(self.center)

    @property
    def center(self) -> Center:
        return load_center(self.file)

    @property
    def store(self) -> DirectoryStore:
        return DirectoryStore(self.folder / "store")

    def commit(self, *numbers: int) -> None:
        """Log commitments as runs do that have begun just now."""
        self.commit_of(self.center, *numbers)

    def commit_of(self, center: Center, *numbers: int) -> None:
        """Log commitments of another center that has this one's place."""
        with Session(center) as session:
            for number in numbers:
                session.logbook().commit(
                    release="debian/netbase@6.5",
                    run=f"20260102T030405Z-{number:08x}",
                    claim=Digest.of(b"claim"),
                    seal=Digest.of(b"seal %d" % number),
                )

    def witness(self) -> WitnessOutcome:
        """Let the peer cosign the log."""
        witness = Witness(
            home=self.folder / "witness",
            store=DirectoryStore(self.folder / "basel"),
            private=FixedKey("basel"),
            name="samebits.example/centers/basel/witness",
            clock=lambda: datetime.now(UTC),
        )
        return witness.cosign(self.store, LogIdentity.of(log_key(self.center))).outcome

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Let nobody read what the peer has."""
        place, away = self.folder / "basel", self.folder / "away"
        place.rename(away)
        place.write_text("no folder")
        try:
            yield
        finally:
            place.unlink()
            away.rename(place)

    def back_up(self, *names: str) -> Callable[[], None]:
        """Copy folders, and return what brings the copies back."""
        for name in names:
            shutil.copytree(self.folder / name, self.folder / "backup" / name)

        def restore() -> None:
            for name in names:
                shutil.rmtree(self.folder / name)
                shutil.copytree(self.folder / "backup" / name, self.folder / name)

        return restore

    def runs(self) -> list[str]:
        """Return the numbers of the runs in the log."""
        log = LogReader(self.store, LogIdentity.of(log_key(self.center)))
        return [leaf.identity[-1] for _, leaf in log.leaves()]

    def check(self) -> Ended:
        return samebits("log", "check", "--center", self.file, home=self.folder / "user")

    def refused(self, match: str) -> None:
        """See that nothing is logged, and that the check of the log says why."""
        before = self.runs()
        with pytest.raises(LogError, match=match):
            self.commit(9)
        assert self.runs() == before
        ended = self.check()
        assert ended.code == 1, ended.out
        assert "whole" not in ended.out
        ended.assert_clear()
        with Session(self.center) as session:
            found = outside_alarms(session, [], now=datetime.now(UTC))
        own = [one for one in found if one.about == self.center.id]
        assert {str(one.kind) for one in own} <= {"gap", "fork", "peer-rolled-back"}
        (alarm,) = [one for one in own if one.kind is AlarmKind.GAP]
        assert re.search(match.partition(";")[0], alarm.text)


@pytest.fixture
def center(tmp_path: Path) -> Restored:
    return Restored(tmp_path)


def test_a_home_that_is_behind_goes_on_with_the_log_in_the_store(center: Restored) -> None:
    center.commit(1, 2)
    restore = center.back_up("home")
    center.commit(3, 4)
    center.witness()
    restore()
    center.commit(5)
    assert center.runs() == ["1", "2", "3", "4", "5"]
    assert center.witness() is WitnessOutcome.COSIGNED
    assert center.check().code == 0


def test_a_home_without_any_memory_goes_on_with_the_log_in_the_store(center: Restored) -> None:
    center.commit(1, 2)
    center.witness()
    shutil.rmtree(center.folder / "home" / "log")
    shutil.rmtree(center.folder / "home" / "keys" / "log")
    center.commit(3)
    assert center.runs() == ["1", "2", "3"]
    assert center.witness() is WitnessOutcome.COSIGNED


def test_a_store_that_is_behind_its_signer_is_refused(center: Restored) -> None:
    center.commit(1, 2)
    restore = center.back_up("store")
    center.commit(3, 4)
    restore()
    center.refused("is shorter than what was signed; got 2 leaves; expected 4 leaves")


def test_nothing_that_a_peer_does_blocks_a_whole_log(
    center: Restored, caplog: pytest.LogCaptureFixture
) -> None:
    center.commit(1)
    center.witness()
    with center.unreachable():
        center.commit(2)
        ended = center.check()
    assert ended.code == 0
    for told in (caplog.text, ended.err):
        assert "the log is not compared with what basel has cosigned" in told
    center.witness()
    origin, name = center.center.origin, f"{origin_folder(center.center.origin)}{99:020d}-"
    other = Checkpoint(origin=origin, size=99, root=EMPTY_ROOT).to_text()
    basel = DirectoryStore(center.folder / "basel")
    basel.put_record(f"{name}1", sign_note(other, keys.log(origin)))
    basel.put_record(f"{name}2", b"no note")
    center.commit(3)
    assert center.check().code == 0


def test_the_peers_are_asked_once_in_a_session(
    center: Restored, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[object]()
    monkeypatch.setattr(
        "pipelines.center.logs.newest_accepted", lambda store, _: asked.append(store)
    )
    center.commit(1, 2, 3)
    assert len(asked) == 1


@pytest.mark.parametrize("forked", [False, True])
def test_a_center_that_is_behind_its_witness_is_refused(center: Restored, forked: bool) -> None:
    center.commit(1, 2)
    restore = center.back_up("store", "home")
    center.commit(3, 4)
    center.witness()
    restore()
    if forked:  # while no witness could be reached
        with center.unreachable():
            center.commit(5, 6, 7)
    center.refused(
        "does not continue what was cosigned; got root .* of 4 leaves"
        if forked
        else "is shorter than what was cosigned; got 2 leaves; expected 4 leaves"
    )


def test_the_newest_copy_of_the_store_makes_a_center_whole_again(center: Restored) -> None:
    center.commit(1, 2)
    restore = center.back_up("store", "home")
    center.commit(3, 4)
    center.witness()
    shutil.copytree(center.folder / "store", center.folder / "newest")
    restore()
    shutil.copytree(center.folder / "newest", center.folder / "store", dirs_exist_ok=True)
    center.commit(5)
    assert center.runs() == ["1", "2", "3", "4", "5"]
    assert center.check().code == 0
