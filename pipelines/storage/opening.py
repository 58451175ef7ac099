"""From the words in a center's file, or on the command line, to an open store.

boto3 is imported only for a store that is in S3.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipelines.storage.directory import DirectoryStore
from pipelines.storage.outbox import OutboxStore
from pipelines.storage.s3settings import SCHEME, S3Settings
from pipelines.storage.store import Store

if TYPE_CHECKING:
    from pipelines.storage.s3 import S3Store

StoreAddress = Path | S3Settings


class CenterStore(Store, Protocol):
    """A store that cleans up after its dead writers."""

    def sweep(self) -> int:
        """Remove what dead writers left behind; returns how many objects that were."""


def store_address(text: str, base: Path | None = None) -> StoreAddress:
    """Read `s3://bucket/prefix`, or the path of a folder, relative to `base`.

    Raises `UsageError` for what looks like S3 and is not.
    """
    if text.lower().startswith(SCHEME):
        return S3Settings.parse(text)
    return (base or Path.cwd()) / Path(text).expanduser()


def open_store(address: StoreAddress | str) -> DirectoryStore | S3Store:
    """Open the store at `address`, without a folder in front of it; nothing is sent yet."""
    if isinstance(address, str):
        address = store_address(address)
    if isinstance(address, Path):
        return DirectoryStore(address)
    from pipelines.storage.s3 import S3Store  # noqa: PLC0415  # half a second of imports

    return S3Store(address)


def open_center_store(address: StoreAddress, outbox: Path) -> DirectoryStore | OutboxStore:
    """Open a center's store; what goes to S3 waits in the folder `outbox` until it is there."""
    if isinstance(address, Path):
        return DirectoryStore(address)
    return OutboxStore(outbox, open_store(address))
