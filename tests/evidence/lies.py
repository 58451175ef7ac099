"""Lies in a bundle: each is signed with the center's own key, and names the check that finds it.

The killers of the mutation test: with one check left out, its lies come out as something else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from builders.digest import Digest, canonical_json
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.signing import PrivateKey
from pipelines.evidence.statements.statement import show_time
from tests.evidence.bundles import (
    CARD,
    EVIDENCE,
    REPORT,
    STATEMENTS,
    STATEMENTS_KEY,
    Altered,
    Document,
)
from tests.evidence.examples import NOW
from tests.evidence.examples import STATEMENTS as EXAMPLES
from tests.signer.scene import OURS, THEIRS

OTHER = "e" * 64
_A, _B, _E, _R = "provenance-1", "comparison-1", "attempt-1", "robustness-1"
_OURS, _THEIRS = str(Digest.of(OURS)), str(Digest.of(THEIRS))
Tell = Callable[[Altered, PrivateKey], object]


@dataclass(frozen=True)
class Lie:
    """What is changed in the bundle of which scene, and which check must notice."""

    check: str
    tell: Tell
    scene: str = "identical"
    says: str = ""
    """What the message must say, where one check has several rules for the same thing."""
    policy: bool = True
    """Whether the reader has a policy, or trusts the center's key alone."""
    unchecked: bool = False
    """Whether it is told as something that cannot be checked, which ends in exit code 2."""


def _set(document: Document, path: str, value: Any) -> None:
    *folders, last = path.split("/")
    node: Any = document
    for part in folders:
        node = node[int(part)] if isinstance(node, list) else node[part]
    key = int(last) if isinstance(node, list) else last
    if value is None:
        del node[key]
    else:
        node[key] = value


def _in(name: str, path: str, value: Any) -> Tell:
    return lambda a, _: a.statement(name, lambda d: _set(d, path, value))


def _everywhere(kind: str, path: str, value: Any) -> Tell:
    return lambda a, _: a.every(kind, lambda d: _set(d, path, value))


def _report(path: str, value: Any) -> Tell:
    def tell(altered: Altered, other: PrivateKey) -> None:
        def change(document: Document) -> None:
            if value is None:
                _set(document, path, 0)
                document[path] = None
            else:
                _set(document, path, value)

        altered.report(change)

    return tell


def _card(path: str, value: Any) -> Tell:
    return lambda a, _: a.card(lambda d: _set(d, path, value))


def _both(*tells: Tell) -> Tell:
    def tell(altered: Altered, other: PrivateKey) -> None:
        for one in tells:
            one(altered, other)

    return tell


def _drop(member: str) -> Tell:
    return lambda a, _: a.members.__delitem__(member)


def _add(member: str, data: bytes) -> Tell:
    return lambda a, _: a.members.__setitem__(member, data)


def _statement(name: str) -> str:
    return f"{STATEMENTS}{name}.dsse.json"


def _rename(old: str, new: str) -> Tell:
    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.members[_statement(new)] = altered.members.pop(_statement(old))

    return tell


def _swap(one: str, two: str) -> Tell:
    return _both(_rename(one, "swapped-1"), _rename(two, one), _rename("swapped-1", two))


def _put(name: str, document: Document) -> Tell:
    return lambda a, _: a.put(_statement(name), document)


def _indented(altered: Altered, other: PrivateKey) -> None:
    member = _statement(_E)
    altered.members[member] = json.dumps(json.loads(altered.members[member]), indent=1).encode()


def _bent(altered: Altered, other: PrivateKey) -> None:
    """Change a payload under its old signature."""
    envelope = Envelope.from_bytes(altered.members[_statement(_B)])
    payload = envelope.payload.replace(b"2026", b"2025", 1)
    bent = Envelope(payload=payload, signatures=envelope.signatures)
    altered.members[_statement(_B)] = bent.to_bytes()


def _by_another(altered: Altered, other: PrivateKey) -> None:
    member = _statement(_B)
    altered.put(member, json.loads(Envelope.from_bytes(altered.members[member]).payload), other)


def _key_id(altered: Altered, other: PrivateKey) -> None:
    member = _statement(_B)
    document = json.loads(altered.members[member])
    document["signatures"][0]["keyid"] = other.public.keyid
    altered.members[member] = canonical_json(document)


def _key_ids(altered: Altered, other: PrivateKey) -> None:
    """Show another key, and name it in every envelope that the trusted one has signed."""
    _card_of_another_key(altered, other)
    for member in [name for name in altered.members if name.startswith(STATEMENTS)]:
        document = json.loads(altered.members[member])
        document["signatures"][0]["keyid"] = other.public.keyid
        altered.members[member] = canonical_json(document)


def _by_another_too(altered: Altered, other: PrivateKey) -> None:
    member = _statement(_B)
    document = json.loads(Envelope.from_bytes(altered.members[member]).payload)
    altered.put(member, document, altered.key, other)


def _all_by_another(altered: Altered, other: PrivateKey) -> None:
    for member in [name for name in altered.members if name.startswith(STATEMENTS)]:
        altered.put(member, json.loads(Envelope.from_bytes(altered.members[member]).payload), other)


def _second_provenance(altered: Altered, other: PrivateKey) -> None:
    altered.members[_statement("provenance-2")] = altered.members[_statement(_A)]
    altered.statement(
        "provenance-2",
        lambda d: _set(d, "predicate/runDetails/metadata/finishedOn", _LATER),
        relink=False,
    )


def _card_of_another_key(altered: Altered, other: PrivateKey) -> None:
    altered.members[STATEMENTS_KEY] = other.public.to_pem()
    altered.card(lambda d: d["keys"][1].update(keyid=other.public.keyid))


def _witness_key_on_card(altered: Altered, other: PrivateKey) -> None:
    """Sign statements with the key for witnessing, and show another for statements."""
    altered.members["keys/witness.pub"] = altered.key.public.to_pem()
    altered.members[STATEMENTS_KEY] = other.public.to_pem()
    altered.card(
        lambda d: d.update(
            keys=[
                d["keys"][0],
                {"use": "statements", "keyid": other.public.keyid},
                {"use": "witness", "keyid": altered.key.public.keyid},
            ]
        )
    )


def _without(kind_and_number: str) -> Tell:
    """Delete a statement, and close the gap in the numbers."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        kind, _, number = kind_and_number.rpartition("-")
        del altered.members[_statement(kind_and_number)]
        for later in range(int(number) + 1, 10):
            if _statement(f"{kind}-{later}") in altered.members:
                _rename(f"{kind}-{later}", f"{kind}-{later - 1}")(altered, other)

    return tell


def _pop_artefact(index: int) -> Tell:
    return lambda a, _: a.report(lambda d: d["artefacts"].pop(index))


def _hidden(altered: Altered, other: PrivateKey) -> None:
    """Leave out an artefact that differs, in comparison, provenance and report alike."""
    _without(_B)(altered, other)
    altered.statement(_A, lambda d: d["subject"].pop(0))
    altered.report(lambda d: (d["artefacts"].pop(0), d.update(verdict="IDENTICAL")))


def _glossed(altered: Altered, other: PrivateKey) -> None:
    """Call a difference identical, everywhere."""
    altered.every("comparison", lambda d: d["predicate"].update(verdict="IDENTICAL", causes=[]))
    altered.statement(_B, lambda d: d["predicate"].update(ground="same-digest"))
    altered.report(lambda d: d.update(verdict="IDENTICAL"))
    _told_as(altered, "IDENTICAL")


def _told_as(altered: Altered, verdict: str) -> None:
    """Let the report, which cannot hold a contradiction, bend its digests to the verdict."""

    def change(document: Document) -> None:
        finding = document["artefacts"][0]
        finding.update(verdict=verdict, causes=[])
        finding["rebuilt"] = {k: finding["shipped"][k] for k in ("sha256", "size")}

    altered.report(change)


def _copied(altered: Altered, other: PrivateKey) -> None:
    altered.statement(
        _A,
        lambda d: d["predicate"]["buildDefinition"]["resolvedDependencies"][1].update(
            digest={"sha256": _OURS}
        ),
    )


def _passed_unbuilt(altered: Altered, other: PrivateKey) -> None:
    """Give a failed build the verdict MISSING, which only a build can have."""
    for name in ("comparison-1", "comparison-2"):
        altered.statement(
            name, lambda d: d["predicate"].update(verdict="MISSING", ground="not-rebuilt")
        )
    altered.report(
        lambda d: (
            d.update(verdict="MISSING"),
            [f.update(verdict="MISSING") for f in d["artefacts"]],
        )
    )


def _unknown(altered: Altered, other: PrivateKey) -> None:
    document = json.loads(Envelope.from_bytes(altered.members[_statement(_E)]).payload)
    document["predicateType"] = "https://samebits.example/rebuild-attempt/v2"
    altered.put(_statement("attempt-9"), document)


def _attempts_hidden(altered: Altered, other: PrivateKey) -> None:
    _without("attempt-2")(altered, other)


def _seal_everywhere(altered: Altered, other: PrivateKey) -> None:
    """Another seal, in provenance, attempt and report alike."""
    altered.statement(
        _A,
        lambda d: [
            r.update(digest={"sha256": OTHER})
            for r in d["predicate"]["runDetails"]["byproducts"]
            if r["name"] == "seal"
        ],
    )
    altered.statement(_E, lambda d: d["predicate"].update(seal={"sha256": OTHER}))
    altered.report(lambda d: d.update(seal=OTHER))


def _by_product(named: str, **changes: Any) -> Tell:
    return lambda a, _: a.statement(
        _A,
        lambda d: [
            r.update(changes)
            for r in d["predicate"]["runDetails"]["byproducts"]
            if r["name"] == named
        ],
    )


def _wrong_evidence(altered: Altered, other: PrivateKey) -> None:
    member = next(name for name in altered.members if name.startswith(EVIDENCE))
    altered.members[member] += b"!"


_LATER = show_time(NOW.replace(minute=59))
_BUILD = "predicate/buildDefinition"


def _moved_unbuilt(altered: Altered, other: PrivateKey) -> None:
    """Say of a run in which nothing was built that a moved rebuild gave the same."""
    document = EXAMPLES["robustness"].to_dict()
    document["predicate"]["claim"] = {"sha256": json.loads(altered.members[REPORT])["claim"]}
    altered.put(_statement(_R), document)


def _moved_more(altered: Altered, other: PrivateKey) -> None:
    """Say of a file that neither rebuild left that it was left the same."""
    more = {"name": "other.bin", "same": True}
    altered.statement(_R, lambda document: document["predicate"]["artefacts"].append(more))


def _moved_declared(altered: Altered, other: PrivateKey) -> None:
    """Say that the order of folders was moved, which the recipe declares."""

    def change(document: Document) -> None:
        test = document["predicate"]
        test["kept"] = [k for k in test["kept"] if k["factor"] != "folder-order"]
        test["moved"].insert(2, {"factor": "folder-order", "from": "one", "to": "another"})

    altered.statement(_R, change)


def _moved_twice(altered: Altered, other: PrivateKey) -> None:
    document = json.loads(Envelope.from_bytes(altered.members[_statement(_R)]).payload)
    document["predicate"]["testedOn"] = "2026-01-02T03:25:00Z"
    altered.put(_statement("robustness-2"), document)


LIES: dict[str, Lie] = {
    "unknown-member": Lie("members", _add("policy.json", b"{}")),
    "private-member": Lie("members", _add("private/cas/x", b"secret")),
    "without-card": Lie("members", _drop(CARD)),
    "without-key": Lie("members", _drop(STATEMENTS_KEY)),
    "without-report": Lie("members", _drop(REPORT)),
    "card-too-large": Lie("members", _add(CARD, b" " * (65 << 10))),
    "card-no-json": Lie("card", _add(CARD, b"center")),
    "card-of-another-version": Lie("card", _card("schema", "samebits/center-card/v2")),
    "card-with-a-field-more": Lie("card", _card("verified", "yes")),
    "card-without-a-key-for-statements": Lie(
        "card", _card("keys/1/use", "witness"), says="a key for"
    ),
    "card-with-one-key-for-two-uses": Lie(
        "card",
        lambda a, _: a.card(lambda d: d["keys"][0].update(keyid=d["keys"][1]["keyid"])),
        says="another key for each use",
    ),
    "card-indented": Lie(
        "card", lambda a, _: a.members.update({CARD: a.members[CARD].replace(b",", b", ")})
    ),
    "card-of-another-key": Lie("keys", _card("keys/0/keyid", OTHER)),
    "key-nobody-named": Lie(
        "keys", lambda a, o: a.members.update({"keys/witness.pub": o.public.to_pem()})
    ),
    "key-rubbish": Lie("keys", _add(STATEMENTS_KEY, b"rubbish")),
    "envelope-indented": Lie("envelopes", _indented),
    "envelope-rubbish": Lie("envelopes", _add(_statement(_E), b"{}")),
    "statement-twice": Lie(
        "envelopes",
        lambda a, _: a.members.update({_statement("attempt-2"): a.members[_statement(_E)]}),
    ),
    "payload-bent": Lie("signatures", _bent),
    "signed-by-another": Lie("signatures", _by_another),
    "all-by-another-who-put-a-key-in": Lie(
        "signatures",
        _both(
            _card_of_another_key,
            _all_by_another,
        ),
    ),
    "another-key-on-the-card": Lie("key-use", _card_of_another_key),
    "signed-with-the-key-for-witnessing": Lie("key-use", _witness_key_on_card),
    "signed-under-another-key-id": Lie("key-use", _key_id),
    "key-on-the-card-that-has-signed-nothing": Lie("key-use", _key_ids),
    "signed-by-another-too": Lie("key-use", _by_another_too),
    "field-nobody-knows": Lie("schema", _in(_E, "predicate/extra", 1)),
    "subject-without-digest": Lie("schema", _in(_B, "subject/0/digest", {})),
    "predicate-nobody-knows": Lie("schema", _unknown, unchecked=True),
    "review-among-the-statements": Lie("kinds", _put("review-1", EXAMPLES["review"].to_dict())),
    "statement-under-another-name": Lie("kinds", _rename("comparison-2", "attempt-2")),
    "a-gap-in-the-numbers": Lie("kinds", _rename("comparison-2", "comparison-3")),
    "two-provenances": Lie("kinds", _second_provenance),
    "moved-twice": Lie("kinds", _moved_twice, "moved"),
    "moved-by-another-builder": Lie(
        "builder", _in(_R, "predicate/builder", "https://samebits.example/b"), "moved"
    ),
    "moved-rebuild-of-another-run": Lie(
        "run", _in(_R, "predicate/run", "20260102T030405Z-ffffffff"), "moved"
    ),
    "moved-rebuild-of-another-claim": Lie(
        "claim", _in(_R, "predicate/claim/sha256", OTHER), "moved"
    ),
    "card-of-another-builder": Lie(
        "builder", _card("builder_id", "https://x.example/b"), policy=False
    ),
    "provenance-of-another-builder": Lie(
        "builder", _in(_A, "predicate/runDetails/builder/id", "https://x.example/b")
    ),
    "comparison-of-another-builder": Lie(
        "builder", _in(_B, "predicate/builder", "https://x.example/b")
    ),
    "attempt-of-another-builder": Lie(
        "builder", _in(_E, "predicate/builder", "https://x.example/b")
    ),
    "report-no-json": Lie("report", _add(REPORT, b"report")),
    "report-of-a-contradiction": Lie("report", _report("artefacts/0/rebuilt/sha256", OTHER)),
    "report-with-a-field-more": Lie("report", _report("verified", "yes")),
    "report-of-another-version": Lie("run", _report("version", "1.11")),
    "report-of-another-run": Lie("run", _report("run", "20260102T030405Z-ffffffff")),
    "provenance-of-another-run": Lie(
        "run", _in(_A, "predicate/runDetails/metadata/invocationId", "20260102T030405Z-ffffffff")
    ),
    "provenance-of-another-release": Lie(
        "run", _in(_A, f"{_BUILD}/externalParameters/release", "acme/rules@1.11")
    ),
    "comparison-of-another-run": Lie("run", _in(_B, "predicate/run", "20260102T030405Z-ffffffff")),
    "comparison-of-another-release": Lie("run", _in(_B, "predicate/release", "acme/rules@1.11")),
    "attempt-of-another-center": Lie("run", _in(_E, "predicate/center", "basel")),
    "card-of-another-center": Lie("run", _card("id", "basel"), policy=False),
    "attempt-finished-later": Lie(
        "times", _in(_E, "predicate/finishedOn", _LATER), says="different times"
    ),
    "compared-later": Lie("times", _in(_B, "predicate/comparedOn", _LATER)),
    "provenance-started-later": Lie(
        "times", _in(_A, "predicate/runDetails/metadata/startedOn", _LATER)
    ),
    "started-before-its-name": Lie(
        "times",
        _both(
            _everywhere("attempt", "predicate/startedOn", "2026-01-02T03:04:04Z"),
            _everywhere(
                "provenance", "predicate/runDetails/metadata/startedOn", "2026-01-02T03:04:04Z"
            ),
        ),
    ),
    "finished-before-it-started": Lie(
        "times",
        _both(
            _everywhere("attempt", "predicate/finishedOn", "2026-01-02T03:04:04Z"),
            _everywhere("comparison", "predicate/comparedOn", "2026-01-02T03:04:04Z"),
            _everywhere(
                "provenance", "predicate/runDetails/metadata/finishedOn", "2026-01-02T03:04:04Z"
            ),
        ),
    ),
    "report-of-another-claim": Lie("claim", _report("claim", OTHER)),
    "provenance-of-another-claim": Lie(
        "claim", _in(_A, f"{_BUILD}/internalParameters/claim", {"sha256": OTHER})
    ),
    "comparison-of-another-claim": Lie("claim", _in(_B, "predicate/claim", {"sha256": OTHER})),
    "attempt-of-another-claim": Lie("claim", _in(_E, "predicate/claim", {"sha256": OTHER})),
    "attempt-left-out": Lie("attempts", _attempts_hidden, "confirmed"),
    "no-attempt": Lie("attempts", _without(_E)),
    "attempts-swapped": Lie("attempts", _swap("attempt-1", "attempt-2"), "confirmed"),
    "attempt-numbered-two": Lie("attempts", _in(_E, "predicate/number", 2), says="out of order"),
    "attempt-only-confirming": Lie(
        "attempts", _in(_E, "predicate/purpose", "confirming"), says="out of order"
    ),
    "attempt-judged-twice": Lie(
        "attempts", _in("attempt-2", "predicate/purpose", "judged"), "confirmed"
    ),
    "attempt-with-another-exit-code": Lie("attempts", _in(_E, "predicate/exitCode", 1)),
    "attempt-with-another-log": Lie("attempts", _in(_E, "predicate/log", {"sha256": OTHER})),
    "report-without-attempts": Lie("attempts", _report("attempts", []), says="other attempts"),
    "report-of-another-outcome": Lie("outcome", _report("outcome", "TIMED_OUT")),
    "report-of-a-build-that-never-ran": Lie("outcome", _report("outcome", "BUILT"), "unavailable"),
    "report-with-another-seal": Lie("seal", _report("seal", OTHER)),
    "report-without-its-seal": Lie("seal", _report("seal", None)),
    "report-sealed-without-a-build": Lie(
        "seal", _report("seal", OTHER), "failed", says="without a build"
    ),
    "attempt-with-another-seal": Lie("seal", _in(_E, "predicate/seal", {"sha256": OTHER})),
    "attempt-without-a-seal": Lie("seal", _in(_E, "predicate/seal", None)),
    "confirming-attempt-sealed": Lie(
        "seal", _in("attempt-2", "predicate/seal", {"sha256": OTHER}), "confirmed"
    ),
    "provenance-with-another-seal": Lie("seal", _by_product("seal", digest={"sha256": OTHER})),
    "provenance-without-a-seal": Lie("seal", _by_product("seal", name="sealed")),
    "comparison-about-other-bytes": Lie("subjects", _in(_B, "subject/0/digest/sha256", OTHER)),
    "comparison-about-two-files": Lie(
        "subjects",
        _in(_B, "subject", [{"name": n, "digest": {"sha256": _OURS}} for n in ("rules.bin", "z")]),
    ),
    "difference-left-out-everywhere": Lie("complete", _hidden, "different"),
    "artefact-published-otherwise": Lie(
        "complete",
        _both(
            _in(_B, "subject/0/digest/sha256", OTHER),
            _in(_B, "predicate/shipped/published/sha256", OTHER),
        ),
    ),
    "artefact-under-another-name": Lie("complete", _in(_B, "subject/0/name", "other.bin")),
    "attempt-names-an-artefact-more": Lie(
        "complete",
        lambda a, _: a.statement(
            _E, lambda d: d["subject"].append({"name": "z", "digest": {"sha256": OTHER}})
        ),
    ),
    "report-leaves-an-artefact-out": Lie("artefacts", _pop_artefact(1)),
    "report-hides-what-nobody-declared": Lie("artefacts", _pop_artefact(2), "unexpected"),
    "report-glosses-a-difference-over": Lie(
        "artefacts", lambda a, _: _told_as(a, "IDENTICAL"), "different"
    ),
    "report-names-another-cause": Lie(
        "artefacts",
        _report("artefacts/0/causes", [{"name": "content", "detail": "x"}]),
        "different",
    ),
    "report-of-another-explanation": Lie(
        "artefacts", _report("artefacts/0/explanation/json", OTHER), "different"
    ),
    "provenance-of-other-bytes": Lie("built", _in(_A, "subject/0/digest/sha256", OTHER)),
    "provenance-of-a-file-more": Lie(
        "built",
        lambda a, _: a.statement(
            _A, lambda d: d["subject"].append({"name": "z", "digest": {"sha256": OTHER}})
        ),
    ),
    "provenance-left-out": Lie(
        "built",
        _both(
            _drop(_statement(_A)),
            _everywhere("comparison", "predicate/provenance", None),
        ),
    ),
    "comparison-of-another-provenance": Lie(
        "provenance", _in(_B, "predicate/provenance", {"sha256": OTHER})
    ),
    "comparison-without-provenance": Lie("provenance", _in(_B, "predicate/provenance", None)),
    "provenance-with-another-log": Lie("log", _by_product("build.log", digest={"sha256": OTHER})),
    "provenance-without-the-log": Lie("log", _by_product("build.log", name="other.log")),
    "report-without-its-by-products": Lie("by-products", _report("by_products", [])),
    "by-product-with-another-digest": Lie(
        "by-products", _by_product("rules.debug", digest={"hmac_sha256": OTHER})
    ),
    "by-product-with-a-plain-digest": Lie(
        "by-products", _by_product("rules.debug", digest={"sha256": OTHER})
    ),
    "report-of-another-method": Lie("environment", _report("environment/method", "wheel")),
    "report-of-another-image": Lie("environment", _report("environment/image", "differ")),
    "report-of-another-image-digest": Lie(
        "environment", _report("environment/image_config", OTHER)
    ),
    "report-of-another-environment": Lie(
        "environment", _report("environment/declared/umask", "0077")
    ),
    "shipped-file-among-the-inputs": Lie("inputs", _copied),
    "difference-called-identical": Lie("artefacts", _glossed, "different"),
    "signature-that-nobody-checks": Lie(
        "verdicts",
        _in(_B, "predicate/signature", {"scheme": "authenticode", "signer": {"sha256": OTHER}}),
        unchecked=True,
    ),
    "identical-on-another-ground": Lie("verdicts", _in(_B, "predicate/ground", "bytes-differ")),
    "unchecked-on-no-ground": Lie(
        "verdicts", _in("comparison-2", "predicate/ground", "no-rebuild"), "unreachable"
    ),
    "judged-without-a-build": Lie("verdicts", _passed_unbuilt, "failed"),
    "report-with-another-verdict": Lie("release-verdict", _report("verdict", "EQUIVALENT")),
    "moved-beside-nothing-judged": Lie("tested", _moved_unbuilt, "failed", says="nothing that was"),
    "moved-rebuild-of-another-attempt": Lie(
        "tested", _in(_R, "predicate/judged/sha256", OTHER), "moved", says="another attempt"
    ),
    "moved-rebuild-of-another-artefact": Lie(
        "tested", _in(_R, "subject/0/name", "z"), "moved", says="other artefacts"
    ),
    "moved-rebuild-before-the-run": Lie(
        "tested", _in(_R, "predicate/testedOn", "2026-01-02T03:04:05Z"), "moved", says="before"
    ),
    "moved-rebuild-held-against-other-bytes": Lie(
        "moved",
        _both(*(_in(_R, f"predicate/artefacts/0/{n}/sha256", OTHER) for n in ("judged", "moved"))),
        "moved",
        says="other bytes of rules.bin",
    ),
    "moved-rebuild-of-fewer-artefacts": Lie(
        "moved", lambda a, _: a.statement(_R, lambda d: d["predicate"]["artefacts"].pop()), "moved"
    ),
    "moved-rebuild-of-more-artefacts": Lie("moved", _moved_more, "moved"),
    "moved-from-another-host": Lie(
        "moved", _in(_R, "predicate/moved/0/from", "vendor"), "moved", says="hostname"
    ),
    "moved-from-another-locale": Lie(
        "moved", _in(_R, "predicate/moved/5/from", "de"), "moved", says="locale"
    ),
    "moved-from-another-time-zone": Lie(
        "moved", _in(_R, "predicate/moved/4/from", "CET"), "moved", says="timezone"
    ),
    "moved-though-declared": Lie("moved", _moved_declared, "moved-declared", says="folder-order"),
    "moved-difference-called-the-same": Lie(
        "schema", _in(_R, "predicate/artefacts/1/same", value=True), "moved-apart"
    ),
    "moved-result-of-other-parts": Lie(
        "schema", _in(_R, "predicate/result", "same"), "moved-apart"
    ),
    "evidence-of-other-bytes": Lie("evidence", _wrong_evidence),
    "evidence-nobody-named": Lie("evidence", _add(f"{EVIDENCE}{Digest.of(b'x')}", b"x")),
}
