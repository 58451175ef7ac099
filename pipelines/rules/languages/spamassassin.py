"""Rules of SpamAssassin: lines of `.cf` files.

A score is a rule of its own, `NAME score`: it may stand in another file than the test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage, RuleSyntaxError
from pipelines.rules.languages.rule_text import bad_rule, lines_of, rule_of_facts, text_of
from pipelines.rules.rule import Language, Pattern, Rule

_TESTS = frozenset({
    "askdns", "body", "full", "header", "meta", "mimeheader", "rawbody", "rbl", "uri",
    "uri_detail", "urifullnsrhsbl", "urifullnsrhssub", "urinsrhsbl", "urinsrhssub", "uridnsbl",
    "uridnssub", "urirhsbl", "urirhssub",
})  # fmt: skip
_OF_TEST = frozenset({"describe", "priority", "reuse", "tflags"})
_SECTIONS = frozenset({"else", "endif", "if", "ifplugin"})
_FILE = re.compile(rb"^[ \t]*(?:score|describe|body|header|meta|rawbody)[ \t]+\w+", re.MULTILINE)
_COMMENT = re.compile(r"(?<!\\)#.*")
_NAME = re.compile(r"[A-Za-z_]\w{0,127}")
_NUMBER = r"-?\d{1,6}(?:\.\d{1,6})?"
_SCORE = re.compile(rf"\(?{_NUMBER}\)?(?: \(?{_NUMBER}\)?){{0,3}}")
_NAMED = re.compile(r"\b[A-Za-z_]\w*\b")
_SHOWN = 200


@dataclass
class _Test:
    """The lines of one test."""

    line: int
    kind: str
    value: str
    inside: tuple[str, ...]
    text: list[bytes]
    said: dict[str, str] = field(default_factory=dict)


def _is_rule_file(path: str, data: bytes) -> bool:
    return path.lower().endswith((".cf", ".pre")) and _FILE.search(data) is not None


def _read_rules(path: str, data: bytes) -> Iterator[Rule | RuleFault]:
    tests: dict[str, list[_Test]] = {}
    inside: list[str] = []
    for number, line in lines_of(data):
        text = " ".join(_COMMENT.sub("", text_of(line)).split())
        key, _, rest = text.partition(" ")
        try:
            if key in _SECTIONS:
                _enter(inside, key, text)
            elif key in _TESTS:
                name, value = _named(rest)
                test = _Test(number, key, value, tuple(inside), [line])
                tests.setdefault(name, []).append(test)
            elif key in _OF_TEST and (known := tests.get(rest.partition(" ")[0])):
                known[-1].said[key] = rest.partition(" ")[2]
                known[-1].text.append(line)
            elif key == "score":
                yield _score(path, number, line, rest, inside)
            elif text:
                yield _setting(path, number, line, text, inside)
        except RuleSyntaxError as error:
            yield RuleFault(file=path, line=number, what=str(error))
    for name, found in tests.items():
        for test in found:
            yield _test(path, name, test)


def _enter(inside: list[str], key: str, text: str) -> None:
    """Follow the sections of a file, each of which has a condition."""
    last = "" if key in {"if", "ifplugin"} else _last(inside)
    if key != "endif":
        inside.append(f"not {last}" if key == "else" else text)


def _last(inside: list[str]) -> str:
    if not inside:
        raise bad_rule("`else` or `endif` without `if`")
    return inside.pop()


def _named(rest: str) -> tuple[str, str]:
    name, _, value = rest.partition(" ")
    if not _NAME.fullmatch(name) or not value:
        raise bad_rule("a test without a name and a value", rest)
    return name, value


def _scope(inside: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"in:{one}" for one in inside)


def _test(path: str, name: str, test: _Test) -> Rule:
    meta = test.kind == "meta"
    acts = [f"{key}:{test.said[key]}" for key in sorted(test.said) if key != "describe"]
    return rule_of_facts(
        Language.SPAMASSASSIN,
        name,
        file=path,
        line=test.line,
        text=b"\n".join(test.text),
        facts={
            "patterns": () if meta else (Pattern(name=test.kind, value=test.value),),
            "condition": "; ".join([*([test.value] if meta else []), *acts]),
            "needs": tuple(sorted(set(_NAMED.findall(test.value)))) if meta else (),
            "scope": _scope(test.inside),
            "private": name.startswith("__"),
        },
        metadata={"metadata": {"describe": test.said.get("describe", "")}},
    )


def _score(path: str, number: int, line: bytes, rest: str, inside: list[str]) -> Rule:
    name, value = _named(rest)
    if not _SCORE.fullmatch(value):
        raise bad_rule("a score that is not one to four numbers", rest)
    off = "(" not in value and all(float(one) == 0 for one in value.split())
    return rule_of_facts(
        Language.SPAMASSASSIN,
        f"{name} score",
        file=path,
        line=number,
        text=line,
        facts={
            "thresholds": {"score": value},
            "scope": _scope(inside),
            "needs": (name,),
        },
        metadata={"enabled": not off},
    )


def _setting(path: str, number: int, line: bytes, text: str, inside: list[str]) -> Rule:
    """Read any other line, which is known by all that it says."""
    return rule_of_facts(
        Language.SPAMASSASSIN,
        text[:_SHOWN],
        file=path,
        line=number,
        text=line,
        facts={"condition": text, "scope": _scope(inside)},
        metadata={},
    )


LANGUAGE = RuleLanguage(
    name=Language.SPAMASSASSIN, is_rule_file=_is_rule_file, read_rules=_read_rules
)
