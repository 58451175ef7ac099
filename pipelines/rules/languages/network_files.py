"""Files of rules for Suricata and Snort: which lines are rules, and which are switched off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePosixPath

from pipelines.rules.languages.network_facts import Network, facts_of, identity_of
from pipelines.rules.languages.network_options import network_rule, split_value
from pipelines.rules.languages.rule_language import RuleFault, RuleSyntaxError
from pipelines.rules.languages.rule_text import bad_rule, lines_of, rule_of_facts, text_of
from pipelines.rules.rule import Language, Rule

_THRESHOLD_FILES = frozenset({"threshold.conf", "threshold.config"})
_CLASSES_FILE = "classification.config"
_CLASS = re.compile(r"config classification:\s*+([^,]+),([^,]*),\s*+(\d{1,3})")
_THRESHOLDS = frozenset({"event_filter", "rate_filter", "suppress", "threshold"})
_COMMENT = re.compile(rb"\A[\s#]+")
_RULE = re.compile(rb"[\s#]*[a-z]+\s[^()]*\(.*\bsid\s*:", re.DOTALL)
_KEPT = 20_000
"""Rules that are kept, for the other one of two sets."""

Lines = Iterator[tuple[int, bytes, bool]]
"""Line, bytes and whether it is on, of each rule."""


def is_configuration(path: str) -> bool:
    """Say whether a file has thresholds or priorities of rules that are elsewhere."""
    return PurePosixPath(path).name in {*_THRESHOLD_FILES, _CLASSES_FILE}


def read_network_rules(
    language: Language, network: Network, path: str, rules: Lines, most: int | None = None
) -> Iterator[Rule | RuleFault]:
    """Read rules, each of at most `most` bytes; a comment that is no rule is left out."""
    for line, data, enabled in rules:
        if not enabled and not _RULE.match(data):
            continue
        try:
            if b"\0" in data or (most is not None and len(data) > most):
                raise bad_rule("a rule with a NUL byte, or longer than engines read")
            yield replace(_rule(language, network, data, enabled), file=path, line=line)
        except RuleSyntaxError as error:
            if enabled:
                yield RuleFault(file=path, line=line, what=str(error))


@lru_cache(maxsize=_KEPT)
def _rule(language: Language, network: Network, data: bytes, enabled: bool) -> Rule:  # noqa: FBT001  # lru_cache
    """Return a rule without its place; most rules of two releases are the same."""
    text = data if enabled else _COMMENT.sub(b"", data, count=1)
    rule = network_rule(text.decode("latin-1"), quotes=network.quotes)
    identity, revision = identity_of(rule)
    facts, metadata = facts_of(rule, network)
    return rule_of_facts(
        language,
        identity,
        file="",
        line=0,
        text=data,
        facts=facts,
        metadata={**metadata, "enabled": enabled, "revision": revision},
    )


def comments(lines: Iterable[tuple[int, bytes]]) -> Lines:
    """Yield lines that an engine skips; those that end in a backslash with what follows."""
    start, pieces, last = 0, [b""], 0
    for number, line in lines:
        if start and number == last + 1:
            pieces.append(line.lstrip(b"# \t"))
        else:
            start, pieces = number, [line]
        last = number
        if pieces[-1].endswith(b"\\"):
            pieces[-1] = pieces[-1][:-1]
            continue
        yield start, b"".join(pieces), False
        start = 0


def read_configuration(language: Language, path: str, data: bytes) -> Iterator[Rule | RuleFault]:
    """Read thresholds and suppressed rules, or the priorities of classes, one a line."""
    read = _class if PurePosixPath(path).name == _CLASSES_FILE else _threshold
    for number, line in lines_of(data):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        try:
            yield read(language, path, number, line)
        except RuleSyntaxError as error:
            yield RuleFault(file=path, line=number, what=str(error))


def _threshold(language: Language, path: str, number: int, line: bytes) -> Rule:
    kind, _, rest = text_of(line).strip().partition(" ")
    said: dict[str, str] = {}
    for part in split_value(rest):
        key, _, value = part.partition(" ")
        if not value or key in said:
            raise bad_rule("a threshold that cannot be read", part)
        said[key] = value.strip()
    if kind not in _THRESHOLDS or not {"gen_id", "sig_id"} <= said.keys():
        raise bad_rule("an unknown threshold", text_of(line), "a kind, gen_id and sig_id")
    about = f"{said.pop('gen_id')}:{said.pop('sig_id')}"
    where = f"{said.get('track', '')} {said.get('ip', '')}".strip()
    facts: dict[str, object] = {"condition": f"{kind} {about}", "thresholds": said}
    if kind == "suppress":
        facts |= {"exclusions": (where,)} if where else {"disables": (about,)}
    return rule_of_facts(
        language,
        f"{kind} {about} {where}".rstrip() if kind == "suppress" else f"{kind} {about}",
        file=path,
        line=number,
        text=line,
        facts=facts,
        metadata={},
    )


def _class(language: Language, path: str, number: int, line: bytes) -> Rule:
    match = _CLASS.fullmatch(text_of(line).strip())
    if match is None:
        raise bad_rule("a class that cannot be read", text_of(line), "name, description, priority")
    name, description, priority = match.groups()
    return rule_of_facts(
        language,
        f"classification:{name.strip()}",
        file=path,
        line=number,
        text=line,
        facts={"severity": str(int(priority))},
        metadata={"metadata": {"description": description.strip()}},
    )
