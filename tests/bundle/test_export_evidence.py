"""Bundles that bring the evidence: what a third party needs to repeat the judgement."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from pipelines.bundle import Bundle
from pipelines.bundle.layout import EVIDENCE
from pipelines.evidence.salt import Salt, keep_salt
from pipelines.storage.names import Visibility
from tests.bundle.test_export import RELEASE, Filled
from tests.command import Ended
from tests.signer.conftest import SCENES
from tests.signer.scene import LOG, OURS, THEIRS, Scene


def exported(filled: Filled, out: Path, *words: str) -> Ended:
    return filled.command(
        "evidence", "export", str(RELEASE), "--center", filled.file, "--out", out, *words
    )


def checked(filled: Filled, bundle: Path) -> Any:
    command = ("evidence", "check", bundle, "--policy", filled.policy, "--json")
    return filled.command(*command).document()


def message(result: Any, name: str) -> tuple[str, str]:
    """Return status and message of a check."""
    return next((s["status"], s["message"]) for s in result["steps"] if s["step"] == name)


def evidence_in(bundle: Path) -> dict[str, bytes]:
    members = Bundle.from_bytes(bundle.read_bytes()).members
    return {n.removeprefix(EVIDENCE): d for n, d in members.items() if n.startswith(EVIDENCE)}


@pytest.fixture(scope="module")
def different(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    filled = Filled(tmp_path_factory.mktemp("different"), "different")
    filled.store.put_cas(Visibility.PRIVATE, OURS)  # what was served is kept where it differs
    return filled


def test_private_evidence_is_brought_only_when_told_so_and_with_a_warning(
    different: Filled, tmp_path: Path
) -> None:
    plain, full = tmp_path / "plain.tar", tmp_path / "full.tar"
    quiet = exported(different, plain)
    (explanation,) = evidence_in(plain).values()
    assert json.loads(explanation)["artefacts"][0]["name"] == "rules.bin"
    assert quiet.code == 0
    assert "private evidence" not in quiet.err
    told = exported(different, full, "--with-evidence", "--json")
    assert told.code == 0, told.err
    assert f"{full} holds private evidence; whoever gets it can read:" in told.err
    brought = {one["what"]: one for one in told.document()["evidence"]}
    expected = {
        "build.log": LOG,
        "rules.bin, rebuilt": THEIRS,
        "rules.bin, as served": OURS,
        "explanation of rules.bin, HTML": b"<p>",
        "explanation of rules.bin, JSON": b"{}",
    }
    assert [stat.S_IMODE(path.stat().st_mode) for path in (plain, full)] == [0o644, 0o600]
    found = evidence_in(full)
    for what, data in expected.items():
        named = [w for w, one in brought.items() if one["sha256"] == str(Digest.of(data))]
        assert named, what
        assert found[str(Digest.of(data))] == data
    assert not brought.pop("explanation")["private"]
    for one in brought.values():
        assert one["private"]
        assert f"{one['what']}, {one['size']} bytes, sha256 {one['sha256']}" in told.err


def test_the_check_covers_what_was_brought(different: Filled, tmp_path: Path) -> None:
    plain, full = tmp_path / "plain.tar", tmp_path / "full.tar"
    exported(different, plain)
    exported(different, full, "--with-evidence")
    before, after = checked(different, plain), checked(different, full)
    assert after["exit_code"] == before["exit_code"] == 1  # DIFFERENT
    status, said = message(after, "evidence")
    assert status == "ok"
    assert "log of attempt 1" in said
    assert "rules.bin, rebuilt" in said
    for data in evidence_in(full).values():
        altered = tmp_path / "altered.tar"
        raw = full.read_bytes()
        altered.write_bytes(raw.replace(data, bytes([data[0] ^ 1]) + data[1:]))
        assert checked(different, altered)["steps"][-1]["status"] == "wrong"


def test_with_the_outputs_the_seal_is_made_again_without_any_given_file(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical")
    plain, full = tmp_path / "plain.tar", tmp_path / "full.tar"
    exported(filled, plain)
    exported(filled, full, "--with-evidence")
    assert message(checked(filled, plain), "sealed")[0] == "note"
    status, said = message(checked(filled, full), "sealed")
    assert status == "ok"
    assert said.startswith("made again from ")
    assert checked(filled, full)["exit_code"] == 0


def test_the_evidence_of_closed_source_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCENES, "private", {"visibility": "private"})
    plain = Scene.make

    def salted(scene: Scene) -> Any:
        keep_salt(scene.store, RELEASE, Salt(secret=bytes(32)))
        return plain(scene)

    monkeypatch.setattr(Scene, "make", salted)
    filled = Filled(tmp_path, "private")
    ended = exported(filled, tmp_path / "out.tar", "--with-evidence")
    assert ended.code == 64
    ended.assert_clear()
    assert "is closed, and so is its evidence" in ended.err
    assert not (tmp_path / "out.tar").exists()


def test_evidence_of_another_run_is_not_brought(different: Filled, tmp_path: Path) -> None:
    different.store.put_cas(Visibility.PRIVATE, b"a secret of another run")
    exported(different, tmp_path / "full.tar", "--with-evidence")
    assert b"a secret of another run" not in (tmp_path / "full.tar").read_bytes()
