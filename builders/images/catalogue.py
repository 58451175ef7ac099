"""The builder images of a folder: `<name>.yaml` is a definition, `<name>.lock.yaml` its lock.

A center derives images from those for sources that need more packages. They lie in a folder of its
own until they are published beside the others, and their names depend on what they contain.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builders.core.digest import Digest, canonical_json
from builders.core.errors import UsageError
from builders.core.similar import did_you_mean, with_suggestion
from builders.images.assemble import build_image, compare_with_lock
from builders.images.definition import ImageDefinition, dump_definition, load_definition
from builders.images.lock import (
    ImageLock,
    LockChange,
    Resolution,
    dump_lock,
    load_lock,
    lock_changes,
)
from builders.images.oci_archive import BuiltImage
from builders.images.resolve import resolve
from builders.inputs.fetching import FetchProgress, fetch_missing, no_progress
from builders.inputs.vault import Vault
from builders.locators.aptstate import AptStates
from builders.locators.fetcher import Fetcher

_LOCK = ".lock.yaml"


@dataclass(frozen=True, kw_only=True)
class NewLock:
    """A new lock, its image, and the changes from the lock before (None: there was none)."""

    lock: ImageLock
    changes: Sequence[LockChange] | None
    image: BuiltImage


class ImageCatalogue:
    """The definitions and locks in a folder, and what is needed to build their images."""

    def __init__(
        self,
        folder: Path,
        vault: Vault,
        fetcher: Fetcher,
        workdir: Path,
        states: AptStates,
        *,
        derived: Path | None = None,
    ) -> None:
        """Read `folder`; fetch packages with `fetcher` into `vault`; resolve names in `states`.

        Derived images are kept in the folder `derived`, which is searched after `folder`.
        """
        self._folder = folder
        self._derived = derived
        self._vault = vault
        self._fetcher = fetcher
        self._workdir = workdir
        self._states = states

    def names(self) -> list[str]:
        """Return the names of all definitions but derived ones, sorted."""
        return _names(self._folder)

    def definition(self, name: str) -> ImageDefinition:
        """Read a definition; raises `UsageError` for an unknown name."""
        folder = self._folder_of(name)
        if folder is None:
            raise UsageError(
                "no such builder image",
                got=name,
                expected=f"one of {', '.join(self.names()) or 'none: the folder is empty'}",
                todo=with_suggestion(
                    f"Definitions are read from {self._folder}", did_you_mean(name, self.names())
                ),
            )
        return load_definition(folder / f"{name}.yaml")

    def has_lock(self, name: str) -> bool:
        """Say whether an image of that name has a lock."""
        folder = self._folder_of(name)
        return folder is not None and (folder / f"{name}{_LOCK}").is_file()

    def lock(self, name: str) -> ImageLock:
        """Read a lock; raises `UsageError` if there is none, or one for an older definition."""
        definition = self.definition(name)
        path = (self._folder_of(name) or self._folder) / f"{name}{_LOCK}"
        if not path.is_file():
            raise UsageError(
                f"builder image {name} has no lock", todo=f"Run `samebits image lock {name}`"
            )
        lock = load_lock(path)
        if lock.definition != definition.digest() or lock.suite != definition.suite:
            raise UsageError(
                f"the lock of builder image {name} is not for its current definition",
                got=f"definition sha256 {lock.definition} in the lock",
                expected=definition.digest(),
                todo=f"Run `samebits image lock --refresh {name}` and review the changes",
            )
        return lock

    def lock_new(
        self, name: str, into: Path, progress: FetchProgress = no_progress, *, write: bool = True
    ) -> NewLock:
        """Resolve, fetch and build `name`, write its lock, and leave its tar in `into`.

        With `write=False` the lock in the folder is not changed.
        """
        lock, image = self._lock(self.definition(name), into / f"{name}.tar", progress)
        path = self._folder / f"{name}{_LOCK}"
        changes = lock_changes(load_lock(path), lock) if path.is_file() else None
        if write:
            _replace(path, dump_lock(lock))
        return NewLock(lock=lock, changes=changes, image=image)

    def derived_name(self, base: str, packages: Iterable[str]) -> str:
        """Return the name of `base` with further packages, which depends on both."""
        parts = {"base": self.lock(base).image.config.hex, "packages": sorted(set(packages))}
        return f"{base}-{Digest.of(canonical_json(parts)).hex[:8]}"

    def derive(
        self,
        base: str,
        packages: Iterable[str],
        into: Path,
        progress: FetchProgress = no_progress,
    ) -> NewLock:
        """Define, lock and build `base` with further packages; its tar is left in `into`.

        A package given as `name=version` replaces the one that `base` names. Packages come from the
        suite of `base` as it is now. Nothing is kept of an image that cannot be built; raises as
        `lock_new` does.
        """
        if self._derived is None:
            raise UsageError("no folder is set for derived images", got=base)
        extra = sorted(set(packages))
        name, parent = self.derived_name(base, extra), self.definition(base)
        pinned = {package.partition("=")[0] for package in extra}
        kept = (package for package in parent.packages if package not in pinned)
        definition = parent.model_copy(update={"packages": tuple(sorted({*kept, *extra}))})
        lock, image = self._lock(definition, into / f"{name}.tar", progress)
        comment = f"{base}, and what the build dependencies of sources ask for: {' '.join(extra)}"
        self._derived.mkdir(parents=True, exist_ok=True)
        _replace(self._derived / f"{name}.yaml", dump_definition(definition, comment))
        _replace(self._derived / f"{name}{_LOCK}", dump_lock(lock))
        return NewLock(lock=lock, changes=None, image=image)

    def publish(self, name: str) -> Path | None:
        """Copy a derived image's definition and lock beside the others, if they are not there.

        Returns the new definition's path; None if there was nothing to do. Raises `UsageError` if
        the folder cannot be written.
        """
        files = self.unpublished(name)
        if not files:
            return None
        self.lock(name)
        try:
            for file in reversed(files):  # the definition last: it makes the image known
                _replace(self._folder / file.name, file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(
                f"builder image {name} cannot be put into {self._folder}", got=error.strerror
            ) from error
        return self._folder / f"{name}.yaml"

    def unpublished(self, name: str) -> tuple[Path, ...]:
        """Return definition and lock of a derived image that was not published; else nothing."""
        folder = self._folder_of(name)
        if folder is None or folder != self._derived:
            return ()
        return tuple(folder / f"{name}{end}" for end in (".yaml", _LOCK))

    def build(self, name: str, into: Path, progress: FetchProgress = no_progress) -> BuiltImage:
        """Build the locked image as `<name>.tar` in the folder `into`.

        Packages that the vault lacks are fetched. Raises `InputUnavailableError` for one that
        cannot be fetched, `ImageMismatchError` if the image is not the locked one; no tar is left
        then.
        """
        lock = self.lock(name)
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into, prefix=".image-") as folder:
            partial = Path(folder) / f"{name}.tar"
            built = self._build(self.definition(name), lock, partial, progress)
            compare_with_lock(name, built, lock)
            return replace(built, tar=partial.replace(into / partial.name))

    def check(self, name: str, progress: FetchProgress = no_progress) -> ImageLock:
        """Build the locked image and delete it again; raises as `build` does."""
        self._workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._workdir, prefix="check-") as folder:
            self.build(name, Path(folder), progress)
        return self.lock(name)

    def _folder_of(self, name: str) -> Path | None:
        """Return the folder of a definition; None for an unknown name."""
        if name in self.names():
            return self._folder
        if self._derived is not None and name in _names(self._derived):
            return self._derived
        return None

    def _lock(
        self, definition: ImageDefinition, tar: Path, progress: FetchProgress
    ) -> tuple[ImageLock, BuiltImage]:
        resolution = resolve(definition, self._states)
        image = self._build(definition, resolution, tar, progress)
        return ImageLock(**resolution.model_dump(by_alias=True), image=image.digests), image

    def _build(
        self,
        definition: ImageDefinition,
        resolution: Resolution,
        tar: Path,
        progress: FetchProgress,
    ) -> BuiltImage:
        """Fetch what the vault lacks, and build an image as the new file `tar`."""
        requests = resolution.fetch_requests()
        fetch_missing(self._vault, self._fetcher, requests, self._workdir, progress)
        return build_image(definition, resolution, self._vault, tar, self._workdir, progress)


def _names(folder: Path) -> list[str]:
    files = folder.glob("*.yaml")
    return sorted(f.name.removesuffix(".yaml") for f in files if not f.name.endswith(_LOCK))


def _replace(path: Path, text: str) -> None:
    """Write a file completely or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
