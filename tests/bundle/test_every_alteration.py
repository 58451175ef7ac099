"""No byte and no value of a bundle can be altered unnoticed, whoever makes new checksums for it.

One bundle has every kind of member: statements of its run and of another one, evidence, a
heartbeat, the policy. Each alteration is made alone. `SAMEBITS_EVERY_BYTE=1` alters every byte,
with the sums as they were and with new ones. Without it, the first byte of each field of each
header is altered, and each 97th byte of all.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

import pytest

from builders.core.digest import canonical_json
from pipelines.bundle import Bundle
from pipelines.bundle.check import CheckStatus, check_bundle
from pipelines.bundle.layout import BLOCK, CARD, HEARTBEAT, REPORT, STATEMENTS, sums_of
from pipelines.policy import signed_policy
from tests.bundle.bundles import POLICY, Altered, Maker
from tests.bundle.logtells import amid
from tests.bundle.test_check import statuses

STRIDE = 1 if os.environ.get("SAMEBITS_EVERY_BYTE") else 97
HEADER = (0, 100, 108, 116, 124, 136, 148, 156, 157, 257, 263, 265, 297, 329, 337, 345, 500)
"""Where the fields of a header of POSIX.1-1988 begin, and its padding."""
Path = tuple[str | int, ...]


@pytest.fixture(scope="module")
def whole(bundle: Maker) -> Altered:
    altered = whole_bundle(bundle)
    assert altered.check().exit_code == 0
    return altered


def whole_bundle(bundle: Maker) -> Altered:
    """Return a bundle with members of every kind, which is in order."""
    altered = bundle("identical")
    amid(altered)
    altered.beat()
    return altered


@pytest.fixture(autouse=True)
def policies_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly all alterations leave the policy alone, and reading it takes a third of a check."""
    monkeypatch.setattr(signed_policy, "read_signed", lru_cache(signed_policy.read_signed))


def unnoticed(whole: Altered, altered: Iterator[tuple[str, bytes]]) -> list[str]:
    """Return the alterations by their names that no check finds wrong."""
    trust = whole.trust()
    found, made = [], list(altered)
    for name, data in made:
        result = check_bundle(data, trust=trust)
        if result.steps[-1].status is not CheckStatus.WRONG or result.exit_code != 1:
            found.append(name)
    assert made
    return found


def other_byte(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def altered_bytes(whole: Altered) -> Iterator[tuple[str, bytes]]:
    """Yield the file with another byte: in headers, padding and the end, with its checksums."""
    sound = whole.to_bytes()
    blocks = range(0, len(sound), BLOCK)
    headers = [b for b in blocks if sound[b + 257 : b + 262] == b"ustar"]
    places = {b + field for b in headers for field in HEADER} | set(range(0, len(sound), STRIDE))
    assert len(headers) == len(whole.members) + 2
    return ((f"byte {at}", other_byte(sound, at)) for at in sorted(places))


def test_every_byte_of_the_file(whole: Altered) -> None:
    assert unnoticed(whole, altered_bytes(whole)) == []


def packed(whole: Altered, name: str, data: bytes) -> bytes:
    """Return the bundle with other bytes as a member, and the checksums that fit."""
    members = {**whole.members, name: data}
    return Bundle(members=members, sums=sums_of(members)).to_bytes()


def altered_members(whole: Altered) -> Iterator[tuple[str, bytes]]:
    """Yield the bundle with another byte in one member, and new checksums."""
    for name, data in sorted(whole.members.items()):
        for at in range(0, len(data), STRIDE):
            yield f"{name} {at}", packed(whole, name, other_byte(data, at))


def test_every_byte_of_every_member_with_new_checksums(whole: Altered) -> None:
    assert unnoticed(whole, altered_members(whole)) == []


def documents(whole: Altered) -> Iterator[tuple[str, Any, Callable[[Any], bytes]]]:
    """Yield every JSON document of a bundle, and how it is written as a member again.

    The payloads of envelopes are documents too: whoever has no key leaves the signature as it is.
    """
    for name, data in sorted(whole.members.items()):
        if not data.startswith(b"{"):
            continue
        document = json.loads(data)
        assert canonical_json(document) == data or name == REPORT
        yield name, document, indented if name == REPORT else canonical_json
        if "payload" in document:
            payload = json.loads(base64.b64decode(document["payload"]))
            yield f"{name} payload", payload, partial(enveloped, document)


def indented(document: Any) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


def enveloped(envelope: dict[str, Any], payload: Any) -> bytes:
    text = base64.b64encode(canonical_json(payload)).decode()
    return canonical_json({**envelope, "payload": text})


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value, lists and objects too, but the document itself."""
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, part in parts:
        yield (*path, name)
        yield from places(part, (*path, name))


def changed(document: Any, path: Path, change: Callable[[Any, str | int], None]) -> Any:
    """Return a copy in which `change` was made to the holder of the value at `path`."""
    copy = json.loads(json.dumps(document))
    node = copy
    for name in path[:-1]:
        node = node[name]
    change(node, path[-1])
    return copy


def other_value(node: Any, name: str | int) -> None:
    node[name] = other_than(node[name])


def removed(node: Any, name: str | int) -> None:
    del node[name]


def other_than(value: Any) -> Any:
    """Return a value of the same form; of a list or an object, one without its first part."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if len(value) == 64:
            return "0" * 64 if value[0] != "0" else "1" * 64
        case str() | None:
            return f"{value or ''}x"
        case list():
            return value[1:] or ["x"]
        case _:
            return dict(list(value.items())[1:]) or {"x": "x"}


CHANGES = [(other_value, 1), (removed, 1 if STRIDE == 1 else 5)]


@pytest.mark.parametrize(("change", "step"), CHANGES, ids=["another", "removed"])
def test_every_value_of_every_document_with_new_checksums(
    whole: Altered, change: Callable[[Any, str | int], None], step: int
) -> None:
    found = list(documents(whole))
    kinds = {name.split("-")[0].split("/")[0] for name, _, _ in found}
    assert {CARD, HEARTBEAT, POLICY, REPORT, STATEMENTS[:-1], "log"} <= kinds
    assert unnoticed(whole, altered_values(whole, change, step)) == []


def altered_values(
    whole: Altered, change: Callable[[Any, str | int], None], step: int
) -> Iterator[tuple[str, bytes]]:
    """Yield the bundle with a change to each `step`th value of its documents, and new checksums."""
    every = [(*one, path) for one in documents(whole) for path in places(one[1])]
    for name, document, write, path in every[::step]:
        member, data = name.partition(" ")[0], write(changed(document, path, change))
        yield f"{name} {'/'.join(map(str, path))}", packed(whole, member, data)


@pytest.mark.parametrize("scene", ["confirmed", "failed"])
def test_every_value_of_the_report_of_runs_that_end_otherwise(bundle: Maker, scene: str) -> None:
    altered = bundle(scene)
    altered.settle()
    assert all(status is not CheckStatus.WRONG for status in statuses(altered.check()).values())
    document = json.loads(altered.members[REPORT])
    assert indented(document) == altered.members[REPORT]
    reports = (
        (
            "/".join(map(str, path)),
            packed(altered, REPORT, indented(changed(document, path, other_value))),
        )
        for path in places(document)
    )
    assert unnoticed(altered, reports) == []


def test_what_goes_unnoticed_is_named(whole: Altered) -> None:
    sound = ((str(number), whole.to_bytes()) for number in range(2))
    assert unnoticed(whole, sound) == ["0", "1"]
