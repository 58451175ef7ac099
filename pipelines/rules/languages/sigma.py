"""Sigma rules, correlations and filters: YAML documents of the Sigma specification 2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage, RuleSyntaxError
from pipelines.rules.languages.rule_text import bad_rule, canonical, placed, rule_of_facts
from pipelines.rules.languages.sigma_condition import normalized_condition
from pipelines.rules.languages.yaml_documents import YamlPart, load_documents
from pipelines.rules.rule import Language, Pattern, Rule

_TOP_KEY = re.compile(
    rb"^(?:action|correlation|detection|filter|logsource|title)(?=\s*:)", re.MULTILINE
)
_TOGETHER = re.compile(rb"^(?:['\"]?action['\"]?\s*:|%|\.\.\.)", re.MULTILINE)
"""What makes documents of a file depend on each other."""
_SEPARATOR = re.compile(rb"^---(?=\s|$)", re.MULTILINE)
_KEPT = 20_000
"""Documents that are kept, for the other one of two sets."""
_LEVELS = frozenset({"informational", "low", "medium", "high", "critical"})
_STATUSES = frozenset({"stable", "test", "experimental", "deprecated", "unsupported"})
_MODIFIERS = frozenset({
    "all", "base64", "base64offset", "cased", "cidr", "contains", "day", "dotall", "endswith",
    "exists", "expand", "fieldref", "gt", "gte", "hour", "i", "ignorecase", "lt", "lte", "m",
    "minute", "month", "multiline", "neq", "re", "s", "startswith", "utf16", "utf16be", "utf16le",
    "week", "wide", "windash", "year",
})  # fmt: skip
_TYPES = frozenset({
    "event_count", "value_avg", "value_count", "value_median", "value_percentile", "value_sum",
    "temporal", "temporal_ordered", "extended_temporal", "extended_temporal_ordered",
})  # fmt: skip
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?|true|false|null|\"[^\n]*\"|\[\]")
"""Text that would look like a value of another type, which is written in quotes."""
_MOST_SEARCHES = 1000
_COUNTED = frozenset({"eq", "field", "gt", "gte", "lt", "lte", "neq", "percentile"})
_TOLD = (
    "author", "date", "description", "falsepositives", "fields", "license", "modified", "name",
    "related", "status", "taxonomy",
)  # fmt: skip

_KNOWN = frozenset({*_TOLD, "id", "level", "references", "tags", "title"})
"""Fields that are read of all rules; what others say may be acted upon, and is kept as scope."""


def _is_rule_file(path: str, data: bytes) -> bool:
    if not path.lower().endswith((".yml", ".yaml")):
        return False
    keys = set(_TOP_KEY.findall(data))
    titled = b"title" in keys and keys & {b"correlation", b"detection"}
    return bool(titled or (keys & {b"detection", b"filter"} and keys & {b"action", b"logsource"}))


def _read_rules(path: str, data: bytes) -> Iterator[Rule | RuleFault]:
    if _TOGETHER.search(data):
        for one in _documents(data):
            yield placed(one, path, 0)
        return
    at = line = 0
    for end in (*(match.start() for match in _SEPARATOR.finditer(data)), len(data)):
        for one in _alone(data[at:end]):
            yield placed(one, path, line)
        line += data.count(b"\n", at, end)
        at = end


@lru_cache(maxsize=_KEPT)
def _alone(data: bytes) -> tuple[Rule | RuleFault, ...]:
    """Read one document, without its place; most rules of two releases are the same."""
    try:
        return tuple(_documents(data)) if data.strip(b"- \t\r\n") else ()
    except RuleSyntaxError as error:
        return (RuleFault(file="", line=1, what=str(error)),)


def _documents(data: bytes) -> Iterator[Rule | RuleFault]:
    """Read documents; those with an `action` say something of the ones that follow."""
    common: dict[str, Any] = {}
    for part in load_documents(data):
        try:
            document = part.value
            if not isinstance(document, dict):
                raise bad_rule("a document that is no mapping", type(document).__name__)
            match document.get("action"):
                case None:
                    yield _rule(part, _merged(common, document))
                case "global":
                    common = {k: v for k, v in document.items() if k != "action"}
                case "reset":
                    common = {}
                case other:
                    raise bad_rule("an action of documents that is not read", str(other))
        except RuleSyntaxError as error:
            yield RuleFault(file="", line=part.line, what=str(error))


def _merged(common: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Add the fields that a document before gives to all; mappings are joined."""
    merged = dict(common)
    for key, value in document.items():
        known = merged.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            merged[key] = _merged(known, value)
        else:
            merged[key] = value
    return merged


def _rule(part: YamlPart, document: Mapping[str, Any]) -> Rule:
    title = document.get("title")
    if not isinstance(title, str) or not title.strip():
        raise bad_rule("a rule without a title")
    kinds = {"detection", "correlation", "filter"} & document.keys()
    if len(kinds) != 1:
        raise bad_rule("a rule that is not one of detection, correlation and filter", title)
    kind = kinds.pop()
    body = document[kind]
    if not isinstance(body, dict):
        raise bad_rule(f"a {kind} that is no mapping", title)
    facts, read = _facts(kind, body, document)
    own = (
        f"{key}:{canonical(value)}"
        for key, value in document.items()
        if key not in _KNOWN and key not in read
    )
    for key, allowed in (("level", _LEVELS), ("status", _STATUSES)):
        if document.get(key) is not None and document[key] not in allowed:
            raise bad_rule(f"an unknown {key}", str(document[key]), ", ".join(sorted(allowed)))
    told = {
        key: canonical(document[key]).strip('"') for key in _TOLD if document.get(key) is not None
    }
    return rule_of_facts(
        Language.SIGMA,
        str(document.get("id") or document.get("name") or title),
        file="",
        line=part.line,
        text=part.text,
        facts={
            **facts,
            "scope": (*facts.get("scope", ()), *sorted(own)),
            "severity": document.get("level"),
        },
        metadata={
            "name": title,
            "metadata": told,
            "tags": tuple(sorted(_texts(document.get("tags")))),
            "references": _texts(document.get("references")),
        },
    )


def _facts(
    kind: str, body: Mapping[str, Any], document: Mapping[str, Any]
) -> tuple[dict[str, Any], set[str]]:
    """Return what a rule acts on, and the fields of the document that were read for it."""
    if kind == "correlation":
        return _correlation(body), {kind}
    facts = _detection({k: v for k, v in body.items() if kind == "detection" or k != "rules"})
    facts["scope"] = _log_source(document, needed=kind == "detection")
    if kind == "filter":
        facts["needs"] = _texts(body.get("rules"))
        facts["exclusions"] = (str(facts["condition"]),)
    return facts, {kind, "logsource"}


def _log_source(document: Mapping[str, Any], *, needed: bool) -> tuple[str, ...]:
    source = document.get("logsource")
    if source is None and not needed:
        return ()
    if not isinstance(source, dict) or not {"category", "product", "service"} & source.keys():
        raise bad_rule("a rule without a log source", expected="category, product or service")
    return tuple(f"{key}:{source[key]}" for key in sorted(source, key=str) if key != "definition")


def _detection(body: Mapping[str, Any]) -> dict[str, Any]:
    searches = {str(k): v for k, v in body.items() if k not in {"condition", "timeframe"}}
    conditions = body.get("condition")
    if isinstance(conditions, str):
        conditions = [conditions]
    if len(searches) > _MOST_SEARCHES:
        raise bad_rule("too many searches in one rule", str(len(searches)))
    if not searches or not isinstance(conditions, list) or not conditions:
        raise bad_rule("a detection without searches and a condition")
    written = sorted(normalized_condition(str(one), searches) for one in conditions)
    patterns = [one for name in sorted(searches) for one in _patterns(name, searches[name])]
    timeframe = body.get("timeframe")
    return {
        "condition": written[0] if len(written) == 1 else " or ".join(f"({w})" for w in written),
        "patterns": tuple(sorted(patterns, key=lambda one: (one.name, one.value, one.modifiers))),
        "thresholds": {} if timeframe is None else {"timeframe": str(timeframe)},
    }


def _patterns(name: str, search: Any) -> Iterator[Pattern]:
    """Yield the values of a search: mappings need all their fields, of a list any item does."""
    match search:
        case dict():
            for key, value in search.items():
                yield from _field(f"{name}.", str(key), value)
        case list() if search:
            inner = [item for item in search if isinstance(item, dict | list)]
            for item in search:
                if not isinstance(item, dict | list):
                    yield Pattern(name=name, value=_text(item))
            for number, item in enumerate(sorted(inner, key=canonical)):
                yield from _patterns(f"{name}[{number}]", item)
        case _:
            yield Pattern(name=name, value="[]" if search == [] else _text(search))


def _field(prefix: str, key: str, value: Any) -> Iterator[Pattern]:
    field, *modifiers = key.split("|")
    if unknown := set(modifiers) - _MODIFIERS:
        raise bad_rule("an unknown modifier", ", ".join(sorted(unknown)))
    name = prefix + "|".join([field, *modifiers[:1]])
    values = value if isinstance(value, list) else [value]
    if any(isinstance(one, dict | list) for one in values):
        raise bad_rule("a field whose value is no plain one", name)
    for one in values:
        yield Pattern(name=name, value=_text(one), modifiers=tuple(modifiers[1:]))
    if not values:
        yield Pattern(name=name, value="[]", modifiers=tuple(modifiers[1:]))


def _correlation(body: Mapping[str, Any]) -> dict[str, Any]:
    kind = body.get("type")
    rules = _texts(body.get("rules"))
    counted = body.get("condition")
    if kind not in _TYPES or not rules or not isinstance(body.get("timespan"), str):
        raise bad_rule("a correlation without a type, rules and a time span", str(kind))
    thresholds = {"timespan": str(body["timespan"])}
    text = ""
    if isinstance(counted, dict):
        if unknown := counted.keys() - _COUNTED:
            raise bad_rule("an unknown condition of a correlation", str(sorted(unknown, key=str)))
        thresholds |= {str(key): _text(value) for key, value in counted.items()}
    elif counted is not None:
        text = normalized_condition(str(counted), rules)
    others = {
        str(key): value
        for key, value in body.items()
        if key not in {"type", "rules", "condition", "timespan", "group-by"}
    }
    return {
        "condition": " ".join(filter(None, [str(kind), text, canonical(others) if others else ""])),
        "needs": rules if str(kind).endswith("_ordered") else tuple(sorted(rules)),
        "scope": tuple(f"group-by:{one}" for one in _texts(body.get("group-by"))),
        "thresholds": thresholds,
    }


def _texts(value: Any) -> tuple[str, ...]:
    match value:
        case None:
            return ()
        case list():
            return tuple(_text(one) for one in value)
        case _:
            return (_text(value),)


def _text(value: Any) -> str:
    """Write a value: text as it is, anything else as JSON, so that `1` is not `'1'`."""
    if isinstance(value, str):
        return value if not _PLAIN.fullmatch(value) else canonical(value)
    if isinstance(value, int | float | date | None):
        return canonical(value)
    raise bad_rule("a value that is no plain one", type(value).__name__)


LANGUAGE = RuleLanguage(name=Language.SIGMA, is_rule_file=_is_rule_file, read_rules=_read_rules)
