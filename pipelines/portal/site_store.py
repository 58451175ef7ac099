"""A site in a store of its own: files by digest, a list of them, and one pointer to the newest.

public/cas/sha256/...                        the files, and nothing of before is written again
public/portal/generations/<SHA-256>.json     path -> SHA-256, of one generation
public/portal/current                        the SHA-256 of the newest: replaced last
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from builders.core.digest import Digest, canonical_json
from builders.core.errors import NotFoundError
from pipelines.portal.site_folder import SiteFolder
from pipelines.storage.names import PORTAL, Visibility, cas, check_key
from pipelines.storage.store import DamagedError, Store

MAX_FILE = 256 << 20
_MAX_LIST = 256 << 20
_THREADS = 8


class SiteStore:
    """The newest generation of a site, as a store has it."""

    def __init__(self, store: Store) -> None:
        """Use a store that nothing else is in."""
        self._store = store
        self._known: tuple[str, Mapping[str, str]] | None = None

    def read(self, path: str) -> bytes:
        """Return a file of the newest generation; raises `NotFoundError`, `StoreError`."""
        digest = self._files().get(path)
        if digest is None:
            raise NotFoundError("the portal has no such file", got=path)
        return self._store.get(cas(Visibility.PUBLIC, Digest(digest)), MAX_FILE)

    def publish(self, site: SiteFolder) -> None:
        """Make the newest generation of a folder that of the store; raises `StoreError`."""
        state = site.state()
        if state is None:
            raise NotFoundError("the portal has no generation", got=site.root)
        files = state.all_files()
        try:
            known = set(self._files().values())
        except NotFoundError:
            known = set()
        new = {digest: path for path, digest in files.items() if digest not in known}

        def put(path: str) -> None:
            self._store.put_cas(Visibility.PUBLIC, site.current / path)

        with ThreadPoolExecutor(_THREADS) as pool:
            for done in [pool.submit(put, path) for path in new.values()]:
                done.result()
        listed = canonical_json(files)
        digest = Digest.of(listed)
        self._store.put_record(_list_key(digest.hex), listed)
        self._store.put_latest(PORTAL, f"{digest}\n".encode())

    def _files(self) -> Mapping[str, str]:
        """Return the newest generation: SHA-256 by path."""
        named = self._store.get(PORTAL, 100).decode().strip()
        if self._known is None or self._known[0] != named:
            data = self._store.get(_list_key(Digest.parse(named).hex), _MAX_LIST)
            if Digest.of(data).hex != named:
                raise DamagedError("the list of the portal's files is damaged", got=named)
            self._known = named, json.loads(data)
        return self._known[1]


def _list_key(digest: str) -> str:
    return check_key(f"public/portal/generations/{digest}.json")
