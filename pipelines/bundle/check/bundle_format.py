"""Checks of the file itself: its form, its members, their digests, the card and the keys."""

from __future__ import annotations

from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.check.result import UncheckedError, WrongError, require_equal
from pipelines.bundle.layout import MEDIA_TYPE, STATEMENTS, check_members, sums_of
from pipelines.evidence.dsse import Envelope

_KINDS = ("provenance", "comparison", "attempt", "robustness")
_AT_MOST_ONE = ("provenance", "robustness")


def check_form(opened: OpenedBundle) -> str:
    """Require a bundle, in the one form that it can have."""
    return f"{MEDIA_TYPE}, {len(opened.bundle.members)} members, {len(opened.data)} bytes"


def check_known_members(opened: OpenedBundle) -> str:
    """Require the members of a bundle and no others."""
    check_members(opened.bundle.members)
    return "all that belongs to a bundle is there, and nothing else"


def check_digests(opened: OpenedBundle) -> str:
    """Require the digests of all members, as they are listed in the bundle."""
    members = opened.bundle.members
    if opened.bundle.sums != sums_of(members):
        lines = opened.bundle.sums.split(b"\n")
        odd = [n for n, d in members.items() if sums_of({n: d})[:-1] not in lines]
        raise WrongError(
            "SHA256SUMS does not fit the members",
            got=f"another line for {odd[0]}" if odd else "lines of no member",
            expected=f"{len(members)} lines, sorted by name",
        )
    return f"SHA-256 of {len(members)} members"


def check_card(opened: OpenedBundle) -> str:
    """Require a card of the center."""
    card = opened.card
    return f"center {card.id}, builder {card.builder_id}"


def check_keys(opened: OpenedBundle) -> str:
    """Require the public keys that the card names, and no others."""
    named: dict[str, str] = {key.use: key.keyid for key in opened.card.keys}
    found = {use: key.keyid for use, key in opened.keys.items()}
    for use in sorted({*named, *found}):
        require_equal(
            f"the key for {use} is not the one on the center's card",
            got=found.get(use, "no key"),
            expected=named.get(use, "no key"),
        )
    return f"keys for {', '.join(sorted(found))}"


def check_envelopes(opened: OpenedBundle) -> str:
    """Require canonical envelopes, each with another payload."""
    payloads = set()
    for name, envelope in opened.envelopes.items():
        require_canonical(opened, name, envelope)
        if envelope.payload in payloads:
            raise WrongError(f"{name} is in the bundle twice", expected="every statement once")
        payloads.add(envelope.payload)
    return f"{len(payloads)} envelopes"


def require_canonical(opened: OpenedBundle, name: str, envelope: Envelope) -> None:
    """Require the member `name` to be the canonical JSON of its envelope."""
    if envelope.to_bytes() != opened.bundle.members[name]:
        raise WrongError(f"{name} is not canonical", expected="canonical JSON (RFC 8785)")


def check_schema(opened: OpenedBundle) -> str:
    """Require statements as their types have them; an unknown type cannot be checked."""
    count = len(opened.statements)
    for name, predicate_type in opened.unknown.items():
        raise UncheckedError(
            f"{name} has a predicate that this version does not know",
            got=f"{predicate_type!a:.120}",
            todo="A newer samebits may know it",
        )
    return f"{count} statements"


def check_kinds(opened: OpenedBundle) -> str:
    """Require statements about a run, numbered from 1, under the names of their kinds."""
    counts = dict.fromkeys(_KINDS, 0)
    for name, statement in opened.statements.items():
        kind = statement.KIND
        if kind not in counts:
            raise WrongError(f"{name} is not about a run", got=kind, expected=", ".join(_KINDS))
        counts[kind] += 1
        expected = f"{STATEMENTS}{kind}-{counts[kind]}.dsse.json"
        require_equal("a statement has the name of another", got=name, expected=expected)
    for kind in _AT_MOST_ONE:
        if counts[kind] > 1:
            raise WrongError(
                f"the run has more than one {kind} statement", got=counts[kind], expected=1
            )
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
