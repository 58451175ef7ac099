"""What the verifier reads in a browser is what is read in Python, and nothing else.

Read are statements of every type with each value changed or taken away, contradictory comparisons,
policies and chains of them, notes, checkpoints, and JSON.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from builders.core.digest import canonical_json
from builders.core.errors import SamebitsError
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.publickey import read_public_key
from pipelines.evidence.statements.reader import read_statement
from pipelines.evidence.strictjson import read_object
from pipelines.log.checkpoint import LogIdentity, open_checkpoint
from pipelines.policy.signed_policy import check_expiry, check_operator_signatures, check_step
from pipelines.policy.signed_policy import read_signed as read_policy
from tests.bundle.test_every_alteration import changed, other_value, places, removed
from tests.evidence.contradictions import (
    DELTAS_IMPOSSIBLE,
    DELTAS_REFUTED,
    IMPOSSIBLE,
    REFUTED,
    SOUND,
)
from tests.evidence.examples import STATEMENTS
from tests.log import corpus
from tests.log.keys import log, witness
from tests.policy import test_independence, test_quorum, test_resolution, test_validation
from tests.policy.world import (
    ALPHA,
    BETA,
    EVE,
    GAMMA,
    NOW,
    Data,
    draft,
    ecdsa_key,
    envelope,
    signed_bytes,
)
from tests.portal.verifier.in_a_page import verifier_page

pytestmark = pytest.mark.browser
RUN = """async (cases) => {
  const [json, notes, policy, statements] = await Promise.all(
    ["json", "notes", "policy", "statements"].map((name) => import(`/${name}.js`)));
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const readers = {
    json: async ([data]) => json.readJson(bytes(data), "it", 1e6, {floats: true, nodes: 50}),
    statement: ([data]) => statements.readStatement(bytes(data), "it"),
    policy: ([data]) => policy.readSigned(bytes(data)),
    chain: ([known, now, ...chain]) => policy.readPolicies(chain.map(bytes), known, now),
    checkpoint: async ([data, origin, log, witness]) => notes.openCheckpoint(bytes(data), {
      origin,
      keys: [await notes.readNoteKey(log, 1)],
      witnesses: [await notes.readNoteKey(witness, 4)],
    }),
  };
  const found = [];
  for (const [reader, args] of cases) {
    try {
      await readers[reader](args);
      found.push("read");
    } catch (error) {
      found.push(`${error.constructor.name}: ${error.message}`);
    }
  }
  return found;
}"""
NOT_HERE = {"a-reviewer-with-an-rsa-key"}
"""Policies with keys that a browser cannot use."""
Case = tuple[str, str, list[Any], bool]
"""A name, a reader, its arguments, and whether Python reads it."""


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def case(name: str, reader: str, data: bytes, read: Any, *args: Any) -> Case:
    accepted = False
    with suppress(SamebitsError):
        read()
        accepted = True
    return name, reader, [text(data), *args], accepted


def larger(node: Any, name: str | int) -> None:
    """Make a value larger than most limits; of text, by characters that take two units each."""
    match node[name]:
        case str() as value:
            node[name] = value + "\U0001f600" * 1000
        case bool():
            node[name] = None
        case int():
            node[name] = 2**53 - 1
        case list() as value:
            node[name] = value * 70
        case dict() as value:
            node[name] = {**value, **{f"x{number}": "x" for number in range(600)}}


def odder(node: Any, name: str | int) -> None:
    """Put a value in the place of another that is of its type, or nearly so, and seldom allowed."""
    match node[name]:
        case str() as value:
            node[name] = f"{value}\n"
        case bool() as value:
            node[name] = int(value)
        case int():
            node[name] = -1
        case list():
            node[name] = [None]
        case dict() as value:
            node[name] = {**value, "x\n": "x"}


def statement_cases() -> Iterator[Case]:
    for name, statement in STATEMENTS.items():
        document = json.loads(statement.to_bytes())
        made = [("sound", document)]
        made += [
            (f"{path} {change.__name__}", changed(document, path, change))
            for path in places(document)
            for change in (other_value, removed, larger, odder)
        ]
        for what, altered in made:
            data = canonical_json(altered)
            yield case(f"{name} {what}", "statement", data, lambda d=data: read_statement(d))


def contradiction_cases() -> Iterator[Case]:
    every = {**SOUND, **REFUTED, **IMPOSSIBLE, **DELTAS_REFUTED, **DELTAS_IMPOSSIBLE}
    for name, change in every.items():
        document = json.loads(STATEMENTS["comparison"].to_bytes())
        with suppress(KeyError):
            change(document["predicate"])
        data = canonical_json(document)
        yield case(name, "statement", data, lambda d=data: read_statement(d))


def rsa_key() -> str:
    key = rsa.generate_private_key(65537, 2048).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return read_public_key(pem).to_json().decode()


def policies() -> Iterator[tuple[str, Data]]:
    for name, (change, *_) in {**test_validation.BAD, **test_independence.ONE_HAND}.items():
        data = draft()
        change(data)
        yield name, data
    for name, (data, _) in test_resolution.BAD.items():
        yield name, data
    yield "with-a-resolution", test_resolution.forked()
    for name, key in (("ecdsa", ecdsa_key(1, "any")), ("rsa", rsa_key())):
        reviewer = {"name": "eve", "key": key}
        yield f"a-reviewer-with-an-{name}-key", draft(reviewers=[*draft()["reviewers"], reviewer])
    sharp, undotted = "\N{LATIN CAPITAL LETTER SHARP S}", "\N{LATIN SMALL LETTER DOTLESS I}"
    for one, other in (("Gross AG", f"Gro{sharp} AG"), ("Isik AS", f"Is{undotted}k AS")):
        data = draft()
        data["operators"][0]["legal"], data["operators"][1]["legal"] = one, other
        yield ascii(f"{one} and {other}"), data
    for blank in ("\n ", "\xa0", "\ufeff"):
        key = json.loads(ecdsa_key(1, "any"))
        key["keyval"]["public"] = blank + key["keyval"]["public"]
        reviewer = {"name": "eve", "key": f"{canonical_json(key).decode()}\n"}
        data = draft(reviewers=[*draft()["reviewers"], reviewer])
        yield f"a-key-behind-{blank!a}", data
    for name, (lines, _) in test_quorum.BAD.items():
        yield f"quorum {name}", draft(witnesses=lines)
    for path in places(draft()):
        yield f"{path} other", changed(draft(), path, other_value)


def policy_cases() -> Iterator[Case]:
    for name, data in policies():
        with suppress(ValueError):
            signed = signed_bytes(data)
            yield case(name, "policy", signed, lambda d=signed: read_policy(d))


def spelled_cases() -> Iterator[Case]:
    """Yield policies that are signed in other forms than the one that is written."""
    plain = {**draft(), "operators": [{**o, "key": f"{o['key']}\n"} for o in draft()["operators"]]}
    for name, payload in {
        "indented": json.dumps(draft(), indent=1).encode(),
        "with-a-line-more": canonical_json(draft()) + b"\n",
        "with-a-key-in-other-lines": canonical_json(plain),
    }.items():
        signed = envelope(payload, ALPHA, BETA)
        yield case(name, "policy", signed, lambda d=signed: read_policy(d))


def follows(fingerprint: str | None, now: datetime, *chain: bytes) -> bool:
    """Say whether a chain of policies counts, by the rules of Python."""
    try:
        signed = [read_policy(data) for data in chain]
        for one in signed:
            check_operator_signatures(one)
        for old, new in pairwise(signed):
            check_step(old, new)
        check_expiry(signed[-1].policy, now)
    except EvidenceError:
        return False
    return fingerprint in {None, signed[0].digest.hex}


def chain_cases() -> Iterator[Case]:
    first, later = signed_bytes(), draft(version=5, threshold=1)
    last = draft(version=6, operators=[{"name": "eve", "legal": "Eve Ltd", "key": EVE.pem}])
    last.update(threshold=1, centers=[{**c, "operator": "eve"} for c in draft()["centers"]])
    last["consensus"] = {"k": 1, "regions": 1, "max_dissent": 0, "normalizers": [], "kinds": {}}
    known = read_policy(first).digest.hex
    after = NOW + timedelta(days=800)
    other = signed_bytes(draft(expires="2027-05-01T00:00:00Z"))
    renewed = signed_bytes(draft(version=5, expires="2030-01-01T00:00:00Z"))
    chains: dict[str, tuple[str | None, datetime, list[bytes]]] = {
        "alone": (known, NOW, [first]),
        "believed-as-it-is": (None, NOW, [first]),
        "another-fingerprint": ("0" * 64, NOW, [first]),
        "expired": (known, after, [first]),
        "signed-by-one-of-two": (known, NOW, [signed_bytes(None, ALPHA)]),
        "signed-by-a-stranger": (known, NOW, [signed_bytes(None, EVE, ALPHA)]),
        "followed": (known, NOW, [first, signed_bytes(later, ALPHA, GAMMA)]),
        "twice": (known, NOW, [first, first]),
        "followed-by-one-alone": (known, NOW, [first, signed_bytes(later, GAMMA)]),
        "rolled-back": (known, NOW, [first, signed_bytes(draft(version=3))]),
        "another-of-its-version": (known, NOW, [first, other]),
        "handed-on": (known, NOW, [first, signed_bytes(last, ALPHA, BETA, EVE)]),
        "taken-over": (known, NOW, [first, signed_bytes(last, EVE)]),
        "handed-on-by-one": (known, NOW, [first, signed_bytes(last, ALPHA, EVE)]),
        "renewed-in-time": (known, after, [first, renewed]),
    }  # fmt: skip
    for name, (fingerprint, now, chain) in chains.items():
        args = [fingerprint, int(now.timestamp() * 1000), *map(text, chain)]
        yield name, "chain", args, follows(fingerprint, now, *chain)


def checkpoint_cases() -> Iterator[Case]:
    own, outside = log().key, witness().key
    known = LogIdentity.of(own, outside)
    more = {  # of which a bundle needs to know nothing
        ascii(name): corpus.GOOD + f"\N{EM DASH} {name} AAAAAAAA\n".encode()
        for name in ("other", "a\ufeff", "a\u180e", "a\x85", "a\xa0", "a\u2028")
    }
    every = {
        "good": corpus.GOOD,
        **more,
        **{name: data for name, (data, _) in corpus.NOTES.items()},
    }
    for name, data in every.items():
        args = (known.origin, str(own), str(outside))
        yield case(name, "checkpoint", data, lambda d=data: open_checkpoint(d, known), *args)


DOCUMENTS = [
    b'{"a":1}', b'{"a":1,"a":1}', b'{"a":1,"\\u0061":1}', b'{"a":01}', b'{"a":-0}',
    b'{"a":1.50e1}', b'{"a":9007199254740991}', b'{"a":9007199254740992}', b'{"a":1e999}',
    b'{"a":NaN}', b'{"a":.5}', b'{"a":"\\ud83d\\ude00"}', b'{"a":"\\ud83d"}',
    b'{"a":"\xed\xa0\x80"}', b'{"a":"\x1f"}', b'{"a":"\x7f"}', b'{"a":"\\x41"}', b'{"a":"\\/"}',
    b'{"a":tru}', b'{"a":true,}', b'{"a" :\t[ ] }\r\n', b'\xef\xbb\xbf{"a":1}', b'{"a":1}{}',
    b"[1]", b"null", b"", b'{"__proto__":{"a":1}}', b'{"a":\xa01}',
    b'{"a":' + b"[" * 30 + b"]" * 30 + b"}", b'{"a":' + b"[" * 31 + b"]" * 31 + b"}",
    b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", b'{"a":' + b"[" * 30 + b"1" + b"]" * 30 + b"}",
    b'{"a":' + b"[" * 31 + b"1" + b"]" * 31 + b"}", b'{"a":[' + b",".join([b"1"] * 48) + b"]}",
    b'{"a":[' + b",".join([b"1"] * 49) + b"]}", b'{"a":"' + "\u2028\U0001f600".encode() + b'"}',
]  # fmt: skip


def json_cases() -> Iterator[Case]:
    for data in DOCUMENTS:
        read = lambda d=data: read_object(d, what="it", limit=10**6, nodes=50, floats=True)  # noqa: E731
        yield case(repr(data), "json", data, read)


def test_what_python_reads_is_read_and_nothing_else() -> None:
    made = (
        *statement_cases(),
        *contradiction_cases(),
        *policy_cases(),
        *spelled_cases(),
        *chain_cases(),
        *checkpoint_cases(),
        *json_cases(),
    )
    with verifier_page() as page:
        found = page.evaluate(RUN, [[reader, args] for _, reader, args, _ in made])
    odd = [
        f"{reader} {name}: {'read' if accepted else 'refused'} here, there {told}"
        for (name, reader, _, accepted), told in zip(made, found, strict=True)
        if (told == "read") is not (accepted and name not in NOT_HERE)
    ]
    assert odd == []
    for reader in ("statement", "policy", "chain", "checkpoint", "json"):
        assert {accepted for _, kind, _, accepted in made if kind == reader} == {True, False}
    told = {name: told for (name, *_), told in zip(made, found, strict=True)}
    assert {name for name in told if told[name].startswith("Unchecked")} == NOT_HERE
    assert {text.partition(":")[0] for text in found} == {"read", "Wrong", "Unchecked"}
