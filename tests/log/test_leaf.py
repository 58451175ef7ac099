"""Leaves: one spelling, one meaning, and nothing else is taken for one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.core.digest import Digest, canonical_json
from pipelines.log.errors import LogError
from pipelines.log.leaf import (
    FIRST,
    MAX_LEAF,
    CommitmentEntry,
    CommitmentLeaf,
    Leaf,
    ReleaseChains,
    StatementEntry,
    StatementLeaf,
    own_key,
    read_fields,
    read_leaf,
)
from pipelines.log.merkle import leaf_hash
from tests.log.logs import entry

STATEMENT = StatementLeaf(
    center="east",
    release="debian/libsodium@1.0.18-1+deb13u1",
    sequence=7,
    previous=Digest.of(b"leaf"),
    pae=Digest.of(b"pae"),
    keyid=Digest.of(b"key").hex,
    predicate_type="https://samebits.example/attempt/v1",
)
COMMITMENT = CommitmentLeaf(
    center="east",
    release="debian/libsodium@1.0.18-1+deb13u1",
    sequence=0,
    run="20261124T120000Z-00c0ffee",
    claim=Digest.of(b"claim"),
    seal=Digest.of(b"seal"),
)
WRITTEN = {
    "statement": (
        b'{"center":"east","keyid":"2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683",'
        b'"pae":"%s","predicateType":"https://samebits.example/attempt/v1","previous":"%s",'
        b'"release":"debian/libsodium@1.0.18-1+deb13u1","sequence":7,"v":1}'
    )
    % (Digest.of(b"pae").hex.encode(), Digest.of(b"leaf").hex.encode()),
    "commitment": (
        b'{"center":"east","claim":"%s","release":"debian/libsodium@1.0.18-1+deb13u1",'
        b'"run":"20261124T120000Z-00c0ffee","seal":"%s","sequence":0,"v":1}'
    )
    % (Digest.of(b"claim").hex.encode(), Digest.of(b"seal").hex.encode()),
}
LEAVES: dict[str, Leaf] = {"statement": STATEMENT, "commitment": COMMITMENT}


@pytest.mark.parametrize("name", LEAVES)
def test_a_leaf_is_these_bytes(name: str) -> None:
    data = LEAVES[name].to_bytes()
    assert data == WRITTEN[name]
    assert data == canonical_json(json.loads(data))
    assert read_leaf(data) == LEAVES[name]


@pytest.mark.parametrize("name", LEAVES)
def test_facts_say_what_the_leaf_says(name: str) -> None:
    leaf = LEAVES[name]
    facts = read_fields(leaf.to_bytes())
    assert (facts.release, facts.sequence, facts.identity) == (
        leaf.release,
        leaf.sequence,
        leaf.identity,
    )
    assert facts.previous == (STATEMENT.previous.hex if name == "statement" else None)


def test_an_entry_becomes_the_leaf_at_its_place() -> None:
    statement, commitment = entry(4), entry(3)
    leaf = statement.leaf(5, Digest.of(b"x"))
    assert isinstance(leaf, StatementLeaf)
    assert (leaf.sequence, leaf.previous, leaf.release) == (5, Digest.of(b"x"), "vendor/product@4")
    assert leaf.identity == statement.identity
    other = commitment.leaf(6, Digest.of(b"x"))
    assert isinstance(other, CommitmentLeaf)
    assert (other.sequence, other.identity) == (6, commitment.identity)


def test_what_belongs_to_no_release_has_a_key_of_the_center() -> None:
    assert own_key("east") == "samebits/east@log"
    assert replace(STATEMENT, release=own_key("east")).to_bytes()


def broken(data: bytes) -> dict[str, bytes]:
    """Return spellings of a leaf that are not its own."""
    text = data.decode()
    fields = json.loads(text)
    return {
        "empty": b"",
        "not-json": b"leaf",
        "a-list": b"[" + data + b"]",
        "space": json.dumps(fields).encode(),
        "other-order": json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode(),
        "newline": data + b"\n",
        "newline-before": b"\n" + data,
        "cut": data[:-1],
        "twice": data + data,
        "escaped": text.replace("east", "e\\u0061st").encode(),
        "slash-escaped": text.replace("debian/", "debian\\/").encode(),
        "not-utf-8": data.replace(b"east", b"e\xffst"),
        "not-ascii": text.replace("libsodium", "libsödium").encode(),
        "version-2": data.replace(b'"v":1', b'"v":2'),
        "version-text": data.replace(b'"v":1', b'"v":"1"'),
        "version-fraction": data.replace(b'"v":1', b'"v":1.0'),
        "negative": re.sub(rb'"sequence":\d', b'"sequence":-1', data),
        "leading-zero": re.sub(rb'"sequence":\d', b'"sequence":01', data),
        "exponent": re.sub(rb'"sequence":\d', b'"sequence":1e1', data),
        "huge": re.sub(rb'"sequence":\d', b'"sequence":9007199254740993', data),
        "no-center": data.replace(b'"center":"east",', b""),
        "empty-center": data.replace(b'"center":"east"', b'"center":""'),
        "more": data.replace(b'"center"', b'"a":1,"center"'),
        "doubled": data.replace(b'"center":"east"', b'"center":"east","center":"east"'),
        "upper-case-hash": data.replace(*_last_hash(data, bytes.upper)),
        "short-hash": data.replace(*_last_hash(data, lambda found: found[:-1])),
        "unknown-release": data.replace(b"debian/libsodium", b" "),
        "too-long": data.replace(b"debian", b"d" * MAX_LEAF),
    }


def _last_hash(data: bytes, change: Callable[[bytes], bytes]) -> tuple[bytes, bytes]:
    found = re.findall(rb"[0-9a-f]{64}", data)[-1]
    return found, change(found)


@pytest.mark.parametrize("name", LEAVES)
@pytest.mark.parametrize("defect", sorted(broken(STATEMENT.to_bytes())))
def test_no_other_spelling_is_a_leaf(name: str, defect: str) -> None:
    data = broken(LEAVES[name].to_bytes())[defect]
    for read in (read_leaf, read_fields):
        with pytest.raises(LogError, match="a leaf of the log is malformed"):
            read(data)


@given(st.binary(max_size=400) | st.sampled_from(sorted(WRITTEN.values())), st.data())
def test_whatever_is_read_is_written_again(data: bytes, draw: st.DataObject) -> None:
    if data and draw.draw(st.booleans()):
        position = draw.draw(st.integers(0, len(data) - 1))
        data = data[:position] + bytes([draw.draw(st.integers(0, 255))]) + data[position + 1 :]
    try:
        leaf = read_leaf(data)
    except LogError:
        with pytest.raises(LogError):
            read_fields(data)
        return
    assert leaf.to_bytes() == data == canonical_json(json.loads(data))
    assert read_fields(data).identity == leaf.identity


@pytest.mark.parametrize(
    "change",
    [
        {"center": "East"},
        {"center": ""},
        {"release": ""},
        {"release": 'a"b'},
        {"release": "a b"},
        {"release": "x" * 513},
        {"sequence": -1},
        {"sequence": 10**15},
        {"sequence": True},
    ],
)
def test_what_cannot_be_read_cannot_be_made(change: dict[str, object]) -> None:
    for leaf in LEAVES.values():
        with pytest.raises(LogError, match="cannot be written"):
            replace(leaf, **change)  # type: ignore[arg-type]


def test_names_of_a_statement_or_run_are_plain() -> None:
    statement, commitment = entry(0), entry(3)
    assert isinstance(statement, StatementEntry)
    assert isinstance(commitment, CommitmentEntry)
    for word in ("", "a b", "a\\b", 'a"b', "é"):
        with pytest.raises(LogError, match="StatementLeaf cannot be written"):
            replace(STATEMENT, keyid=word)
        with pytest.raises(LogError, match="StatementLeaf cannot be written"):
            replace(STATEMENT, predicate_type=word)
        with pytest.raises(LogError, match="StatementLeaf cannot be written"):
            replace(statement, keyid=word)
    for run in ("", "a/b", "../x"):
        with pytest.raises(LogError, match="CommitmentLeaf cannot be written"):
            replace(COMMITMENT, run=run)
        with pytest.raises(LogError, match="CommitmentLeaf cannot be written"):
            replace(commitment, run=run)


def chained(*numbers: int) -> list[Leaf]:
    """Return leaves of one release in their places."""
    leaves, previous = list[Leaf](), FIRST
    for sequence, number in enumerate(numbers):
        leaves.append(entry(number, release="v/p@1").leaf(sequence, previous))
        previous = Digest(leaf_hash(leaves[-1].to_bytes()).hex())
    return leaves


def gaps(leaves: list[Leaf]) -> list[str]:
    chains = ReleaseChains()
    found = []
    for index, leaf in enumerate(leaves):
        data = leaf.to_bytes()
        gap = chains.follow(read_fields(data))
        if gap:
            assert str(gap) == f"{gap.what} is {gap.got}, expected {gap.expected}"
            found.append(f"{index} {gap.what}")
    return found


def test_a_chain_without_gaps() -> None:
    assert gaps(chained(0, 1, 2, 3, 4, 5)) == []


def test_a_leaf_that_is_left_out_is_a_gap() -> None:
    leaves = chained(0, 1, 2, 3, 4, 5)
    assert gaps(leaves[1:]) == ["0 sequence"]
    assert gaps(leaves[:2] + leaves[3:]) == ["2 sequence"]
    assert gaps(leaves[:3] + leaves[4:]) == ["3 sequence"]  # a commitment counts


def test_a_leaf_in_place_of_another_is_a_gap() -> None:
    leaves = chained(0, 1, 2, 4, 5)
    leaves[2] = chained(0, 1, 6)[2]
    assert gaps(leaves) == ["3 previous"]
    leaves[0] = entry(0, release="v/p@1").leaf(0, Digest.of(b"x"))
    assert gaps(leaves)[0] == "0 previous"


def test_a_leaf_that_comes_twice_is_a_gap() -> None:
    leaves = chained(0, 1, 2)
    assert gaps([*leaves, leaves[-1]]) == ["3 sequence"]


def test_releases_do_not_mix() -> None:
    chains = ReleaseChains()
    for number in range(20):
        other = chains.next(f"vendor/product@{number % 5}")
        leaf = entry(number).leaf(other[0], Digest(other[1]))
        data = leaf.to_bytes()
        assert chains.follow(read_fields(data)) is None
    assert {chains.next(f"vendor/product@{n}")[0] for n in range(5)} == {4}


def test_the_longest_leaf() -> None:
    longest = replace(
        STATEMENT,
        center="c" * 63,
        release="r" * 512,
        sequence=10**15 - 1,
        keyid="k" * 256,
        predicate_type="t" * 256,
    )
    assert read_leaf(longest.to_bytes()) == longest
    assert len(longest.to_bytes()) < MAX_LEAF
