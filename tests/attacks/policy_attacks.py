"""Attacks on the policy itself: who counts, and how often."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from builders.core.errors import RecipeError
from pipelines.policy import PolicyError, open_policy
from pipelines.policy.signed_policy import accept
from tests.attacks.attack import Attack, Attacker, Reader, Stage
from tests.policy.world import (
    ALPHA,
    BETA,
    EVE,
    EXPIRES,
    GAMMA,
    NOW,
    Data,
    Key,
    draft,
    from_yaml,
    signed,
    signed_bytes,
)

OPERATOR, STORE = Attacker.OPERATOR, Attacker.STORE


def put_in_place(
    by: Attacker, ends: str, data: Callable[[], bytes], *, late: bool = False
) -> Attack:
    """Return an attack on a center that has accepted version 4: another policy is in its place."""

    def play(stage: Stage) -> set[str]:
        accept(stage.folder, signed())
        with pytest.raises(PolicyError) as caught:
            accept(stage.folder, open_policy(data(), now=EXPIRES if late else NOW))
        return {str(caught.value.fault)}

    return Attack(by=by, reader=Reader.POLICY, ends=ends, play=play)


def written(by: Attacker, ends: str, change: Callable[[Data], object]) -> Attack:
    """Return an attack by whoever drafts what operators sign; it ends in a field and its rule."""

    def play(_: Stage) -> set[str]:
        data = draft()
        change(data)
        with pytest.raises(RecipeError) as caught:
            from_yaml(data)
        said = caught.value.what.partition(": ")[2]
        return {said, said.partition(": ")[0]}

    return Attack(by=by, reader=Reader.POLICY, ends=ends, play=play)


def other_operators() -> bytes:
    keys = (EVE, BETA, GAMMA)
    theirs = [{"name": k.name, "legal": f"{k.name} Ltd", "key": k.pem} for k in keys]
    pairs = zip(draft()["centers"], keys, strict=True)
    centers = [{**center, "operator": key.name} for center, key in pairs]
    return signed_bytes(draft(version=5, operators=theirs, centers=centers), EVE, GAMMA)


def twin_of_a_center(data: Data) -> None:
    """Its first letter is the Cyrillic twin of that of `asia`."""
    data["centers"][2]["id"] = "\u0430sia"


def twin_of_a_body(data: Data) -> None:
    """With Cyrillic letters, it is the body of alpha."""
    data["operators"][1]["legal"] = "\u0410l\u0440h\u0430 Ltd"


def one_key_twice(data: Data) -> None:
    data["operators"][1]["key"] = ALPHA.pem


def own_witness(data: Data) -> None:
    """The only witness outside is the key that signs the statements of a center."""
    vkey = Key("asia statements").witness("outside.example")
    data["witnesses"] = f"witness outside {vkey}\nquorum outside\n"


def without_witnesses(data: Data) -> None:
    data["witnesses"] = "quorum none\n"


ATTACKS: dict[str, Attack] = {
    "old-policy-put-in-place": put_in_place(
        STORE, "rollback", lambda: signed_bytes(draft(version=3))
    ),
    "two-policies-of-one-version": put_in_place(
        OPERATOR,
        "not-the-same",
        lambda: signed_bytes(draft(reviewers=[], reviews={"minimum": 0, "kinds": {}})),
    ),
    "policy-after-its-end": put_in_place(STORE, "expired", signed_bytes, late=True),
    "policy-of-other-operators": put_in_place(OPERATOR, "unchained", other_operators),
    "policy-that-one-operator-signs": put_in_place(
        OPERATOR, "not-enough-signatures", lambda: signed_bytes(draft(version=5), ALPHA)
    ),
    "policy-without-centers": put_in_place(
        OPERATOR, "empty", lambda: signed_bytes(draft(version=5, centers=[]))
    ),
    "unicode-twin-of-a-center": written(OPERATOR, "centers.2.id", twin_of_a_center),
    "unicode-twin-of-a-legal-body": written(
        OPERATOR, "operators.1.legal: one legal body is two operators", twin_of_a_body
    ),
    "one-key-for-two-operators": written(
        OPERATOR, "operators.1.key: one key is used twice", one_key_twice
    ),
    "policy-without-witnesses": written(
        OPERATOR,
        "witnesses: several operators, and no witness is required: each could show two logs",
        without_witnesses,
    ),
    "witness-with-the-key-of-a-center": written(
        OPERATOR, "witnesses: one key is used twice", own_witness
    ),
}
