"""The builder images of a folder: `<name>.yaml` is the definition, `<name>.lock.yaml` the lock."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builders.errors import UsageError
from builders.images.archive import BuiltImage
from builders.images.build import build_image, check_built
from builders.images.definition import ImageDefinition, load_definition
from builders.images.lock import (
    ImageDigests,
    ImageLock,
    LockChange,
    diff,
    dump_lock,
    load_lock,
)
from builders.images.resolve import resolve
from builders.locators.aptstate import AptStates
from builders.locators.fetch import Fetcher
from builders.locators.stock import Progress, quiet, stock
from builders.vault import Vault

_LOCK = ".lock.yaml"


@dataclass(frozen=True, kw_only=True)
class NewLock:
    """A lock just made, what it changes from the one before (None: there was none), its image."""

    lock: ImageLock
    changes: Sequence[LockChange] | None
    image: BuiltImage


class Images:
    """Definitions and locks in one folder, and what it takes to build them."""

    def __init__(
        self, folder: Path, vault: Vault, fetcher: Fetcher, workdir: Path, states: AptStates
    ) -> None:
        """Read `folder`; packages come through `vault` and `fetcher`; `states` resolve names."""
        self._folder = folder
        self._vault = vault
        self._fetcher = fetcher
        self._workdir = workdir
        self._states = states

    def names(self) -> list[str]:
        """Return the names of all definitions, sorted."""
        files = self._folder.glob("*.yaml")
        return sorted(f.name.removesuffix(".yaml") for f in files if not f.name.endswith(_LOCK))

    def definition(self, name: str) -> ImageDefinition:
        """Read a definition; raises `UsageError` for an unknown name."""
        if name not in self.names():
            raise UsageError(
                "no such builder image",
                got=name,
                expected=f"one of {', '.join(self.names()) or 'none: the folder is empty'}",
                todo=f"Definitions are read from {self._folder}",
            )
        return load_definition(self._folder / f"{name}.yaml")

    def has_lock(self, name: str) -> bool:
        """Say whether a lock of that name is there."""
        return (self._folder / f"{name}{_LOCK}").is_file()

    def lock(self, name: str) -> ImageLock:
        """Read a lock; raises `UsageError` when it is missing or of an older definition."""
        definition = self.definition(name)
        path = self._folder / f"{name}{_LOCK}"
        if not path.is_file():
            raise UsageError(
                f"builder image {name} has no lock", todo=f"Run `samebits image lock {name}`"
            )
        lock = load_lock(path)
        if lock.definition != definition.digest() or lock.suite != definition.suite:
            raise UsageError(
                f"the lock of builder image {name} is not of its definition",
                got=f"definition sha256 {lock.definition} in the lock",
                expected=definition.digest(),
                todo=f"Run `samebits image lock --refresh {name}` and review what changes",
            )
        return lock

    def lock_new(
        self, name: str, into: Path, progress: Progress = quiet, *, write: bool = True
    ) -> NewLock:
        """Resolve, fetch and build `name` now, write its lock, and leave its tar in `into`.

        With `write=False` the lock in the folder stays as it is, to look at the changes first.
        """
        definition = self.definition(name)
        resolution = resolve(definition, self._states)
        stock(self._vault, self._fetcher, resolution.wants(), self._workdir, progress)
        image = build_image(
            definition, resolution, self._vault, into / f"{name}.tar", self._workdir, progress
        )
        digests = ImageDigests(config=image.config, manifest=image.manifest, diff_id=image.diff_id)
        lock = ImageLock(**resolution.model_dump(by_alias=True), image=digests)
        path = self._folder / f"{name}{_LOCK}"
        old = load_lock(path) if path.is_file() else None
        if write:
            _replace(path, dump_lock(lock))
        return NewLock(lock=lock, changes=None if old is None else diff(old, lock), image=image)

    def build(self, name: str, into: Path, progress: Progress = quiet) -> BuiltImage:
        """Build the locked image as `<name>.tar` in the folder `into`.

        Only packages that the vault lacks are fetched. Raises `InputUnavailableError` for one that
        nobody serves, `ImageMismatchError` when the image is not the locked one; no tar stays then.
        """
        lock = self.lock(name)
        stock(self._vault, self._fetcher, lock.wants(), self._workdir, progress)
        into.mkdir(parents=True, exist_ok=True)
        target = into / f"{name}.tar"
        with tempfile.TemporaryDirectory(dir=into, prefix=".image-") as folder:
            built = build_image(
                self.definition(name),
                lock,
                self._vault,
                Path(folder) / target.name,
                self._workdir,
                progress,
            )
            check_built(name, built, lock)
            built.tar.replace(target)
        return BuiltImage(
            tar=target, config=built.config, manifest=built.manifest, diff_id=built.diff_id
        )

    def check(self, name: str, progress: Progress = quiet) -> ImageLock:
        """Build the locked image once more and throw it away; raises as `build` does."""
        self._workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._workdir, prefix="check-") as folder:
            self.build(name, Path(folder), progress)
        return self.lock(name)


def _replace(path: Path, text: str) -> None:
    """Write a file at once or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
