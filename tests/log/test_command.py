"""`samebits log` as it is typed: checkpoint, prove, check, and a witness with a key alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from builders.core.digest import Digest
from pipelines.center.center import Center
from pipelines.center.keys import make_local_policy
from pipelines.center.logbook import Logbook
from pipelines.cli.log import command
from pipelines.evidence.dsse import sign_envelope
from pipelines.evidence.privatekey import create_key, load_key
from pipelines.log.checkpoint import open_checkpoint
from pipelines.log.merkle import leaf_hash
from pipelines.log.notekey import NoteKey
from pipelines.log.proof import LogProof
from pipelines.signer.local_signer import log_signer
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import release_run
from pipelines.storage.outbox import Flushed
from pipelines.verify.session import Session
from tests.command import Ended, samebits
from tests.evidence.examples import STATEMENTS
from tests.log.keys import identity

RUN = "20260102T030405Z-0a1b2c3d"
PLACE = release_run("acme", "rules", "1.10", "zurich", RUN)
ORIGIN = "samebits.example/centers/zurich"


class House:
    """A center with a log of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, DirectoryStore(folder / "store")
        self.center = Center(id="zurich", home=folder / "home", store=folder / "store")
        for use in ("statements", "log", "witness"):
            create_key(self.center.key_folder, use)
        make_local_policy(self.center)
        self.file = folder / "center.yaml"
        self.file.write_text(
            f"schema: samebits/center/v1\nid: zurich\nhome: {folder}/home\nstore: {folder}/store\n"
        )

    def book(self) -> Logbook:
        signer = log_signer(self.center)
        return Logbook(self.center, store=self.store, log_store=self.store, signer=signer)

    def commit(self, number: int) -> None:
        self.book().commit(
            release="debian/netbase@6.5",
            run=f"20260102T030405Z-{number:08x}",
            claim=Digest.of(b"claim"),
            seal=Digest.of(b"seal %d" % number),
        )

    def state(self, key: str = f"{PLACE}attempt-1.dsse.json") -> None:
        """Store a statement, and leave it to others to log it."""
        private = load_key(self.center.key_folder, "statements")
        with self.book().storing(key):
            self.store.put_record(
                key, sign_envelope(STATEMENTS["attempt"].to_bytes(), private).to_bytes()
            )

    def log(self, *words: str | Path) -> Ended:
        return samebits("log", *words, "--center", self.file, home=self.folder / "user")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_checkpoint_covers_what_waited(house: House) -> None:
    empty = house.log("checkpoint", "--json")
    assert (empty.code, empty.document()["size"]) == (0, 0)
    house.state()
    ended = house.log("checkpoint", "--json")
    assert ended.code == 0, ended.err
    document = ended.document()
    key = NoteKey.parse(document["key"])
    signed = open_checkpoint(document["checkpoint"].encode(), identity(key, origin=ORIGIN))
    assert (signed.checkpoint.size, signed.checkpoint.root.hex()) == (1, document["root"])
    assert house.log("checkpoint").out == document["checkpoint"]


def test_a_proof_is_of_the_leaf_that_was_asked_for(house: House) -> None:
    for number in range(3):
        house.commit(number)
    out = house.folder / "1.tlog-proof"
    document = house.log("prove", "1", "--out", out, "--json").document()
    key = NoteKey.parse(house.log("checkpoint", "--json").document()["key"])
    proof = LogProof.parse(out.read_bytes())
    assert proof.index == document["index"] == 1
    proof.verify(leaf_hash(document["leaf"].encode()), identity(key, origin=ORIGIN))
    assert house.log("prove", "1").out.encode() == out.read_bytes()
    ended = house.log("prove", "3")
    assert ended.code == 1
    ended.assert_clear()


def test_a_whole_log_is_exit_code_zero_and_a_gap_is_one(house: House) -> None:
    house.commit(0x0A1B2C3D)
    house.state()
    house.log("checkpoint")
    whole = house.log("check", "--json")
    assert (whole.code, whole.document()["gaps"]) == (0, [])
    record = house.folder / "store" / PLACE / "attempt-1.dsse.json"
    record.chmod(0o644)
    record.unlink()
    ended = house.log("check")
    assert ended.code == 1
    assert "missing" in ended.out
    assert house.log("check", "--peer", "nobody").code == 64


def outsider(house: House, home: Path, *words: str | Path) -> Ended:
    """Witness as somebody who has no center: a key, a name, a folder, and a place to write."""
    key = house.log("checkpoint", "--json").document()["key"]
    return samebits(
        *("log", "witness", house.folder / "store", "--log-key", key),
        *("--key", home / "keys/witness.key", "--name", "witness.example/w1", *words),
        home=home / "user",
    )


def test_a_check_sends_what_waits_first_and_says_what_still_does(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.commit(1)
    monkeypatch.setattr(Session, "flush", lambda _: Flushed(sent=1, waiting=3))
    done = CliRunner().invoke(command, ["check", "--center", str(house.file)])
    assert done.exit_code == 0, done.output
    assert "evidence waits in the outbox (3 objects)" in done.stderr


def test_an_outsider_needs_a_key_and_a_name_alone(house: House, tmp_path: Path) -> None:
    home = tmp_path / "outsider"
    create_key(home / "keys", "witness")
    house.commit(1)
    first = outsider(house, home, "--json")
    assert first.code == 0, first.err
    assert first.document()["logs"][0]["size"] == 1
    house.commit(2)
    assert outsider(house, home, "--out", home / "cosigned").code == 0
    near = DirectoryStore(home / "user" / "witness" / "cosigned")
    cosigned = [
        name
        for store in (near, DirectoryStore(home / "cosigned"))
        for name in store.list("public/log/witness/")
    ]
    assert [int(name.rpartition("/")[2].partition("-")[0]) for name in cosigned] == [1, 2]
    assert not (home / "user" / "keys").exists()


def test_a_log_that_was_rolled_back_is_refused(house: House, tmp_path: Path) -> None:
    home = tmp_path / "outsider"
    create_key(home / "keys", "witness")
    house.commit(1)
    checkpoint = house.folder / "store/public/log/checkpoint"
    before = checkpoint.read_bytes()
    house.commit(2)
    assert outsider(house, home).code == 0
    key = house.log("checkpoint", "--json").document()["key"]
    checkpoint.chmod(0o644)
    checkpoint.write_bytes(before)
    ended = samebits(
        *("log", "witness", house.folder / "store", "--log-key", key),
        *("--key", home / "keys/witness.key", "--name", "witness.example/w1"),
        home=home / "user",
    )
    assert ended.code == 1, ended.out
    assert "refused" in ended.out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["witness"], 2),
        (["witness", "/nowhere"], 64),
        (["witness", "/nowhere", "--log-key", "rubbish", "--key", "k", "--name", "n"], 64),
        (["prove", "-1"], 64),
        (["check", "--peer", "basel"], 64),
    ],
)
def test_usage(house: House, words: list[str], code: int) -> None:
    ended = house.log(*words)
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
