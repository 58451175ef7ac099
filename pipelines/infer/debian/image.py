"""The builder image of a Debian source: the common one, or one derived for its Build-Depends.

A derived image is locked from the same suite and rebuilt like any other. Its name holds the common
image and the packages that came on top, so that the next source with the same needs finds it there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from builders.core.errors import ImageUnavailableError, InputUnavailableError
from builders.images import ImageCatalogue
from pipelines.infer.debian.index import Binary, Index
from pipelines.infer.debian.needs import Need, Needs, Relation
from pipelines.infer.debian.versions import Version
from pipelines.verify.session import Session


@dataclass(frozen=True, kw_only=True)
class Lacking:
    """What an image lacks for a source."""

    packages: tuple[str, ...] = ()
    """To be added, by name, sorted."""
    unmet: tuple[str, ...] = ()
    """Needs that the suite cannot meet, as Debian writes them."""
    conflicts: tuple[str, ...] = ()
    """Installed packages that the source refuses."""


def base_image(suite: str) -> str:
    """Return the name of the common image for sources of a suite."""
    return f"debian-{suite}-build"


def installed(name: str, images: ImageCatalogue) -> dict[str, str]:
    """Return the versions of all packages of an image, by name."""
    return {package.name: package.version for package in images.lock(name).every()}


def lacking(needs: Needs, have: Mapping[str, str], index: Index) -> Lacking:
    """Compare the needs of a source with an image that holds the packages `have`.

    Of alternatives, the first one that the suite can meet counts, as on Debian's own builders.
    """
    asked = sorted({r.name for need in needs.wanted for r in need.alternatives})
    suite = _Suite(index, have, index.binaries(asked))
    found = [(need, suite.pick(need)) for need in needs.wanted]
    return Lacking(
        packages=tuple(sorted({name for _, name in found if name})),
        unmet=tuple(str(need) for need, name in found if name is None),
        conflicts=tuple(
            f"{r.name} {have[r.name]}"
            for r in needs.conflicts
            if r.name in have and r.admits(have[r.name])
        ),
    )


def exact_words(packages: Sequence[str], strays: Sequence[Version]) -> tuple[str, ...]:
    """Return `packages`, and those that an image has in another version than was recorded.

    Each of them is `name=version` where the suite serves the recorded version.
    """
    pins = {
        each.name: f"{each.name}={each.recorded}"
        for each in strays
        if each.served and (each.here or each.name in packages)
    }
    return tuple(sorted({*pins.values(), *(p for p in packages if p not in pins)}))


def nearest_image(
    base: str, wishes: Sequence[Sequence[str]], shop: Session, release: str
) -> tuple[str, tuple[str, ...]]:
    """Return the first image that can be made with one of `wishes`, and which one it was.

    Raises for the last of them as `image_with` does.
    """
    for packages in wishes[:-1]:
        with suppress(ImageUnavailableError, InputUnavailableError):
            return image_with(base, packages, shop, release), tuple(packages)
    return image_with(base, wishes[-1], shop, release), tuple(wishes[-1])


def image_with(base: str, packages: Sequence[str], shop: Session, release: str) -> str:
    """Return the name of an image that holds `base` and `packages`; make it if it is not there.

    A package is a name, or `name=version`.

    Raises `InputUnavailableError`, `ImageUnavailableError`, `InfrastructureError`.
    """
    if not packages:
        return base
    name = shop.images.derived_name(base, packages)
    with shop.image_lock(name):
        if shop.images.has_lock(name):
            return name
        shop.progress.step(release, f"deriving {name}: {' '.join(packages)}")
        shop.workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=shop.workdir, prefix="derive-") as folder:
            new = shop.images.derive(base, packages, Path(folder), shop.counter(release))
            locked = new.lock.image
            shop.engine.load(
                new.image.tar, ids=(locked.config, locked.manifest), layers=(locked.diff_id,)
            )
    return name


class _Suite:
    """What an image has, and what its suite could add."""

    def __init__(self, index: Index, have: Mapping[str, str], listed: Sequence[Binary]) -> None:
        self._index, self._have = index, have
        self._listed: dict[str, list[str]] = {}
        for binary in listed:
            self._listed.setdefault(binary.name, []).append(binary.version)

    def pick(self, need: Need) -> str | None:
        """Return the package to add, "" when the image has it already, None when nothing will."""
        for relation in need.alternatives:
            found = self._package(relation)
            if found is not None:
                return found
        return None

    def _package(self, relation: Relation) -> str | None:
        name = relation.name
        if name in self._have and relation.admits(self._have[name]):
            return ""
        if ":" in name:
            return None
        providers = [
            provider.package
            for provider in self._index.providers(name)
            if not relation.operator or (provider.version and relation.admits(provider.version))
        ]
        if any(package in self._have for package in providers):
            return ""
        if any(map(relation.admits, self._listed.get(name, ()))):
            return name  # may be installed in an older version: a derived image is locked anew
        return providers[0] if providers else None
