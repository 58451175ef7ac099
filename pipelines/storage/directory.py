"""The store in a directory: the default, on any local file system with hard links.

An object appears complete and durable, or not at all, and is never replaced; the one that is
(`names.is_mutable`) is replaced atomically. Layout: `format`, `public/`, `private/` (mode 0700),
and `tmp/` for files being written. Reading creates nothing; the first write makes the layout.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from builders.core.digest import Digest, chunks
from builders.core.errors import NotFoundError, StoreError
from pipelines.storage import names
from pipelines.storage.folders import (
    SpoolFile,
    open_file,
    open_folder,
    opened_folder,
    spooled,
    sweep,
    walk,
)
from pipelines.storage.names import Visibility
from pipelines.storage.store import (
    check_content,
    check_equal,
    check_size,
    not_found,
    opened_source,
    read_whole,
)

FORMAT = b"samebits-store/v1\n"
_EMPTY = frozenset({"tmp", "lost+found"})  # allowed in a folder that becomes a store
_TODO = {
    errno.ENOSPC: "Free some space there and run again; nothing half-written was left",
    errno.EDQUOT: "Raise the quota or free some space; nothing half-written was left",
    errno.EACCES: "Give this user permission there, or choose another store",
    errno.EPERM: "Give this user permission there, on a file system that has hard links",
    errno.EROFS: "Mount it writable, or choose another store",
    errno.EXDEV: "Keep tmp, public and private of one store on one file system",
    errno.ENOTDIR: "Another file or folder is where the store needs its own: move it away",
    errno.EEXIST: "Another file or folder is where the store needs its own: move it away",
    errno.ELOOP: "Symbolic links in a store are not followed: replace it by what it points to",
}


class DirectoryStore:
    """A `Store` below one folder, for several threads and processes."""

    def __init__(self, root: Path, *, most: int | None = None) -> None:
        """Use the store below `root`; nothing is read or written yet.

        A folder with more than `most` names is not listed.
        """
        self.root = root
        self._most = most
        self._known = False
        self._ready = False

    def has(self, key: str) -> bool:
        """Say whether an object of that name exists."""
        return self._stat(key) is not None

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading, unchecked; raises `NotFoundError`."""
        folder, name = _place(key)
        with self._opened(f"cannot read {key}", folder, key) as fd:
            return os.fdopen(open_file(name, fd), "rb")

    def get(self, key: str, limit: int) -> bytes:
        """Return a small object whole; raises `NotFoundError`, `TooLargeError`, `DamagedError`."""
        with self.open(key) as stream, self._explained(f"cannot read {key}"):
            return read_whole(key, stream, limit)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below the folder `prefix`, in order of their bytes."""
        return self._walk(names.check_prefix(prefix))

    def put_file(self, key: str, path: Path) -> None:
        """Store a file under a name that its content determines; an existing one is left alone."""
        names.check_immutable(key)
        with opened_source(path) as stream:
            if found := self._stat(key):
                check_size(key, found.st_size, os.fstat(stream.fileno()).st_size)
                return
            self._add(chunks(stream), lambda _: key)

    def put_cas(self, visibility: Visibility, content: Path | bytes) -> Digest:
        """Store `content`, hashed while it is copied, and return its digest."""
        if isinstance(content, Path):
            with opened_source(content) as stream:
                return self._add(chunks(stream), lambda digest: names.cas(visibility, digest))
        return self._add(iter([content]), lambda digest: names.cas(visibility, digest))

    def put_record(self, key: str, data: bytes) -> None:
        """Create a named record; raises `StoreConflictError` when it has other bytes."""
        names.check_immutable(key)
        if not self.has(key):
            with self._explained(f"cannot write {key}"), self._spooled() as file:
                file.write(data)
                if self._publish(file, key):
                    return
        self._existing(key)
        with self.open(key) as stream, self._explained(f"cannot read {key}"):
            check_equal(key, stream, data)

    def put_latest(self, key: str, data: bytes) -> None:
        """Write the object that is replaced, in one step; raises `UsageError` for other names."""
        folder, name = _place(names.check_mutable(key))
        with self._explained(f"cannot write {key}"), self._spooled() as file:
            file.write(data)
            with opened_folder(self.root, folder, create=0o755) as fd:
                file.replace(name, fd)

    def remove(self, key: str) -> None:
        """Remove an object if it exists; only an outbox and `center prune` do this."""
        folder, name = _place(key)
        with (
            self._explained(f"cannot remove {key}"),
            suppress(FileNotFoundError),
            opened_folder(self.root, folder) as fd,
        ):
            os.unlink(name, dir_fd=fd)

    def sweep(self) -> int:
        """Remove what dead writers left behind; returns how many files that were."""
        with suppress(NotFoundError), self._opened("cannot clean up", ["tmp"]) as fd:
            return sweep(fd)
        return 0

    def _add(self, pieces: Iterator[bytes], name: Callable[[Digest], str]) -> Digest:
        hasher, size = hashlib.sha256(), 0
        with self._explained("cannot write an object"), self._spooled() as file:
            for piece in pieces:
                hasher.update(piece)
                size += len(piece)
                file.write(piece)
            digest = Digest(hasher.hexdigest())
            key = name(digest)
            check_content(key, digest)
            created = self._publish(file, key)
        if not created:
            check_size(key, self._existing(key).st_size, size)
        return digest

    def _publish(self, file: SpoolFile, key: str) -> bool:
        folder, name = _place(key)
        mode = 0o700 if folder[0] == Visibility.PRIVATE else 0o755
        with opened_folder(self.root, folder, create=mode) as fd:
            return file.publish(name, fd)

    def _existing(self, key: str) -> os.stat_result:
        found = self._stat(key)
        if found is None:
            raise StoreError(
                f"cannot write {key} in the store {self.root}",
                got="a folder, a link or a device of that name",
                expected="a name that is free, or a file",
                todo=_TODO[errno.ENOTDIR],
            )
        return found

    def _stat(self, key: str) -> os.stat_result | None:
        folder, name = _place(key)
        with suppress(NotFoundError), self._opened(f"cannot read {key}", folder) as fd:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            return found if stat.S_ISREG(found.st_mode) else None
        return None

    def _walk(self, prefix: str) -> Iterator[str]:
        folder = prefix.rstrip("/").split("/")
        with suppress(NotFoundError), self._opened(f"cannot list {prefix}", folder) as fd:
            for name in walk(fd, self._most):
                yield prefix + name

    @contextmanager
    def _opened(self, what: str, folder: Sequence[str], key: str = "") -> Iterator[int]:
        """Yield the descriptor of a folder to read; raises `NotFoundError` for `key`."""
        try:
            self._check_format()
            fd = open_folder(self.root, folder)
            try:
                yield fd
            finally:
                os.close(fd)
        except FileNotFoundError as error:
            raise not_found(key) from error
        except OSError as error:
            raise self._failed(what, error) from error

    @contextmanager
    def _spooled(self) -> Iterator[SpoolFile]:
        if not self._ready:
            self.root.mkdir(parents=True, exist_ok=True)
        known = self._check_format()
        with opened_folder(self.root, ["tmp"], create=0o700) as spool:
            if not self._ready:
                sweep(spool)
                if not known:
                    self._write_format(spool)
                self._ready = True
            with spooled(spool) as file:
                yield file

    def _write_format(self, spool: int) -> None:
        with spooled(spool) as file, opened_folder(self.root) as root:
            file.write(FORMAT)
            file.publish("format", root)

    def _check_format(self) -> bool:
        """Return whether the store exists; raises `StoreError` for any other folder."""
        if not self._known:
            self._known = self._has_format()
        if self._known:
            return True
        with suppress(FileNotFoundError):
            others = {path.name for path in self.root.iterdir()} - _EMPTY
            # `format` is written first: a store that another process is making passes here.
            if others and not self._has_format():
                raise StoreError(
                    f"{self.root} is not a store",
                    got=f"a folder with {min(others)!a} in it and no file `format`",
                    expected="a store, or an empty or absent folder",
                    todo="Choose another folder",
                )
        return False

    def _has_format(self) -> bool:
        try:
            with opened_folder(self.root) as fd, os.fdopen(open_file("format", fd), "rb") as stream:
                got = stream.read(len(FORMAT) + 64)
        except FileNotFoundError:
            return False
        if got != FORMAT:
            raise StoreError(
                f"the store in {self.root} has a format that this samebits does not know",
                got=ascii(got.decode("latin-1").strip()),
                expected=FORMAT.decode().strip(),
                todo="Use the samebits that made it, or a newer one",
            )
        return True

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failed(what, error) from error

    def _failed(self, what: str, error: OSError) -> StoreError:
        return StoreError(
            f"{what} in the store {self.root}",
            got=error.strerror or type(error).__name__,
            expected="folders and files that this user can read and write",
            todo=_TODO.get(error.errno or 0, "Check the disk and the file system under it"),
        )


def _place(key: str) -> tuple[list[str], str]:
    *folder, name = names.check_key(key).split("/")
    return folder, name
