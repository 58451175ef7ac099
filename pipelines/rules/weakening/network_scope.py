"""Where a rule of Suricata or Snort looks: protocol, addresses, ports and direction."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Rule
from pipelines.rules.weakening.effect_finding import EffectFinding, found
from pipelines.rules.weakening.pattern_relation import MatchRelation, combined, of_sets

_BELOW = {
    "ip": frozenset({"tcp", "udp", "icmp", "tcp-pkt", "tcp-stream", "sctp"}),
    "tcp": frozenset({"tcp-pkt", "tcp-stream", "http", "http1", "http2", "tls", "ssl", "smtp",
                      "ftp", "ftp-data", "smb", "ssh", "imap", "pop3", "rdp", "dcerpc", "mqtt"}),
    "udp": frozenset({"tftp", "ntp", "dhcp", "snmp", "ike", "quic"}),
}  # fmt: skip
_PORTS = 65536


def scope(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield what of a header is narrower, part by part."""
    sides = [dict(item.partition(":")[::2] for item in rule.scope) for rule in (old, new)]
    for key in sorted({*sides[0], *sides[1]}):
        was, now = (side.get(key, "") for side in sides)
        if was == now:
            continue
        relation = _part(key, was, now)
        yield from found(relation, Weakness.SCOPE_NARROWER, key, was, now)


def _part(key: str, was: str, now: str) -> MatchRelation:
    if not was or not now:  # a header without addresses looks at all of them
        return MatchRelation.WIDER if not now else MatchRelation.NARROWER
    if key == "direction":
        if "<>" in (was, now):
            return MatchRelation.NARROWER if was == "<>" else MatchRelation.WIDER
        return MatchRelation.OTHER
    if key == "proto":
        if now in _every_below(was):
            return MatchRelation.NARROWER
        return MatchRelation.WIDER if was in _every_below(now) else MatchRelation.OTHER
    ends = [side.rpartition(" ") for side in (was, now)]
    return combined([_addresses(ends[0][0], ends[1][0]), _ports(ends[0][2], ends[1][2])])


def _every_below(protocol: str) -> frozenset[str]:
    found_ = _BELOW.get(protocol, frozenset())
    return found_.union(*(_every_below(one) for one in found_))


def _addresses(was: str, now: str) -> MatchRelation:
    if was == now:
        return MatchRelation.EQUAL
    if "any" in (was, now):
        return MatchRelation.NARROWER if was == "any" else MatchRelation.WIDER
    if "!" in was + now:
        return MatchRelation.UNKNOWN
    relation = of_sets(*(side.strip("[]").split(",") for side in (was, now)))
    mixed = relation is MatchRelation.OTHER  # one network may be a part of another
    return MatchRelation.UNKNOWN if mixed else relation


def _ports(was: str, now: str) -> MatchRelation:
    if was == now:
        return MatchRelation.EQUAL
    first, second = _port_set(was), _port_set(now)
    if first is None or second is None:
        return _addresses(was, now)
    return of_sets(first, second)


def _port_set(text: str) -> frozenset[int] | None:
    """Return the numbers of ports; None where a variable is among them."""
    if text == "any":
        return frozenset(range(_PORTS))
    if text.startswith("!"):
        inner = _port_set(text[1:])
        return None if inner is None else frozenset(range(_PORTS)) - inner
    kept: set[int] = set()
    taken: set[int] = set()
    for part in text.removeprefix("[").removesuffix("]").split(","):
        low, colon, high = part.removeprefix("!").partition(":")
        ends = (low or "0", (high or str(_PORTS - 1)) if colon else low)
        if not all(end.isdecimal() and int(end) < _PORTS for end in ends):
            return None
        (taken if part.startswith("!") else kept).update(range(int(ends[0]), int(ends[1]) + 1))
    return frozenset(kept or range(_PORTS)) - taken
