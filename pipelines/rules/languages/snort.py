"""Rules of Snort 2 and 3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pipelines.rules.languages.network_facts import Network
from pipelines.rules.languages.network_files import (
    Lines,
    comments,
    is_configuration,
    read_configuration,
    read_network_rules,
)
from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage
from pipelines.rules.languages.rule_text import lines_of
from pipelines.rules.rule import Language, Rule

_ONLY_SNORT = re.compile(
    rb"(?<!\\)[;(]\s*service\s*:"
    rb"|^[a-z]+[ \t]+[a-z0-9]+[ \t]*\("
    rb'|\bcontent\s*+:\s*+(?:!\s*+)?"(?:[^"\\\n]|\\[^\n])*"\s*,',
    re.MULTILINE,
)
_BUFFERS_2 = (
    "http_client_body", "http_cookie", "http_header", "http_method", "http_raw_cookie",
    "http_raw_header", "http_raw_uri", "http_stat_code", "http_stat_msg", "http_uri",
)  # fmt: skip
"""Named behind a content by Snort 2, and before it by Snort 3."""
_NETWORK_2 = Network(
    actions=frozenset({
        "activate", "alert", "block", "drop", "dynamic", "log", "pass", "react", "reject",
        "rewrite", "sdrop",
    }),
    quotes=True,
    of_last={name: name for name in _BUFFERS_2},
    aliases={},
    header_optional=True,
)  # fmt: skip
_NETWORK = replace(_NETWORK_2, of_last={}, older=_NETWORK_2)


def is_snort(path: str, data: bytes) -> bool:
    """Say whether rules are Snort's: by the path, or by what Suricata cannot read."""
    return "snort" in path.lower() or _ONLY_SNORT.search(data) is not None


def _is_rule_file(path: str, data: bytes) -> bool:
    rules = path.lower().endswith(".rules") or is_configuration(path)
    return rules and is_snort(path, data)


def _read_rules(path: str, data: bytes) -> Iterator[Rule | RuleFault]:
    if is_configuration(path):
        return read_configuration(Language.SNORT, path, data)
    return read_network_rules(Language.SNORT, _NETWORK, path, _lines(data))


def _lines(data: bytes) -> Lines:
    """Yield the rules of a file, each to the line that ends in its last bracket."""
    start, pieces = 0, list[bytes]()
    skipped: list[tuple[int, bytes]] = []
    for number, line in lines_of(data):
        line = line.strip()  # noqa: PLW2901
        if not start and (not line or line.startswith(b"#")):
            if line:
                skipped.append((number, line))
            continue
        start = start or number
        pieces.append(line.removesuffix(b"\\"))
        if line.endswith(b")"):
            yield start, b" ".join(pieces), True
            start, pieces = 0, []
    if start:
        yield start, b" ".join(pieces), True
    yield from comments(skipped)


LANGUAGE = RuleLanguage(name=Language.SNORT, is_rule_file=_is_rule_file, read_rules=_read_rules)
