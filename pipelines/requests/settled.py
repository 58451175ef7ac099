"""A cache of the settled requests, which need no further reading; the store is the truth.

One line of JSON a request in the center's own home. A lost or damaged file costs time only: what
is not in it is read from the store.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from builders.core.digest import Digest, canonical_json
from builders.core.errors import StoreError

_FILE = "settled.jsonl"


class SettledRequest(BaseModel):
    """A request whose last receipt stands in the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: Digest
    requester: str
    nonce: str


@dataclass(frozen=True, kw_only=True)
class SettledRequests:
    """The settled requests of a center, in `folder`."""

    folder: Path

    def load(self) -> dict[Digest, SettledRequest]:
        """Return what is remembered; lines that cannot be read are forgotten."""
        return {settled.digest: settled for settled in self._lines()}

    def add(self, settled: SettledRequest) -> None:
        """Remember one more; raises `StoreError`."""
        line = b"\n" + canonical_json(settled.model_dump(mode="json"))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # One write at the end of the file: lines of two servers do not mix. The line break
            # stands in front, so that half a line of one that died spoils none but itself.
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            fd = os.open(self.folder / _FILE, flags, 0o600)
            try:
                os.write(fd, line)
            finally:
                os.close(fd)
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written",
                got=error.strerror,
                expected="a folder of the center's home",
                todo="Check its permissions, and free disk space",
            ) from error

    def _lines(self) -> Iterator[SettledRequest]:
        try:
            with (self.folder / _FILE).open("rb") as stream:
                for line in stream:
                    try:
                        yield SettledRequest.model_validate_json(line, strict=True)
                    except ValidationError:
                        continue
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be read", got=error.strerror) from error
