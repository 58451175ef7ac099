"""What the signed lists of a suite say of source packages and their binaries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from debian.deb822 import Deb822

from builders.core.digest import Digest
from builders.core.errors import InputMismatchError
from builders.locators.aptstate import STALE_SECONDS, AptState

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_SOURCE = re.compile(r"([a-z0-9][a-z0-9+.-]+)(?: \(([^)\s]+)\))?")
_PROVIDED = re.compile(r"(\S+) (\S+)(?: \(= ([^)\s]+)\))?\s*")
_REBUILD = re.compile(r"\+b[0-9]+")
_PATTERN = re.compile(r"[.+]")
"""Where no package has a name with one of these, apt takes it for a regular expression."""


@dataclass(frozen=True, kw_only=True)
class Binary:
    """One binary package; `size` in bytes. Its version need not be that of its source."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    size: int
    sha256: Digest

    @property
    def file_name(self) -> str:
        """Return the name of its file, which never holds an epoch."""
        plain = self.version.partition(":")[2] or self.version
        return f"{self.name}_{plain}_{self.architecture}.deb"

    @property
    def rebuilt_alone(self) -> bool:
        """Say whether it was rebuilt after its source came out: `+b1` behind the same version."""
        return bool(
            self.version.startswith(self.source_version)
            and _REBUILD.fullmatch(self.version.removeprefix(self.source_version))
        )


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A package that stands in for another name; without a version it satisfies none."""

    package: str
    version: str | None


@dataclass(frozen=True, kw_only=True)
class SourceEntry:
    """One source package: its .dsc, the names of its packages, its relation fields as text."""

    name: str
    version: str
    dsc: str
    sha256: Digest
    debs: tuple[str, ...]
    udebs: tuple[str, ...]
    fields: Mapping[str, str]


class Index(Protocol):
    """The packages of one suite."""

    def source(self, name: str, version: str) -> SourceEntry | None:
        """Return a source package; None when it is not listed."""

    def binaries(self, names: Sequence[str]) -> tuple[Binary, ...]:
        """Return every listed version of the packages of these names."""

    def providers(self, name: str) -> tuple[Provider, ...]:
        """Return the packages that provide `name`, sorted by name."""


class SuiteIndex:
    """An `Index` of a private apt state, whose lists are fetched anew when they are stale."""

    def __init__(self, state: AptState) -> None:
        """Ask `state`."""
        self._state = state
        self._all: frozenset[str] | None = None

    def source(self, name: str, version: str) -> SourceEntry | None:
        """Return a source package; see `Index`."""
        return read_source(self._ask("showsrc", [name]), name, version)

    def binaries(self, names: Sequence[str]) -> tuple[Binary, ...]:
        """Return packages; see `Index`."""
        return read_binaries(self._ask("show", names))

    def providers(self, name: str) -> tuple[Provider, ...]:
        """Return providers; see `Index`."""
        return read_providers(self._ask("showpkg", [name]))

    def _ask(self, action: str, names: Sequence[str]) -> str:
        known = [name for name in names if _NAME.fullmatch(name)]
        if not known:
            return ""
        with self._state.locked():
            self._state.refresh(older_than=STALE_SECONDS)
            if action != "showsrc":
                known = [name for name in known if self._is_plain(name)]
            return self._state.cache([action, *known]) if known else ""

    def _is_plain(self, name: str) -> bool:
        """Say whether apt takes the name of a package for nothing but a name."""
        if not _PATTERN.search(name):
            return True
        if self._all is None:
            self._all = frozenset(self._state.cache(["pkgnames", "--all-names"]).split())
        return name in self._all


def read_source(text: str, name: str, version: str) -> SourceEntry | None:
    """Read what `apt-cache showsrc` says; raises `InputMismatchError` for an entry without .dsc."""
    for entry in Deb822.iter_paragraphs(text, use_apt_pkg=False):
        if entry.get("Package") != name or entry.get("Version") != version:
            continue
        rows = [line.split() for line in str(entry.get("Checksums-Sha256", "")).splitlines()]
        listed = {row[2]: row[0] for row in rows if len(row) == 3 and row[2].endswith(".dsc")}
        if len(listed) != 1:
            raise InputMismatchError(
                f"the signed list names no .dsc of source {name} {version}",
                got=", ".join(listed) or "none",
                expected="one",
            )
        ((dsc, sha256),) = listed.items()
        debs, udebs = _packages(entry)
        return SourceEntry(
            name=name,
            version=version,
            dsc=dsc,
            sha256=Digest(sha256),
            debs=debs,
            udebs=udebs,
            fields={key: str(value) for key, value in entry.items() if key.startswith("Build-")},
        )
    return None


def read_binaries(text: str) -> tuple[Binary, ...]:
    """Read what `apt-cache show` says, sorted by name and version as text."""
    return tuple(
        sorted(
            (_binary(entry) for entry in Deb822.iter_paragraphs(text, use_apt_pkg=False)),
            key=lambda binary: (binary.name, binary.version, binary.architecture),
        )
    )


def read_providers(text: str) -> tuple[Provider, ...]:
    """Read the end of what `apt-cache showpkg` says."""
    lines = text.partition("Reverse Provides: \n")[2].splitlines()
    found = (_PROVIDED.fullmatch(line) for line in lines)
    pairs = {(m[1], m[3]) for m in found if m}
    return tuple(
        Provider(package=package, version=version)
        for package, version in sorted(pairs, key=lambda pair: (pair[0], pair[1] or ""))
    )


def _binary(entry: Deb822) -> Binary:
    name, version = str(entry["Package"]), str(entry["Version"])
    match = _SOURCE.fullmatch(str(entry.get("Source", name)))
    return Binary(
        name=name,
        version=version,
        architecture=str(entry["Architecture"]),
        source=match[1] if match else name,
        source_version=(match[2] if match else None) or version,
        size=int(entry["Size"]),
        sha256=Digest(str(entry["SHA256"])),
    )


def _packages(entry: Deb822) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the packages of a source by kind: its Package-List, in old sources its Binary."""
    kinds = dict(_listed(entry))
    if not kinds:
        kinds = dict.fromkeys(re.split(r"[,\s]+", str(entry.get("Binary", ""))), "deb")
    known = sorted(name for name in kinds if _NAME.fullmatch(name))
    return (
        tuple(name for name in known if kinds[name] == "deb"),
        tuple(name for name in known if kinds[name] == "udeb"),
    )


def _listed(entry: Deb822) -> Iterator[tuple[str, str]]:
    for line in str(entry.get("Package-List", "")).splitlines():
        words = line.split()
        if len(words) >= 2:
            yield words[0], words[1]
