"""Every lie is refused, by the check that is there for it, with one message."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from builders.core.digest import canonical_json
from pipelines.evidence.errors import EvidenceError, MalformedError, RefusedError
from pipelines.evidence.privatekey import PrivateKey
from pipelines.evidence.run_statements import statements_for
from pipelines.signer.explanation_checks import stated_conditions
from pipelines.signer.opened_evidence import Condition
from pipelines.signer.orders import Evidence
from pipelines.signer.run_checks import run_conditions
from tests.signer.conftest import Stage
from tests.signer.lies import LIES


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_by_its_own_check(stage: Stage, key: PrivateKey, name: str) -> None:
    lie = LIES[name]
    scene = stage(lie.scene)
    document = scene.make().to_dict()
    lie.tell(document, scene)
    with pytest.raises(EvidenceError) as caught:
        scene.signer(key).sign(Evidence.from_bytes(canonical_json(document)))
    error = caught.value
    found = error.check if isinstance(error, RefusedError) else "schema"
    assert found == lie.check, str(error)
    assert "\n" not in str(error)
    assert error.exit_code == 1


def test_every_check_has_a_lie_of_its_own(stage: Stage) -> None:
    conditions: list[Condition] = []
    for name in ("moved", "different"):
        scene = stage(name)
        opened = scene.opened(scene.make())
        statements = statements_for(
            opened.run, sbom=opened.evidence.sbom, explanation=opened.evidence.explanation
        )
        conditions += run_conditions(opened)
        conditions += stated_conditions(opened, statements, lambda _: True)
    assert all(condition.holds for condition in conditions)
    checks = {condition.check for condition in conditions}
    assert len(checks) == 39
    assert checks <= {lie.check for lie in LIES.values()}


RAW: dict[str, bytes] = {
    "nothing": b"",
    "no-json": b"\x00\x01\x02",
    "truncated": b'{"schema": "samebits/evidence/v1", "recipe": "',
    "a-list": b"[]",
    "a-statement": canonical_json(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "a", "digest": {"sha256": "a" * 64}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {},
        }
    ),
    "an-envelope": canonical_json({"payload": "", "payloadType": "x", "signatures": []}),
    "duplicate-keys": b'{"schema": "samebits/evidence/v1", "schema": "samebits/evidence/v1"}',
    "not-a-number": b'{"schema": NaN}',
    "too-deep": b'{"report": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "lone-surrogate": b'{"schema": "\\ud800"}',
    "huge-number": b'{"schema": 1' + b"0" * 5000 + b"}",
    "too-many": b'{"report": [' + b"1," * 5_000_001 + b"1]}",
}


@pytest.mark.parametrize("name", RAW)
def test_what_is_no_evidence_is_refused(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        Evidence.from_bytes(RAW[name])
    assert "\n" not in str(caught.value)


def test_a_message_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.signer.orders.MAX_ORDER", 10)
    with pytest.raises(MalformedError, match="at most 10 bytes"):
        Evidence.from_bytes(b'{"schema": "samebits/evidence/v1"}')


def test_duplicate_keys_deep_inside_are_refused(stage: Stage) -> None:
    data = stage("identical").make().to_bytes()
    twice = data.replace(b'"exit_code":0', b'"exit_code":1,"exit_code":0', 1)
    assert Counter(json.loads(data)) == Counter(json.loads(twice))
    with pytest.raises(MalformedError, match="twice"):
        Evidence.from_bytes(twice)
