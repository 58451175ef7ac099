"""YARA: what a changed rule misses, by its condition and the strings that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Pattern, Rule
from pipelines.rules.weakening import pattern_relation as relations
from pipelines.rules.weakening.boolean_condition import yara_condition
from pipelines.rules.weakening.condition_change import TOO_LARGE, condition_findings
from pipelines.rules.weakening.effect_finding import EffectFinding, found
from pipelines.rules.weakening.field_judges import FieldJudge
from pipelines.rules.weakening.formula import UndecidedError
from pipelines.rules.weakening.paired_patterns import PairedPatterns, pair_patterns
from pipelines.rules.weakening.pattern_relation import MatchRelation

_ESCAPE = re.compile(r"(\\x[0-9a-f]{2}|\\.)", re.DOTALL)
_XOR = re.compile(r"xor(?:\(([0-9a-fx-]+)\))?")
_COMPILED = re.compile(r"compiled by (?:yarac|YARA-X): ")
_REGEX = re.compile(r"(?s)/(.*)/(\w*)")


def is_unread(rule: Rule) -> bool:
    """Say whether what is in a rule is not known: an include, or compiled rules."""
    return not rule.condition or _COMPILED.match(rule.condition) is not None


def condition(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield what the condition of a changed rule misses; it decides for patterns too."""
    if is_unread(old) or is_unread(new):
        detail = "compiled rules are not read, only their bytes compared: compare their sources"
        yield EffectFinding(relation=MatchRelation.UNKNOWN, detail=detail)
        return
    patterns = paired(old, new)
    try:
        before = yara_condition(old.condition, patterns.old)
        after = yara_condition(new.condition, patterns.new)
    except (UndecidedError, RecursionError):
        yield TOO_LARGE
        return
    yield from condition_findings(before, after, patterns)


def paired(old: Rule, new: Rule) -> PairedPatterns:
    """Pair the strings of two rules."""
    sides = [[_matching(one) for one in rule.patterns] for rule in (old, new)]
    return pair_patterns(sides[0], sides[1], _compare)


def _matching(pattern: Pattern) -> Pattern:
    """Return a string without the modifier that does not change what it matches."""
    kept = tuple(sorted(one for one in pattern.modifiers if one != "private"))
    return Pattern(name=pattern.name, value=pattern.value, modifiers=kept)


def _compare(old: Pattern, new: Pattern) -> tuple[MatchRelation, Weakness]:
    value = _of_values(old, new)
    modifiers = _of_modifiers(old, new)
    if value is not MatchRelation.EQUAL and (
        "fullword" in old.modifiers + new.modifiers or _is_encoded(old) or _is_encoded(new)
    ):
        value = MatchRelation.OTHER if value is not MatchRelation.UNKNOWN else value
    lost = value in (MatchRelation.NARROWER, MatchRelation.OTHER)
    bodies = {pattern.value.rpartition("/")[0] or pattern.value for pattern in (old, new)}
    flags_alone = len(bodies) == 1
    weakness = Weakness.PATTERN_DROPPED if lost and not flags_alone else Weakness.MODIFIER_DROPPED
    return relations.combined([value, modifiers]), weakness


def _of_values(old: Pattern, new: Pattern) -> MatchRelation:
    kinds = {value[:1] for value in (old.value, new.value)}
    if kinds == {'"'}:
        return relations.of_texts(_bytes(old.value[1:-1]), _bytes(new.value[1:-1]))
    if kinds == {"{"}:
        return relations.of_hex(old.value, new.value)
    first, second = _REGEX.fullmatch(old.value), _REGEX.fullmatch(new.value)
    if first and second:
        return relations.of_regexes(first[1], second[1], flags=(first[2], second[2]))
    return MatchRelation.UNKNOWN


def _bytes(text: str) -> bytes:
    """Return what a normalized text string stands for."""
    parts = _ESCAPE.split(text)
    found = [part.encode("utf-8", "surrogatepass") for part in parts]
    found[1::2] = [
        bytes.fromhex(one[2:]) if one[1] == "x" else one[1:].encode() for one in parts[1::2]
    ]
    return b"".join(found)


def _of_modifiers(old: Pattern, new: Pattern) -> MatchRelation:
    """Return how modifiers relate: encodings, case, whole words, keys of xor."""
    found = [relations.of_sets(_encodings(old), _encodings(new))]
    found.append(_flag(old, new, "nocase"))
    found.append(_flag(old, new, "fullword").reversed)
    found.append(relations.of_intervals(_keys(old), _keys(new)))
    known = {"wide", "ascii", "nocase", "fullword"}
    rest = [{m for m in p.modifiers if m not in known and "xor" not in m} for p in (old, new)]
    if rest[0] != rest[1]:
        found.append(MatchRelation.OTHER)
    return relations.combined(found)


def _flag(old: Pattern, new: Pattern, name: str) -> MatchRelation:
    return relations.of_sets(*({m for m in p.modifiers if m == name} for p in (old, new)))


def _encodings(pattern: Pattern) -> set[str]:
    wide = "wide" in pattern.modifiers
    return ({"wide"} if wide else set()) | (
        {"ascii"} if not wide or "ascii" in pattern.modifiers else set()
    )


def _is_encoded(pattern: Pattern) -> bool:
    return any(one.startswith("base64") for one in pattern.modifiers)


def _keys(pattern: Pattern) -> tuple[float, float]:
    """Return the keys of xor; 0 alone is the text as it stands."""
    for modifier in pattern.modifiers:
        match = _XOR.fullmatch(modifier)
        if match:
            ends = [int(end, 0) for end in (match[1] or "0-255").split("-")]
            return float(ends[0]), float(ends[-1])
    return 0.0, 0.0


def scope(_old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield what a rule takes from others when it becomes global: none matches without it."""
    relation = MatchRelation.NARROWER if "global" in new.scope else MatchRelation.WIDER
    yield from found(relation, Weakness.DISABLES_OTHERS, "all others need it", "no", "yes")


JUDGES: Mapping[tuple[str, ...], FieldJudge] = {
    ("condition", "patterns"): condition,
    ("scope",): scope,
}
