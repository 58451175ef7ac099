"""How many versions of an object a store holds, which no reader of a store asks."""

from __future__ import annotations

from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import Visibility
from pipelines.storage.outbox import OutboxStore
from pipelines.storage.store import Store
from tests.fakes.store import MemoryStore


def versions(store: Store, key: str) -> list[tuple[str, int]]:
    """Return the id and size of each version, oldest first; what waits in an outbox has none."""
    if isinstance(store, OutboxStore):
        return versions(store.remote, key)
    if isinstance(store, MemoryStore):
        return [(str(n), len(data)) for n, data in enumerate(store.objects.get(key, []))]
    if isinstance(store, DirectoryStore):
        path = store.root / key
        return [("null", path.stat().st_size)] if path.is_file() else []
    return _in_s3(store, key)


def _in_s3(store: Store, key: str) -> list[tuple[str, int]]:
    from pipelines.storage.s3 import S3Store
    from pipelines.storage.s3client import connect

    assert isinstance(store, S3Store)
    place = store.settings.place(Visibility(key.split("/", maxsplit=1)[0]))
    name = place.name(key)
    answer = connect(place).list_object_versions(Bucket=place.bucket, Prefix=name)
    found = [(v["VersionId"], v["Size"]) for v in answer.get("Versions", []) if v["Key"] == name]
    return found[::-1]  # S3 lists the newest first
