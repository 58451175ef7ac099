"""Rules of Suricata, as its loader reads them line by line."""

from __future__ import annotations

from collections.abc import Iterator

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
from pipelines.rules.languages.snort import is_snort
from pipelines.rules.rule import Language, Rule

_MOST = 8191
"""Bytes of a rule: the engine's own buffer has one more."""
_OLD_NAMES = {
    "file_data": "file.data",
    "http_client_body": "http.request_body",
    "http_cookie": "http.cookie",
    "http_header": "http.header",
    "http_host": "http.host",
    "http_method": "http.method",
    "http_raw_header": "http.header.raw",
    "http_raw_host": "http.host.raw",
    "http_raw_uri": "http.uri.raw",
    "http_server_body": "http.response_body",
    "http_stat_code": "http.stat_code",
    "http_stat_msg": "http.stat_msg",
    "http_uri": "http.uri",
    "http_user_agent": "http.user_agent",
}
_NETWORK = Network(
    actions=frozenset(
        {"alert", "config", "drop", "pass", "reject", "rejectboth", "rejectdst", "rejectsrc"}
    ),
    quotes=False,
    of_last={old: new for old, new in _OLD_NAMES.items() if old != "file_data"},
    aliases=_OLD_NAMES | {"dns_query": "dns.query", "tls_sni": "tls.sni"},
    header_optional=False,
)


def _is_rule_file(path: str, data: bytes) -> bool:
    rules = path.lower().endswith(".rules") or is_configuration(path)
    return rules and not is_snort(path, data)


def _read_rules(path: str, data: bytes) -> Iterator[Rule | RuleFault]:
    if is_configuration(path):
        return read_configuration(Language.SURICATA, path, data)
    return read_network_rules(Language.SURICATA, _NETWORK, path, _lines(data), _MOST)


def _lines(data: bytes) -> Lines:
    """Yield the rules of a file; a line that begins with a blank or `#` is skipped by the engine.

    It looks for that at the beginning of a rule alone, and only what it reads is continued.
    """
    start, pieces = 0, list[bytes]()
    skipped: list[tuple[int, bytes]] = []
    for number, line in lines_of(data):
        if not start:
            if not line or line[:1] in b" \t\r#":
                if line.strip():
                    skipped.append((number, line.rstrip()))
                continue
            start = number
        line = line.rstrip()  # noqa: PLW2901
        if line.endswith(b"\\"):
            pieces.append(line[:-1])
            continue
        yield start, b"".join([*pieces, line]), True
        start, pieces = 0, []
    if start:  # the file ends before the rule does, and the engine forgets it
        yield start, b"".join(pieces), False
    yield from comments(skipped)


LANGUAGE = RuleLanguage(name=Language.SURICATA, is_rule_file=_is_rule_file, read_rules=_read_rules)
