"""The stores that the contract suite runs over, and small real file systems to break."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import Visibility
from pipelines.storage.outbox import OutboxStore
from pipelines.storage.store import Store
from tests.fakes.disk import small_disk_at
from tests.fakes.store import MemoryStore

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from pipelines.storage.s3settings import S3Place

Opener = Callable[[], Store]
_prefixes = itertools.count()


@pytest.fixture(scope="session")
def plain_bucket(admin: S3Client) -> str:
    from tests.storage.ceph import new_bucket

    return new_bucket(admin)


@pytest.fixture(scope="session")
def versioned_bucket(admin: S3Client) -> str:
    from tests.storage.ceph import new_bucket

    return new_bucket(admin, versions=True)


@pytest.fixture
def bucket(admin: S3Client) -> str:
    from tests.storage.ceph import new_bucket

    return new_bucket(admin)


@pytest.fixture
def versioned(admin: S3Client) -> str:
    from tests.storage.ceph import new_bucket

    return new_bucket(admin, versions=True)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that goes up in four parts."""
    from tests.storage.ceph import LARGE

    path = tmp_path / "large"
    path.write_bytes(os.urandom(LARGE))
    return path


@pytest.fixture(params=["directory", "memory", "s3-plain", "s3-versioned", "outbox"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Open one and the same store, again and again, as several processes would."""
    if request.param == "directory":
        return lambda: DirectoryStore(tmp_path / "store")
    memory = MemoryStore()
    if request.param == "memory":
        return lambda: memory
    if request.param == "outbox":
        return lambda: OutboxStore(tmp_path / "outbox", memory)
    request.getfixturevalue("aws")
    bucket = request.getfixturevalue(request.param.removeprefix("s3-") + "_bucket")
    return _s3_opener(bucket, request.getfixturevalue("client_of"))


@pytest.fixture(scope="session")
def client_of() -> Callable[[S3Place], S3Client]:
    """Make one client for each bucket: a third of a second each, and no prefix is part of it."""
    from pipelines.storage.s3client import connect

    made = lru_cache(connect)
    return lambda place: made(place.model_copy(update={"prefix": ""}))


def _s3_opener(bucket: str, client_of: Callable[[S3Place], S3Client]) -> Opener:
    from pipelines.storage.s3 import S3Store
    from tests.storage.ceph import settings

    place = settings(bucket, f"contract-{next(_prefixes)}")
    client_of(place.place(Visibility.PRIVATE))
    return lambda: S3Store(place, client=client_of)


@pytest.fixture
def store(opener: Opener) -> Store:
    return opener()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    with small_disk_at(tmp_path / "disk") as mount:
        yield mount
