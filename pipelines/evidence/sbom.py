"""The SBOM of a rebuild: its builder image, package by package, and every input of the recipe.

CycloneDX 1.6 as JSON. The same recipe and lock give the same bytes: no clock, and a serial number
made from the content.
"""

from __future__ import annotations

import json
from functools import lru_cache
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from builders.core.digest import Digest, canonical_json
from builders.images.lock import ImageLock, LockedPackage
from builders.inputs.input_file import input_name
from builders.locators import PurlLocator
from builders.recipe.recipe import Input, Recipe


def sbom(recipe: Recipe, *, image: Digest, lock: ImageLock | None) -> bytes:
    """Return the SBOM as canonical JSON (RFC 8785).

    `image` is the config digest of the builder image; `lock` is None for one that is pulled by
    digest, whose packages are not known here.
    """
    name = recipe.build.image.rpartition("/")[2].partition("@")[0]
    suite, packages = (lock.suite, lock.every()) if lock else ("", ())
    return _sbom(name, image, suite, packages, recipe.inputs)


@lru_cache(maxsize=64)  # one run needs it once for its evidence and once for every signature
def _sbom(
    name: str,
    image: Digest,
    suite: str,
    packages: tuple[LockedPackage, ...],
    inputs: tuple[Input, ...],
) -> bytes:
    root = Component(
        name=name,
        version=str(image),
        type=ComponentType.CONTAINER,
        bom_ref="image",
        hashes=[_hash(image)],
    )
    components = [
        *(_package(package, suite) for package in packages),
        *(_input(item, number) for number, item in enumerate(inputs, start=1)),
    ]
    bom = Bom(metadata=BomMetaData(component=root), components=components)
    bom.register_dependency(root, bom.components)
    return bom_bytes(bom)


def bom_bytes(bom: Bom) -> bytes:
    """Return an SBOM as canonical JSON, without a time, under a serial number of its content."""
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    del document["serialNumber"], document["metadata"]["timestamp"]
    content = Digest.of(canonical_json(document))
    document["serialNumber"] = uuid5(NAMESPACE_URL, f"sha256:{content}").urn
    return canonical_json(document)


def _package(package: LockedPackage, suite: str) -> Component:
    purl = PackageURL(
        "deb",
        "debian",
        package.name,
        package.version,
        {"arch": package.architecture, "distro": suite},
    )
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"package:{package.name}",
        purl=purl,
        hashes=[_hash(package.sha256)],
    )


def _input(item: Input, number: int) -> Component:
    locator = item.locator
    purl = PackageURL.from_string(locator.purl) if isinstance(locator, PurlLocator) else None
    return Component(
        name=input_name(item),
        version=locator.version if isinstance(locator, PurlLocator) else None,
        type=ComponentType.FILE,
        bom_ref=f"input:{number}",
        purl=purl,
        hashes=[_hash(item.sha256)],
        properties=[
            Property(name="samebits:locator", value=str(locator)),
            Property(name="samebits:role", value=str(item.role)),
        ],
    )


def _hash(digest: Digest) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest.hex)
