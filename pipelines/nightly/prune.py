"""What a center has and does not need any more: found first, removed when that is wanted.

Nothing that a record of the store names by its digest is removed, and so nothing that stands behind
a leaf of the log; nothing that a recipe or an image names either. Evidence stays for good. Objects
of a store in S3 are left alone: of its inputs only the copies on this machine are removed.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from builders.core.errors import SamebitsError, UsageError
from builders.images.catalogue import ImageCatalogue
from builders.inputs.vault import PREFIX as VAULT
from builders.rebuild.workspace import abandoned_folders, living_runs, remove_folder
from pipelines.nightly.named_digests import digests_named
from pipelines.nightly.record import nights_prefix
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import content_digest, encode, private_twin
from pipelines.storage.store import Store
from pipelines.verify.session import Session

_DAY = timedelta(days=1)
_CACHES = ("cache/contents", "infer", "apt", "reports")
"""Folders below the home whose entries are made again when they are needed."""


class PrunableKind(StrEnum):
    """Why something is not needed."""

    INPUT = "inputs"
    """No recipe, image or record names it."""
    CACHE = "caches"
    NIGHT = "nights"
    """Records of nights, and results that such a record contains."""
    RUN = "runs"
    """A killed run that the log does not know."""
    IMAGE = "images"
    """A builder image of an earlier lock."""


@dataclass(frozen=True, kw_only=True)
class Prunable:
    """One thing that can be removed."""

    kind: PrunableKind
    name: str
    """A path, an object of the store, or an image."""
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """What can be removed, and what was not looked at, with the reason."""

    found: tuple[Prunable, ...]
    skipped: tuple[str, ...]


def find_prunable(session: Session, *, now: datetime, recipes: Sequence[Path] = ()) -> Pruning:
    """Return what the center does not need at `now` (UTC); nothing is removed.

    `recipes` are files and folders of recipes beside the center's own. Raises `StoreError` and
    `LogError`.
    """
    found, skipped = list[Prunable](), list[str]()
    center = session.center
    if alive := next(living_runs(center.runs), None):
        skipped.append(f"inputs: run {alive[0]} is alive, and may read any of them")
    else:
        found += _inputs(session, now, recipes)
    found += _caches(center.home, now - center.keep.inputs * _DAY)
    found += _runs(session, now - _DAY)
    if isinstance(session.store, DirectoryStore):
        found += _nights(session.store, center.id, center.keep.nights)
    else:
        skipped.append("nights: objects of a store in S3 are not removed")
    try:
        found += _images(session)
    except SamebitsError as error:
        skipped.append(f"images: {error}")
    return Pruning(found=tuple(found), skipped=tuple(skipped))


def prune(session: Session, pruning: Pruning) -> tuple[str, ...]:
    """Remove what was found; returns what could not be removed, with the reason."""
    left, vault = list[str](), _vault_folder(session)
    for one in pruning.found:
        try:
            match one.kind:
                case PrunableKind.INPUT:
                    vault.remove(one.name)
                case PrunableKind.NIGHT:
                    _local(session.store).remove(one.name)
                case PrunableKind.IMAGE:
                    session.engine.remove_image(one.name)
                case PrunableKind.RUN:
                    _remove_run(session, Path(one.name))
                case PrunableKind.CACHE:
                    _remove(Path(one.name))
        except (SamebitsError, OSError) as error:
            left.append(f"{one.name}: {error}")
    return tuple(left)


def _vault_folder(session: Session) -> DirectoryStore:
    """Return the folder with inputs on this machine: the store, or copies of a remote one."""
    if isinstance(session.store, DirectoryStore):
        return session.store
    return DirectoryStore(session.center.home / "vault")


def _local(store: Store) -> DirectoryStore:
    if not isinstance(store, DirectoryStore):
        raise UsageError("objects of a store in S3 are not removed")
    return store


def _inputs(session: Session, now: datetime, recipes: Sequence[Path]) -> Iterator[Prunable]:
    center, folder = session.center, _vault_folder(session)
    before = (now - center.keep.inputs * _DAY).timestamp()
    old = {}
    for key in folder.list(VAULT):
        about = (folder.root / key).stat()
        digest = content_digest(key)
        if digest is not None and about.st_mtime < before:
            old[digest] = Prunable(kind=PrunableKind.INPUT, name=key, bytes=about.st_size)
    if not old:
        return
    places = (center.recipes, center.home / "images", *recipes)
    records = session.store if isinstance(session.store, DirectoryStore) else None
    wanted = digests_named(places, folder, records)
    yield from (one for digest, one in sorted(old.items()) if digest not in wanted)


def _caches(home: Path, before: datetime) -> Iterator[Prunable]:
    for name in _CACHES:
        folder = home / name
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            size, newest = _measured(path)
            if newest < before.timestamp():
                yield Prunable(kind=PrunableKind.CACHE, name=str(path), bytes=size)


def _measured(path: Path) -> tuple[int, float]:
    """Return the bytes of all files, and the time of the newest one; nothing mounted is read."""
    found = [path]
    for folder, folders, files in () if path.is_symlink() else os.walk(path):
        found += [Path(folder, name) for name in (*folders, *files)]
        folders[:] = [name for name in folders if not Path(folder, name).is_mount()]
    size, newest = 0, 0.0
    for file in found:
        with suppress(FileNotFoundError):
            about = file.lstat()
            size += 0 if stat.S_ISDIR(about.st_mode) else about.st_size
            newest = max(newest, about.st_mtime)
    return size, newest


def _runs(session: Session, before: datetime) -> Iterator[Prunable]:
    log = None
    for folder in abandoned_folders(session.center.runs):
        size, newest = _measured(folder)
        if newest < before.timestamp():
            log = log or session.logbook().log
            if log.find(f"run:{folder.name}") is None:
                yield Prunable(kind=PrunableKind.RUN, name=str(folder), bytes=size)


def _remove_run(session: Session, folder: Path) -> None:
    for one in abandoned_folders(session.center.runs):  # locked while it is removed
        if one == folder:
            remove_folder(one)


def _nights(store: DirectoryStore, center: str, keep: int) -> Iterator[Prunable]:
    """Yield all but the newest records of nights, and the results that all records contain."""
    folder = nights_prefix(center)
    keys = sorted(key for key in store.list(folder) if key.endswith(".json"))
    for key in keys[:-keep]:
        yield from (_object(store, one) for one in (key, private_twin(key)) if store.has(one))
    recorded = {private_twin(key).removesuffix(".json") for key in keys[:-1]}
    for key in store.list(f"private/nights/{encode(center)}/"):
        night, dot, _ = key.rpartition("/")[0].partition(".results")
        if dot and night in recorded:
            yield _object(store, key)


def _object(store: DirectoryStore, key: str) -> Prunable:
    size = (store.root / key).stat().st_size
    return Prunable(kind=PrunableKind.NIGHT, name=key, bytes=size)


def _images(session: Session) -> Iterator[Prunable]:
    """Yield images in the engine of definitions that have another lock now."""
    current = dict(_locked(session.images, session.center.home / "images"))
    for image in session.engine.named_images():
        name, _, tag = image.name.removeprefix("samebits/").partition(":")
        if current.get(name, tag) != tag:
            yield Prunable(kind=PrunableKind.IMAGE, name=image.name, bytes=image.size)


def _locked(images: ImageCatalogue, derived: Path) -> Iterator[tuple[str, str]]:
    names = [path.stem for path in derived.glob("*.yaml") if not path.name.endswith(".lock.yaml")]
    for name in (*images.names(), *names):
        with suppress(SamebitsError):
            yield name, images.lock(name).image.config.hex[:12]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
