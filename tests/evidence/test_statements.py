"""Statements: one spelling, the published field rules, and nothing broken that passes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from builders.core.digest import Digest, canonical_json
from builders.methods.wheel import WheelBuild
from pipelines.evidence.dsse import Envelope, Signature
from pipelines.evidence.errors import EvidenceError, MalformedError
from pipelines.evidence.publickey import read_public_key
from pipelines.evidence.statements.people import ReviewStatement
from pipelines.evidence.statements.provenance import DeclaredEnvironment
from pipelines.evidence.statements.reader import STATEMENT_TYPES, read_statement
from pipelines.evidence.statements.statement import (
    NAMESPACE,
    DigestSet,
    parse_time,
    show_time,
    subject,
)
from tests.evidence.examples import STATEMENTS, A, B, example_provenance

DATA = Path(__file__).parents[1] / "data"
BROKEN = sorted((DATA / "evidence" / "statements").iterdir())
BROKEN_KEYS = sorted((DATA / "evidence" / "keys").iterdir())

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


def _schema(name: str) -> Draft202012Validator:
    document = json.loads((DATA / "schemas" / f"{name}.json").read_bytes())
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


@pytest.mark.parametrize("kind", STATEMENTS)
def test_reading_and_writing_gives_the_same_bytes(kind: str) -> None:
    statement = STATEMENTS[kind]
    payload = statement.to_bytes()
    again = read_statement(payload)
    assert again == statement
    assert again.to_bytes() == payload
    assert kind == again.KIND
    assert again.digest() == Digest.of(payload)


@pytest.mark.parametrize("kind", STATEMENTS)
def test_every_kind_keeps_the_rules_of_in_toto(kind: str) -> None:
    _schema("statement-v1").validate(STATEMENTS[kind].to_dict())


def test_provenance_keeps_the_rules_of_slsa() -> None:
    statement = example_provenance().to_dict()
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    _schema("slsa-provenance-v1").validate(statement["predicate"])


def test_an_envelope_keeps_the_rules_of_dsse() -> None:
    payload = example_provenance().to_bytes()
    envelope = Envelope(payload=payload, signatures=(Signature(keyid="k", sig=b"s"),))
    _schema("dsse-envelope-v1").validate(json.loads(envelope.to_bytes()))


def test_every_kind_has_an_example_and_our_own_are_in_our_namespace() -> None:
    assert {kind.KIND for kind in STATEMENT_TYPES.values()} == set(STATEMENTS)
    foreign = {t for t in STATEMENT_TYPES if not t.startswith(NAMESPACE)}
    assert foreign == {
        "https://slsa.dev/provenance/v1",
        "https://slsa.dev/verification_summary/v1",
    }


@pytest.mark.parametrize("path", BROKEN, ids=lambda p: p.stem)
def test_a_broken_statement_is_refused_with_one_message(path: Path) -> None:
    with pytest.raises(MalformedError) as caught:
        read_statement(path.read_bytes())
    _one_clear_line(caught.value)


DEFECTS = {
    "heartbeat-of-other-heads": "digest of its heads",
    "heartbeat-with-two-subjects": "digest of its heads",
    "heartbeat-without-log": "no field predicate.log",
    "heartbeat-head-twice": "each release once",
    "heartbeat-heads-unsorted": "each release once, in order",
    "heartbeat-head-beyond-log": "below the size of the log",
    "heartbeat-fewer-releases-than-heads": "as many heads as releases",
    "heartbeat-more-releases-than-leaves": "releases as leaves",
    "heartbeat-empty-log-with-root": "root of nothing",
    "heartbeat-log-with-empty-root": "root of nothing",
    "heartbeat-more-done-than-due": "as many as were due",
    "heartbeat-night-with-path": "match pattern",
    "heartbeat-short-root": "SHA-256",
    "receipt-done-without-verdict": "report, run, verdict with done",
    "receipt-done-without-report": "report, run, verdict with done",
    "receipt-refused-without-reason": "reason with refused",
    "receipt-accepted-with-verdict": "nothing more with accepted",
    "receipt-with-reason-of-two-words": "match pattern",
    "receipt-of-two-requests": "only subject",
    "receipt-of-keyed-request": "SHA-256 of the request",
    "receipt-with-path-as-nonce": "match pattern",
    "receipt-of-release-outside": "match pattern",
    "robustness-same-over-other-digests": "as its digests are",
    "robustness-same-over-a-difference": "not that of the artefacts",
    "robustness-failed-with-bytes": "nothing to compare",
    "robustness-factor-twice": "each factor once",
    "robustness-factor-moved-and-kept": "moved or kept",
    "robustness-factor-left-out": "moved or kept",
    "robustness-moved-nowhere": "moved to where it was",
    "robustness-of-one-locale-alone": "only cores can be alone",
    "robustness-of-another-purpose": "should be 'robustness'",
    "robustness-that-moves-nothing": "at least 1 item",
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_statement_of_status_is_refused_for_what_it_is_named_by(name: str) -> None:
    path = DATA / "evidence" / "statements" / f"{name}.json"
    with pytest.raises(MalformedError, match=DEFECTS[name]):
        read_statement(path.read_bytes())


@pytest.mark.parametrize("path", BROKEN_KEYS, ids=lambda p: p.name)
def test_a_broken_key_is_refused_with_one_message(path: Path) -> None:
    with pytest.raises(EvidenceError) as caught:
        read_public_key(path.read_bytes())
    _one_clear_line(caught.value)


def test_a_statement_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.evidence.statements.reader.MAX_STATEMENT", 100)
    with pytest.raises(MalformedError, match="at most 100 bytes"):
        read_statement(example_provenance().to_bytes())


def test_more_subjects_than_the_limit_are_refused() -> None:
    plain = example_provenance().to_dict()
    plain["subject"] = [{"name": str(n), "digest": {"sha256": "a" * 64}} for n in range(20_001)]
    with pytest.raises(MalformedError, match="at most 20000"):
        read_statement(canonical_json(plain))


def test_a_review_gives_what_it_is_about() -> None:
    statement = read_statement(STATEMENTS["review"].to_bytes())
    assert isinstance(statement, ReviewStatement)
    assert (statement.source.sha256, statement.claim.sha256) == (A, B)


def test_a_digest_set_holds_a_digest() -> None:
    with pytest.raises(ValidationError, match="at least one"):
        DigestSet()


def test_a_statement_cannot_be_made_with_a_name_twice() -> None:
    with pytest.raises(ValidationError, match="the same name"):
        example_provenance().model_validate(
            {**dict(example_provenance()), "subject": (subject("a", A), subject("a", B))}
        )


@given(st.datetimes(min_value=datetime(1, 1, 2)))  # noqa: DTZ001  # the zone is added below
def test_times_read_back(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=parse_time("2026-01-02T03:04:05Z").tzinfo)
    assert parse_time(show_time(moment)) == moment


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=1))])
def test_times_are_utc(zone: timezone | None) -> None:
    with pytest.raises(ValueError, match="UTC"):
        parse_time(datetime(2026, 1, 2, tzinfo=zone))


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200) | st.builds(lambda v: json.dumps(v).encode(), JSON_VALUES))
def test_rubbish_is_refused_by_every_reader(data: bytes) -> None:
    for read in (read_statement, Envelope.from_bytes, read_public_key):
        with pytest.raises(EvidenceError) as caught:
            read(data)
        _one_clear_line(caught.value)


@settings(max_examples=400, deadline=None)
@given(kind=st.sampled_from(sorted(STATEMENTS)), random=st.randoms(), value=JSON_VALUES)
def test_a_statement_with_one_value_changed_is_refused_or_another_statement(
    kind: str, random: Any, value: Any
) -> None:
    plain = STATEMENTS[kind].to_dict()
    node: Any = plain
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        chosen = random.choice(keys)
        if isinstance(node[chosen], dict | list) and node[chosen] and random.random() < 0.8:
            node = node[chosen]
            continue
        node[chosen] = value
        break
    data = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    payload = data.encode("utf-8", "surrogatepass")
    try:
        statement = read_statement(payload)
    except MalformedError as error:
        _one_clear_line(error)
    else:
        assert statement.to_bytes() == payload


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(sorted(STATEMENTS)),
    cut=st.floats(0, 1),
    junk=st.binary(max_size=3),
)
def test_a_statement_with_bytes_changed_is_refused_or_another_statement(
    kind: str, cut: float, junk: bytes
) -> None:
    payload = STATEMENTS[kind].to_bytes()
    at = int(cut * len(payload))
    changed = payload[:at] + junk + payload[at + len(junk) + 1 :]
    try:
        assert read_statement(changed).to_bytes() == changed
    except MalformedError as error:
        _one_clear_line(error)


def _one_clear_line(error: EvidenceError) -> None:
    text = str(error)
    assert text.isprintable()
    assert len(text) < 2000


@pytest.mark.parametrize(
    "more", [{"mode": "advancing"}, {"then": "2021-05-05T14:18:19Z", "before": "record"}]
)
def test_whatever_a_recipe_can_declare_of_the_environment_can_be_stated(
    more: dict[str, str],
) -> None:
    build = WheelBuild.model_validate(
        {
            "method": "wheel",
            "image": "python-wheel",
            "clock": {"time": "2021-05-05T14:18:17Z", **more},
            "folder_order": "created",
            "umask": "002",
            "timezone": "Asia/Tokyo",
            "locale": "C.UTF-8",
            "path": "/build/there",
            "hostname": "vendor",
            "environment": {"SOURCE_DATE_EPOCH": "1"},
        }
    )
    declared = build.declared_environment()
    assert DeclaredEnvironment.model_validate(declared).declared() == declared


MASKED: dict[str, Any] = {
    "verdict": "EQUIVALENT",
    "ground": "normalized",
    "normalizers": [{"name": "ar-times", "reason": "its clock", "version": 1, "masked": 12}],
    "maskLedger": {"sha256": str(A)},
}


@pytest.mark.parametrize(
    ("changes", "whole"),
    [
        ({}, True),
        ({"maskLedger": None}, False),
        ({"normalizers": []}, False),
        ({"normalizers": [{"name": "ar-times", "reason": "its clock"}]}, False),
        ({"verdict": "DIFFERENT", "ground": "bytes-differ"}, False),
        ({"verdict": "IDENTICAL", "ground": "same-digest"}, False),
        ({"verdict": "DIFFERENT", "ground": "bytes-differ", "normalizers": []}, False),
    ],
)
def test_equivalent_and_its_ledger_are_stated_together(
    changes: dict[str, Any], *, whole: bool
) -> None:
    document = json.loads(STATEMENTS["comparison"].to_bytes())
    predicate = {**document["predicate"], **MASKED, **changes}
    document["predicate"] = {name: part for name, part in predicate.items() if part is not None}
    data = canonical_json(document)
    if whole:
        assert read_statement(data).to_bytes() == data
    else:
        with pytest.raises(EvidenceError):
            read_statement(data)
