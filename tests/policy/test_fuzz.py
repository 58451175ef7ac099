"""Whatever bytes a policy is made of, it is read whole or refused in one clear line."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import canonical_json
from builders.core.errors import SamebitsError
from builders.core.yamlfile import parse_document
from pipelines.policy import open_policy
from pipelines.policy.validation import policy_from
from tests.policy.world import ALPHA, BETA, NOW, Key, draft, envelope, signed_bytes

WHOLE = signed_bytes()
PAYLOAD = canonical_json(draft())
leaf = (
    st.none()
    | st.booleans()
    | st.integers(-(2**54), 2**54)
    | st.text(max_size=8)
    | st.sampled_from(["alpha", "europe", "none", Key("alpha").pem, "0" * 64, [], {}])
)


def opened(data: bytes) -> bytes | SamebitsError:
    """Return the payload of a policy that counts, or why it does not."""
    try:
        found = open_policy(data, now=NOW)
    except SamebitsError as error:
        return error
    assert found.policy.to_bytes() == found.envelope.payload
    return found.envelope.payload


def assert_clear(error: SamebitsError, code: int) -> None:
    assert "\n" not in str(error)
    assert error.exit_code == code


def assert_read_or_refused(data: bytes) -> None:
    if isinstance(found := opened(data), SamebitsError):
        assert_clear(found, 1)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(place for step, part in inner for place in places(part, (*path, step)))]


PLACES = places(draft())[1:]


@settings(max_examples=150)
@given(st.sampled_from(PLACES), leaf)
def test_any_value_in_any_place_is_read_or_refused(
    place: tuple[str | int, ...], value: Any
) -> None:
    data: Any = draft()
    inner = data
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    try:
        payload = canonical_json(data)
    except ValueError:  # a number that RFC 8785 does not write
        payload = json.dumps(data).encode()
    assert_read_or_refused(envelope(payload, ALPHA, BETA))


@settings(max_examples=150)
@given(st.integers(0, len(PAYLOAD) - 1), st.binary(max_size=4), st.integers(0, 8))
def test_any_payload_is_read_or_refused(place: int, new: bytes, gone: int) -> None:
    payload = PAYLOAD[:place] + new + PAYLOAD[place + gone :]
    assert_read_or_refused(envelope(payload, ALPHA, BETA))


@settings(max_examples=150)
@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=3))
def test_an_altered_file_never_says_something_else(place: int, new: bytes) -> None:
    data = WHOLE[:place] + new + WHOLE[place + len(new) :]
    found = opened(data)
    if isinstance(found, SamebitsError):
        assert_clear(found, 1)
    else:
        assert found == PAYLOAD


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert_read_or_refused(data)


@settings(max_examples=60)
@given(st.sampled_from(PLACES), st.text(max_size=12))
def test_any_text_in_yaml_is_read_or_refused(place: tuple[str | int, ...], value: str) -> None:
    data: Any = draft()
    inner = data
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    try:
        policy_from(parse_document(yaml.safe_dump(data), file="policy.yaml"), None)
    except SamebitsError as error:
        fault: SamebitsError | None = error
    else:
        fault = None
    if fault is not None:
        assert_clear(fault, 64)
