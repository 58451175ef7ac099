"""Open a store by its address, as a center's file or the command line gives it.

boto3 is imported only for a store in S3.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.storage.bounded import BoundedStore, PeerBudget
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.outbox import OutboxStore
from pipelines.storage.s3settings import SCHEME, S3Place, S3Settings

if TYPE_CHECKING:
    from pipelines.storage.s3 import S3Store

StoreAddress = Path | S3Settings
_MOST = 200_000  # names in one folder of a peer's store, which are sorted in 30 MB


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


def open_peer_store(address: StoreAddress, budget: PeerBudget) -> BoundedStore:
    """Open the store of another center to read it within `budget`; nothing is sent yet."""
    if isinstance(address, Path):
        return BoundedStore(DirectoryStore(address, most=_MOST), budget)
    from pipelines.storage.s3 import S3Store  # noqa: PLC0415  # half a second of imports
    from pipelines.storage.s3client import connect  # noqa: PLC0415

    client = partial(connect, read_seconds=budget.seconds, before=budget.check)
    return BoundedStore(S3Store(address, client=client), budget)


def open_center_store(address: StoreAddress, outbox: Path) -> DirectoryStore | OutboxStore:
    """Open a center's store; objects for S3 are kept in the folder `outbox` until they are sent."""
    if isinstance(address, Path):
        return DirectoryStore(address)
    return OutboxStore(outbox, open_store(address))
