"""Semgrep rules: YAML with a list `rules`.

Source: https://semgrep.dev/docs/writing-rules/rule-syntax. A rule is read where it has what
Semgrep's schema requires. The order of patterns that are all to match, or of which any may,
changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage, RuleSyntaxError
from pipelines.rules.languages.rule_text import placed
from pipelines.rules.languages.yaml_documents import (
    YamlPart,
    load_items,
    load_list,
    split_items,
)
from pipelines.rules.rule import Language, Pattern, Rule, make_rule

_KEPT = 20_000
"""Rules that are kept, for the other one of two sets."""
_RULES = re.compile(rb"^(?:\{\s*)?\"?rules\"?\s*:", re.MULTILINE)
_ID = re.compile(rb"[\s{\"-]id\"?\s*:")
_SEARCH = frozenset({"pattern", "patterns", "pattern-either", "pattern-regex", "match"})
_TAINT = ("pattern-sources", "pattern-sinks")
_TAINT_KEYS = frozenset((*_TAINT, "pattern-sanitizers", "pattern-propagators", "taint"))
_WITHOUT_PATTERNS = frozenset({"extract", "join", "steps"})
_SEVERITIES = frozenset(
    {"ERROR", "WARNING", "INFO", "INVENTORY", "EXPERIMENT", "CRITICAL", "HIGH", "MEDIUM", "LOW"}
)
_UNORDERED = frozenset(
    {"patterns", "pattern-either", "pattern-sources", "pattern-sinks", "pattern-sanitizers",
     "languages", "include", "exclude"}
)  # fmt: skip
_EXCLUDING = frozenset(
    {"pattern-not", "pattern-not-inside", "pattern-not-regex", "pattern-sanitizers"}
)
_TOLD = frozenset({"id", "message", "metadata", "fix", "fix-regex"})
"""What is shown of a match, and changes none."""
_SCOPES = ("mode", "min-version", "max-version")
_NAMES = frozenset({"id", "languages", "message", "severity"})


def _is_rule_file(path: str, data: bytes) -> bool:
    yaml = path.endswith((".yml", ".yaml")) and b"languages" in data
    return yaml and _RULES.search(data) is not None and _ID.search(data) is not None


def _read_rules(path: str, data: bytes) -> Iterator[Rule | RuleFault]:
    try:
        read = [(_alone(item), line) for line, item in split_items(data, "rules")]
    except RuleSyntaxError:
        read = []
    if not read:
        parts = load_items(data, "rules")
        if not parts:
            raise RuleSyntaxError("no list of rules", expected="rules: and its items")
        read = [(_rules(parts), 0)]
    for rules, line in read:
        yield from (placed(one, path, line) for one in rules)


@lru_cache(maxsize=_KEPT)
def _alone(item: bytes) -> tuple[Rule | RuleFault, ...]:
    """Read one item, without its place; most rules of two releases are the same."""
    return _rules(load_list(item))


def _rules(parts: Iterable[YamlPart]) -> tuple[Rule | RuleFault, ...]:
    found = list[Rule | RuleFault]()
    for part in parts:
        try:
            found.append(_rule(part))
        except RuleSyntaxError as error:
            found.append(RuleFault(file="", line=part.line, what=str(error)))
    return tuple(found)


def _rule(part: YamlPart) -> Rule:
    rule = _checked(part.value)
    logic = {key: _sorted(key, value) for key, value in rule.items() if key not in _TOLD}
    searched = {key: logic[key] for key in sorted(logic) if key in _SEARCH | _TAINT_KEYS}
    paths, options, metadata = (_mapping(rule.get(key)) for key in ("paths", "options", "metadata"))
    patterns = list(_patterns(searched, ""))
    return make_rule(
        language=Language.SEMGREP,
        identity=str(rule["id"]),
        file="",
        line=part.line,
        text=part.text,
        normalized=_json(rule),
        logic=_json(logic),
        condition=_json(searched),
        patterns=tuple(p for p in patterns if not _excludes(p)),
        exclusions=(
            *(f"{p.name}: {p.value}" for p in patterns if _excludes(p)),
            *(f"path: {path}" for path in _texts(paths.get("exclude"))),
        ),
        scope=(
            *sorted(_texts(rule["languages"])),
            *(f"path: {path}" for path in sorted(_texts(paths.get("include")))),
            *(f"{key}: {rule[key]}" for key in _SCOPES if key in rule),
        ),
        thresholds={key: str(value) for key, value in options.items()},
        severity=str(rule["severity"]),
        tags=_texts(metadata.get("category")),
        references=_texts(metadata.get("references")),
        metadata=_told(rule, metadata),
    )


def _told(rule: dict[str, Any], metadata: dict[str, Any]) -> dict[str, str]:
    """Return what is shown of a match, as text."""
    told = {str(key): v if isinstance(v, str) else _json(v) for key, v in metadata.items()}
    fixes: dict[str, str] = {key: _json(rule[key]) for key in ("fix", "fix-regex") if key in rule}
    return {**told, **fixes, "message": str(rule["message"])}


def _checked(value: Any) -> dict[str, Any]:
    """Return a rule that has what the schema requires; raises `RuleSyntaxError`."""
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        raise RuleSyntaxError("a rule without an id", got=type(value).__name__)
    about = value["id"][:80]
    if missing := sorted(_NAMES - value.keys()):
        raise RuleSyntaxError(f"the rule {about} lacks a field", expected=", ".join(missing))
    if value["severity"] not in _SEVERITIES:
        expected = ", ".join(sorted(_SEVERITIES))
        raise RuleSyntaxError(
            f"the rule {about} has no known severity", got=value["severity"], expected=expected
        )
    if not _texts(value["languages"]):
        raise RuleSyntaxError(f"the rule {about} names no language", got=value["languages"])
    if empty := [key for key in sorted(_SEARCH & value.keys()) if not value[key]]:
        raise RuleSyntaxError(f"the rule {about} has an empty pattern", got=", ".join(empty))
    found = _SEARCH & value.keys()
    tainted = "taint" in value or all(key in value for key in _TAINT)
    if len(found) > 1 or not (found or tainted or _WITHOUT_PATTERNS & value.keys()):
        got = ", ".join(sorted(found)) or "none"
        expected = f"one of {', '.join(sorted(_SEARCH))}, or {' and '.join(_TAINT)}"
        raise RuleSyntaxError(f"the rule {about} has no pattern", got=got, expected=expected)
    return value


def _patterns(value: Any, name: str) -> Iterator[Pattern]:
    """Yield every text below a pattern key, named by the keys that lead to it."""
    match value:
        case dict():
            for key in sorted(value, key=str):
                yield from _patterns(value[key], f"{name}/{key}" if name else str(key))
        case list():
            for item in value:
                yield from _patterns(item, name)
        case _:
            yield Pattern(name=name, value=str(value).strip())


def _excludes(pattern: Pattern) -> bool:
    return not _EXCLUDING.isdisjoint(pattern.name.split("/"))


def _sorted(key: str, value: Any) -> Any:
    """Return a value whose lists without an order are sorted."""
    match value:
        case dict():
            return {name: _sorted(str(name), item) for name, item in value.items()}
        case list():
            items = [_sorted("", item) for item in value]
            return sorted(items, key=_json) if key in _UNORDERED else items
        case str():
            return value.strip()
        case _:
            return value


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)


LANGUAGE = RuleLanguage(name=Language.SEMGREP, is_rule_file=_is_rule_file, read_rules=_read_rules)
