"""Policies of centers that stood alone, joined into one that all their operators sign."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from builders.core.enums import Kind
from builders.core.errors import RecipeError, SamebitsError, UsageError
from builders.core.yamlfile import parse_document
from pipelines.center.center import Center
from pipelines.center.keys import make_local_policy
from pipelines.cli.policy import command
from pipelines.evidence.privatekey import create_key, load_key
from pipelines.policy import ConsensusRules, Policy, Reviewer, open_policy
from pipelines.policy.joint import JoinOptions, join_policies, to_yaml
from pipelines.policy.model import CenterKey, PolicyRules
from pipelines.policy.quorum import Quorum
from pipelines.policy.validation import policy_from
from tests.policy.world import ALPHA, EXPIRES, NOW, ORIGIN, Key, center, policy_of

OPERATORS = {"europe": "alpha", "asia": "beta", "americas": "gamma"}


def alone(name: str, **fields: Any) -> Policy:
    """Return the policy that a center makes for itself."""
    operator = OPERATORS[name]
    return policy_of(
        {
            "schema": "samebits/policy/v1",
            "version": 1,
            "expires": "2027-03-01T12:00:00Z",
            "operators": [{"name": operator, "legal": operator, "key": Key(operator).pem}],
            "threshold": 1,
            "centers": [center(name, operator, name)],
            **fields,
        }
    )


def joined(*names: str, **options: int) -> Policy:
    return join_policies([alone(name) for name in names or OPERATORS], JoinOptions(**options))


def test_the_shortest_time_that_a_run_may_be_open_counts() -> None:
    assert joined().max_open is None
    long, longer = alone("europe", max_open="36h"), alone("asia", max_open="48h")
    assert join_policies([long, longer], JoinOptions()).max_open == 36 * 3600
    assert join_policies([long, longer, alone("americas")], JoinOptions()).max_open == 24 * 3600


def test_three_centers_confirm_by_two_and_watch_each_other() -> None:
    joint = joined()
    assert [o.name for o in joint.operators] == ["alpha", "beta", "gamma"]
    assert [c.id for c in joint.centers] == ["europe", "asia", "americas"]
    assert (joint.version, joint.expires, joint.threshold) == (2, EXPIRES, 2)
    assert joint.consensus == PolicyRules(k=2, regions=2)
    assert [w.name for w in joint.quorum.witnesses] == ["europe", "asia", "americas"]
    assert joint.quorum.satisfied_by({"asia"})
    assert not joint.quorum.satisfied_by(set())


def test_the_operators_say_how_many_it_takes() -> None:
    joint = joined(version=7, threshold=3, k=3, regions=1)
    assert (joint.version, joint.threshold) == (7, 3)
    assert joint.consensus == PolicyRules(k=3, regions=1)


def test_it_reads_again_from_the_file_as_it_was_joined() -> None:
    odd = replace(alone("asia").operators[0], legal="Übersee 東京 \"Ltd\": 'x' # y 🗝")
    joint = join_policies(
        [alone("europe"), replace(alone("asia"), operators=(odd,))], JoinOptions()
    )
    text = to_yaml(joint)
    assert policy_from(parse_document(text, file="joint.yaml"), None) == joint
    assert "key: |\n" in text
    assert "region: europe\n" in text


def test_a_policy_that_would_read_otherwise_is_not_written() -> None:
    finer = replace(joined(), expires=EXPIRES + timedelta(microseconds=1))
    with pytest.raises(AssertionError, match="reads otherwise"):
        to_yaml(finer)


@pytest.mark.parametrize("field", ["version", "threshold", "k", "regions"])
def test_what_nobody_could_reach_is_refused(field: str) -> None:
    if field == "version":
        with pytest.raises(RecipeError, match="version"):
            joined(version=1 << 60)
        return
    with pytest.raises(RecipeError, match="than there are"):
        joined(**{field: 4})


def test_the_stricter_of_two_numbers_holds() -> None:
    strict = alone(
        "asia",
        reviewers=[{"name": "ada", "key": Key("ada").pem}],
        reviews={"minimum": 1, "kinds": {"ruleset": 0}},
        consensus={"normalizers": ["mtimes"], "kinds": {"ruleset": {"normalizers": []}}},
    )
    europe = alone(
        "europe",
        expires="2026-06-01T00:00:00Z",
        version=5,
        reviewers=[{"name": "ada", "key": Key("ada").pem}, {"name": "b", "key": Key("b").pem}],
        revoked=[Key("b").public.keyid],
        consensus={"normalizers": ["mtimes", "order"]},
    )
    joint = join_policies([europe, strict], JoinOptions())
    assert (joint.reviews.minimum, joint.demand(Kind.RULESET), joint.version) == (1, 0, 6)
    assert joint.expires == EXPIRES.replace(year=2026, month=6, day=1, hour=0)
    assert joint.consensus.normalizers == {"mtimes"}
    assert joint.rules(Kind.RULESET) == ConsensusRules(k=2, regions=2)
    assert [r.name for r in joint.reviewers] == ["ada", "b"]
    assert set(joint.reviewer_keys()) == {"ada"}


def test_a_kind_needs_as_many_reviewers_as_the_strictest_policy_asks_for() -> None:
    people = [{"name": name, "key": Key(name).pem} for name in ("ada", "bob")]
    lax = alone("europe", reviewers=people, reviews={"minimum": 0, "kinds": {"ruleset": 1}})
    strict = alone("asia", reviewers=people, reviews={"minimum": 1, "kinds": {"ruleset": 2}})
    for order in ((lax, strict), (strict, lax)):
        joint = join_policies(order, JoinOptions())
        assert (joint.demand(Kind.RULESET), joint.demand(Kind.BINARY)) == (2, 1)


def test_a_wish_loosens_nothing() -> None:
    both = [joined("europe", "asia", k=2), alone("americas")]
    joint = join_policies([both[1], replace(both[0], quorum=Quorum())], JoinOptions(k=1))
    assert joint.consensus.k == 2


def test_two_centers_of_one_operator_have_one_entry() -> None:
    second = replace(alone("asia").centers[0], operator="alpha")
    policy = replace(alone("europe"), centers=(second,))
    joint = join_policies([alone("europe"), policy], JoinOptions())
    assert [o.name for o in joint.operators] == ["alpha"]
    assert (joint.threshold, joint.consensus.k) == (1, 1)


def test_witnesses_from_outside_count_too() -> None:
    line = f"witness third {Key('third').witness('third.example/w')}"
    asia = alone("asia", witnesses=f"{line}\nquorum third\n")
    joint = join_policies([alone("europe"), asia], JoinOptions())
    assert [w.name for w in joint.quorum.witnesses] == ["europe", "asia", "third"]
    assert joint.quorum.satisfied_by({"third"})


def test_a_center_without_a_witness_and_one_that_is_named_already() -> None:
    europe = alone("europe")
    bare = replace(europe, centers=(replace(europe.centers[0], witness=None),))
    own = Key("asia witness").witness(f"{ORIGIN}asia/witness")
    third = Key("third").witness("third.example/w")
    asia = alone("asia", witnesses=f"witness again {own}\nwitness w {third}\nquorum w\n")
    joint = join_policies([bare, asia], JoinOptions())
    assert [w.name for w in joint.quorum.witnesses] == ["asia", "w"]
    assert set(joint.witness_keys("europe").values()) == {"asia", "w"}
    assert set(joint.witness_keys("asia").values()) == {"w"}


def test_one_witness_alone_proves_nothing_about_its_own_log() -> None:
    europe = alone("europe")
    bare = replace(europe, centers=(replace(europe.centers[0], witness=None),))
    with pytest.raises(RecipeError, match="no witness is required"):
        join_policies([bare, alone("asia")], JoinOptions())


def test_two_witnesses_are_a_group() -> None:
    joint = joined("europe", "asia")
    assert [len(group.members) for group in joint.quorum.groups] == [2]


def test_groups_of_witnesses_are_not_guessed_at() -> None:
    line = f"witness third {Key('third').witness('third.example/w')}"
    asia = alone("asia", witnesses=f"{line}\ngroup g 1 third\nquorum g\n")
    with pytest.raises(UsageError, match="groups of witnesses"):
        join_policies([alone("europe"), asia], JoinOptions())


def clash(defect: str) -> Policy:
    """Return Asia's policy with one thing in it that is Europe's."""
    asia, europe = alone("asia"), alone("europe")
    theirs, ours = asia.centers[0], europe.centers[0]
    reviewer = Reviewer(name="ada", key=ALPHA.public)
    return {
        "the operator's key": replace(
            asia, operators=(replace(asia.operators[0], key=europe.operators[0].key),)
        ),
        "the operator's name": replace(
            asia,
            operators=(replace(asia.operators[0], name="alpha"),),
            centers=(replace(theirs, operator="alpha"),),
        ),
        "the center's id": replace(asia, centers=(replace(theirs, id="europe"),)),
        "the builder": replace(asia, centers=(replace(theirs, builder=ours.builder),)),
        "the key for statements": replace(asia, centers=(replace(theirs, keys=ours.keys),)),
        "the log": replace(asia, centers=(replace(theirs, log=ours.log),)),
        "the key of the log": replace(
            asia,
            centers=(
                replace(
                    theirs,
                    log=replace(theirs.log, key=Key("europe log").note_key(theirs.log.origin)),
                ),
            ),
        ),
        "the witness": replace(asia, centers=(replace(theirs, witness=ours.witness),)),
        "a center's key as an operator's": replace(
            asia, centers=(replace(theirs, keys=(CenterKey(key=ALPHA.public),)),)
        ),
        "an operator's key as a reviewer's": replace(asia, reviewers=(reviewer,)),
    }[defect]


@pytest.mark.parametrize(
    "defect",
    [
        "the operator's key",
        "the operator's name",
        "the center's id",
        "the builder",
        "the key for statements",
        "the log",
        "the key of the log",
        "the witness",
        "a center's key as an operator's",
        "an operator's key as a reviewer's",
    ],
)
def test_what_two_have_is_refused(defect: str) -> None:
    with pytest.raises(RecipeError, match=r"twice|taken") as caught:
        join_policies([alone("europe"), clash(defect)], JoinOptions())
    assert caught.value.file == "the joint policy"


def test_one_policy_is_nothing_to_join() -> None:
    with pytest.raises(UsageError, match="nothing to join"):
        join_policies([alone("europe")], JoinOptions())
    with pytest.raises(UsageError, match="nothing to join"):
        join_policies([], JoinOptions())


def test_one_policy_twice_is_one_center() -> None:
    joint = joined("europe", "europe")
    assert len(joint.centers) == 1
    assert joint.quorum.name == "none"


def made(folder: Path, name: str) -> Center:
    """Return a center with keys and a policy, as `center init` leaves it."""
    home = folder / name
    found = Center(id=name, home=home, store=home / "store", operator=f"{name}-trust", region=name)
    for use in ("statements", "log", "witness"):
        create_key(found.key_folder, use)
    make_local_policy(found)
    return found


def run(*words: str | Path) -> str:
    done = CliRunner().invoke(command, [str(word) for word in words])
    if isinstance(done.exception, SamebitsError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_centers_join_and_all_their_operators_sign(tmp_path: Path) -> None:
    centers = [made(tmp_path, name) for name in OPERATORS]
    sources = [c.home / "policy" / "policy.yaml" for c in centers]
    joint, signed = tmp_path / "joint.yaml", tmp_path / "policy.dsse.json"
    told = run("join", *sources, "--out", joint, "--k", "3")
    assert "europe-trust, asia-trust, americas-trust (2 must sign it)" in told
    assert "by 3 operators in 3 regions" in told
    moved = tmp_path / "elsewhere" / "joint.yaml"
    moved.parent.mkdir()
    joint.rename(moved)  # no key is beside it any more
    for one in centers:
        key = one.key_folder / "operator.key"
        run("sign", moved, "--key", key, "--operator", f"{one.id}-trust", "--out", signed)
    found = open_policy(signed.read_bytes(), now=NOW.now(NOW.tzinfo))
    keys = {load_key(c.key_folder, "statements").public.keyid for c in centers}
    assert {k.key.keyid for c in found.policy.centers for k in c.keys} == keys


def test_a_joint_policy_follows_that_of_each_center(tmp_path: Path) -> None:
    from pipelines.policy import load_policy

    centers = [made(tmp_path, name) for name in OPERATORS]
    now = NOW.now(NOW.tzinfo)
    for one in centers:
        own = one.home / "policy" / "policy.dsse.json"
        assert load_policy(own, home=one.home, now=now).version == 1
    joint, signed = tmp_path / "joint.yaml", tmp_path / "policy.dsse.json"
    run("join", *(c.home / "policy" / "policy.yaml" for c in centers), "--out", joint)
    for one in centers:
        key = one.key_folder / "operator.key"
        run("sign", joint, "--key", key, "--operator", f"{one.id}-trust", "--out", signed)
    for one in centers:
        found = load_policy(signed, home=one.home, now=now + timedelta(days=1))
        assert (found.version, len(found.centers)) == (2, 3)


def test_a_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    centers = [made(tmp_path, name) for name in ("europe", "asia")]
    sources = [c.home / "policy" / "policy.yaml" for c in centers]
    with pytest.raises(UsageError, match="exists"):
        run("join", *sources, "--out", sources[0])
    told = run("join", *sources, "--out", tmp_path / "joint.yaml", "--json")
    assert '"operators": [' in told
