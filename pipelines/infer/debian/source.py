"""A Debian source package by its purl: what it is, and what its suite ships of it.

Everything here is read from the signed lists of the suite, before a file is fetched.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from packageurl import PackageURL

from builders.core.digest import Digest, canonical_json
from builders.core.errors import InputUnavailableError, UsageError
from builders.locators import PurlLocator, parse_locator
from pipelines.infer.debian.builddepends import BuildDepends, read_build_depends
from pipelines.infer.debian.index import BinaryPackage, PackageIndex, without_epoch
from pipelines.infer.target import Pin, Target, release_locator

_EXPECTED = "pkg:deb/debian/NAME@VERSION?arch=source"


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
