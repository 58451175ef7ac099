"""One detection rule: its identity, its digests, and what it says in terms of every language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from builders.core.digest import Digest

_NONE: Mapping[str, str] = MappingProxyType({})


class Language(StrEnum):
    """A language in which detection rules are written."""

    CAPA = "capa"
    CLAMAV = "clamav"
    MODSECURITY = "modsecurity"
    OSQUERY = "osquery"
    SEMGREP = "semgrep"
    SIGMA = "sigma"
    SNORT = "snort"
    SPAMASSASSIN = "spamassassin"
    SURICATA = "suricata"
    YARA = "yara"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """What a rule looks for: a string, an expression, a content match."""

    name: str
    value: str
    modifiers: tuple[str, ...] = ()
    """Sorted: `nocase`, `wide`, `depth:10`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """The values that a size or an offset may have, both ends included; None for no end."""

    lowest: int | None = None
    highest: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule as a reader of its language found it. Texts are hostile, and shown escaped.

    A field that a language does not have is left at its default.
    """

    language: Language
    identity: str
    """What users know it by: YARA name, Sigma id, gid:sid, CRS id, ClamAV file kind and name."""
    name: str
    file: str
    """Path in the rule set."""
    line: int
    text: Digest
    """Of its bytes."""
    normalized: Digest
    """Of its normalized form, comments and layout aside."""
    logic: Digest
    """Of the same without identity, revision and metadata: what the engine acts upon."""
    condition: str = ""
    """When it matches, normalized."""
    patterns: tuple[Pattern, ...] = ()
    scope: tuple[str, ...] = ()
    """Where it looks: protocol and ports, type of target, phase, paths, languages."""
    thresholds: Mapping[str, str] = field(default_factory=lambda: _NONE)
    bounds: Mapping[str, Bound] = field(default_factory=lambda: MappingProxyType({}))
    action: str | None = None
    severity: str | None = None
    transformations: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=lambda: _NONE)
    revision: int | None = None
    enabled: bool = True
    private: bool = False
    """Whether a match is not reported."""
    disables: tuple[str, ...] = ()
    """Identities of other rules of its language that this one turns off."""
    needs: tuple[str, ...] = ()
    """Names that it refers to, some of which may be identities of other rules, or their groups."""
    groups: tuple[str, ...] = ()
    """Names of groups of rules that it is in, by which others may refer to it."""
    includes: tuple[str, ...] = ()
    """Paths of other files whose rules it brings in."""


LOGIC_FIELDS = (
    "condition",
    "patterns",
    "scope",
    "thresholds",
    "bounds",
    "action",
    "severity",
    "transformations",
    "exclusions",
    "enabled",
    "private",
    "disables",
)
"""Fields that an engine acts upon."""
METADATA_FIELDS = ("name", "tags", "references", "metadata", "revision")


def make_rule(
    *,
    language: Language,
    identity: str,
    file: str,
    line: int,
    text: bytes,
    normalized: str,
    logic: str,
    **facts: object,
) -> Rule:
    """Return a rule with the digests of its text, its normalized form and its logic.

    `facts` are further fields; `name` is the identity where it is not among them.
    """
    facts.setdefault("name", identity)
    return Rule(
        language=language,
        identity=identity,
        file=file,
        line=line,
        text=Digest.of(text),
        normalized=_digest(normalized),
        logic=_digest(logic),
        **facts,  # type: ignore[arg-type]
    )


def _digest(text: str) -> Digest:
    return Digest.of(text.encode("utf-8", "surrogatepass"))
