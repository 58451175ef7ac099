"""Everything that a policy could say and not mean is refused, with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders.core.errors import RecipeError
from builders.core.yamlfile import parse_document
from pipelines.policy.validation import policy_from
from tests.policy.world import (
    ALPHA,
    ORIGIN,
    Data,
    Key,
    center,
    draft,
    ecdsa_key,
    from_yaml,
    policy_of,
)


def put(*path: str | int, value: Any) -> Callable[[Data], None]:
    """Return the change that puts `value` at `path`."""

    def change(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        data[path[-1]] = value

    return change


def keys(*ranges: tuple[int, int | None], center: int = 0) -> Callable[[Data], None]:
    return put(
        "centers", center, "keys",
        value=[
            {"key": Key(f"{center} {number}").pem, "from": start, "until": end}
            for number, (start, end) in enumerate(ranges)
        ],
    )  # fmt: skip


def operator_keys(*texts: str) -> Callable[[Data], None]:
    """Return the change that gives the first operators other keys."""

    def change(data: Data) -> None:
        for operator, text in zip(data["operators"], texts, strict=False):
            operator["key"] = text

    return change


TWICE = "one key is used twice"
FIRST, SECOND = ("centers", 0), ("centers", 1)
FIRST_KEY = (*FIRST, "keys", 0, "key")
BAD: dict[str, tuple[Callable[[Data], None], str, str]] = {
    "two-operators-one-key": (
        put("operators", 1, "key", value=ALPHA.pem),
        TWICE, "operators.1.key",
    ),
    "two-operators-one-name": (
        put("operators", 1, "name", value="alpha"), "a name is used twice", "operators.1.name",
    ),
    "operator-and-center-one-key": (
        put(*FIRST_KEY, value=ALPHA.pem),
        TWICE, "centers.0.keys.0.key",
    ),
    "operator-and-reviewer-one-key": (
        put("reviewers", 0, "key", value=ALPHA.pem), TWICE, "reviewers.0.key",
    ),
    "one-key-in-two-centers": (
        put(*SECOND, "keys", 0, "key", value=Key("europe statements").pem),
        TWICE, "centers.1.keys.0.key",
    ),
    "one-key-twice-in-a-center": (
        put(*FIRST, "keys", value=[
            {"key": Key("a").pem, "until": 5}, {"key": Key("a").pem, "from": 9},
        ]),
        TWICE, "centers.0.keys.1.key",
    ),
    "log-key-signs-statements": (
        put(*FIRST_KEY, value=Key("europe log").pem), TWICE, "centers.0.log.key",
    ),
    "witness-key-is-the-log-key": (
        put(*FIRST, "witness", value=Key("europe log").witness("w")), TWICE, "centers.0.witness",
    ),
    "one-log-key-of-two-centers": (
        put(*SECOND, "log", "key", value=Key("europe log").log(f"{ORIGIN}asia")),
        TWICE, "centers.1.log.key",
    ),
    "one-key-under-two-ids": (
        operator_keys(ecdsa_key(1, "a"), ecdsa_key(1, "b")), TWICE, "operators.1.key",
    ),
    "two-keys-under-one-id": (
        operator_keys(ecdsa_key(1, "a"), ecdsa_key(2, "a")), TWICE, "operators.1.key",
    ),
    "threshold-zero": (put("threshold", value=0), "greater than or equal to 1", "threshold"),
    "threshold-out-of-reach": (
        put("threshold", value=4), "more operators are required", "threshold",
    ),
    "several-operators-without-a-witness": (
        put("witnesses", value="quorum none\n"), "no witness is required", "witnesses",
    ),
    "no-operators": (put("operators", value=[]), "at least 1 item", "operators"),
    "no-centers": (put("centers", value=[]), "at least 1 item", "centers"),
    "center-without-keys": (put(*FIRST, "keys", value=[]), "at least 1 item", "centers.0.keys"),
    "operator-unknown": (
        put(*FIRST, "operator", value="delta"), "unknown operator", "centers.0.operator",
    ),
    "two-centers-one-id": (
        put(*SECOND, "id", value="europe"),
        "a name is used twice", "centers.1.id",
    ),
    "two-centers-one-log": (
        put(*SECOND, "log", value={"origin": f"{ORIGIN}europe", "key": Key("x").log("y")}),
        "a name is used twice", "centers.1.log.origin",
    ),
    "two-centers-one-builder": (
        put(*SECOND, "builder", value="https://samebits.example/centers/europe/builder"),
        "a name is used twice", "centers.1",
    ),
    "log-key-of-another-log": (
        put(*FIRST, "log", "key", value=Key("europe log").log("elsewhere")),
        "another name than the log", "centers.0.log.key",
    ),
    "log-key-of-a-witness": (
        put(*FIRST, "log", "key", value=Key("europe log").witness(f"{ORIGIN}europe")),
        "for another use", "centers.0.log.key",
    ),
    "witness-key-of-a-log": (
        put(*FIRST, "witness", value=Key("w").log("w")), "for another use", "centers.0.witness",
    ),
    "log-key-is-rubbish": (
        put(*FIRST, "log", "key", value="a+b"), "a verifier key", "centers.0.log.key",
    ),
    "range-empty": (keys((5, 5)), "an empty range", "centers.0.keys.0.until"),
    "range-backwards": (keys((5, 3)), "an empty range", "centers.0.keys.0.until"),
    "ranges-overlap": (keys((0, 10), (9, None)), "two keys for one part", "centers.0.keys.1.from"),
    "ranges-overlap-the-other-way": (
        keys((9, None), (0, 10)), "two keys for one part", "centers.0.keys.0.from",
    ),
    "two-ranges-without-end": (
        keys((0, None), (10, None)), "two keys for one part", "centers.0.keys.1.from",
    ),
    "range-negative": (keys((-1, None)), "greater than or equal to 0", "centers.0.keys.0.from"),
    "k-zero": (put("consensus", "k", value=0), "greater than or equal to 1", "consensus.k"),
    "k-out-of-reach": (
        put("consensus", "k", value=4),
        "more operators with a center are required", "consensus.k",
    ),
    "k-counts-operators-that-run-something": (
        put("centers", value=[center("europe", "alpha", "eu"), center("asia", "alpha", "apac")]),
        "more operators with a center are required", "consensus.k",
    ),
    "k-of-a-kind-out-of-reach": (
        put("consensus", "kinds", "ruleset", "k", value=4),
        "more operators with a center are required", "consensus.kinds.ruleset.k",
    ),
    "regions-out-of-reach": (
        put("consensus", "regions", value=4),
        "more regions of different operators", "consensus.regions",
    ),
    "regions-zero": (
        put("consensus", "regions", value=0), "greater than or equal to 1", "consensus.regions",
    ),
    "more-dissent-than-operators": (
        put("consensus", "max_dissent", value=2),
        "more operators beyond k", "consensus.max_dissent",
    ),
    "minimum-out-of-reach": (
        put("reviews", "minimum", value=3),
        "more reviewers with a valid key are required", "reviews.minimum",
    ),
    "minimum-of-a-kind-out-of-reach": (
        put("reviews", "kinds", "ruleset", value=3),
        "more reviewers with a valid key are required", "reviews.kinds.ruleset",
    ),
    "revoked-unknown": (put("revoked", value=["0" * 64]), "no key of a reviewer", "revoked.0"),
    "revoked-key-of-a-center": (
        put("revoked", value=[Key("europe statements").public.keyid]),
        "no key of a reviewer", "revoked.0",
    ),
    "revoked-twice": (
        put("revoked", value=[Key("ada reviewer").public.keyid] * 2), "revoked twice", "revoked.1",
    ),
    "quorum-names-the-unknown": (
        put("witnesses", value="quorum x\n"),
        "an unknown name", "witnesses",
    ),
    "quorum-cannot-be-met": (
        put("witnesses", value=draft()["witnesses"].replace("others 1", "others 3")),
        "a group that cannot be satisfied", "witnesses",
    ),
    "version-zero": (put("version", value=0), "greater than or equal to 1", "version"),
    "open-for-no-time": (put("max_open", value="a day"), "expected a time", "max_open"),
    "open-for-too-short": (put("max_open", value="59min"), "between 1h and 8760h", "max_open"),
    "expires-no-time": (put("expires", value="tomorrow"), "a time such as", "expires"),
    "expires-in-another-zone": (
        put("expires", value="2027-03-01T12:00:00+01:00"), "a time such as", "expires",
    ),
    "operator-without-legal-name": (
        put("operators", 0, "legal", value=""), "at least 1 character", "operators.0.legal",
    ),
    "legal-name-after-a-space": (
        put("operators", 0, "legal", value=" A"), "one line", "operators.0.legal",
    ),
    "legal-name-of-two-lines": (
        put("operators", 0, "legal", value="A\nB"), "one line", "operators.0.legal",
    ),
    "unknown-kind": (
        put("consensus", "kinds", "firmware", value={"k": 1}), "expected", "consensus.kinds",
    ),
    "kinds-without-a-value": (
        put("consensus", "kinds", value=None), "a mapping", "consensus.kinds",
    ),
    "unknown-field-of-rules": (
        put("consensus", "quorum", value=1), "unknown key", "consensus.quorum",
    ),
    "unknown-field-of-rules-without-a-value": (
        put("consensus", "quorum", value=None), "unknown key", "consensus.quorum",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_nonsense_is_one_clear_error_with_its_place(name: str) -> None:
    change, says, field = BAD[name]
    data = draft()
    change(data)
    with pytest.raises(RecipeError) as caught:
        from_yaml(data)
    error = caught.value
    assert says in error.what
    assert error.field is not None
    assert error.field.startswith(field)
    assert error.file == "policy.yaml"
    assert error.line is not None
    assert "\n" not in str(error)
    assert error.exit_code == 64


@pytest.mark.parametrize(("name", "value"), [("threshold", 9), ("witnesses", "quorum nobody")])
def test_the_line_is_that_of_the_field(name: str, value: object) -> None:
    text = yaml.safe_dump(draft(**{name: value}))
    with pytest.raises(RecipeError) as caught:
        policy_from(parse_document(text, file="policy.yaml"), None)
    assert text.splitlines()[(caught.value.line or 0) - 1] == f"{name}: {value}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ranges-overlap", "10 or more"), ("two-ranges-without-end", "an end of the key before")],
)
def test_a_range_that_overlaps_says_where_it_may_begin(name: str, expected: str) -> None:
    data = draft()
    BAD[name][0](data)
    with pytest.raises(RecipeError) as caught:
        from_yaml(data)
    assert caught.value.expected == expected


def test_no_file_has_a_null_in_its_name(tmp_path: Path) -> None:
    text = yaml.safe_dump(draft(operators=[{**draft()["operators"][0], "key": "a\0b"}]))
    with pytest.raises(RecipeError, match="no key"):
        policy_from(parse_document(text, file="policy.yaml"), tmp_path)


def test_a_key_of_another_kind_is_written_as_it_was_read() -> None:
    data = draft()
    operator_keys(ecdsa_key(1, "a"))(data)
    assert policy_of(data).to_dict() == data


def test_the_line_of_a_quorum_is_inside_its_block() -> None:
    lines = [
        line
        for line in yaml.safe_dump(draft(witnesses="")).splitlines()
        if "witnesses:" not in line
    ]
    text = "\n".join(["witnesses: |", "  # ours", "  quorum nobody", *lines])
    with pytest.raises(RecipeError) as caught:
        policy_from(parse_document(text, file="policy.yaml"), None)
    assert caught.value.line == 3


def test_gaps_between_keys_and_keys_side_by_side_are_meant() -> None:
    data = draft()
    keys((20, None), (0, 10), (10, 15))(data)
    assert len(policy_of(data).centers[0].keys) == 3


def test_one_operator_may_run_two_centers() -> None:
    data = draft(centers=[*draft()["centers"], center("africa", "alpha", "eu")])
    assert len(policy_of(data).centers) == 4


def test_a_witness_of_a_center_may_be_one_of_the_quorum() -> None:
    assert policy_of().quorum.satisfied_by({"asia"})


def test_what_is_read_is_written_the_same() -> None:
    assert policy_of().to_dict() == draft()
    assert from_yaml(draft()) == policy_of()


def test_what_is_left_out_is_written_out() -> None:
    data = draft(operators=draft()["operators"][:1], threshold=1, centers=draft()["centers"][:1])
    for name in ("witnesses", "reviewers", "reviews", "consensus", "revoked"):
        del data[name]
    for name in ("builder", "verifier", "witness"):
        del data["centers"][0][name]
    written = policy_of(data).to_dict()
    assert written["witnesses"] == "quorum none\n"
    assert written["consensus"]["k"] == 1
    assert written["centers"][0]["builder"] == draft()["centers"][0]["builder"]
    assert written["centers"][0]["witness"] is None
