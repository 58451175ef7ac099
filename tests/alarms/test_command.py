"""`samebits alarm` with two centers as they really are: files, keys, stores, logs, one policy."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

from builders.core.errors import UsageError
from pipelines.alarms.cause import ABOUT_CENTERS, AlarmCause
from pipelines.center.keys import center_key
from pipelines.cli.log import command as log
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.fork import ForkProof
from pipelines.log.note import NoteSigner, sign_note
from pipelines.log.witness import origin_folder
from pipelines.storage.directory import DirectoryStore
from tests.alarms.alarming import served
from tests.alarms.two_operators import REASON, Alarms, suspect
from tests.consensus.two_centers import NAMES
from tests.consensus.world import RELEASE


def test_nothing_is_wrong(two: Alarms) -> None:
    assert two.list() == (
        0,
        {"alarms": [], "open": 0, "acknowledged": 0, "counted_out": [], "faults": []},
    )
    for name in NAMES:
        two.centers.publish(name)
    assert two.list()[0] == 0
    assert "0 open alarms, 0 acknowledged" in two.invoke("list").output


def test_an_alarm_is_listed_until_it_is_acknowledged(two: Alarms) -> None:
    suspect(two)
    code, found = two.list()
    (alarm,) = found["alarms"]
    assert (code, alarm["cause"], alarm["release"], alarm["state"]) == (
        3,
        "suspect",
        str(RELEASE),
        "open",
    )
    two.acknowledge(str(RELEASE), "suspect")
    assert two.list() == (0, {**found, "alarms": [], "open": 0, "acknowledged": 1})
    code, found = two.list("--all")
    (alarm,) = found["alarms"]
    ((by),) = alarm["acknowledged"]
    assert (code, alarm["state"], by["operator"], by["reason"]) == (
        0,
        "acknowledged",
        "europe-body",
        REASON,
    )
    assert two.list(center="asia")[0] == 3, "each operator acknowledges it for itself"


def test_only_alarms_of_a_release_or_cause_are_listed(two: Alarms) -> None:
    suspect(two)
    two.centers.publish("asia", files=served(b"one"), run="20260103T030405Z-0a1b2c3d")
    _, found = two.list()
    assert [one["cause"] for one in found["alarms"]] == ["suspect", "shipped-mismatch"]
    assert two.list("acme/other@1.0")[0] == 0
    assert two.list("--cause", "withheld")[0] == 0
    _, found = two.list(str(RELEASE), "--cause", "shipped-mismatch")
    assert [one["cause"] for one in found["alarms"]] == ["shipped-mismatch"]


def test_an_acknowledgement_changes_no_consensus(two: Alarms) -> None:
    suspect(two)
    before = two.centers.run()
    two.acknowledge(str(RELEASE), "suspect")
    assert two.centers.run() == before


def test_what_is_acknowledged_is_in_the_log_and_in_the_store(two: Alarms) -> None:
    suspect(two)
    _, made = two.acknowledge(str(RELEASE), "suspect")
    (record,) = made["records"]
    signatures = json.loads((two.root / "europe/store" / record).read_bytes())["signatures"]
    assert len(signatures) == 2
    for words in ([], ["--peer", "europe"]):
        center = "asia" if words else "europe"
        file = str(two.centers.file(center))
        done = CliRunner().invoke(log, ["check", *words, "--center", file])
        assert done.exit_code == 0, done.output


def test_a_later_alarm_of_the_same_cause_is_open(two: Alarms) -> None:
    two.centers.publish("asia", files=served(b"one"), run="20260103T030405Z-0a1b2c3d")
    two.acknowledge(str(RELEASE), "shipped-mismatch")
    two.centers.publish("asia", files=served(b"one"), run="20260104T030405Z-0a1b2c3d")
    assert two.list()[0] == 0
    two.centers.publish("asia", files=served(b"two"), run="20260105T030405Z-0a1b2c3d")
    code, found = two.list()
    assert (code, [one["since"] for one in found["alarms"]]) == (3, ["20260105T030405Z-0a1b2c3d"])


def test_only_a_range_is_acknowledged(two: Alarms) -> None:
    for day, content in ((3, b"one"), (4, b"two")):
        two.centers.publish("asia", files=served(content), run=f"2026010{day}T030405Z-0a1b2c3d")
    _, found = two.list()
    first = found["alarms"][0]["leaves"][0]["index"]
    two.acknowledge(str(RELEASE), "shipped-mismatch", "--range", f"asia:0-{first}")
    _, found = two.list("--all")
    assert [one["state"] for one in found["alarms"]] == ["acknowledged", "open"]


def forked(two: Alarms, name: str) -> None:
    """Let a center sign two trees of one size, and the other center keep the proof."""
    center = two.centers.center(name)
    signer = NoteSigner(center.origin, center_key(center, "log"))
    notes = [
        sign_note(Checkpoint(origin=center.origin, size=3, root=root).to_text(), signer)
        for root in (b"1" * 32, b"2" * 32)
    ]
    (other,) = (n for n in NAMES if n != name)
    store = DirectoryStore(two.root / other / "store")
    proof = ForkProof(first=notes[0], second=notes[1]).to_bytes()
    store.put_record(f"{origin_folder(center.origin)}fork/1.json", proof)


def test_a_fork_is_acknowledged_by_another_operator_alone(two: Alarms) -> None:
    forked(two, "asia")
    for center in NAMES:
        code, found = two.list("--cause", "fork", center=center)
        (alarm,) = found["alarms"]
        assert (code, alarm["center"], alarm["leaves"]) == (
            3,
            "asia",
            [{"log": "asia", "index": 3}],
        )
    with pytest.raises(UsageError, match="not acknowledged by its own operator"):
        two.acknowledge("asia", "fork", center="asia")
    two.acknowledge("asia", "fork")
    for center in NAMES:
        assert two.list("--cause", "fork", center=center)[0] == 0


def test_a_log_that_cannot_be_believed_is_open_whatever_is_acknowledged(two: Alarms) -> None:
    two.centers.publish("asia")
    forked(two, "asia")
    two.acknowledge("asia", "fork")
    code, found = two.list()
    (alarm,) = found["alarms"]
    assert (code, alarm["cause"], alarm["leaves"]) == (3, "fork", [])
    with pytest.raises(UsageError, match="fork of asia ends with its cause"):
        two.acknowledge("asia", "fork")


def test_what_our_own_witness_refused_stays_an_alarm(two: Alarms) -> None:
    """The log of asia is brought back as it was before, and then goes on."""
    two.centers.publish("asia")
    kept = two.root / "asia/store/public/log/checkpoint"
    data = kept.read_bytes()
    kept.write_bytes(data.replace(b"samebits", b"samebitz"))
    two.centers.witness()
    kept.write_bytes(data)
    two.centers.witness()
    code, found = two.list()
    assert (code, [one["cause"] for one in found["alarms"]]) == (3, ["peer-rolled-back"])
    two.acknowledge("asia", "peer-rolled-back")
    assert two.list()[0] == 0


def test_a_peer_that_does_not_answer_is_not_taken_for_a_good_one(two: Alarms) -> None:
    two.centers.publish("europe")
    store = two.root / "asia/store"
    shutil.rmtree(store, ignore_errors=True)
    store.write_text("no folder")
    code, found = two.list()
    assert (code, found["alarms"]) == (2, [])
    assert [fault.partition(":")[0] for fault in found["faults"]] == ["asia cannot be read"]


def test_a_recipe_that_cannot_be_used_is_named(two: Alarms) -> None:
    (two.root / "recipes/releases/acme/tool/1.0.yaml").write_text("schema: another\n")
    code, found = two.list()
    assert (code, found["alarms"]) == (2, [])
    assert found["faults"][0].startswith("acme/tool@1.0: ")


def test_a_release_that_shows_a_fault_of_ours_is_named(
    two: Alarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise IndexError("a case that nobody thought of")

    two.centers.publish("europe")
    monkeypatch.setattr("pipelines.alarms.listing.release_alarms", fails)
    code, found = two.list()
    assert (code, found["faults"]) == (2, ["acme/tool@1.0: a case that nobody thought of"])


def test_the_causes_of_the_command_are_those_that_there_are(two: Alarms) -> None:
    assert {*AlarmCause} > ABOUT_CENTERS
    done = two.invoke("list", "--cause", "weather")
    assert done.exit_code == 2
    assert "suspect" in done.output


REFUSED = [
    (("acme/other@1", "--cause", "suspect"), "no open alarm suspect of acme/other@1"),
    (("asia", "--cause", "fork"), "no open alarm fork of asia"),
    (("africa", "--cause", "fork"), "neither a release nor a center of the policy"),
    (("acme", "--cause", "suspect"), "neither a release nor a center of the policy"),
    (("acme/tool@1.0", "--cause", "suspect", "--range", "x"), "--range names no leaves"),
    (
        ("acme/tool@1.0", "--cause", "suspect", "--range", "asia:7-6"),
        "--range names no leaves",
    ),
    (
        ("acme/tool@1.0", "--cause", "suspect", "--range", "asia:900"),
        "no open alarm suspect of acme/tool@1.0 in that range",
    ),
    (("acme/tool@1.0", "--cause", "suspect"), "is signed with the key of the operator"),
]
"""What is typed after `acknowledge`, and what is said of it."""


def test_what_cannot_be_acknowledged(two: Alarms) -> None:
    suspect(two)
    for words, what in REFUSED:
        with pytest.raises(UsageError, match=what):
            two.invoke("acknowledge", *words, "--reason", REASON, "--yes")
    assert not list((two.root / "europe/store/public").glob("alarms"))


def test_the_key_of_another_operator_is_refused(two: Alarms) -> None:
    suspect(two)
    with pytest.raises(UsageError, match="the key of the operator"):
        two.acknowledge(str(RELEASE), "suspect", "--key", str(two.root / "asia-law.key"))


def test_a_reason_that_a_terminal_would_obey_is_refused(two: Alarms) -> None:
    suspect(two)
    with pytest.raises(UsageError, match="not a reason"):
        two.acknowledge(str(RELEASE), "suspect", "--reason", "\x1b[2Jgone")
    assert two.list()[0] == 3
