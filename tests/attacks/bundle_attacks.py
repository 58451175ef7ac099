"""Attacks on a bundle, found out offline: by the lies of `tests/bundle`, each by its own check."""

from __future__ import annotations

from builders.core.digest import canonical_json
from pipelines.bundle.check import CheckStatus
from pipelines.bundle.layout import POLICY
from pipelines.evidence.statements.comparison import ComparisonStatement
from tests.attacks.attack import Attack, Attacker, Reader, Stage
from tests.bundle.lies import LIES as IN_STATEMENTS
from tests.bundle.loglies import LIES as IN_LOGS
from tests.bundle.tells import ATTEMPT, Lie, in_one
from tests.policy.world import ALPHA, envelope

CENTER, NETWORK, STORE = Attacker.CENTER, Attacker.NETWORK, Attacker.STORE
LIES = IN_STATEMENTS | IN_LOGS
SWAPPED = Lie("schema", in_one(ATTEMPT, "predicateType", ComparisonStatement.PREDICATE_TYPE))
"""The attempt says that it is a comparison."""


def told(by: Attacker, lie: Lie) -> Attack:
    """Return the attack that is a lie in a bundle; it ends in the check that is wrong."""

    def play(stage: Stage) -> set[str]:
        altered = stage.bundle(lie.scene)
        lie.tell(altered, stage.other)
        last = altered.check(policy=lie.policy).steps[-1]
        assert last.status is CheckStatus.WRONG
        assert lie.says in last.message
        return {last.name}

    return Attack(by=by, reader=Reader.BUNDLE, ends=lie.check, play=play)


def two_policies(stage: Stage) -> set[str]:
    """The operators have signed two policies of one version; the bundle has the other one."""
    altered = stage.bundle("identical")
    other = {**altered.policy, "expires": "2028-01-01T00:00:00Z"}
    altered.members[POLICY] = envelope(canonical_json(other), ALPHA)
    last = altered.check().steps[-1]
    assert last.status is CheckStatus.WRONG
    assert "have signed another one" in last.message
    return {last.name}


ATTACKS: dict[str, Attack] = {
    "difference-left-out-of-a-bundle": told(CENTER, LIES["difference-left-out-but-logged"]),
    "difference-and-its-leaf-left-out": told(CENTER, LIES["difference-and-its-leaf-left-out"]),
    "statement-of-another-run-in-a-bundle": told(CENTER, LIES["attempt-of-another-center"]),
    "report-altered-in-a-bundle": told(STORE, LIES["report-exchanged"]),
    "commitment-after-the-statements": told(CENTER, LIES["commitment-after-the-look"]),
    "bundle-under-a-key-that-has-ended": told(CENTER, LIES["statement-after-the-end-of-its-key"]),
    "bundle-without-its-witnesses": told(CENTER, LIES["one-witness-of-two"]),
    "bundle-of-long-ago": told(NETWORK, LIES["checkpoint-too-old"]),
    "proof-of-another-tree": told(CENTER, LIES["proof-forged"]),
    "predicate-type-swapped": told(CENTER, SWAPPED),
    "bundle-signed-by-another-center": told(CENTER, LIES["signed-with-another-centers-key"]),
    "two-policies-of-one-version-in-a-bundle": Attack(
        by=Attacker.OPERATOR, reader=Reader.BUNDLE, ends="given-policy", play=two_policies
    ),
}
