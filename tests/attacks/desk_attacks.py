"""Attacks on the processes of a center: its signer, its desk for requests, its recipes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from builders.core.digest import canonical_json
from builders.core.errors import RecipeError
from builders.core.yamlfile import parse_document
from builders.recipe.recipe import parse_recipe
from pipelines.evidence.errors import RefusedError
from pipelines.signer.orders import Evidence, StatusOrder
from tests.alarms.alarming import acknowledge, law, listed, put, states
from tests.alarms.alarming import signed as signed_alarm
from tests.attacks.attack import Attack, Attacker, Reader, Stage
from tests.audit.test_acknowledgements import FORK
from tests.consensus.two_centers import TEXT
from tests.consensus.world import World
from tests.evidence.examples import STATEMENTS
from tests.policy.reviews.people import ADA, EVE
from tests.requests.office import ELSEWHERE, Center
from tests.signer.conftest import SCENES
from tests.signer.lies import LIES
from tests.signer.scene import NOW, Scene
from tests.signer.test_orders import beat, made_now

CENTER, REQUESTER, VENDOR = Attacker.CENTER, Attacker.REQUESTER, Attacker.VENDOR
Asked = Callable[[], StatusOrder]


def false_evidence(name: str) -> Attack:
    """Return the attack of a captured process that wants a lie of `tests/signer` signed."""
    lie = LIES[name]

    def play(stage: Stage) -> set[str]:
        scene = Scene(folder=stage.folder, **SCENES[lie.scene])
        document = scene.make().to_dict()
        lie.tell(document, scene)
        with pytest.raises(RefusedError) as caught:
            scene.signer(stage.key).sign(Evidence.from_bytes(canonical_json(document)))
        return {caught.value.check}

    return Attack(by=CENTER, reader=Reader.SIGNER, ends=lie.check, play=play)


def false_status(ends: str, order: Asked) -> Attack:
    """Return the attack of a captured process that wants a statement signed as it is."""

    def play(stage: Stage) -> set[str]:
        scene = Scene(folder=stage.folder, **SCENES["identical"])
        with pytest.raises(RefusedError) as caught:
            scene.signer(stage.key).sign_status(order())
        return {caught.value.check}

    return Attack(by=CENTER, reader=Reader.SIGNER, ends=ends, play=play)


def asked(ends: str, *requests: dict[str, Any], **center: Any) -> Attack:
    """Return an attack by requests: the last of them is refused, or is not answered at all."""

    def play(stage: Stage) -> set[str]:
        desk = Center(folder=stage.folder, **center)
        for told in requests[:-1]:
            desk.ask(**told)
            assert not desk.look().refused
        desk.ask(**requests[-1])
        seen = desk.look()
        assert len(seen.open) == len(requests) - 1
        return {str(r.receipt.reason) for r in seen.refused if r.receipt} | {
            str(reason) for reason in seen.unanswered
        }

    return Attack(by=REQUESTER, reader=Reader.REQUEST, ends=ends, play=play)


def recipe(ends: str, old: str, new: str) -> Attack:
    """Return an attack by a recipe: it is refused, in the field that is named."""

    def play(stage: Stage) -> set[str]:
        text = TEXT.replace(old, new)
        assert text != TEXT
        with pytest.raises(RecipeError) as caught:
            parse_recipe(parse_document(text, file="1.0.yaml"), stage.folder / "1.0.yaml")
        return {f"{caught.value.field}"}

    return Attack(by=VENDOR, reader=Reader.RECIPE, ends=ends, play=play)


def acknowledged(by: Attacker, ends: str, silence: Callable[[World], object]) -> Attack:
    """Return an attack on the alarm that the log of Bob's center is forked: it stays open."""

    def play(_: Stage) -> set[str]:
        world = World()
        silence(world)
        assert states(world, [FORK]) == ["open"]
        ((row,), excluded) = listed(world, [FORK])
        return {*row.objections, *(str(one.reason) for one in excluded)}

    return Attack(by=by, reader=Reader.ALARMS, ends=ends, play=play)


def by_its_own_operator(world: World) -> None:
    acknowledge(world, FORK, "bob-1")


def with_the_key_of_a_center(world: World) -> None:
    """Whoever has captured Ada's center has not the key of its operator."""
    put(world, "ada-1", signed_alarm(FORK, "ada-1", world["ada-1"].key))


def of_another_center(world: World) -> None:
    """What Cyd has acknowledged stands in the store of Bob."""
    put(world, "bob-1", signed_alarm(FORK, "cyd-1", world["cyd-1"].key, law("cyd")))


AGO = timedelta(days=2)
ATTACKS: dict[str, Attack] = {
    "verdict-that-the-bytes-do-not-bear-out": false_evidence("identical-over-different"),
    "output-hidden-from-the-seal": false_evidence("output-hidden"),
    "source-that-was-not-built": false_evidence("other-source-digest"),
    "file-that-was-never-served": false_evidence("served-file-invented"),
    "recipe-that-hides-a-file": false_evidence("hidden-by-the-recipe"),
    "verdict-asked-for-as-a-status": false_status(
        "kind", lambda: StatusOrder(statement=STATEMENTS["comparison"].to_bytes())
    ),
    "summary-that-nobody-joined": false_status("summary", lambda: made_now("summary")),
    "heartbeat-of-another-center": false_status("center", lambda: beat(center="basel")),
    "heartbeat-of-another-day": false_status("times", lambda: beat(now=NOW - AGO)),
    "request-of-a-stranger": asked("stranger", {"person": EVE, "name": "eve"}),
    "request-in-the-name-of-another": asked("wrong-name", {"name": "bob"}),
    "request-of-a-revoked-key": asked("revoked-key", {}, revoked=(ADA,)),
    "request-replayed": asked("replayed", {}, {"release": "lab/rules@1"}),
    "request-to-another-center": asked("other-center", {"center": ELSEWHERE}),
    "request-after-its-end": asked("expired", {"ago": AGO}),
    "request-from-the-future": asked("from-the-future", {"ago": -AGO}),
    "fork-acknowledged-by-its-own-operator": acknowledged(
        Attacker.OPERATOR, "bob runs bob-1 itself", by_its_own_operator
    ),
    "alarm-silenced-with-the-key-of-a-center": acknowledged(
        CENTER, "unknown-key", with_the_key_of_a_center
    ),
    "acknowledgement-of-another-center": acknowledged(CENTER, "other-center", of_another_center),
    "unicode-twin-of-an-artefact": recipe(
        "artefacts.0.name", "name: tool.deb", "name: t\u043e\u043el.deb"
    ),
    "by-product-that-covers-the-artefact": recipe("by_products.0", "*-dbgsym.deb", "*.deb"),
}
