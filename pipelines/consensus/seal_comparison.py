"""Comparing a published file with the lines of a seal whose outputs are lost.

Whoever holds the file can: the keyed digest of its bytes under the center and the run is in the
line of that name, if the run built those bytes. Of a private release it takes the salt as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builders.core.digest import Digest, keyed_digest_stream
from builders.core.errors import NotFoundError
from builders.rebuild.seal import hidden_name, seal_key
from pipelines.audit.center_finding import Dissent
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.salt import read_salt
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import Store


@dataclass(frozen=True, kw_only=True)
class HeldFiles:
    """The files that a reader holds: those in its own store, and one that it was given."""

    store: Store | None = None
    given: tuple[Digest, Path] | None = None

    def has_line(self, dissent: Dissent, artefact: str, published: Digest) -> bool | None:
        """Return whether a run has sealed the published bytes of an artefact under its name.

        None where it published no lines, or the file or the salt is not held. Raises `StoreError`,
        and `DamagedError` for the salt.
        """
        sealed, secret = dissent.sealed, b""
        if sealed is None:
            return None
        if is_private := sealed.claim.hmac_sha256 is not None:
            name = ReleaseName.parse(sealed.release)
            if self.store is None or (salt := read_salt(self.store, name)) is None:
                return None
            secret = salt.secret
        key = seal_key(dissent.center.id, dissent.run, secret)
        try:
            with self._opened(published) as stream:
                found = keyed_digest_stream(key, stream)
        except NotFoundError:
            return None
        line = hidden_name(artefact, key) if is_private else artefact
        return (line, found) in {(line.name, line.hmac) for line in sealed.files}

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
