"""A site in a store of its own: files by digest, lists of them, and one pointer to the newest.

public/portal/files/sha256/...            the files; what is there is not written again
public/portal/generations/<number>.json   path -> SHA-256, of one generation
public/portal/current                     number and SHA-256 of the newest list, and the number of
                                          the one before; replaced last

A builder writes its list first, so that all others know which files it counts on. Once the pointer
has moved, the files of generations older than the two that it names are removed, and no others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from builders.core.digest import Digest, canonical_json
from builders.core.errors import NotFoundError, StoreConflictError
from pipelines.portal.site_folder import SiteFolder
from pipelines.storage.names import PORTAL, check_key, portal_file
from pipelines.storage.store import DamagedError, Store

MAX_FILE = 256 << 20
MAX_REMOVED = 20_000
"""Files that are removed after one generation; what is left then is removed after the next."""
_MAX_LIST = 256 << 20
_LISTS = "public/portal/generations/"
_THREADS = 8
_BATCH = 200  # files that are removed before it is asked again whether another builder has begun
_Given = TypeVar("_Given")
_Found = TypeVar("_Found")
_AGAIN = "Run `samebits portal build` again"


class PortalStore(Store, Protocol):
    """A store from which files of a portal can be removed."""

    def remove(self, key: str) -> None:
        """Remove an object if it exists; raises `StoreError`."""


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """Which generation is the newest."""

    number: int
    digest: str
    """SHA-256 of its list."""
    previous: int
    """The number of the one that was the newest before; 0 where there was none."""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read it; raises `DamagedError`."""
        try:
            number, digest, previous = data.decode().split()
            return cls(number=int(number), digest=Digest(digest).hex, previous=int(previous))
        except ValueError as error:
            raise DamagedError(
                "the portal's pointer is damaged",
                got=ascii(data[:100]),
                expected="a number, a SHA-256 and a number",
                todo=f"Remove {PORTAL} from the store, and build the portal again",
            ) from error

    def to_bytes(self) -> bytes:
        """Return it as it is stored."""
        return f"{self.number} {self.digest} {self.previous}\n".encode()


class SiteStore:
    """The newest generation of a site, as a store has it."""

    def __init__(self, store: PortalStore) -> None:
        """Use a store."""
        self._store = store
        self._known: tuple[Pointer, Mapping[str, str]] | None = None

    def read(self, path: str) -> bytes:
        """Return a file of the newest generation; raises `NotFoundError`, `StoreError`."""
        while True:
            pointer, files = self._newest()
            digest = files.get(path)
            if digest is None:
                raise NotFoundError("the portal has no such file", got=path)
            try:
                return self._store.get(portal_file(Digest(digest)), MAX_FILE)
            except NotFoundError as error:
                if self._newest()[0] == pointer:  # else it was removed, after two newer ones came
                    raise DamagedError(
                        "the portal lacks a file that its list has", got=path, todo=_AGAIN
                    ) from error

    def publish(self, site: SiteFolder) -> None:
        """Make the newest generation of a folder that of the store, and remove what is too old.

        Raises `StoreError`, and `StoreConflictError` where another builder was faster: then the
        pages are those of the other one.
        """
        state = site.state()
        if state is None:
            raise NotFoundError("the portal has no generation", got=site.root)
        files = state.all_files()
        if self._files() == files:
            return
        listed = canonical_json(files)
        number = self._announce(listed)
        self._send(site, files, number)
        before = self._pointer()
        if before is not None and before.number > number:
            raise _faster(f"generation {before.number}", number)
        pointer = Pointer(
            number=number,
            digest=Digest.of(listed).hex,
            previous=before.number if before else 0,
        )
        self._store.put_latest(PORTAL, pointer.to_bytes())
        self._remove_old(pointer)

    def _announce(self, listed: bytes) -> int:
        """Write the list of a new generation, and return its number, which is the greatest."""
        number = max(self._numbers(), default=0)
        while True:
            number += 1
            try:
                self._store.put_record(_list_key(number), listed)
            except StoreConflictError:  # of another builder
                continue
            return number

    def _send(self, site: SiteFolder, files: Mapping[str, str], number: int) -> None:
        """Store the files that the newest generation has not got."""
        others = [one for one in self._numbers() if one != number]
        known = {*self._files().values()}
        new = {digest: path for path, digest in files.items() if digest not in known}

        def put(digest: str) -> None:
            self._store.put_file(portal_file(Digest(digest)), site.current / new[digest])

        _each(put, new)
        # One that another generation has too may have been there, and just be removed with that.
        theirs = {digest for one in others for digest in self._digests(one)}
        doubtful = [portal_file(Digest(digest)) for digest in new.keys() & theirs]
        if not all(_each(self._store.has, doubtful)):
            raise _faster("files that were removed", number)

    def _remove_old(self, pointer: Pointer) -> None:
        """Remove the generations that are older than those that the pointer names."""
        numbers = self._numbers()
        oldest = pointer.previous or pointer.number
        kept: set[str] = set()
        for number in numbers:
            if number >= oldest:
                kept |= self._digests(number)
        left = MAX_REMOVED
        for number in (one for one in numbers if one < oldest):
            old = sorted(self._digests(number) - kept)
            for start in range(0, len(old), _BATCH):
                some = old[start : start + _BATCH]
                if left <= 0 or self._numbers()[-1] != pointer.number:
                    return  # the next builder goes on
                _each(self._store.remove, [portal_file(Digest(digest)) for digest in some])
                left -= len(some)
            kept.update(old)  # they are gone
            self._store.remove(_list_key(number))

    def _files(self) -> Mapping[str, str]:
        """Return the newest generation; it is empty where there is none."""
        try:
            return self._newest()[1]
        except NotFoundError:
            return {}

    def _newest(self) -> tuple[Pointer, Mapping[str, str]]:
        """Return the newest generation: SHA-256 by path."""
        while True:
            pointer = Pointer.parse(self._store.get(PORTAL, 200))
            if self._known is not None and self._known[0] == pointer:
                return self._known
            try:
                self._known = pointer, self._list(pointer.number, pointer.digest)
            except NotFoundError as error:
                if self._pointer() == pointer:
                    raise DamagedError("the portal lacks its list", todo=_AGAIN) from error
            else:
                return self._known

    def _pointer(self) -> Pointer | None:
        try:
            return Pointer.parse(self._store.get(PORTAL, 200))
        except NotFoundError:
            return None

    def _list(self, number: int, digest: str | None = None) -> Mapping[str, str]:
        data = self._store.get(_list_key(number), _MAX_LIST)
        if digest not in {None, Digest.of(data).hex}:
            raise DamagedError("the list of the portal's files is damaged", got=number)
        listed: Mapping[str, str] = json.loads(data)
        return listed

    def _digests(self, number: int) -> set[str]:
        """Return the files of a generation; none of one that another builder has removed."""
        try:
            return {*self._list(number).values()}
        except NotFoundError:
            return set()

    def _numbers(self) -> list[int]:
        """Return the numbers of all generations in order, also of those that were not finished."""
        names = (key.removeprefix(_LISTS).removesuffix(".json") for key in self._store.list(_LISTS))
        return sorted(int(name) for name in names if name.isdecimal())


def _each(what: Callable[[_Given], _Found], given: Iterable[_Given]) -> list[_Found]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(what, given))


def _list_key(number: int) -> str:
    return check_key(f"{_LISTS}{number}.json")


def _faster(got: str, number: int) -> StoreConflictError:
    return StoreConflictError(
        "another builder has published the portal meanwhile",
        got=got,
        expected=f"one builder at a time, with generation {number}",
        todo=_AGAIN,
    )
