"""Packs and schedules of osquery: JSON with comments, each scheduled query a rule."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pipelines.rules.languages.json_members import (
    JOINED,
    JsonMember,
    end_of_object,
    members_of,
)
from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage, RuleSyntaxError
from pipelines.rules.languages.rule_text import bad_rule, canonical, rule_of_facts, text_of
from pipelines.rules.rule import Language, Pattern, Rule

_LISTS = re.compile(rb'"(?:queries|schedule|packs)"\s*:\s*\{')
_QUERY = re.compile(rb'"query"\s*:')
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_COMMENT = re.compile(r"^[ \t]*(?:#|//).*$", re.MULTILINE)
_SQL = re.compile(
    r"""(?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<blank>\s+)""",
    re.DOTALL,
)
_TOLD = frozenset({"description", "value"})
_SCOPE = ("platform", "version")
_LISTED = frozenset({"packs", "queries", "schedule"})
_WHOLE = re.compile(r"\d{1,10}")
_LONGEST = 604_800
"""Seconds: osquery runs no query at a longer interval."""


def _is_rule_file(path: str, data: bytes) -> bool:
    named = path.lower().endswith((".conf", ".json", ".pack"))
    return named and _LISTS.search(data) is not None and _QUERY.search(data) is not None


def _read_rules(path: str, data: bytes) -> Iterator[Rule | RuleFault]:
    return _Reader(path, text_of(data)).rules()


class _Reader:
    """Reads one file; comments are dropped from its text, and the lines of rules are kept."""

    def __init__(self, path: str, text: str) -> None:
        if found := _CONTROL.search(text):
            raise bad_rule("a control character in JSON", repr(found.group()))
        joined = text.replace("\\\r\n", JOINED).replace("\\\n", JOINED)
        self._path = path
        self._text = _COMMENT.sub("", joined)
        self._line, self._counted = 1, 0

    def rules(self) -> Iterator[Rule | RuleFault]:
        """Read packs and schedule, in the order of the file; raises `RuleSyntaxError`."""
        if end_of_object(self._text) != len(self._text):
            raise bad_rule("bytes after the end of JSON")
        top = list(members_of(self._text))
        configured = {"packs", "schedule"} & {member.name for member in top}
        for member in top:
            try:
                if member.name == "packs":
                    yield from self._packs(member)
                elif member.name == "schedule":
                    yield from self._queries("schedule", member, {})
                elif member.name == "queries":
                    yield from self._pack(PurePosixPath(self._path).stem, top)
                elif configured:
                    yield self._setting(member)
            except RuleSyntaxError as error:
                yield self._fault(member, error)

    def _packs(self, packs: JsonMember) -> Iterator[Rule | RuleFault]:
        for pack in members_of(self._text, packs.value):
            if self._text[pack.value] != "{":
                continue  # a path, which is another file
            try:
                yield from self._pack(pack.name, list(members_of(self._text, pack.value)))
            except RuleSyntaxError as error:
                yield self._fault(pack, error)

    def _fault(self, member: JsonMember, error: RuleSyntaxError) -> RuleFault:
        what = f"{member.name}: {error}"[:300]
        return RuleFault(file=self._path, line=self._line_of(member), what=what)

    def _setting(self, member: JsonMember) -> Rule:
        """Read what a configuration says of all its queries."""
        return rule_of_facts(
            Language.OSQUERY,
            f"setting.{member.name}",
            file=self._path,
            line=self._line_of(member),
            text=self._text[member.start : member.end].encode("utf-8", "surrogatepass"),
            facts={"condition": canonical(member.read(self._text))},
            metadata={},
        )

    def _pack(self, name: str, members: list[JsonMember]) -> Iterator[Rule | RuleFault]:
        whole = self._of_pack(members)
        for member in members:
            if member.name == "queries":
                yield from self._queries(name, member, whole)

    def _of_pack(self, members: list[JsonMember]) -> dict[str, object]:
        """Return the facts that all queries of a pack have; raises `RuleSyntaxError`."""
        said = [member for member in members if member.name not in _LISTED]
        if len({member.name for member in said}) < len(said):
            raise bad_rule("a pack that says a thing twice")
        whole = {member.name: member.read(self._text) for member in said}
        discovery = whole.get("discovery") or []
        if not isinstance(discovery, list):
            raise bad_rule("a discovery that is no list of queries", _text(discovery))
        shard = _number(whole, "shard", 0, 100)
        others = sorted(whole.keys() - {"description", "discovery", "name", "shard", *_SCOPE})
        return {
            "scope": (
                *_scope(whole),
                *(f"discovery:{normalized_sql(_text(d))}" for d in discovery),
                *(f"{key}:{_text(whole[key])}" for key in others),
            ),
            "thresholds": {"shard": shard} if shard else {},
        }

    def _queries(
        self, pack: str, queries: JsonMember, whole: Mapping[str, Any]
    ) -> Iterator[Rule | RuleFault]:
        for member in members_of(self._text, queries.value):
            line = self._line_of(member)
            try:
                facts, metadata = _query(member.read(self._text), whole)
                yield rule_of_facts(
                    Language.OSQUERY,
                    f"{pack}.{member.name}",
                    file=self._path,
                    line=line,
                    text=self._text[member.start : member.end].encode("utf-8", "surrogatepass"),
                    facts=facts,
                    metadata=metadata,
                )
            except RuleSyntaxError as error:
                yield self._fault(member, error)

    def _line_of(self, member: JsonMember) -> int:
        """Return the line of a member; quick for one that follows the one before."""
        if member.start < self._counted:
            self._line, self._counted = 1, 0
        for ends in ("\n", JOINED):
            self._line += self._text.count(ends, self._counted, member.start)
        self._counted = member.start
        return self._line


def _query(said: Any, whole: Mapping[str, Any]) -> tuple[dict[str, object], dict[str, object]]:
    """Return what a query acts on, and what it tells; raises `RuleSyntaxError`."""
    sql = said.get("query") if isinstance(said, dict) else None
    if not isinstance(sql, str) or not sql.strip(f" \t\r\n;{JOINED}"):
        raise bad_rule("a query without SQL")
    interval = _number(said, "interval", 1, _LONGEST)
    if interval is None:
        raise bad_rule("a query without an interval")
    shard = _number(said, "shard", 0, 100)
    others = said.keys() - {"query", "interval", "shard", *_TOLD, *_SCOPE}
    facts: dict[str, object] = {
        "patterns": (Pattern(name="query", value=normalized_sql(_text(sql))),),
        "thresholds": {
            "interval": interval,
            **whole.get("thresholds", {}),
            **({"shard": shard} if shard else {}),
        },
        "scope": (*_scope(said), *(f"pack {one}" for one in whole.get("scope", ()))),
        "condition": "; ".join(f"{key}:{_text(said[key])}" for key in sorted(others)),
    }
    told = {key: _text(said[key]) for key in sorted(_TOLD & said.keys())}
    return facts, {"metadata": told}


def _scope(said: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{key}:{_text(said[key])}" for key in _SCOPE if key in said)


def _number(said: Mapping[str, Any], key: str, low: int, high: int) -> str | None:
    """Return a whole number, which osquery takes as text too; None if it is not given."""
    if key not in said:
        return None
    text = _text(said[key]).strip()
    if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
        raise bad_rule(f"`{key}` is not a number that osquery takes", text, f"{low} to {high}")
    return str(int(text))


def _text(value: Any) -> str:
    return value.replace(JOINED, "") if isinstance(value, str) else canonical(value)


def normalized_sql(text: str) -> str:
    """Return SQL with one blank between words, without comments and the last `;`."""
    words = [""]
    at = 0
    for match in _SQL.finditer(text):
        words[-1] += text[at : match.start()] + (match["kept"] or "")
        if not match["kept"] and words[-1]:
            words.append("")
        at = match.end()
    words[-1] += text[at:]
    return " ".join(words).strip(" ;")


LANGUAGE = RuleLanguage(name=Language.OSQUERY, is_rule_file=_is_rule_file, read_rules=_read_rules)
