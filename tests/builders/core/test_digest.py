from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from builders.core.digest import (
    CHUNK,
    Digest,
    canonical_json,
    chunks,
    digest_file,
    digest_stream,
    keyed_digest,
)

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Pinned(BaseModel):
    sha256: Digest


def test_a_digest_is_what_sha256sum_prints() -> None:
    assert str(Digest.of(b"")) == EMPTY
    assert Digest.parse(EMPTY) == Digest.parse(f"sha256:{EMPTY}") == Digest(EMPTY)
    assert Pinned.model_validate({"sha256": f"sha256:{EMPTY}"}).sha256 == Digest(EMPTY)
    assert Pinned(sha256=Digest(EMPTY)).model_dump(mode="json") == {"sha256": EMPTY}
    assert Pinned.model_validate_json(f'{{"sha256": "{EMPTY}"}}').sha256 == Digest(EMPTY)


@pytest.mark.parametrize(
    "text",
    [
        *("", EMPTY[:-1], EMPTY + "0", EMPTY.upper(), EMPTY[:-1] + "g", EMPTY + "\n", " " + EMPTY),
        *(f"sha512:{EMPTY}", f"sha256:sha256:{EMPTY}", f"SHA256:{EMPTY}", "٣" * 64),
    ],
)
def test_nothing_else_becomes_a_digest(text: str) -> None:
    with pytest.raises(ValueError, match="expected 64 lower-case hex digits"):
        Digest.parse(text)
    with pytest.raises(ValidationError, match="64 lower-case hex digits") as caught:
        Pinned.model_validate({"sha256": text})
    assert caught.value.error_count() == 1


@pytest.mark.parametrize("value", [None, 0, 1.5, EMPTY.encode(), [EMPTY], {"hex": EMPTY}])
def test_no_other_type_becomes_a_digest(value: object) -> None:
    with pytest.raises(ValidationError, match="64 lower-case hex digits"):
        Pinned.model_validate({"sha256": value})


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_files_and_streams_have_the_digest_of_their_bytes(tmp_path: Path, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    content = content[:size]
    path = tmp_path / "file"
    path.write_bytes(content)
    assert digest_file(path) == digest_stream(io.BytesIO(content)) == Digest.of(content)
    assert Digest.of(content).hex == hashlib.sha256(content).hexdigest()
    assert b"".join(chunks(io.BytesIO(content))) == content


@pytest.mark.parametrize(
    ("key", "message", "expected"),
    [  # RFC 4231, test cases 1, 2 and 6
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
)
def test_keyed_digests_are_hmac_sha256(
    tmp_path: Path, key: bytes, message: bytes, expected: str
) -> None:
    (tmp_path / "file").write_bytes(message)
    assert str(keyed_digest(key, tmp_path / "file")) == expected


def test_canonical_json_is_the_one_of_its_rfc() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    # RFC 8785, section 3.2.2 and 3.2.4
    assert canonical_json(value) == (
        b'{"literals":[null,true,false],'
        b'"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_utf16_units() -> None:
    # RFC 8785, section 3.2.3
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    written = canonical_json(value).decode()
    order = [
        *("Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis"),
        *("Euro Sign", "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh"),
    ]
    places = [written.index(name) for name in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("bits", "text"),
    [  # RFC 8785, appendix B
        ("0000000000000000", b"0"),
        ("8000000000000000", b"0"),
        ("0000000000000001", b"5e-324"),
        ("8000000000000001", b"-5e-324"),
        ("7fefffffffffffff", b"1.7976931348623157e+308"),
        ("4340000000000000", b"9007199254740992"),
        ("c340000000000000", b"-9007199254740992"),
        ("4430000000000000", b"295147905179352830000"),
        ("44b52d02c7e14af5", b"9.999999999999997e+22"),
        ("44b52d02c7e14af6", b"1e+23"),
        ("44b52d02c7e14af7", b"1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", b"999999999999999700000"),
        ("444b1ae4d6e2ef50", b"1e+21"),
        ("3eb0c6f7a0b5ed8c", b"9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", b"0.000001"),
        ("41b3de4355555553", b"333333333.3333332"),
        ("41b3de4355555555", b"333333333.3333333"),
        ("becbf647612f3696", b"-0.0000033333333333333333"),
        ("43143ff3c1cb0959", b"1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_the_rfc_says(bits: str, text: bytes) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_json(number) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1 << 60, {1: 2}, b"x", "\ud800"])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical_json(value)
