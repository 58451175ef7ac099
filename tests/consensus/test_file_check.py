"""What is known of one file: from signed, logged and witnessed statements under a policy alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest, canonical_json
from infra.bench.madeup import MadeUpFile
from pipelines.audit.source import Source
from pipelines.center.keys import make_local_policy
from pipelines.consensus.file_check import check_file
from pipelines.evidence.file_index import entry_folder, index_report
from pipelines.storage.bounded import BudgetError
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import REPORT
from tests.command import Ended, samebits
from tests.consensus.two_centers import NAMES, TwoCenters
from tests.consensus.world import CONTENT, FILE

OTHER = b"other bytes"
DIFFERENT = {FILE: MadeUpFile.different(CONTENT, OTHER)}


class Desk:
    """Someone who asks about files."""

    def __init__(self, centers: TwoCenters) -> None:
        self.centers, self.root = centers, centers.root

    def store(self, name: str) -> DirectoryStore:
        return DirectoryStore(self.root / name / "store")

    def ask(self, content: bytes, *words: str, center: str | None = "europe") -> Ended:
        file = self.root / "a-file"
        file.write_bytes(content)
        who = ("--center", self.centers.file(center)) if center else ()
        return samebits("check", file, *who, *words, home=self.root / "customer")

    def told(self, content: bytes, *words: str, center: str | None = "europe") -> Any:
        ended = self.ask(content, "--json", *words, center=center)
        assert ended.document()["exit_code"] == ended.code
        return ended.document()


@pytest.fixture
def desk(centers: TwoCenters) -> Desk:
    return Desk(centers)


def test_a_file_that_both_built_is_confirmed(desk: Desk) -> None:
    for name in NAMES:
        desk.centers.publish(name)
    told = desk.told(CONTENT)
    assert told["exit_code"] == 0
    assert [c["consensus"] for c in told["consensus"]] == ["CONFIRMED"]
    runs = {(r["center"], r["verdict"], r["met"], r["log_index"]) for r in told["runs"]}
    assert runs == {(name, "IDENTICAL", "published", 2) for name in NAMES}
    ended = desk.ask(CONTENT)
    assert ended.out.startswith("REPRODUCED: ")


def test_a_file_that_one_center_alone_speaks_of_is_not_known(desk: Desk) -> None:
    desk.centers.publish("asia")
    ended = desk.ask(CONTENT)
    assert (ended.code, ended.out.splitlines()[0]) == (2, "NOT CHECKED: a-file")


@pytest.mark.parametrize(("content", "met"), [(CONTENT, "published"), (OTHER, "rebuilt")])
def test_a_file_that_differs_is_not_confirmed_nor_is_what_was_built(
    desk: Desk, content: bytes, met: str
) -> None:
    desk.centers.publish("europe", files=DIFFERENT)
    told = desk.told(content)
    assert told["exit_code"] == 1
    assert [(r["verdict"], r["met"]) for r in told["runs"]] == [("DIFFERENT", met)]
    assert desk.ask(content).out.startswith("NOT REPRODUCED: ")


def test_a_file_that_nobody_speaks_of_is_unknown(desk: Desk) -> None:
    desk.centers.publish("asia")
    ended = desk.ask(b"?")
    assert (ended.code, ended.out.startswith("UNKNOWN: ")) == (2, True)


def test_two_forged_files_that_nobody_signed_say_nothing(desk: Desk) -> None:
    """An entry and a report that say IDENTICAL: with those alone a file was once believed."""
    forged = desk.centers.publish("asia", files=DIFFERENT)
    run = forged.report().model_copy(update={"center": "europe"}).model_dump(mode="json")
    run["artefacts"][0] |= {"verdict": "IDENTICAL", "rebuilt": run["artefacts"][0]["shipped"]}
    index_report(desk.store("europe"), run)
    folder = forged.folder().replace("/asia/", "/europe/")
    desk.store("europe").put_record(folder + REPORT, canonical_json(run))
    told = desk.told(CONTENT)
    assert told["exit_code"] != 0
    assert "IDENTICAL" not in {r["verdict"] for r in told["runs"]}


def test_the_entries_of_any_center_lead_to_the_release(desk: Desk) -> None:
    """A center that hides its entries hides nothing."""
    for name in NAMES:
        desk.centers.publish(name)
    for name in NAMES:
        folder = desk.root / name / "store" / entry_folder(Digest.of(CONTENT))
        shutil.move(folder, desk.root / "entries")
        assert desk.told(CONTENT)["exit_code"] == 0
        shutil.move(desk.root / "entries", folder)


def test_entries_that_are_rubbish_name_nothing(desk: Desk) -> None:
    for name in NAMES:
        desk.centers.publish(name)
    for number, rubbish in enumerate((b"", b"{}", b"\xff" * 9000)):
        key = f"{entry_folder(Digest.of(CONTENT))}rubbish-{number}.json"
        desk.store("asia").put_record(key, rubbish)
    assert desk.told(CONTENT)["exit_code"] == 0


def test_a_peer_that_names_too_many_releases_is_silent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        desk.centers.publish(name)
    report = desk.centers.publish("asia", run="20260103T030405Z-00000003").report()
    for number in range(201):
        changes = {"version": f"2.{number}", "run": f"20260104T030405Z-{number:08x}"}
        other = report.model_copy(update=changes).model_dump(mode="json")
        index_report(desk.store("asia"), other)
    told = desk.told(CONTENT)
    assert (told["silent"], told["exit_code"]) == (["asia"], 0)
    assert [c["version"] for c in told["runs"]] == ["1.0"] * 3


def test_a_customer_asks_under_a_policy_of_their_own(desk: Desk) -> None:
    """That each center built is proved by the cross-check that the other one signed."""
    for name in NAMES:
        desk.centers.publish(name)
    for name in NAMES:
        desk.centers.run("--publish", center=name)
    peers = [word for n in NAMES for word in ("--peer", f"{n}={desk.root / n / 'store'}")]
    policy = desk.root / "policy.dsse.json"
    told = desk.told(CONTENT, "--policy", str(policy), *peers, center=None)
    assert (told["exit_code"], told["counted_out"]) == (0, [])
    assert {r["center"] for r in told["runs"]} == set(NAMES)
    one = desk.told(CONTENT, "--policy", str(policy), *peers[:2], center=None)
    assert one["exit_code"] == 2
    made = [path.name for path in (desk.root / "customer").iterdir()]
    assert made == ["cache"]  # asking makes neither keys nor a policy


def test_a_customer_asks_a_center_that_has_the_name_of_their_own(desk: Desk) -> None:
    """Every center that was never named is `local`, so that of the customer was once asked too."""
    desk.centers.file("local").write_text("schema: samebits/center/v1\nid: local\nhome: local\n")
    center = desk.centers.center("local")
    make_local_policy(center)
    desk.centers.publish("local")
    (desk.root / "a-file").write_bytes(CONTENT)
    words = ("--policy", center.policy, "--peer", f"local={center.store}", "--json")
    ended = samebits("check", desk.root / "a-file", *words, home=desk.root / "customer")
    told = ended.document()
    assert (ended.code, told["counted_out"]) == (0, [])
    assert [r["center"] for r in told["runs"]] == ["local"]


def test_who_was_asked_is_told_of_an_unknown_file(desk: Desk) -> None:
    desk.centers.publish("asia")
    assert "  asked: europe, asia\n" in desk.ask(b"?").out
    policy = str(desk.root / "policy.dsse.json")
    nobody = desk.ask(b"?", "--policy", policy, center=None)
    assert (nobody.code, "asked: no center; --peer ID=STORE" in nobody.out) == (2, True)


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        ("asai=store", "Did you mean 'asia'?"),
        ("asia=no/such/folder", "the store of asia is no folder"),
    ],
)
def test_a_peer_that_cannot_be_asked_is_wrong_usage(desk: Desk, peer: str, said: str) -> None:
    ended = desk.ask(CONTENT, "--peer", peer)
    assert (ended.code, said in ended.err) == (64, True)
    ended.assert_clear()


def test_asking_without_a_policy_makes_no_center(desk: Desk) -> None:
    ended = desk.ask(CONTENT, center=None)
    assert ended.code == 2
    assert "nothing can be believed of any file without a policy" in ended.err
    assert not (desk.root / "customer").exists()


def test_without_a_policy_nothing_is_believed(desk: Desk) -> None:
    desk.centers.publish("europe")
    (desk.root / "policy.dsse.json").unlink()
    ended = desk.ask(CONTENT)
    assert ended.code == 2
    assert "nothing can be believed of any file without a policy" in ended.err


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff"])
def test_a_policy_that_nobody_signed_is_refused(desk: Desk, data: bytes, tmp_path: Path) -> None:
    desk.centers.publish("europe")
    (tmp_path / "odd.json").write_bytes(data)
    ended = desk.ask(CONTENT, "--policy", str(tmp_path / "odd.json"), center=None)
    assert ended.code == 1
    ended.assert_clear()


@pytest.mark.parametrize("peer", ["asia", "asia=", "=/tmp"])
def test_a_peer_without_an_id_and_a_store_is_wrong_usage(desk: Desk, peer: str) -> None:
    ended = desk.ask(CONTENT, "--peer", peer)
    assert ended.code == 64
    ended.assert_clear()


def test_a_file_that_cannot_be_read_is_one_message(tmp_path: Path) -> None:
    ended = samebits("check", tmp_path / "none", home=tmp_path)
    assert ended.code == 64
    ended.assert_clear()


class Metered:
    """A store that answers 60 calls in a round."""

    def __init__(self, store: DirectoryStore) -> None:
        self.store, self.left = store, 60

    def __getattr__(self, name: str) -> Any:
        self.left -= 1
        if self.left < 0:
            raise BudgetError("the budget for this peer is used up", got="60 calls")
        return getattr(self.store, name)


def test_releases_that_one_store_invents_hide_no_mismatch_of_another(desk: Desk) -> None:
    """The invented ones come first by name, and looking for all of them would use up Asia."""
    run = desk.centers.publish("europe")
    desk.centers.publish("asia", files=DIFFERENT)
    document = run.report().model_dump(mode="json", by_alias=True)
    for number in range(60):
        made_up = {"vendor": f"a{number}", "run": f"20260102T030405Z-{number:08x}"}
        index_report(desk.store("europe"), {**document, **made_up})
    view = desk.centers.session("europe").consensus_view(datetime.now(UTC))
    asia = Source(center="asia", store=Metered(desk.store("asia")), peer=True)
    found = check_file(replace(view, peers=(asia,)), Digest.of(CONTENT))
    assert (found.exit_code, [str(c.result) for _, c in found.consensus]) == (1, ["SPLIT"])
    assert "behind" in {str(one.reason) for _, one in found.excluded}
