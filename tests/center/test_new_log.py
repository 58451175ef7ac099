"""A center whose log cannot go on: another one goes on under a new origin."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.center.center import Center, load_center
from pipelines.center.keys import center_key, log_key
from pipelines.evidence.privatekey import load_key
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.log_reader import LogReader
from pipelines.policy import PolicyError, expiry_warnings, load_policy, read_policy
from pipelines.storage.opening import open_store
from tests.center.test_restore import Restored
from tests.command import Ended, samebits

NOW = datetime.now(UTC)


@pytest.fixture
def center(tmp_path: Path) -> Restored:
    return Restored(tmp_path)


def begin(center: Restored, *words: str | Path) -> Ended:
    return samebits(
        "center", "new-log", *words, "--json", "--center", center.file, home=center.folder / "user"
    )


def gone(center: Restored) -> None:
    """Log four runs, of which a peer has seen all and the center keeps two."""
    center.commit(1, 2)
    restore = center.back_up("store", "home")
    center.commit(3, 4)
    center.witness()
    restore()


def runs(made: Center) -> list[str]:
    log = LogReader(open_store(made.store), LogIdentity.of(log_key(made)))
    return [leaf.identity[-1] for _, leaf in log.leaves()]


def test_it_goes_on_under_a_new_origin(center: Restored) -> None:
    gone(center)
    center.refused("is shorter than what was cosigned; .*`samebits center new-log`")
    told = begin(center).document()
    assert told["center"] == "zurich-2"
    assert told["former"] == {"center": "zurich", "size": 4, "cosigned": 4, "stored": 2}
    assert told["policy"]["in_force"]
    made = load_center(Path(told["file"]))
    assert made.origin == told["origin"] == "samebits.example/centers/zurich-2"
    center.commit_of(made, 5)
    assert runs(made) == ["5"]
    assert center.runs() == ["1", "2"], "the former log is as it was"
    words = ("log", "check", "--center", told["file"])
    assert samebits(*words, home=center.folder / "user").code == 0


def test_what_was_logged_before_the_end_counts_and_nothing_after(center: Restored) -> None:
    gone(center)
    told = begin(center).document()
    made = load_center(Path(told["file"]))
    policy = load_policy(made.policy, home=made.home, now=NOW)
    former, new = center_key(center.center).public, center_key(made).public
    assert policy.center_of_key(former.keyid, 3).id == "zurich"
    with pytest.raises(PolicyError, match="before log size 4"):
        policy.center_of_key(former.keyid, 4)
    assert policy.center_of_key(new.keyid, 0).id == "zurich-2"
    assert not expiry_warnings(policy, NOW), "a center that was given up is no alarm"


def test_the_operator_goes_on_with_the_same_key(center: Restored) -> None:
    gone(center)
    made = load_center(Path(begin(center).document()["file"]))
    keys = [load_key(one.key_folder, "operator").public for one in (center.center, made)]
    assert keys[0] == keys[1]
    words = ("center", "rotate-key", "statements", "--json", "--center", made.file or "")
    assert samebits(*words, home=center.folder / "user").document()["policy"]["in_force"]


def test_a_joint_policy_is_proposed(center: Restored) -> None:
    joint = center.folder / "joint.json"
    joint.write_bytes(center.center.policy.read_bytes())
    center.file.write_text(center.file.read_text() + f"policy: {joint}\n")
    center.commit(1)
    told = begin(center, "--until", "1", "--id", "zurich-b").document()
    assert told["former"] == {"center": "zurich", "size": 1, "cosigned": None, "stored": 1}
    assert not told["policy"]["in_force"]
    made = load_center(Path(told["file"]))
    assert made.policy == joint
    proposed = read_policy(Path(told["policy"]["file"]))
    assert [one.id for one in proposed.centers] == ["zurich", "zurich-b"]


def test_nothing_of_the_old_center_is_used_again(center: Restored) -> None:
    center.commit(1)
    assert begin(center, "--store", center.folder / "store").code == 64
    assert not (center.folder / "zurich-2.yaml").exists()
    assert not (center.folder / "home-zurich-2").exists()
    (center.folder / "home-zurich-2").mkdir()
    ended = begin(center)
    assert ended.code == 64
    assert "a home that is new" in ended.err
    elsewhere = begin(center, "--out", center.folder / "basel" / "zurich-2.yaml")
    assert elsewhere.code == 64
    elsewhere.assert_clear()
    assert "implicit" not in samebits("center", "new-log", home=center.folder / "user").err
