"""Whose statement counts, at which log size, and what it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders.core.enums import Kind
from infra.bench.madeup import EMPTY_POLICY
from pipelines.policy import ConsensusRules, Policy, PolicyError, open_policy
from pipelines.policy.errors import Fault
from tests.policy.world import NOW, Data, Key, draft, policy_of, signed_bytes

OLD, NEW = Key("europe statements"), Key("europe second")


def rotated() -> Policy:
    """Return a policy in which europe's key changes at log size 100, and ends at 200."""
    data = draft()
    data["centers"][0]["keys"] = [
        {"key": OLD.pem, "from": 10, "until": 100},
        {"key": NEW.pem, "from": 100, "until": 200},
    ]
    return policy_of(data)


@pytest.mark.parametrize(
    ("key", "index", "fault"),
    [
        (OLD, 0, Fault.KEY_NOT_YET),
        (OLD, 9, Fault.KEY_NOT_YET),
        (OLD, 10, None),
        (OLD, 99, None),
        (OLD, 100, Fault.KEY_ENDED),
        (OLD, 1 << 60, Fault.KEY_ENDED),
        (NEW, 99, Fault.KEY_NOT_YET),
        (NEW, 100, None),
        (NEW, 199, None),
        (NEW, 200, Fault.KEY_ENDED),
        (Key("asia statements"), 0, None),
        (Key("asia statements"), 1 << 60, None),
        (Key("nobody"), 50, Fault.UNKNOWN_KEY),
        (Key("alpha"), 50, Fault.UNKNOWN_KEY),
        (Key("ada reviewer"), 50, Fault.UNKNOWN_KEY),
        (Key("europe log"), 50, Fault.UNKNOWN_KEY),
    ],
)
def test_a_key_counts_for_its_part_of_the_log(key: Key, index: int, fault: Fault | None) -> None:
    policy = rotated()
    if fault is None:
        assert policy.center_of_key(key.public.keyid, index).id in {"europe", "asia"}
        return
    with pytest.raises(PolicyError) as caught:
        policy.center_of_key(key.public.keyid, index)
    assert caught.value.fault is fault
    assert caught.value.exit_code == 1
    assert key.public.keyid[:16] in str(caught.value)


def test_the_message_says_the_log_size_and_each_fault_has_its_own() -> None:
    policy = rotated()
    told = []
    for key, index in ((OLD, 100), (OLD, 0), (Key("nobody"), 0)):
        with pytest.raises(PolicyError) as caught:
            policy.center_of_key(key.public.keyid, index)
        told.append(caught.value.what)
        if key is OLD:
            assert "log size 1" in str(caught.value.expected)
            assert f"index {index}" in str(caught.value.got)
    assert len(set(told)) == 3


def test_a_center_is_found_by_its_id() -> None:
    assert policy_of().center("asia").region == "apac"
    with pytest.raises(PolicyError, match="no such center") as caught:
        policy_of().center("mars")
    assert caught.value.fault is Fault.UNKNOWN_CENTER


def test_the_empty_policy_trusts_nobody_and_says_so() -> None:
    for ask in (EMPTY_POLICY.center, lambda name: EMPTY_POLICY.center_of_key(name, 0)):
        with pytest.raises(PolicyError, match="the policy is empty") as caught:
            ask("europe")
        assert caught.value.fault is Fault.EMPTY


def test_an_operator_is_found_by_name() -> None:
    assert policy_of().operator("beta").legal == "Beta Ltd"
    with pytest.raises(PolicyError) as caught:
        policy_of().operator("eve")
    assert caught.value.to_dict()["fault"] == "not-an-operator"


def test_a_kind_has_rules_of_its_own_and_else_those_of_all() -> None:
    policy = policy_of()
    assert policy.rules(Kind.RULESET) == ConsensusRules(k=3, regions=2, normalizers=frozenset())
    assert policy.rules(Kind.BINARY).k == policy.rules(Kind.UPDATE).k == 2
    assert policy.rules(Kind.BINARY).normalizers == {"mtimes", "order"}
    assert policy.rules(None) == policy.rules(Kind.RULESET), "of an unknown kind, the strictest"


def test_what_a_kind_does_not_say_is_as_for_every_kind() -> None:
    rules: Data = {"k": 2, "regions": 3, "normalizers": ["a"], "kinds": {"update": {"k": 3}}}
    policy = policy_of(draft(consensus=rules))
    assert policy.rules(Kind.UPDATE) == ConsensusRules(k=3, regions=3, normalizers=frozenset("a"))


def test_a_rule_without_a_value_is_left_out() -> None:
    rules: Data = {"k": None, "regions": 2, "kinds": {"update": {"regions": None}}}
    policy = policy_of(draft(consensus=rules))
    assert policy.rules(Kind.BINARY) == policy.rules(Kind.UPDATE) == ConsensusRules(k=2, regions=2)


@pytest.mark.parametrize(("operators", "k"), [(1, 1), (2, 2), (3, 2)])
def test_two_operators_have_to_agree_where_there_are_two(operators: int, k: int) -> None:
    data = draft(centers=draft()["centers"][:operators], consensus={}, threshold=1)
    assert policy_of(data).rules(Kind.BINARY) == ConsensusRules(k=k)


def test_the_stricter_of_each_rule_holds() -> None:
    rules = ConsensusRules(k=2, regions=2, max_dissent=1, normalizers=frozenset("ab"))
    assert rules.tightened(rules) == rules
    loose = ConsensusRules(k=1, regions=1, max_dissent=5, normalizers=frozenset("abc"))
    assert rules.tightened(loose) == loose.tightened(rules) == rules
    strict = ConsensusRules(k=3, regions=4, max_dissent=0, normalizers=frozenset("bc"))
    tight = ConsensusRules(k=3, regions=4, max_dissent=0, normalizers=frozenset("b"))
    assert rules.tightened(strict) == strict.tightened(rules) == tight
    for required in (
        replace(rules, work_proof="required"),
        replace(rules, user_namespace="required"),
    ):
        assert rules.tightened(required) == required.tightened(rules) == required


def test_a_proof_of_work_is_required_kind_by_kind() -> None:
    rules: Data = {
        "k": 2,
        "work_proof": "required",
        "kinds": {"ruleset": {"work_proof": "optional"}},
    }
    policy = policy_of(draft(consensus=rules))
    assert policy.rules(Kind.BINARY).work_proof == "required"
    assert policy.rules(Kind.RULESET).work_proof == "optional"
    assert policy.rules(None).work_proof == "required"
    assert open_policy(signed_bytes(policy.to_dict()), now=NOW).policy == policy


def test_a_policy_of_before_there_were_proofs_is_read_and_written_as_it_was() -> None:
    assert not {"work_proof", "user_namespace"} & policy_of().to_dict()["consensus"].keys()
    assert policy_of().rules(Kind.BINARY).work_proof is None


def test_a_center_is_no_witness_of_its_own_log() -> None:
    policy = policy_of()
    assert set(policy.witness_keys("europe").values()) == {"asia", "americas"}
    assert set(policy.witness_keys("asia").values()) == {"americas"}
    assert set(policy.witness_keys("nobody").values()) == {"asia", "americas"}
