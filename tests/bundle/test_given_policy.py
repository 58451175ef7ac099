"""The policy in a bundle counts for nothing, and is verified all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from builders.core.digest import canonical_json
from pipelines.bundle.check import CheckStatus
from tests.bundle.bundles import POLICY, Altered, Maker
from tests.bundle.test_check import step
from tests.policy.world import ALPHA, BETA, Key, envelope

OTHER = {"expires": "2028-01-01T00:00:00Z"}


def given(altered: Altered, *keys: Key, **changes: Any) -> None:
    altered.members[POLICY] = envelope(canonical_json({**altered.policy, **changes}), *keys)


def found(altered: Altered) -> tuple[CheckStatus, str]:
    result = altered.check()
    (status,) = (s.status for s in result.steps if s.name == "given-policy")
    return status, step(result, "given-policy")


def of_other_operators(altered: Altered) -> None:
    zurich, *_ = altered.policy["operators"]
    given(altered, BETA, operators=[{**zurich, "key": BETA.pem}], **OTHER)


NOTED: dict[str, Callable[[Altered], object]] = {
    "an-earlier-version": lambda a: given(a, ALPHA, version=3, **OTHER),
    "a-later-version": lambda a: given(a, ALPHA, version=5, **OTHER),
    "the-same-version-of-other-operators": of_other_operators,
    "a-later-version-that-operators-before-it-signed-too": lambda a: given(
        a, ALPHA, Key("gone"), version=5, **OTHER
    ),
}


@pytest.mark.parametrize("name", NOTED)
def test_another_policy_is_noted_and_that_of_the_reader_counts(bundle: Maker, name: str) -> None:
    altered = bundle("identical")
    NOTED[name](altered)
    status, message = found(altered)
    assert status is CheckStatus.NOTE
    assert message.endswith("; yours counts")
    assert altered.check().exit_code == 0


def rewritten(change: Callable[[dict[str, Any]], object]) -> Callable[[Altered], None]:
    def tell(altered: Altered) -> None:
        document = json.loads(altered.members[POLICY])
        change(document)
        altered.members[POLICY] = canonical_json(document)

    return tell


def indented(altered: Altered) -> None:
    document = json.loads(altered.members[POLICY])
    altered.members[POLICY] = json.dumps(document, indent=1).encode()


WRONG: dict[str, tuple[Callable[[Altered], object], str]] = {
    "indented": (indented, "is not canonical"),
    "signed-by-nobody-of-its-own": (
        lambda a: given(a, BETA, version=5), "not signed by enough of its operators",
    ),
    "another-of-the-same-version": (lambda a: given(a, ALPHA, **OTHER), "another one of its"),
    "under-another-key-id": (
        rewritten(lambda d: d["signatures"][0].update(keyid="e" * 64)), "has a wrong signature",
    ),
    "with-a-second-signature-under-the-key-id-of-an-operator": (
        rewritten(lambda d: d["signatures"].append({**d["signatures"][0], "keyid": "x"})),
        "has a wrong signature",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_policy_that_its_operators_have_not_signed_so_is_refused(
    bundle: Maker, name: str
) -> None:
    altered = bundle("identical")
    change, says = WRONG[name]
    change(altered)
    status, message = found(altered)
    assert (status, altered.check().exit_code) == (CheckStatus.WRONG, 1)
    assert says in message


def test_it_may_end_in_a_line_feed_as_policy_sign_writes_it(bundle: Maker) -> None:
    altered = bundle("identical")
    altered.members[POLICY] += b"\n"
    assert found(altered)[0] is CheckStatus.OK
    altered.members[POLICY] += b"\n"
    assert found(altered)[0] is CheckStatus.WRONG
