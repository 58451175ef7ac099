"""Source packages and their binaries, as the signed lists of a suite describe them.

Everything here is read from the lists, before a file is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from debian.deb822 import Deb822, Packages, Sources
from packageurl import PackageURL

from builders.core.digest import Digest, canonical_json
from builders.core.errors import InputMismatchError, InputUnavailableError, UsageError
from builders.locators import PurlLocator, parse_locator
from builders.locators.aptstate import STALE_SECONDS, AptState
from pipelines.infer.debian.builddepends import BuildDepends, read_build_depends
from pipelines.infer.target import Pin, Target, release_locator

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_PROVIDED = re.compile(r"(\S+) (\S+)(?: \(= ([^)\s]+)\))?\s*")
_BINNMU = re.compile(r"\+b[0-9]+")
# apt takes a name with one of these that no package has for a regular expression.
_PATTERN = re.compile(r"[.+]")
_EXPECTED = "pkg:deb/debian/NAME@VERSION?arch=source"


@dataclass(frozen=True, kw_only=True)
class BinaryPackage:
    """One binary package; `size` in bytes. Its version may differ from that of its source."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    size: int
    sha256: Digest

    @property
    def file_name(self) -> str:
        """Return the name of its file."""
        return deb_name(self.name, self.version, self.architecture)

    @property
    def is_binnmu(self) -> bool:
        """Say whether it was rebuilt without a new source: `+b1` behind the same version."""
        return self.version.startswith(self.source_version) and bool(
            _BINNMU.fullmatch(self.version.removeprefix(self.source_version))
        )


class Provider(NamedTuple):
    """A package that provides another name; without a version it satisfies no bound."""

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


class PackageIndex(Protocol):
    """The packages of one suite."""

    def source(self, name: str, version: str) -> SourceEntry | None:
        """Return a source package; None when it is not listed."""

    def binaries(self, names: Sequence[str]) -> tuple[BinaryPackage, ...]:
        """Return every listed version of the packages of these names."""

    def providers(self, name: str) -> tuple[Provider, ...]:
        """Return the packages that provide `name`, sorted by name."""


class AptIndex:
    """A `PackageIndex` of a private apt state, whose lists are fetched anew when they are old."""

    def __init__(self, state: AptState) -> None:
        """Query `state`."""
        self._state = state
        self._all: frozenset[str] | None = None

    def source(self, name: str, version: str) -> SourceEntry | None:
        """Return a source package; see `PackageIndex`."""
        return read_source(self._query("showsrc", [name]), name, version)

    def binaries(self, names: Sequence[str]) -> tuple[BinaryPackage, ...]:
        """Return packages; see `PackageIndex`."""
        return read_binaries(self._query("show", names))

    def providers(self, name: str) -> tuple[Provider, ...]:
        """Return providers; see `PackageIndex`."""
        return read_providers(self._query("showpkg", [name]))

    def _query(self, action: str, names: Sequence[str]) -> str:
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
    """Read the output of `apt-cache showsrc`; raises `InputMismatchError` without one .dsc."""
    for entry in Sources.iter_paragraphs(text, use_apt_pkg=False):
        if entry.get("Package") != name or entry.get("Version") != version:
            continue
        sums = _rows(entry, "Checksums-Sha256")
        listed = {r["name"]: r["sha256"] for r in sums if r.get("name", "").endswith(".dsc")}
        if len(listed) != 1:
            raise InputMismatchError(
                f"the signed list names no .dsc of source {name} {version}",
                got=", ".join(listed) or "none",
                expected="one",
            )
        ((dsc, sha256),) = listed.items()
        rows = [row for row in _rows(entry, "Package-List") if "package-type" in row]
        kinds = {row["package"]: row["package-type"] for row in rows}
        if not kinds:  # an old source
            names = re.split(r"[,\s]+", str(entry.get("Binary", "")))
            kinds = dict.fromkeys(names, "deb")
        known = sorted(filter(_NAME.fullmatch, kinds))
        return SourceEntry(
            name=name,
            version=version,
            dsc=dsc,
            sha256=Digest(sha256),
            debs=tuple(package for package in known if kinds[package] == "deb"),
            udebs=tuple(package for package in known if kinds[package] == "udeb"),
            fields={key: str(value) for key, value in entry.items() if key.startswith("Build-")},
        )
    return None


def read_binaries(text: str) -> tuple[BinaryPackage, ...]:
    """Read the output of `apt-cache show`, sorted by name and version as text."""
    found = (
        BinaryPackage(
            name=str(entry["Package"]),
            version=str(entry["Version"]),
            architecture=str(entry["Architecture"]),
            source=str(entry.source),
            source_version=str(entry.source_version),
            size=int(entry["Size"]),
            sha256=Digest(str(entry["SHA256"])),
        )
        for entry in Packages.iter_paragraphs(text, use_apt_pkg=False)
    )
    return tuple(sorted(found, key=lambda found: (found.name, found.version, found.architecture)))


def read_providers(text: str) -> tuple[Provider, ...]:
    """Read the end of the output of `apt-cache showpkg`."""
    lines = text.partition("Reverse Provides: \n")[2].splitlines()
    found = {Provider(m[1], m[3]) for m in map(_PROVIDED.fullmatch, lines) if m}
    return tuple(sorted(found, key=lambda found: (found.package, found.version or "")))


def deb_name(name: str, version: str, architecture: str) -> str:
    """Return the name of the file of a package, which never has the epoch of its version."""
    return f"{name}_{without_epoch(version)}_{architecture}.deb"


def without_epoch(version: str) -> str:
    """Return a version without its epoch."""
    return version.partition(":")[2] or version


def _rows(entry: Deb822, field: str) -> Iterator[Mapping[str, str]]:
    """Yield the rows of a field that python-debian has split; a field of one line is one row."""
    found = entry.get(field, [])
    yield from [found] if isinstance(found, Mapping) else found


@dataclass(frozen=True, kw_only=True)
class SourcePackage:
    """A source package and what is needed to build it.

    - `udebs`: packages for the installer: built, and by rule not judged.
    - `binnmus`: artefacts that Debian rebuilt without a new source.
    """

    target: Target
    suite: str
    depends: BuildDepends
    udebs: tuple[str, ...] = ()
    binnmus: tuple[BinaryPackage, ...] = ()


def is_debian(purl: str) -> bool:
    """Say whether a purl names a Debian package."""
    return purl.startswith("pkg:deb/")


def source_locator(purl: str) -> PurlLocator:
    """Read the purl of a source package; raises `UsageError`."""
    todo = None if "arch=" in purl else "Add ?arch=source: whole source packages are rebuilt"
    locator = release_locator(purl, _EXPECTED, todo)
    if locator is None or locator.type != "deb" or locator.arch != "source":
        raise UsageError("only whole source packages are rebuilt", got=purl, expected=_EXPECTED)
    return locator


def find_source_package(
    locator: PurlLocator, index: PackageIndex, profiles: Collection[str] = ()
) -> SourcePackage:
    """Find a source package and its binaries; its build dependencies are those with `profiles`.

    Raises `InputUnavailableError` for a source that is not listed, `InputMismatchError` for one
    whose entry cannot be read.
    """
    entry = index.source(locator.name, locator.version)
    if entry is None:
        raise InputUnavailableError(
            f"{locator} is not served",
            got=f"no such source in suite {locator.distro}",
            todo="Check name and version, or configure a mirror that has it",
        )
    shipped = [
        binary
        for binary in index.binaries(entry.debs)
        if (binary.source, binary.source_version) == (entry.name, entry.version)
    ]
    pins = tuple(_pin(binary, locator) for binary in shipped)
    absent = sorted(set(entry.debs) - {binary.name for binary in shipped})
    notes = [f"not shipped for amd64: {', '.join(absent)}"] if absent and pins else []
    if entry.udebs:
        notes.append(f"udebs are built and not judged: {', '.join(entry.udebs)}")
    return SourcePackage(
        target=Target(
            vendor="debian",
            product=locator.name,
            version=locator.version,
            artefacts=pins,
            digest=Digest.of(canonical_json(sorted([pin.name, pin.sha256.hex] for pin in pins))),
            source=Pin(name=entry.dsc, locator=locator, sha256=entry.sha256),
            notes=tuple(notes),
        ),
        suite=locator.distro,
        depends=read_build_depends(entry.fields, profiles=profiles),
        udebs=entry.udebs,
        binnmus=tuple(binary for binary in shipped if binary.is_binnmu),
    )


def tree_name(product: str, version: str) -> str:
    """Return the folder that a source is unpacked into: name and upstream version."""
    plain = without_epoch(version)
    return f"{product}-{plain.rpartition('-')[0] or plain}"


def _pin(binary: BinaryPackage, source: PurlLocator) -> Pin:
    named = PackageURL.from_string(source.purl).qualifiers
    suite = {"distro": source.distro} if "distro" in dict(named) else {}
    purl = PackageURL(
        "deb", "debian", binary.name, binary.version, {"arch": binary.architecture, **suite}
    )
    return Pin(
        name=binary.file_name,
        locator=parse_locator(purl.to_string()),
        sha256=binary.sha256,
        size=binary.size,
    )
