"""Attacks on a bundle, found out offline: by the lies of `tests/bundle`, each by its own check."""

from __future__ import annotations

from builders.core.digest import canonical_json
from pipelines.bundle.check import CheckStatus
from pipelines.bundle.layout import POLICY
from tests.attacks.attack import Attack, Attacker, Reader, Stage
from tests.bundle.lies import LIES as IN_STATEMENTS
from tests.bundle.loglies import LIES as IN_LOGS
from tests.policy.world import ALPHA, envelope

CENTER, NETWORK, STORE = Attacker.CENTER, Attacker.NETWORK, Attacker.STORE
LIES = IN_STATEMENTS | IN_LOGS


def told(by: Attacker, name: str) -> Attack:
    """Return the attack that is a lie in a bundle; it ends in the check that is wrong."""
    lie = LIES[name]

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
    "difference-left-out-of-a-bundle": told(CENTER, "difference-left-out-but-logged"),
    "difference-and-its-leaf-left-out": told(CENTER, "difference-and-its-leaf-left-out"),
    "statement-of-another-run-in-a-bundle": told(CENTER, "attempt-of-another-center"),
    "report-altered-in-a-bundle": told(STORE, "report-exchanged"),
    "commitment-after-the-statements": told(CENTER, "commitment-after-the-look"),
    "bundle-under-a-key-that-has-ended": told(CENTER, "statement-after-the-end-of-its-key"),
    "bundle-without-its-witnesses": told(CENTER, "one-witness-of-two"),
    "bundle-of-long-ago": told(NETWORK, "checkpoint-too-old"),
    "proof-of-another-tree": told(CENTER, "proof-forged"),
    "predicate-type-swapped": told(CENTER, "predicate-type-that-is-a-number"),
    "bundle-signed-by-another-center": told(CENTER, "signed-with-another-centers-key"),
    "two-policies-of-one-version-in-a-bundle": Attack(
        by=Attacker.OPERATOR, reader=Reader.BUNDLE, ends="given-policy", play=two_policies
    ),
}
