"""A peer that did not answer once is not asked again: of many releases, only the first waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from builders.core.errors import NotFoundError, SamebitsError
from pipelines.consensus.verified import Reader, SilentError
from pipelines.storage.store import DamagedError, TooLargeError


class Asked:
    """A peer's store, for as long as one joins."""

    def __init__(self, store: Reader) -> None:
        """Read `store`."""
        self._store = store
        self._fault: str | None = None

    def get(self, key: str, limit: int) -> bytes:
        """Return an object; raises `SilentError`, and what is wrong with that one object."""
        with self._listening():
            return self._store.get(key, limit)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below a folder; raises `SilentError`."""
        with self._listening():
            yield from self._store.list(prefix)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        if self._fault is not None:
            raise SilentError("a peer does not answer", got=self._fault)
        try:
            yield
        except (DamagedError, TooLargeError, NotFoundError):
            raise
        except (SamebitsError, OSError) as error:
            self._fault = ascii(str(error))[1:-1][:160]
            raise SilentError("a peer does not answer", got=self._fault) from error
