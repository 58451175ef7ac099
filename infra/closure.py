"""The SBOM of samebits itself: every package that infra/requirements.txt pins, with its licence.

CycloneDX 1.6 as JSON, the same bytes for the same files and installed packages. A pin names all
files of a version that pip may install, each by its SHA-256. Licences are what installed packages
declare; a package for another system or Python is not installed here, and has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from packageurl import PackageURL
from packaging.metadata import Metadata
from packaging.requirements import Requirement

from builders.core.digest import Digest
from pipelines.evidence.sbom import bom_bytes

_PIN = re.compile(
    r"^(?P<package>[^#\s].*?)(?P<hashes>(?: \\\n +--hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)
_LICENCE = "License :: "


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A version of a package, and the digests of the files of it that may be installed."""

    name: str
    version: str
    marker: str | None
    """Where it is installed, as PEP 508 has it; None: everywhere."""
    files: tuple[Digest, ...]


def read_pins(text: str) -> list[Pin]:
    """Return the pins of a requirements file; raises `ValueError` for a line that is none."""
    if rest := [line for line in _PIN.sub("", text).splitlines() if line and "#" not in line]:
        raise ValueError(f"no package with hashes: {rest[0][:80]!r}")
    return [_pin(match["package"], match["hashes"]) for match in _PIN.finditer(text)]


def _pin(package: str, hashes: str) -> Pin:
    wanted = Requirement(package)
    (exactly,) = wanted.specifier
    if exactly.operator != "==":
        raise ValueError(f"no pinned version: {package!r}")
    return Pin(
        name=wanted.name,
        version=exactly.version,
        marker=str(wanted.marker) if wanted.marker else None,
        files=tuple(Digest(digest) for digest in re.findall("[0-9a-f]{64}", hashes)),
    )


def closure_sbom(pins: list[Pin], *, wheel: Metadata, digest: Digest) -> bytes:
    """Return the SBOM of a wheel of samebits, with its metadata and digest, as canonical JSON."""
    name, version = wheel.name, str(wheel.version)
    root = Component(
        name=name,
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref=name,
        purl=PackageURL("pypi", None, name, version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest.hex)],
        licenses=[LicenseFactory().make_from_string(text) for text in _licences(wheel)],
    )
    bom = Bom(metadata=BomMetaData(component=root), components=map(_component, pins))
    bom.register_dependency(root, bom.components)
    return bom_bytes(bom)


def _component(pin: Pin) -> Component:
    purl = PackageURL("pypi", None, pin.name, pin.version)
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(purl.to_string()),
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=d.hex) for d in pin.files],
            )
        ],
        licenses=[LicenseFactory().make_from_string(text) for text in _installed_licences(pin)],
        properties=[Property(name="samebits:marker", value=pin.marker)] if pin.marker else [],
    )


def _installed_licences(pin: Pin) -> Iterator[str]:
    try:
        installed = metadata.distribution(pin.name)
    except metadata.PackageNotFoundError:
        return
    text = installed.read_text("METADATA")
    if text is None or installed.version != pin.version:
        return
    declared = Metadata.from_email(text, validate=False)
    yield from list(_licences(declared)) or _titles(installed, declared)


def _titles(installed: metadata.Distribution, declared: Metadata) -> Iterator[str]:
    """Yield the first line of each licence file, for a package that declares no other licence."""
    for name in declared.license_files or ():
        text = installed.read_text(f"licenses/{name}") or ""
        yield from [line.strip() for line in text.splitlines() if line.strip()][:1]


def _licences(declared: Metadata) -> Iterator[str]:
    """Yield the SPDX expression of a package; else its classifiers; else the first of its words."""
    if declared.license_expression:
        yield str(declared.license_expression)
        return
    found = [c.removeprefix(_LICENCE) for c in declared.classifiers or () if c.startswith(_LICENCE)]
    words = [line for line in (declared.license or "").splitlines() if line.strip()]
    yield from found or words[:1]
