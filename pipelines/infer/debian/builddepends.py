"""The build dependencies of a Debian source, for a build of everything on amd64.

Syntax: deb-src-control(5). Relations that do not hold for amd64, or for the active build profiles,
are left out. Every relation is checked strictly before python-debian splits it into its parts.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from debian.deb822 import PkgRelation
from debian.debian_support import Version

from builders.core.errors import InputMismatchError

_DEPENDS = ("Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep")
_CONFLICTS = ("Build-Conflicts", "Build-Conflicts-Arch", "Build-Conflicts-Indep")
_TUPLE = ("base", "gnu", "linux", "amd64")
_RELATION = re.compile(
    r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?"
    r"(?:\s*\(\s*(?:<<|<=|=|>=|>>|<|>)\s*(?P<version>[A-Za-z0-9.+~:-]+)\s*\))?"
    r"(?:\s*\[\s*!?[a-z0-9-]+(?:\s+!?[a-z0-9-]+)*\s*\])?"
    r"(?:\s*<\s*!?[a-z0-9.+-]+(?:\s+!?[a-z0-9.+-]+)*\s*>)*"
)
_OWN = frozenset({None, "any", "native", "amd64"})
_COMPARED = {
    "<<": operator.lt,
    "<=": operator.le,
    "<": operator.le,  # deb-src-control(5): the old `<` means `<=`
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.ge,
    ">>": operator.gt,
}


@dataclass(frozen=True, kw_only=True)
class Relation:
    """One package, with a bound on its version; without `operator` any version will do."""

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
        return bool(_COMPARED[self.operator](Version(version), Version(self.version)))


# The preferred one first; one of them is enough.
Alternatives = tuple[Relation, ...]


@dataclass(frozen=True, kw_only=True)
class BuildDepends:
    """What must be installed to build, and what must not be."""

    wanted: tuple[Alternatives, ...] = ()
    conflicts: tuple[Relation, ...] = ()


def as_text(alternatives: Alternatives) -> str:
    """Return them as Debian writes them."""
    return " | ".join(map(str, alternatives))


def read_build_depends(
    fields: Mapping[str, str], *, profiles: Collection[str] = ()
) -> BuildDepends:
    """Read the relation fields of a source; raises `InputMismatchError` for anything else."""

    def found(names: Collection[str]) -> Iterator[Alternatives]:
        return (d for name in names for d in _dependencies(fields.get(name, ""), profiles))

    wanted = dict.fromkeys(found(_DEPENDS))
    conflicts = dict.fromkeys(r for each in found(_CONFLICTS) for r in each)
    return BuildDepends(wanted=tuple(wanted), conflicts=tuple(conflicts))


def matches_amd64(wildcard: str) -> bool:
    """Say whether an architecture or a wildcard (`linux-any`, `any-amd64`) includes amd64."""
    parts = wildcard.split("-")
    padded = ["any"] * (len(_TUPLE) - len(parts)) + parts
    return len(padded) == len(_TUPLE) and all(
        part in {"any", own} for part, own in zip(padded, _TUPLE, strict=True)
    )


def _dependencies(text: str, profiles: Collection[str]) -> Iterator[Alternatives]:
    for group in text.split(","):
        if not group.strip():  # a list may end with a comma
            continue
        for part in group.split("|"):
            _check(part.strip())
        (parsed,) = PkgRelation.parse_relations(group)
        alternatives = tuple(
            _relation(each)
            for each in parsed
            if _holds_on_amd64(each["arch"]) and PkgRelation.holds_with_profiles(each, profiles)
        )
        if alternatives:
            yield alternatives


def _check(text: str) -> None:
    match = _RELATION.fullmatch(text)
    if match is None or not _is_version(match["version"]):
        raise InputMismatchError(
            "a build dependency of the source cannot be read",
            got=repr(text[:80]),
            expected="name (>= version) [architectures] <profiles>",
        )


def _is_version(text: str | None) -> bool:
    try:
        return text is None or bool(str(Version(text)))
    except ValueError:
        return False


def _relation(parsed: PkgRelation.ParsedRelation) -> Relation:
    name, qualifier = parsed["name"], parsed["archqual"]
    if qualifier not in _OWN:  # a package of another architecture, which no image has
        return Relation(name=f"{name}:{qualifier}")
    operator, version = parsed["version"] or ("", "")
    return Relation(name=name, operator=operator, version=version)


def _holds_on_amd64(restrictions: list[PkgRelation.ArchRestriction] | None) -> bool:
    if restrictions is None:
        return True
    if refused := [each.arch for each in restrictions if not each.enabled]:
        return not any(map(matches_amd64, refused))
    return any(matches_amd64(each.arch) for each in restrictions)
