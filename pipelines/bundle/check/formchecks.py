"""Checks of the file itself: its form, its members, their digests, the card and the keys."""

from __future__ import annotations

from pipelines.bundle.check.dossier import Dossier, number_of
from pipelines.bundle.check.result import UncheckedError, WrongError
from pipelines.bundle.layout import MEDIA_TYPE, STATEMENTS, check_members, sums_of

_OF_A_RUN = ("provenance", "comparison", "attempt", "robustness")


def check_form(dossier: Dossier) -> str:
    """Require a bundle, in the one spelling that it can have."""
    return f"{MEDIA_TYPE}, {len(dossier.bundle.members)} members, {len(dossier.data)} bytes"


def check_known_members(dossier: Dossier) -> str:
    """Require the members of a bundle and no others."""
    check_members(dossier.bundle.members)
    return "all that belongs to a bundle is there, and nothing else"


def check_digests(dossier: Dossier) -> str:
    """Require the digests of all members, as they are listed in the bundle."""
    members = dossier.bundle.members
    if dossier.bundle.sums != sums_of(members):
        lines = dossier.bundle.sums.split(b"\n")
        odd = [n for n, d in members.items() if sums_of({n: d})[:-1] not in lines]
        raise WrongError(
            "SHA256SUMS does not fit the members",
            got=f"another line for {odd[0]}" if odd else "lines of no member",
            expected=f"{len(members)} lines, sorted by name",
        )
    return f"SHA-256 of {len(members)} members"


def check_card(dossier: Dossier) -> str:
    """Require a card of the center."""
    card = dossier.card
    return f"center {card.id}, builder {card.builder_id}"


def check_keys(dossier: Dossier) -> str:
    """Require the public keys that the card names, and no others."""
    told: dict[str, str] = {key.use: key.keyid for key in dossier.card.keys}
    found = {use: key.keyid for use, key in dossier.keys.items()}
    if told != found:
        odd = min(dict(told.items() ^ found.items()))
        raise WrongError(
            f"the key for {odd} is not the one on the center's card",
            got=found.get(odd, "no key"),
            expected=told.get(odd, "no key"),
        )
    return f"keys for {', '.join(sorted(found))}"


def check_envelopes(dossier: Dossier) -> str:
    """Require envelopes in their one spelling, each about something else."""
    members = dossier.bundle.members
    payloads = set()
    for name, envelope in dossier.envelopes.items():
        if envelope.to_bytes() != members[name]:
            raise WrongError(f"{name} is in another spelling", expected="canonical JSON (RFC 8785)")
        if envelope.payload in payloads:
            raise WrongError(f"{name} is in the bundle twice", expected="every statement once")
        payloads.add(envelope.payload)
    return f"{len(payloads)} envelopes"


def check_schema(dossier: Dossier) -> str:
    """Require statements as their kinds have them; an unknown kind cannot be checked."""
    count = len(dossier.statements)
    for name, predicate in dossier.unknown.items():
        raise UncheckedError(
            f"{name} has a predicate that this version does not know",
            got=f"{predicate!a:.120}",
            todo="A newer samebits may know it",
        )
    return f"{count} statements"


def check_kinds(dossier: Dossier) -> str:
    """Require statements about a run, numbered from 1, under the names of their kinds."""
    counts = dict.fromkeys(_OF_A_RUN, 0)
    for name in sorted(dossier.statements, key=number_of):
        kind = dossier.statements[name].KIND
        if kind not in counts:
            raise WrongError(f"{name} is not about a run", got=kind, expected=", ".join(_OF_A_RUN))
        counts[kind] += 1
        expected = f"{STATEMENTS}{kind}-{counts[kind]}.dsse.json"
        if name != expected:
            raise WrongError("a statement has the name of another", got=name, expected=expected)
    if counts["provenance"] > 1:
        raise WrongError(
            "a run was built more than once", got=f"{counts['provenance']} provenances"
        )
    if counts["robustness"] > 1:
        raise WrongError("a run was moved more than once", got=f"{counts['robustness']} tests")
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
