"""A portal in a store of its own: files by digest, and one pointer that is replaced last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, StoreError
from pipelines.portal.site_folder import SiteFolder
from pipelines.portal.site_store import SiteStore
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import PORTAL
from pipelines.storage.store import DamagedError
from tests.fakes.store import MemoryStore
from tests.portal.built_portal import RELEASE_PAGE, BuiltPortal


def test_a_store_serves_what_the_folder_has(portal: BuiltPortal, tmp_path: Path) -> None:
    portal.build()
    store = SiteStore(DirectoryStore(tmp_path / "store"))
    store.publish(SiteFolder(portal.out))
    served = SiteStore(DirectoryStore(tmp_path / "store"))
    assert {path: served.read(path) for path in portal.files()} == portal.files()
    with pytest.raises(NotFoundError):
        served.read("none")


def test_what_a_store_has_is_not_sent_again(portal: BuiltPortal) -> None:
    kept, sent = MemoryStore(), []

    class Counted(MemoryStore):
        def put_file(self, *given: Any) -> Any:
            sent.append(given[1].name)
            return kept.put_file(*given)

        has, get, list = kept.has, kept.get, kept.list
        put_record, put_latest = kept.put_record, kept.put_latest

    portal.build()
    SiteStore(Counted()).publish(SiteFolder(portal.out))
    assert {"portal.css", "index.html"} <= {*sent}
    sent.clear()
    portal.publish("europe")
    portal.build()
    SiteStore(Counted()).publish(SiteFolder(portal.out))
    assert "index.html" in sent
    assert "portal.css" not in sent
    assert SiteStore(kept).read(f"{RELEASE_PAGE}index.html")


def test_readers_see_the_old_generation_until_the_new_one_is_whole(portal: BuiltPortal) -> None:
    store, site = MemoryStore(), SiteFolder(portal.out)
    portal.build()
    SiteStore(store).publish(site)
    before, reader = portal.files(), SiteStore(store)
    portal.publish("europe")
    portal.build()

    def fail(*_: object) -> None:
        raise StoreError("the store does not answer")

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(MemoryStore, "put_latest", fail)
        with pytest.raises(StoreError):
            SiteStore(store).publish(site)
    assert reader.read("index.html") == before["index.html"]
    SiteStore(store).publish(site)
    assert reader.read("index.html") == portal.files()["index.html"]


def test_a_list_of_files_that_was_altered_is_refused(portal: BuiltPortal) -> None:
    class Altered(MemoryStore):
        def get(self, key: str, limit: int) -> bytes:
            data = super().get(key, limit)
            return data.replace(b"a", b"b", 1) if "/generations/" in key else data

    store = Altered()
    portal.build()
    SiteStore(store).publish(SiteFolder(portal.out))
    with pytest.raises(DamagedError):
        SiteStore(store).read("index.html")


@pytest.mark.parametrize(
    "pointer", [b"", b"\xff", f"{Digest.of(b'')}\n".encode(), b"1 2 3", b"x y z"]
)
def test_a_damaged_pointer_is_one_message(pointer: bytes) -> None:
    store = MemoryStore()
    store.put_latest(PORTAL, pointer)
    with pytest.raises(DamagedError, match=r"pointer is damaged; got .*; expected .*\. Remove "):
        SiteStore(store).read("index.html")
