"""Rules of capa: one YAML document a file, `rule` with `meta` and `features`.

Source: capa-rules/doc/format.md, and flare-capa 10. A rule has one name in a set.
Others refer to it by that name, or by its namespace or one above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.rules.languages.capa_features import DYNAMIC, STATIC, FeatureTree
from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage
from pipelines.rules.languages.rule_text import bad_rule, canonical, rule_of_facts
from pipelines.rules.languages.yaml_documents import YamlPart, load_documents
from pipelines.rules.rule import Language, Rule

_RULE = re.compile(rb"^(?:\{[ \t]*)?[\"']?rule[\"']?[ \t]*:", re.MULTILINE)
_FLAVORS = {"static": STATIC, "dynamic": DYNAMIC}
_NONE = "unsupported"
_TAGS = ("att&ck", "mbc")
_OWN = ("lib", "name", "namespace", "references", "scopes", *_TAGS)
_ACTED_ON = re.compile(r"(?:maec|capa)/.*", re.DOTALL)
"""Fields that decide how the engine reports a match, or whether it does."""
_INTERNAL = "internal/"
"""What the namespaces of rules begin with that are not reported."""


def _is_rule_file(path: str, data: bytes) -> bool:
    if not path.lower().endswith((".yml", ".yaml")) or b"features" not in data:
        return False
    return b"meta" in data and _RULE.search(data) is not None


def _read_rules(path: str, data: bytes) -> Iterator[Rule | RuleFault]:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise bad_rule("text that is no UTF-8, which the engine refuses", str(error)) from error
    parts = load_documents(data)
    if len(parts) != 1:
        raise bad_rule("a file that is not one document", str(len(parts)), "1")
    yield _rule(path, parts[0])


def _rule(path: str, part: YamlPart) -> Rule:
    document = _mapping(part.value, "a document")
    body = _mapping(document.get("rule"), "a rule")
    meta = _mapping(body.get("meta"), "meta")
    name, namespace = meta.get("name"), meta.get("namespace") or ""
    if not isinstance(name, str) or not name or not isinstance(namespace, str):
        raise bad_rule("a rule without a name, or a namespace that is no text", str(name))
    scopes = _scopes(meta)
    tree = FeatureTree(scopes["static"], scopes["dynamic"])
    tree.read(body.get("features"))
    acted_on = {str(k): v for k, v in meta.items() if _ACTED_ON.fullmatch(str(k)) and v}
    if namespace.startswith(_INTERNAL):
        acted_on["namespace"] = namespace
    told = {str(k): v for k, v in meta.items() if str(k) not in (*_OWN, *acted_on)}
    told |= {"features": sorted(tree.told), "namespace": namespace}
    told |= {
        f"{key} (passed over)": value
        for side in (document, body)
        for key, value in side.items()
        if key not in ("rule", "meta", "features")
    }
    hidden = meta.get("lib") or meta.get("capa/subscope-rule") or "namespace" in acted_on
    return rule_of_facts(
        Language.CAPA,
        name,
        file=path,
        line=part.line,
        text=part.text,
        facts={
            "condition": canonical(tree.root),
            "patterns": tree.patterns(),
            "scope": (
                *(f"{flavor}: {scope}" for flavor, scope in scopes.items() if scope),
                *(f"{key}: {_text(acted_on[key])}" for key in sorted(acted_on)),
            ),
            "private": bool(hidden),
            "needs": tuple(sorted(value for kind, value in tree.features if kind == "match")),
        },
        metadata={
            "groups": _above(namespace),
            "metadata": {key: _text(told[key]) for key in sorted(told) if told[key]},
            "tags": tuple(_text(one) for key in _TAGS for one in _list(meta, key)),
            "references": tuple(_text(one) for one in _list(meta, "references")),
        },
    )


def _scopes(meta: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the scope of each kind of analysis; None where the rule is not for it."""
    if "scope" in meta:
        raise bad_rule("a rule for an older engine", "scope", "scopes: static and dynamic")
    scopes = _mapping(meta.get("scopes"), "scopes")
    if scopes.keys() != _FLAVORS.keys():
        raise bad_rule("scopes of other analyses", str([*scopes]), ", ".join(_FLAVORS))
    for flavor, order in _FLAVORS.items():
        if scopes[flavor] not in (*order, _NONE, None, ""):
            raise bad_rule(f"an unknown {flavor} scope", str(scopes[flavor]), ", ".join(order))
    found = {key: None if scopes[key] in (_NONE, "") else scopes[key] for key in _FLAVORS}
    if not any(found.values()):
        raise bad_rule("a rule without a scope")
    return found


def _above(namespace: str) -> tuple[str, ...]:
    """Return a namespace and those above it."""
    parts = namespace.split("/") if namespace else []
    return tuple("/".join(parts[: end + 1]) for end in range(len(parts)))


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise bad_rule(f"{what} that is no mapping", type(value).__name__)
    return value


def _list(meta: Mapping[str, Any], key: str) -> list[Any]:
    found = meta.get(key, [])
    if isinstance(found, str) and key not in _TAGS:
        return [found]
    if not isinstance(found, list):
        raise bad_rule(f"{key} that is no list", type(found).__name__)
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


LANGUAGE = RuleLanguage(name=Language.CAPA, is_rule_file=_is_rule_file, read_rules=_read_rules)
