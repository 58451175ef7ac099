"""DER: what is no value of it, by the rule that it breaks."""

from __future__ import annotations

import pytest

from pipelines.judge.signatures.der import DerError, check_der, children, der_header

BROKEN = {
    "a value longer than the one around it": ("3003040500", "longer than the one around"),
    "a tag of two bytes": ("3f8100", "tag of several bytes"),
    "a length of five bytes": ("04850100000000", "indefinite, or longer"),
    "an indefinite length": ("04800000", "indefinite, or longer"),
    "a length that ends early": ("0482ff", "indefinite, or longer"),
    "a long length that could be short": ("04817f", "indefinite, or longer"),
    "a second value": ("05000500", "after the value"),
    "an integer with a zero too many": ("0202007f", "integer"),
    "an integer with a sign too many": ("0202ff80", "integer"),
    "an empty integer": ("0200", "integer"),
    "an identifier that goes on": ("060186", "object identifier"),
    "an identifier that begins with zeros": ("06028001", "object identifier"),
    "an identifier that goes on after zeros": ("06032a8680", "object identifier"),
    "an arc that begins with zeros": ("06032a8001", "object identifier"),
}
GOOD = ("020100", "020180", "02020080", "0202ff7f", "06022a03", "0603813403", "3000", "0500")


def nested(depth: int) -> bytes:
    made = b""
    for _ in range(depth):
        made = bytes([0x30, len(made)]) + made
    return made


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_rule_is_no_der(name: str) -> None:
    data, message = BROKEN[name]
    with pytest.raises(DerError, match=message):
        check_der(bytes.fromhex(data))


@pytest.mark.parametrize("data", GOOD)
def test_the_shortest_spelling_is_der(data: str) -> None:
    check_der(bytes.fromhex(data))


def test_values_may_be_31_deep() -> None:
    check_der(nested(31))
    with pytest.raises(DerError, match="more than 32 deep"):
        check_der(nested(32))
    with pytest.raises(DerError, match="more than 32 deep"):
        check_der(nested(60))


def test_a_length_may_have_four_bytes() -> None:
    assert der_header(bytes.fromhex("048401000000")) == (6, 6 + (1 << 24))
    assert der_header(bytes.fromhex("048180")) == (3, 3 + 128)


def test_children_end_where_their_parent_does() -> None:
    with pytest.raises(DerError, match="longer than the one around"):
        children(bytes.fromhex("0405000000000000"), 0, 4)
