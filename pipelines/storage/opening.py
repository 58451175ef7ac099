"""Open a store by its address, as a center's file or the command line gives it.

boto3 is imported only for a store in S3.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.storage.directory import DirectoryStore
from pipelines.storage.outbox import OutboxStore
from pipelines.storage.s3settings import SCHEME, S3Place, S3Settings

if TYPE_CHECKING:
    from pipelines.storage.s3 import S3Store

StoreAddress = Path | S3Settings


def store_address(text: str, base: Path | None = None) -> StoreAddress:
    """Read `s3://bucket/prefix`, or the path of a folder, relative to `base`.

    Raises `UsageError` for an invalid `s3://` address.
    """
    if text.lower().startswith(SCHEME):
        return S3Settings(url=str(S3Place.parse(text)))
    return (base or Path.cwd()) / Path(text).expanduser()


def open_store(address: StoreAddress | str) -> DirectoryStore | S3Store:
    """Open the store at `address`, without an outbox; nothing is sent yet."""
    if isinstance(address, str):
        address = store_address(address)
    if isinstance(address, Path):
        return DirectoryStore(address)
    from pipelines.storage.s3 import S3Store  # noqa: PLC0415  # half a second of imports

    return S3Store(address)


def open_center_store(address: StoreAddress, outbox: Path) -> DirectoryStore | OutboxStore:
    """Open a center's store; objects for S3 are kept in the folder `outbox` until they are sent."""
    if isinstance(address, Path):
        return DirectoryStore(address)
    return OutboxStore(outbox, open_store(address))
