"""A new key: what the former one signed in its time counts, and what it signs later does not."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from builders.core.runid import new_run_id
from builders.rebuild.workspace import workspace
from pipelines.center.center import load_center
from pipelines.center.keys import center_key
from pipelines.evidence.privatekey import load_key
from pipelines.policy import read_policy, read_signed
from tests.bundle.test_export import RELEASE, Filled
from tests.command import Ended, samebits
from tests.signer.scene import RUN

SECOND, THIRD = "20260102T031005Z-0a1b2c3d", "20260102T032005Z-0a1b2c3d"


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    return Filled(tmp_path, "identical")


def rotate(filled: Filled, *words: str | Path) -> Ended:
    return samebits(
        "center", "rotate-key", *words, "--json", "--center", filled.file, home=filled.home
    )


def size(filled: Filled) -> int:
    tree = filled.book().log.recover()
    assert tree is not None
    return tree.size


def checked(filled: Filled, run: str, policy: Path | None = None) -> Ended:
    """Export a run as its center does, and check it as a customer does."""
    bundle = filled.home / f"{run}.tar"
    bundle.unlink(missing_ok=True)
    words = ("evidence", "export", str(RELEASE), "--run", run, "--out", bundle)
    done = samebits(*words, "--center", filled.file, home=filled.home)
    assert done.code == 0, done.err
    return samebits(
        "evidence", "check", bundle, "--policy", policy or filled.policy, home=filled.home
    )


def test_the_own_policy_is_changed_and_signed_at_once(filled: Filled) -> None:
    former, end = filled.public_key.read_bytes(), size(filled)
    ended = rotate(filled, "statements")
    assert ended.code == 0, ended.err
    told = ended.document()
    assert told["policy"]["in_force"]
    center = load_center(filled.file)
    assert center_key(center).public.keyid == told["key"] != told["former"]
    kept = load_key(center.key_folder, f"statements.{told['former'][:16]}")
    assert kept.public.to_pem() == former
    assert {stat.S_IMODE(p.stat().st_mode) for p in center.key_folder.glob("*.key")} == {0o600}
    (known,) = read_policy(filled.home / "policy/policy.yaml").centers
    assert [(k.key.keyid, k.start, k.end) for k in known.keys] == [
        (told["former"], 0, end),
        (told["key"], end, None),
    ]


def test_what_each_key_signs_in_its_time_counts_and_nothing_else(filled: Filled) -> None:
    former = center_key(filled.center)
    assert rotate(filled, "statements").code == 0
    filled.add_run(center_key(filled.center), SECOND)
    filled.add_run(former, THIRD)
    for run in (RUN, SECOND):
        ended = checked(filled, run)
        assert ended.code == 0, ended.out
    late = checked(filled, THIRD)
    assert late.code == 1
    assert "and the key ended at size" in late.out
    words = ("check", filled.stage.folder / "outputs/rules.bin", "--json", "--center", filled.file)
    runs = {one["run"]: one for one in samebits(*words, home=filled.home).document()["runs"]}
    assert runs[SECOND]["verdict"] == "IDENTICAL"


def test_a_lost_key_ends_earlier(filled: Filled) -> None:
    assert rotate(filled, "statements", "--until", "1").code == 0
    ended = checked(filled, RUN)
    assert ended.code == 1
    assert "the key ended at size 1" in ended.out


def test_a_policy_of_several_operators_is_proposed(filled: Filled, tmp_path: Path) -> None:
    elsewhere = tmp_path / "joint.json"
    elsewhere.write_bytes(filled.policy.read_bytes())
    filled.file.write_text(filled.file.read_text().replace(str(filled.policy), str(elsewhere)))
    told = rotate(filled, "statements").document()
    assert not told["policy"]["in_force"]
    assert read_signed(elsewhere.read_bytes()).policy.version == 1
    filled.add_run(center_key(filled.center), SECOND)
    assert rotate(filled, "statements").document()["key"] == told["key"], "one new key, not two"
    proposed = Path(told["policy"]["file"])
    assert rotate(filled, "statements", "--out", tmp_path / "again.yaml").code == 0
    assert read_policy(tmp_path / "again.yaml") == read_policy(proposed)
    words = ("policy", "sign", proposed, "--operator", "zurich", "--out", tmp_path / "new.json")
    key = filled.center.key_folder / "operator.key"
    assert samebits(*words, "--key", key, home=filled.home).code == 0
    step = ("policy", "check", tmp_path / "new.json", "--trusted", elsewhere)
    assert samebits(*step, home=filled.home).code == 0
    before = checked(filled, SECOND, elsewhere)
    assert before.code == 1, "nothing that the new key signs counts before"
    elsewhere.write_bytes((tmp_path / "new.json").read_bytes())
    for run in (RUN, SECOND):
        assert checked(filled, run, elsewhere).code == 0, "and then all of it does"


def test_nothing_is_rotated_while_a_run_lives(filled: Filled) -> None:
    before = filled.public_key.read_bytes()
    with workspace(filled.center.runs, new_run_id()):
        ended = rotate(filled, "statements")
    assert ended.code == 64
    assert "is at work" in ended.err
    with filled.book().storing(filled.prefix):
        assert "wait for the log" in rotate(filled, "statements").err
    assert filled.public_key.read_bytes() == before


def test_a_former_key_that_was_brought_back_is_refused(filled: Filled) -> None:
    told = rotate(filled, "statements").document()
    folder = filled.center.key_folder
    for suffix in ("key", "pub", "json"):
        (folder / f"statements.{suffix}").unlink()
    kept = folder / f"statements.{told['former'][:16]}.key"
    kept.rename(folder / "statements.key")
    ended = rotate(filled, "statements")
    assert ended.code == 64
    assert "signs with a former key" in ended.err


def test_the_key_of_the_log_is_not_rotated(filled: Filled) -> None:
    ended = rotate(filled, "log")
    assert ended.code == 64
    assert "samebits center new-log" in ended.err
    ended.assert_clear()


@pytest.mark.parametrize("crash", ["before", "after"])
def test_an_interrupted_rotation_is_finished_by_the_next(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    """The old key or the new one is there at any time, and both signed nothing meanwhile."""
    from pipelines.center import rotation

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    target = Path if crash == "before" else rotation
    monkeypatch.setattr(target, "replace" if crash == "before" else "load_key", die)
    with pytest.raises(KeyboardInterrupt):
        rotation._switch(filled.center.key_folder, "statements", center_key(filled.center).public)
    monkeypatch.undo()
    told = rotate(filled, "statements").document()
    filled.add_run(center_key(filled.center), SECOND)
    assert center_key(filled.center).public.keyid == told["key"]
    for run in (RUN, SECOND):
        assert checked(filled, run).code == 0
