"""Rules of ModSecurity, such as the OWASP Core Rule Set."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import PurePosixPath

from pipelines.rules.languages.directives import (
    Directive,
    actions,
    directives,
    hidden,
    operator,
    variables,
)
from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage, RuleSyntaxError
from pipelines.rules.languages.rule_text import bad_rule, lines_of, rule_of_facts, text_of
from pipelines.rules.rule import Bound, Language, Pattern, Rule

_FILE = re.compile(
    rb"(?im)^[ \t]*+(?:#[ \t]*+)?Sec(?:Action|Audit|Collection|Component|Default|Marker|Request"
    rb"|Response|Rule|Upload)\w*[ \t]"
)
_DISRUPTIVE = frozenset({"allow", "block", "deny", "drop", "pass", "proxy", "redirect"})
_TOLD = frozenset({"accuracy", "logdata", "maturity", "msg", "rev", "ver"})
_MODIFIERS = frozenset({"capture", "multimatch"})
_REMOVING = frozenset({"secruleremovebyid", "secruleremovebymsg", "secruleremovebytag"})
_UPDATING = frozenset({
    "secruleupdatetargetbyid", "secruleupdatetargetbymsg", "secruleupdatetargetbytag",
})  # fmt: skip
_CTL_EXCLUDES = re.compile(r"ruleremove(?:target)?by(?:id|msg|tag)=(.+)", re.IGNORECASE)
_CHAIN = re.compile(rb"(?i)\bchain\b")
_LONGEST_CHAIN = 100
_KEPT = 20_000
"""Rules that are kept, for the other one of two sets."""
_COMPARED = {"@eq": (0, 0), "@ge": (0, None), "@gt": (1, None), "@le": (None, 0), "@lt": (None, -1)}
_OF_FILES = frozenset({"@ipmatchfromfile", "@pmfromfile"})
_LEVELS = (
    "EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG",
)  # fmt: skip


@dataclass
class _Facts:
    """What one rule, of several directives if they are chained, acts on and tells."""

    scope: list[str] = field(default_factory=list)
    exclusions: list[str] = field(default_factory=list)
    patterns: list[Pattern] = field(default_factory=list)
    bounds: dict[str, Bound] = field(default_factory=dict)
    transformations: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)
    identity: str = ""
    action: str | None = None
    severity: str | None = None
    chained: bool = False

    def add(self, position: int, found: Directive) -> None:
        """Read one directive, which is at `position` of its chain."""
        name, words = found.words()
        self.chained = False
        match name.lower(), words:
            case "secrule", (looked_at, sought, *rest) if len(rest) < 2:
                self._look(str(position), looked_at, sought)
                acts = rest[0] if rest else ""
            case "secaction", (acts,):
                pass
            case "secrulescript", (script, *rest) if len(rest) < 2:
                self.patterns.append(Pattern(name=str(position), value=f"@script {script}"))
                acts = rest[0] if rest else ""
            case _:
                raise bad_rule("a directive with too few or too many arguments", name)
        modifiers = []
        for action, value in actions(acts):
            if action in _MODIFIERS:
                modifiers.append(action)
            else:
                self._act(position, action, value)
        if modifiers and self.patterns:
            last = self.patterns[-1]
            changed = Pattern(name=last.name, value=last.value, modifiers=tuple(sorted(modifiers)))
            self.patterns[-1] = changed

    def _look(self, position: str, looked_at: str, sought: str) -> None:
        for variable in variables(looked_at):
            if variable.startswith("!"):
                self.exclusions.append(f"{position}|{variable[1:]}")
            else:
                self.scope.append(f"{position}|{variable}")
        value = operator(sought)
        self.patterns.append(Pattern(name=position, value=value))
        name, _, number = value.removeprefix("!").partition(" ")
        if name in _OF_FILES:
            self.needs += [PurePosixPath(one).name for one in number.split()]
        if value.startswith(name) and name in _COMPARED and re.fullmatch(r"\d{1,18}", number):
            low, high = _COMPARED[name]
            self.bounds[position] = Bound(
                lowest=None if low is None else int(number) + low,
                highest=None if high is None else int(number) + high,
            )

    def _act(self, position: int, action: str, value: str) -> None:
        if action == "id" and not position:
            self.identity = value
        elif action == "chain":
            self.chained = True
        elif action == "phase":
            self.scope.append(f"phase:{_PHASES.get(value.lower(), value)}")
        elif action == "t":
            self.transformations.append(f"{position}|t:{value.lower()}")
        elif action == "tag":
            self.tags.append(value)
        elif action == "severity":
            self.severity = _LEVELS[int(value)] if value in _NUMBERS else value.upper()
        elif action in _TOLD:
            self.told[action] = value
        elif action in _DISRUPTIVE and not position:
            self.action = f"{action}:{value}" if value else action
        else:
            if action == "ctl":
                self._control(value)
            shown = f"{action}:{value}" if value else action
            self.conditions.append(f"{position}|{shown}" if position else shown)

    def _control(self, value: str) -> None:
        """Read what is taken from other rules, for the requests that this one matches."""
        if match := _CTL_EXCLUDES.fullmatch(value):
            self.exclusions.append(match[1].strip())


_PHASES = {"request": "2", "response": "4", "logging": "5"}
_NUMBERS = frozenset("01234567")


def _is_rule_file(path: str, data: bytes) -> bool:
    name = PurePosixPath(path).name.lower()
    if name.endswith(".data"):
        return b"\0" not in data
    return name.endswith((".conf", ".conf.example", ".conf-recommended")) and (
        _FILE.search(data) is not None
    )


def _phrases(path: str, data: bytes) -> Rule:
    """Read a file of phrases, which rules name, as one rule: any of its lines is looked for."""
    lines = {text_of(line).strip() for _, line in lines_of(data)}
    kept = sorted(line for line in lines if line and not line.startswith("#"))
    return rule_of_facts(
        Language.MODSECURITY,
        PurePosixPath(path).name,
        file=path,
        line=1,
        text=data,
        facts={"patterns": tuple(Pattern(name="phrase", value=line) for line in kept)},
        metadata={},
    )


def _read_rules(path: str, data: bytes) -> Iterator[Rule | RuleFault]:
    if path.lower().endswith(".data"):
        yield _phrases(path, data)
        return
    for line in hidden(data):
        what = "a directive after a comment that ends in a backslash: engines differ"
        yield RuleFault(file=path, line=line, what=what)
    reader = _Reader(path, [one for one in directives(data) if one.enabled or one.is_rule()])
    while reader.left:
        first = reader.left[0]
        try:
            if (found := reader.next()) is not None:
                yield found
        except RuleSyntaxError as error:
            if first.enabled:
                yield RuleFault(file=path, line=first.line, what=str(error))


@lru_cache(maxsize=_KEPT)
def _chain(texts: tuple[bytes, ...], inside: tuple[str, ...], enabled: bool) -> tuple[Rule, int]:  # noqa: FBT001  # lru_cache
    """Return a rule without its place, and of how many of the directives it is made.

    Most rules of two releases are the same.
    """
    facts = _Facts(scope=[f"in:{one}" for one in inside], chained=True)
    count = 0
    while facts.chained:
        if count == len(texts):
            raise bad_rule("a chain that does not end", facts.identity)
        facts.add(count, Directive(0, texts[count], enabled))
        count += 1
    if not re.fullmatch(r"\d{1,18}", facts.identity):
        raise bad_rule("a rule without a number as its id", facts.identity)
    revision = facts.told.get("rev", "")
    rule = rule_of_facts(
        Language.MODSECURITY,
        facts.identity,
        file="",
        line=0,
        text=b"\n".join(texts[:count]),
        facts={
            "scope": tuple(facts.scope),
            "exclusions": tuple(facts.exclusions),
            "patterns": tuple(facts.patterns),
            "bounds": facts.bounds,
            "transformations": tuple(facts.transformations),
            "condition": "; ".join(sorted(facts.conditions)),
            "action": facts.action,
            "severity": facts.severity,
            "tags": tuple(sorted(facts.tags)),
            "needs": tuple(facts.needs),
        },
        metadata={
            "name": facts.told.get("msg", facts.identity),
            "metadata": facts.told,
            "revision": int(revision) if re.fullmatch(r"\d{1,9}", revision) else None,
            "enabled": enabled,
        },
    )
    return rule, count


class _Reader:
    """Reads the directives of one file in their order."""

    def __init__(self, path: str, found: list[Directive]) -> None:
        self._path = path
        self.left = deque(found)
        self._inside: list[str] = []
        self._seen: Counter[str] = Counter()

    def next(self) -> Rule | None:
        """Read the next rule or setting; None for the begin or end of a section."""
        first = self.left.popleft()
        if first.is_rule():
            return self._rule(first)
        name, words = first.words()
        if name.startswith("</"):
            if not self._inside:
                raise bad_rule("the end of a section that did not begin", name)
            self._inside.pop()
            return None
        if name.startswith("<"):
            self._inside.append(" ".join([name[1:].lower(), *words]))
            return None
        return self._setting(first, name, words)

    def _rule(self, first: Directive) -> Rule:
        """Read a rule, and those that are chained to it."""
        found = [first]
        for following in islice(self.left, _LONGEST_CHAIN):
            chained = _CHAIN.search(found[-1].text) and following.is_rule()
            if not chained or following.enabled != first.enabled:
                break
            found.append(following)
        texts = tuple(one.text for one in found)
        rule, count = _chain(texts, tuple(self._inside), first.enabled)
        for _ in range(count - 1):
            self.left.popleft()
        return replace(rule, file=self._path, line=first.line)

    def _setting(self, found: Directive, name: str, words: list[str]) -> Rule:
        """Read any other directive; one that is given several times is counted."""
        low = name.lower()
        named = f"{PurePosixPath(self._path).name}:{name}"
        if low == "secmarker":
            named = f"{named} {' '.join(words)}"
        self._seen[named] += 1
        count = self._seen[named]
        facts: dict[str, object] = {
            "condition": " ".join([low, *words]),
            "scope": tuple(f"in:{one}" for one in self._inside),
        }
        if low == "secruleengine":
            facts["action"] = " ".join(words).lower()
        elif low in _REMOVING:
            facts["exclusions" if self._inside else "disables"] = tuple(words)
        elif low in _UPDATING:
            facts["exclusions"] = tuple(words)
        return rule_of_facts(
            Language.MODSECURITY,
            named if count == 1 else f"{named} #{count}",
            file=self._path,
            line=found.line,
            text=found.text,
            facts=facts,
            metadata={"name": name},
        )


LANGUAGE = RuleLanguage(
    name=Language.MODSECURITY, is_rule_file=_is_rule_file, read_rules=_read_rules, ordered=True
)
