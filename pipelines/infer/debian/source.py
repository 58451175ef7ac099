"""A Debian source package by its purl: what it is, and what its suite ships of it.

Everything here is said by the signed lists of the suite, before a file is fetched.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from packageurl import PackageURL

from builders.core.digest import Digest, canonical_json
from builders.core.errors import InputUnavailableError, UsageError
from builders.locators import PurlLocator, parse_locator
from pipelines.infer.debian.index import Binary, Index
from pipelines.infer.debian.needs import Needs, read_needs
from pipelines.infer.wheel.target import Pin, Target, no_release


@dataclass(frozen=True, kw_only=True)
class SourcePackage:
    """A source package; `sizes` of its artefacts in bytes, by file name."""

    target: Target
    """Its `shipped` pin stands for all artefacts."""
    suite: str
    artefacts: tuple[Pin, ...]
    sizes: dict[str, int]
    needs: Needs
    udebs: tuple[str, ...] = ()
    """Packages for the installer: built, and by rule not judged."""
    rebuilt_alone: tuple[Binary, ...] = ()
    """Artefacts that Debian rebuilt without a new source."""


def is_debian(purl: str) -> bool:
    """Say whether a purl names a Debian package."""
    return purl.startswith("pkg:deb/")


def source_locator(purl: str) -> PurlLocator:
    """Read the purl of a source package; raises `UsageError`."""
    try:
        locator = parse_locator(purl)
    except ValueError as error:
        raise no_release(
            error,
            "pkg:deb/debian/NAME@VERSION?arch=source",
            None if "arch=" in purl else "Add ?arch=source: whole source packages are rebuilt",
        ) from error
    if not isinstance(locator, PurlLocator) or locator.type != "deb" or locator.arch != "source":
        raise UsageError(
            "only whole source packages are rebuilt",
            got=purl,
            expected="pkg:deb/debian/NAME@VERSION?arch=source",
        )
    return locator


def find_source_package(
    locator: PurlLocator, index: Index, profiles: Collection[str] = ()
) -> SourcePackage:
    """Find a source package and its binaries, and what it needs with these build profiles.

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
    source = Pin(name=entry.dsc, locator=locator, sha256=entry.sha256)
    pins = tuple(_pin(binary, locator) for binary in shipped)
    whole = Digest.of(canonical_json(sorted([pin.name, pin.sha256.hex] for pin in pins)))
    first = pins[0] if pins else source
    absent = sorted(set(entry.debs) - {binary.name for binary in shipped})
    notes = [f"not shipped for amd64: {', '.join(absent)}"] if absent and pins else []
    if entry.udebs:
        notes.append(f"udebs are built and not judged: {', '.join(entry.udebs)}")
    return SourcePackage(
        target=Target(
            vendor="debian",
            product=locator.name,
            version=locator.version,
            shipped=Pin(name=first.name, locator=first.locator, sha256=whole),
            source=source,
            uploaded=None,
            notes=tuple(notes),
        ),
        suite=locator.distro,
        artefacts=pins,
        sizes={binary.file_name: binary.size for binary in shipped},
        needs=read_needs(entry.fields, profiles=profiles),
        udebs=entry.udebs,
        rebuilt_alone=tuple(binary for binary in shipped if binary.rebuilt_alone),
    )


def tree_name(product: str, version: str) -> str:
    """Return the folder that a source is unpacked into: name and upstream version."""
    plain = version.partition(":")[2] or version
    return f"{product}-{plain.rpartition('-')[0] or plain}"


def _pin(binary: Binary, source: PurlLocator) -> Pin:
    named = PackageURL.from_string(source.purl).qualifiers
    suite = {"distro": source.distro} if "distro" in dict(named) else {}
    purl = PackageURL(
        "deb", "debian", binary.name, binary.version, {"arch": binary.architecture, **suite}
    )
    return Pin(name=binary.file_name, locator=parse_locator(purl.to_string()), sha256=binary.sha256)
