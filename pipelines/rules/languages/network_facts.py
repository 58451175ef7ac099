"""What a rule of Suricata or Snort means: its options as the facts of a rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.rules.languages.network_options import (
    NetworkRule,
    content,
    expression,
    split_value,
)
from pipelines.rules.languages.rule_text import bad_rule, text_of
from pipelines.rules.rule import Bound, Pattern

_CHAIN = frozenset({
    "absent", "asn1", "base64_decode", "byte_extract", "byte_jump", "byte_math", "byte_test",
    "cvs", "datarep", "dataset", "entropy", "isdataat", "pkt_num", "regex", "sd_pattern",
})  # fmt: skip
"""Options whose place among the contents has a meaning."""
_OF_CONTENT = frozenset({
    "depth", "distance", "endswith", "nocase", "offset", "rawbytes", "replace", "startswith",
    "width", "within",
})  # fmt: skip
_CONTENTS = frozenset({"content", "protected_content", "uricontent"})
_PAYLOAD = frozenset({"pkt_data", "raw_data"})
"""Options that look in the payload again."""
_HINTS = frozenset({"fast_pattern", "fast_pattern_length", "fast_pattern_offset", "prefilter"})
"""How an engine goes about it, not what it finds."""
_TRANSFORMS = frozenset({
    "compress_whitespace", "domain", "dotprefix", "from_base64", "gunzip", "header_lowercase",
    "luaxform", "pcrexform", "strip_pseudo_headers", "strip_whitespace", "subslice", "tld",
    "to_lowercase", "to_md5", "to_sha1", "to_sha256", "to_uppercase", "url_decode", "xor",
    "zlib_deflate",
})  # fmt: skip
_BOUNDS = frozenset({"bsize", "bufferlen", "dsize", "filesize", "stream_size", "ttl", "urilen"})
_OF_BUFFER = frozenset({"bsize", "bufferlen"})
_THRESHOLDS = frozenset({"detection_filter", "rate_filter", "threshold"})
_FLAGS = frozenset({"ftpbounce", "noalert", "sameip", "nfq_set_mark"})
"""Options without a value that are no buffers."""
_TEXTS = frozenset({
    "classtype", "gid", "metadata", "msg", "priority", "reference", "rem", "rev", "sid", "soid",
    "target",
})  # fmt: skip
"""Options that change no match."""
_WORDS = frozenset({"flow", "flags", "fragbits"})
_RANGE = re.compile(r"(?P<low>\d{1,18})\s*(?P<kind><>|<=>|-)\s*(?P<high>\d{1,18})")
_LIMIT = re.compile(r"(?P<sign>[<>]?=?)\s*(?P<number>\d{1,18})")
_LIMITS = {
    "": (0, 0),
    "=": (0, 0),
    "<": (None, -1),
    "<=": (None, 0),
    ">": (1, None),
    ">=": (0, None),
}
_NUMBER = re.compile(r"\d{1,10}")


@dataclass
class _Payload:
    """The contents so far, and the buffer that the next one is looked for in."""

    buffer: str = ""
    unused: str = ""
    """A buffer that nothing was looked for in so far."""
    chosen: dict[str, int] = field(default_factory=dict)
    patterns: list[tuple[str, str, list[str]]] = field(default_factory=list)
    transformations: list[str] = field(default_factory=list)
    bounds: dict[str, Bound] = field(default_factory=dict)
    thresholds: dict[str, str] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    def choose(self, buffer: str) -> None:
        """Look in `buffer` from now on; each time that is chosen may find another one."""
        self.leave()
        if buffer in _PAYLOAD:
            self.buffer = ""
            return
        self.chosen[buffer] = count = self.chosen.get(buffer, 0) + 1
        self.buffer = self.unused = buffer if count == 1 else f"{buffer}#{count}"

    def leave(self) -> None:
        """Keep the name of a buffer that was not used: the option may have another meaning."""
        if self.unused:
            self.conditions.append(self.unused)
            self.unused = ""

    def add(self, value: str, buffer: str | None = None) -> None:
        """Look for `value` in the buffer chosen, or in another one."""
        self.unused = ""
        self.patterns.append((self.buffer if buffer is None else buffer, value, []))

    def transform(self, how: str) -> None:
        """Change the buffer before it is looked in."""
        self.transformations.append(f"{self.buffer}|{how}")
        self.buffer = f"{self.buffer}|{how}"

    def move(self, buffer: str) -> None:
        """Look for the last content in `buffer`, as an option behind it says."""
        if not self.patterns:
            raise bad_rule("a modifier without a content before it", buffer)
        _, value, modifiers = self.patterns[-1]
        self.patterns[-1] = (buffer, value, modifiers)

    def bind(self, name: str, bound: Bound | None) -> bool:
        """Keep a bound; False for none, and if there is one of that name."""
        if bound is None:
            return False
        if name in _OF_BUFFER:
            name = f"{self.buffer}|{name}"
            self.unused = ""
        return self.bounds.setdefault(name, bound) is bound


@dataclass(frozen=True, eq=False)
class Network:
    """Where the two engines differ."""

    actions: frozenset[str]
    quotes: bool
    """Whether quotes protect a `;`."""
    of_last: Mapping[str, str]
    """Options without a value that move the content before them to a buffer, and its name."""
    aliases: Mapping[str, str]
    """Old names of buffers."""
    header_optional: bool
    """Whether addresses and ports may be missing."""
    older: Network | None = None
    """How a rule is read that ends with a buffer in which it looks for nothing."""


def identity_of(rule: NetworkRule) -> tuple[str, int | None]:
    """Return `gid:sid` of a rule, and its revision; raises `RuleSyntaxError`."""
    numbers = {}
    for name in ("gid", "sid", "rev"):
        values = [value for option, value in rule.options if option == name]
        if len(values) > 1 or any(not _NUMBER.fullmatch(value) for value in values):
            raise bad_rule(f"`{name}` is not one number", ", ".join(values))
        numbers[name] = int(values[0]) if values else None
    if numbers["sid"] is None:
        raise bad_rule("a rule without `sid`")
    gid = numbers["gid"]
    return f"{1 if gid is None else gid}:{numbers['sid']}", numbers["rev"]


def facts_of(rule: NetworkRule, network: Network) -> tuple[dict[str, object], dict[str, object]]:
    """Return what the engine acts on, and what is only told; raises `RuleSyntaxError`."""
    if rule.action not in network.actions:
        raise bad_rule("an unknown action", rule.action)
    payload = _payload(rule, network)
    if network.older is not None and payload.unused in network.older.of_last:
        payload = _payload(rule, network.older)
    payload.leave()
    told: dict[str, list[str]] = {}
    for name, value in rule.options:
        if name in _TEXTS:
            told.setdefault(name, []).append(value)
    tags = told.get("classtype", [])
    if network.quotes:
        tags += _acting(told)
    facts: dict[str, object] = {
        "action": rule.action,
        "scope": _scope(rule, network),
        "patterns": tuple(
            Pattern(name=buffer, value=value, modifiers=tuple(sorted(modifiers)))
            for buffer, value, modifiers in payload.patterns
        ),
        "transformations": tuple(payload.transformations),
        "bounds": payload.bounds,
        "thresholds": payload.thresholds,
        "condition": "; ".join(sorted(payload.conditions)),
        "severity": ",".join(told["priority"]) if "priority" in told else None,
        "tags": tuple(tags),
    }
    return facts, _metadata(told, payload.hints)


def _payload(rule: NetworkRule, network: Network) -> _Payload:
    payload = _Payload()
    for name, value in rule.options:
        if name not in _TEXTS:
            _read_option(payload, name, value, network)
    return payload


def _read_option(payload: _Payload, name: str, value: str, network: Network) -> None:
    if name in _CONTENTS:
        _read_content(payload, name, value, network)
    elif name == "pcre":
        payload.add(expression(value))
    elif name in _CHAIN:
        payload.add(f"{name}:{','.join(split_value(value))}")
    elif name in _OF_CONTENT:
        _modify(payload, name, value)
    elif name in _HINTS:
        payload.hints.append(f"{name}:{value}" if value else name)
    elif name in _TRANSFORMS:
        payload.transform(f"{name}:{value}" if value else name)
    else:
        _read_other(payload, name, value, network)


def _read_other(payload: _Payload, name: str, value: str, network: Network) -> None:
    """Read an option that is no part of what is looked for, or names where."""
    if name in _THRESHOLDS:
        _read_threshold(payload, name, value)
    elif not value and name in network.of_last:
        payload.move(network.of_last[name])
    elif (not value and name not in _FLAGS) or (name.startswith("http_") and network.quotes):
        buffer = network.aliases.get(name, name)
        payload.choose(f"{buffer} {','.join(split_value(value))}" if value else buffer)
    elif not (name in _BOUNDS and payload.bind(name, _bound(value))):
        parts = split_value(value)
        shown = ",".join(sorted(parts) if name in _WORDS else parts)
        payload.conditions.append(f"{name}:{shown}" if shown else name)


def _read_content(payload: _Payload, name: str, value: str, network: Network) -> None:
    """Read a content; Snort 3 writes its modifiers behind it."""
    modifiers = ""
    if network.quotes and not value.endswith('"'):
        value, quote, modifiers = value.rpartition('"')
        value += quote
    found = content(value.rstrip())
    match name:
        case "uricontent":
            payload.add(found, "http.uri")
        case "protected_content":
            payload.add(f"protected:{found}")
        case _:
            payload.add(found)
    for part in split_value(modifiers.strip().strip(",")) if modifiers.strip() else []:
        key, _, number = part.partition(" ")
        if key in _HINTS:
            payload.hints.append(part)
        elif key in _OF_CONTENT:
            _modify(payload, key, number.strip())
        else:
            raise bad_rule("an unknown modifier of a content", part)


def _modify(payload: _Payload, name: str, value: str) -> None:
    if not payload.patterns:
        raise bad_rule("a modifier without a content before it", name)
    payload.patterns[-1][2].append(f"{name}={value}" if value else name)


def _read_threshold(payload: _Payload, name: str, value: str) -> None:
    for part in split_value(value):
        key, _, said = part.partition(" ")
        if not said or f"{name}.{key}" in payload.thresholds:
            raise bad_rule(f"a `{name}` that cannot be read", value)
        payload.thresholds[f"{name}.{key}"] = said.strip()


def _bound(value: str) -> Bound | None:
    """Return a range of numbers; None for what is no range, and stays a condition."""
    text = value.removesuffix(",raw").strip()
    if match := _RANGE.fullmatch(text):
        low, high = int(match["low"]), int(match["high"])
        inside = match["kind"] == "<>"  # both ends are left out
        return Bound(lowest=low + inside, highest=high - inside)
    if match := _LIMIT.fullmatch(text):
        below, above = _LIMITS[match["sign"]]
        number = int(match["number"])
        return Bound(
            lowest=None if below is None else number + below,
            highest=None if above is None else number + above,
        )
    return None


def _scope(rule: NetworkRule, network: Network) -> tuple[str, ...]:
    match rule.header:
        case (protocol, source, source_port, direction, target, target_port):
            if direction not in {"->", "<>", "=>", "<-"}:
                raise bad_rule("an unknown direction", direction, "`->` or `<>`")
            return (
                f"proto:{protocol.lower()}",
                f"src:{source} {source_port}",
                f"dst:{target} {target_port}",
                f"direction:{direction}",
            )
        case (protocol,) if network.header_optional:
            return (f"proto:{protocol.lower()}",)
        case _:
            shown = " ".join(rule.header)
            raise bad_rule("a header that cannot be read", shown, "addresses and ports")


def _acting(told: Mapping[str, list[str]]) -> list[str]:
    """Return the metadata by which Snort decides whether and where a rule is on."""
    parts = (part for value in told.get("metadata", ()) for part in split_value(value))
    return sorted(part for part in parts if part.startswith(("policy ", "service ", "ruleset ")))


def _metadata(told: Mapping[str, list[str]], hints: list[str]) -> dict[str, object]:
    msg = ", ".join(told.get("msg", ())).strip('"')
    pairs = sorted(part for value in told.get("metadata", ()) for part in split_value(value))
    others = {name: ", ".join(told[name]) for name in ("rem", "soid", "target") if name in told}
    said = {**others, "metadata": ", ".join(pairs), "hints": "; ".join(hints)}
    return {
        "name": _shown(msg),
        "references": tuple(_shown(value) for value in told.get("reference", ())),
        "metadata": {key: _shown(value) for key, value in said.items() if value},
    }


def _shown(text: str) -> str:
    return text_of(text.encode("latin-1"))
