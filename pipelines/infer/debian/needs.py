"""What a Debian source needs to be built, read from its relation fields; pure.

Syntax: deb-src-control(5), deb-substvars aside: lists of groups, a group is alternatives, each with
a version, a list of architectures and a formula of build profiles. What does not hold for amd64,
or for the profiles in force, is left out here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from debian.debian_support import Version

from builders.core.errors import InputMismatchError

FIELDS = ("Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep")
CONFLICTS = ("Build-Conflicts", "Build-Conflicts-Arch", "Build-Conflicts-Indep")
_TUPLE = ("base", "gnu", "linux", "amd64")
_RELATION = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]+)(?::(?P<qualifier>[a-z0-9-]+))?"
    r"(?:\s*\(\s*(?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[A-Za-z0-9.+~:-]+)\s*\))?"
    r"(?:\s*\[(?P<architectures>[^\]]*)\])?"
    r"(?P<profiles>(?:\s*<[^<>]*>)*)"
)
_FORMULA = re.compile(r"<([^<>]*)>")
_OWN = frozenset({None, "any", "native", "amd64"})


@dataclass(frozen=True, kw_only=True)
class Relation:
    """One package, with a version that it must have; no `operator`: any will do."""

    name: str
    operator: str = ""
    version: str = ""

    def __str__(self) -> str:
        """Return it as Debian writes it."""
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name

    def admits(self, version: str) -> bool:
        """Say whether a package of that version will do."""
        if not self.operator:
            return True
        got, asked = Version(version), Version(self.version)
        match self.operator:
            case "<<":
                return bool(got < asked)
            case "<=" | "<":  # deb-src-control(5): the old `<` means `<=`
                return bool(got <= asked)
            case "=":
                return bool(got == asked)
            case ">=" | ">":
                return bool(got >= asked)
            case _:
                return bool(got > asked)


@dataclass(frozen=True, kw_only=True)
class Need:
    """Alternatives, the preferred one first; one of them is enough."""

    alternatives: tuple[Relation, ...]

    def __str__(self) -> str:
        """Return it as Debian writes it."""
        return " | ".join(str(relation) for relation in self.alternatives)


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What must be installed to build, and what must not be."""

    wanted: tuple[Need, ...] = ()
    conflicts: tuple[Relation, ...] = ()


def read_needs(fields: Mapping[str, str], *, profiles: Collection[str] = ()) -> Needs:
    """Read the relation fields of a source, for a build of everything on amd64.

    Raises `InputMismatchError` for what is no relation.
    """
    wanted = [need for name in FIELDS for need in _groups(fields.get(name, ""), profiles)]
    conflicts = [need for name in CONFLICTS for need in _groups(fields.get(name, ""), profiles)]
    return Needs(
        wanted=tuple(dict.fromkeys(wanted)),
        conflicts=tuple(dict.fromkeys(r for need in conflicts for r in need.alternatives)),
    )


def matches_amd64(wildcard: str) -> bool:
    """Say whether an architecture or a wildcard (`linux-any`, `any-amd64`) is amd64's."""
    parts = wildcard.split("-")
    padded = ["any"] * (len(_TUPLE) - len(parts)) + parts
    return len(padded) == len(_TUPLE) and all(
        part in {"any", own} for part, own in zip(padded, _TUPLE, strict=True)
    )


def _groups(text: str, profiles: Collection[str]) -> Iterator[Need]:
    for group in text.split(","):
        if not group.strip():  # a list may end with a comma
            continue
        found = [_relation(part.strip(), profiles) for part in group.split("|")]
        if alternatives := tuple(relation for relation in found if relation):
            yield Need(alternatives=alternatives)


def _relation(text: str, profiles: Collection[str]) -> Relation | None:
    """Read one alternative; None when it does not hold here."""
    match = _RELATION.fullmatch(text)
    if match is None or not _is_version(match["version"]):
        raise InputMismatchError(
            "a build dependency of the source cannot be read",
            got=repr(text[:80]),
            expected="name (>= version) [architectures] <profiles>",
        )
    if not _architecture_holds(match["architectures"]) or not _profiles_hold(
        match["profiles"], profiles
    ):
        return None
    if match["qualifier"] not in _OWN:  # a package of another architecture: none is at hand
        return Relation(name=f"{match['name']}:{match['qualifier']}")
    return Relation(
        name=match["name"], operator=match["operator"] or "", version=match["version"] or ""
    )


def _is_version(text: str | None) -> bool:
    try:
        return text is None or bool(str(Version(text)))
    except ValueError:
        return False


def _architecture_holds(text: str | None) -> bool:
    if text is None:
        return True
    words = text.split()
    refused = [word.removeprefix("!") for word in words if word.startswith("!")]
    if refused:
        return not any(matches_amd64(word) for word in refused)
    return any(matches_amd64(word) for word in words)


def _profiles_hold(text: str, active: Collection[str]) -> bool:
    """Say whether one of the lists in angle brackets holds in all its terms."""
    formulas = _FORMULA.findall(text)
    return not formulas or any(
        all((term.removeprefix("!") in active) != term.startswith("!") for term in formula.split())
        for formula in formulas
    )
