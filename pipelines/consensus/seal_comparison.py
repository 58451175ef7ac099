"""Comparing a published file with the lines of a seal whose outputs are lost.

Whoever holds the file can: the keyed digest of its bytes under the center and the run is in the
line of that name, if the run built those bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builders.core.digest import Digest, keyed_digest_stream
from builders.core.errors import NotFoundError
from builders.rebuild.seal import seal_key
from pipelines.audit.center_finding import Dissent
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import Store


@dataclass(frozen=True, kw_only=True)
class HeldFiles:
    """The files that a reader holds: those in its own store, and one that it was given."""

    store: Store | None = None
    given: tuple[Digest, Path] | None = None

    def has_line(self, dissent: Dissent, artefact: str, published: Digest) -> bool | None:
        """Return whether a run has sealed the published bytes of an artefact under its name.

        None where it published no lines, or the file is not held. Raises `StoreError`.
        """
        if not dissent.lines:
            return None
        try:
            with self._opened(published) as stream:
                key = seal_key(dissent.center.id, dissent.run)
                found = keyed_digest_stream(key, stream)
        except NotFoundError:
            return None
        return (artefact, found) in {(line.name, line.hmac) for line in dissent.lines}

    def dissenting(
        self, dissents: Iterable[Dissent], artefact: str, published: Digest
    ) -> tuple[Dissent, ...]:
        """Return those that are not known to have sealed the published bytes."""
        return tuple(d for d in dissents if not self.has_line(d, artefact, published))

    @contextmanager
    def _opened(self, digest: Digest) -> Iterator[BinaryIO]:
        if self.given is not None and self.given[0] == digest:
            with self.given[1].open("rb") as stream:
                yield stream
        elif self.store is not None:
            with self.store.open(cas(Visibility.PRIVATE, digest)) as stored:
                yield stored
        else:
            raise NotFoundError("the file is not held", got=digest)
