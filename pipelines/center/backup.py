"""A consistent copy of a center's home in one file, made while the center works.

The file is a tar: a marker, the files of the home by their names there, and last a manifest with
the digest of each. Not in it are private keys, what is made again by itself (caches, services,
running rebuilds), and a store that is not below the home.

It is consistent because the log's lock is held while the records of the store are listed: every
statement among them is in the log of the copy, or noted as waiting for it. What records refer to is
listed after them, and so is there. Objects of a store never change.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import Field

from builders.core.digest import Digest, canonical_json
from builders.core.errors import InfrastructureError, UsageError
from builders.core.frozen_model import FrozenModel
from builders.inputs.vault import PREFIX as VAULT
from pipelines.center.center import Center
from pipelines.evidence.statements.statement import show_time
from pipelines.storage import files as durable
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import content_digest, is_mutable

SCHEMA: Literal["samebits/backup/v1"] = "samebits/backup/v1"
MARKER, MANIFEST = "samebits-backup-v1", "backup.json"
SIGNED = "keys/log/signed"
"""What the log's signer signed last: it is among the keys, and is none."""
NOT_KEPT = frozenset({
    "apt", "budget", "cache", "centers", "flow-runs", "infer", "keys", "locks", "log", "prefect",
    "reports", "runs", "standing", "store", "vault", "work",
})  # fmt: skip
"""Folders of the home that are made again, or that have rules of their own."""
_PENDING = "log/pending"
_TEMPORARY = "tmp"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class BackupFile(FrozenModel):
    """One file of the home."""

    name: str
    size: int
    sha256: Digest


class Manifest(FrozenModel):
    """What a backup has, and of which center and moment it is."""

    schema_: Annotated[Literal["samebits/backup/v1"], Field(alias="schema")] = SCHEMA
    center: str
    made: str
    """ISO 8601, UTC."""
    store: bool
    """Whether the store is in it."""
    vault: bool
    """Whether the inputs in that store are."""
    files: tuple[BackupFile, ...]

    def to_bytes(self) -> bytes:
        """Return canonical JSON."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A backup that was written."""

    path: Path
    sha256: Digest
    """Of the whole file."""
    manifest: Manifest
    left_out: tuple[str, ...]
    """Files that this user cannot read."""

    @property
    def bytes(self) -> int:
        """The bytes of all files in it."""
        return sum(file.size for file in self.manifest.files)


def backup_name(center: Center, now: datetime) -> str:
    """Return the name that a backup of this moment (UTC) gets in a folder."""
    return f"{center.id}-{now:%Y%m%dT%H%M%SZ}.backup.tar"


def back_up(
    center: Center,
    path: Path,
    *,
    now: datetime,
    vault: bool = True,
    count: Callable[[int, int], None] = lambda _, __: None,
) -> Backup:
    """Write a backup of the home of `center` to the new file `path`; `now` is UTC.

    Without `vault` the inputs of a store below the home are left out. `count` is called with the
    files done and their number. Raises `UsageError` for a center without a home or a path that
    cannot be written, `InfrastructureError`, `StoreError`.
    """
    if not center.home.is_dir():
        raise UsageError(f"center {center.id} has no home", got=f"no folder {center.home}")
    has_store = center.store == center.home / "store"
    with (
        _new_file(path) as out,
        tarfile.open(fileobj=(whole := _Hashing(out)), mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        copier = _Copier(center.home, tar)
        copier.note(MARKER, b"")
        with durable.held(center.home / "log" / "lock"):
            records = _records(center) if has_store else []
            for name in [SIGNED, *_below(center.home, _PENDING), *filter(_changes, records)]:
                copier.copy(name)
        names = [name for name in records if not _changes(name)]
        names += [*(_contents(center, vault=vault) if has_store else ()), *_others(center.home)]
        for number, name in enumerate(names):
            count(number, len(names))
            copier.copy(name)
        manifest = Manifest(
            center=center.id,
            made=show_time(now),
            store=has_store,
            vault=has_store and vault,
            files=tuple(sorted(copier.files, key=lambda file: file.name)),
        )
        copier.note(MANIFEST, manifest.to_bytes())
    return Backup(
        path=path,
        sha256=Digest(whole.hasher.hexdigest()),
        manifest=manifest,
        left_out=tuple(copier.left_out),
    )


def _changes(name: str) -> bool:
    """Say whether an object of the store is one that is replaced."""
    return is_mutable(name.removeprefix("store/"))


def _records(center: Center) -> list[str]:
    """Return all but what is named by its content."""
    store = DirectoryStore(center.home / "store")
    keys = [key for part in ("public/", "private/") for key in store.list(part)]
    return ["store/format", *(f"store/{key}" for key in keys if content_digest(key) is None)]


def _contents(center: Center, *, vault: bool) -> Iterator[str]:
    store = DirectoryStore(center.home / "store")
    for part in ("public/cas/", "private/cas/", *((VAULT,) if vault else ())):
        yield from (f"store/{key}" for key in store.list(part) if content_digest(key))


def _others(home: Path) -> Iterator[str]:
    """Yield the files of all other folders of the home, such as the policy."""
    for entry in sorted(home.iterdir()):
        if entry.is_dir() and not entry.is_symlink() and entry.name not in NOT_KEPT:
            yield from _below(home, entry.name)


def _below(home: Path, folder: str) -> Iterator[str]:
    """Yield the regular files below a folder, but for locks and what is being written."""
    for path in sorted((home / folder).rglob("*")):
        name = path.relative_to(home)
        passing = _TEMPORARY in name.parts or name.suffix == ".lock" or name.name == ".lock"
        if not passing and not path.is_symlink() and path.is_file():
            yield name.as_posix()


@dataclass
class _Copier:
    """Copies files of a home into a tar, and keeps their digests."""

    home: Path
    tar: tarfile.TarFile
    files: list[BackupFile] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def note(self, name: str, data: bytes) -> None:
        """Add what is no file of the home."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o600
        self.tar.addfile(info, io.BytesIO(data))

    def copy(self, name: str) -> None:
        """Add a file of the home; one that is gone meanwhile was sent, logged or replaced."""
        try:
            fd = os.open(self.home / name, _READ)
        except FileNotFoundError:
            return
        except PermissionError:
            self.left_out.append(name)
            return
        with os.fdopen(fd, "rb") as stream:
            about = os.fstat(fd)
            info = tarfile.TarInfo(name)
            info.size, info.mtime = about.st_size, int(about.st_mtime)
            info.mode = stat.S_IMODE(about.st_mode)
            self.tar.addfile(info, hashing := _Hashing(stream))
            digest = Digest(hashing.hasher.hexdigest())
            self.files.append(BackupFile(name=name, size=info.size, sha256=digest))


class _Hashing(io.RawIOBase):
    """Hashes what is read from a stream, or written to it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.hasher = stream, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.hasher.update(data)
        return data

    def write(self, data: bytes) -> int:  # type: ignore[override]  # bytes are all that tarfile writes
        self.hasher.update(data)
        return self._stream.write(data)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that is renamed to the new file `path` on success; others cannot read it."""
    try:
        fd, part = tempfile.mkstemp(prefix=f".{path.name[:64]}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise UsageError(f"cannot write {path}", got=error.strerror or error) from error
    try:
        with os.fdopen(fd, "wb") as out:
            yield out
            out.flush()
            os.fsync(fd)
        Path(part).rename(path)
    except OSError as error:
        raise InfrastructureError(
            f"the backup {path} cannot be written",
            got=error.strerror or error,
            todo="Free some space, or choose another path; nothing was left behind",
        ) from error
    finally:
        with suppress(FileNotFoundError):
            Path(part).unlink()
