"""A portal in a real object store: whole generations, whoever builds and whatever ends a build."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from builders.core.digest import Digest
from builders.core.errors import StoreConflictError
from pipelines.portal import site_store
from pipelines.portal.site_file import SiteFile
from pipelines.portal.site_folder import SiteFolder
from pipelines.portal.site_state import SiteState
from pipelines.portal.site_store import SiteStore
from pipelines.storage.names import PORTAL, portal_file
from pipelines.storage.s3 import S3Store
from pipelines.storage.s3client import connect
from tests.browser.served import served
from tests.portal.built_portal import RELEASE_PAGE, BuiltPortal
from tests.storage.ceph import broken, new_bucket, settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from pipelines.storage.s3settings import S3Place

pytestmark = pytest.mark.usefixtures("aws")
FILES = 9


class Bucket:
    """A bucket as anybody reads it who knows the layout, without a line of the portal's code."""

    def __init__(self, client: S3Client, name: str) -> None:
        self.name, self._client = name, client

    def get(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def names(self) -> set[str]:
        """Return every object of the portal, with all versions."""
        pages = self._client.get_paginator("list_object_versions")
        listed = pages.paginate(Bucket=self.name, Prefix="public/portal/")
        return {one["Key"] for page in listed for one in page["Versions"]}

    def list(self, number: int) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.get(f"public/portal/generations/{number}.json"))
        return found

    def generation(self, below: str = "") -> tuple[int, int, dict[str, bytes]]:
        """Return the numbers of the two newest generations, and the files of the newest."""
        number, digest, previous = self.get(PORTAL).decode().split()
        listed = {p: one for p, one in self.list(int(number)).items() if p.startswith(below)}
        assert Digest.of(self.get(f"public/portal/generations/{number}.json")).hex == digest
        files = {path: self.get(portal_file(Digest(one))) for path, one in listed.items()}
        assert {path: Digest.of(data).hex for path, data in files.items()} == listed
        return int(number), int(previous), files


@pytest.fixture(params=[False, True], ids=["plain", "versioned"])
def any_bucket(request: pytest.FixtureRequest, admin: S3Client) -> Bucket:
    return Bucket(admin, new_bucket(admin, versions=request.param))


@pytest.fixture
def bucket(admin: S3Client) -> Bucket:
    return Bucket(admin, new_bucket(admin))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sync", lambda: None)  # nothing here has to survive a power cut


@cache
def connected(place: S3Place) -> S3Client:
    """Make one client for all stores of a bucket: it takes a third of a second."""
    return connect(place)


def stored(bucket: Bucket) -> SiteStore:
    """Open the store as another process would."""
    return SiteStore(S3Store(settings(bucket.name), client=connected))


def made(folder: Path, text: str, *more: str) -> SiteFolder:
    """Make a generation of which every file but one says which it is of."""
    site = SiteFolder(folder)
    with site.locked():
        before = site.state()
        writer = site.begin(before)
        pages = {f"pages/{number}.html": f"{text} {number}" for number in range(FILES)}
        others = {path: path for path in ("assets/portal.css", *more)}
        made_of = (SiteFile(p, t.encode()) for p, t in (pages | others).items())
        files = writer.make(made_of, before.files if before else "")
        number = site.next_number()
        now = datetime(2026, 1, 5, tzinfo=UTC)
        site.finish(writer, SiteState(number=number, made=now, files=files))
    return site


def of_one(files: Mapping[str, bytes]) -> str:
    """Return which generation all files are of."""
    (text,) = {data.decode().partition(" ")[0] for path, data in files.items() if "pages" in path}
    assert len(files) >= FILES + 1
    return text


def failing(after: int) -> Callable[[Any], None]:
    """Let a client end its process, so to say, after some objects."""

    def change(client: Any) -> None:
        put, left = client.put_object, list(range(after))

        def put_object(**given: Any) -> Any:
            if "/files/" in given["Key"] and not left:
                raise KeyboardInterrupt
            if "/files/" in given["Key"]:
                left.pop()
            return put(**given)

        client.put_object = put_object

    return change


def test_a_portal_is_built_into_a_bucket_and_served_from_it(
    portal: BuiltPortal, bucket: Bucket
) -> None:
    folder = portal.centers.center("europe").home / "portal"
    portal.out = settings(bucket.name)  # type: ignore[assignment]
    portal.build()
    number, previous, before = bucket.generation("releases/")
    assert (number, previous) == (1, 0)
    assert {portal_file(Digest(one)) for one in bucket.list(1).values()} < bucket.names()
    with served("portal", "serve", f"s3://{bucket.name}", "--port", "0") as origin:
        assert httpx.get(f"{origin}/{RELEASE_PAGE}").content == before[f"{RELEASE_PAGE}index.html"]
        portal.publish("europe")
        portal.build()
        listed = {p: Digest.of((folder / "current" / p).read_bytes()).hex for p in bucket.list(2)}
        assert listed == bucket.list(2)
        page = httpx.get(f"{origin}/{RELEASE_PAGE}")
        assert Digest.of(page.content).hex == listed[f"{RELEASE_PAGE}index.html"]
        assert page.content != before[f"{RELEASE_PAGE}index.html"]
        assert "content-security-policy" in page.headers
        assert httpx.get(f"{origin}/none/").status_code == 404


def test_the_two_newest_generations_stay(any_bucket: Bucket, tmp_path: Path) -> None:
    bucket = any_bucket
    for text in ("one", "two", "three", "four"):
        stored(bucket).publish(made(tmp_path / "site", text))
        assert of_one(bucket.generation()[2]) == text
    stored(bucket).publish(SiteFolder(tmp_path / "site"))
    assert bucket.generation()[:2] == (4, 3), "nothing has changed"
    of_two = {*bucket.list(4).values(), *bucket.list(3).values()}
    lists = {f"public/portal/generations/{number}.json" for number in (3, 4)}
    assert bucket.names() == {portal_file(Digest(one)) for one in of_two} | lists | {PORTAL}


def test_a_build_that_ends_in_the_middle_leaves_what_was_there(
    bucket: Bucket, tmp_path: Path
) -> None:
    place = settings(bucket.name)
    stored(bucket).publish(made(tmp_path / "site", "one"))
    reader = stored(bucket)
    site = made(tmp_path / "site", "two")
    with pytest.raises(KeyboardInterrupt):
        SiteStore(S3Store(place, client=broken(failing(after=4)))).publish(site)
    assert len(bucket.names()) > FILES + 4
    assert of_one(bucket.generation()[2]) == "one"
    assert reader.read("pages/1.html") == b"one 1"

    stored(bucket).publish(site)
    assert of_one(bucket.generation()[2]) == "two"
    assert reader.read("pages/1.html") == b"two 1"
    for text in ("three", "four"):
        stored(bucket).publish(made(tmp_path / "site", text))
    assert len(bucket.names()) == 2 * FILES + 1 + 2 + 1, "what the dead build left is gone"


def test_builders_at_once_publish_whole_generations(bucket: Bucket, tmp_path: Path) -> None:
    ended = []
    stored(bucket).publish(made(tmp_path / "first", "first"))

    def build(name: str) -> list[str]:
        faults = []
        for turn in range(3):
            site = made(tmp_path / name, f"{name}-{turn}")
            try:
                stored(bucket).publish(site)
            except StoreConflictError as error:
                faults.append(str(error))
        ended.append(name)
        return faults

    def read() -> list[str]:
        reader, seen = stored(bucket), []
        while len(ended) < 2:
            seen.append(reader.read("pages/7.html").decode())
        return seen

    with ThreadPoolExecutor(3) as pool:
        seen, *builders = pool.submit(read), pool.submit(build, "a"), pool.submit(build, "b")
        faults = [fault for one in builders for fault in one.result()]
    assert all("another builder" in fault for fault in faults)
    assert len({*seen.result()}) >= 2
    assert of_one(bucket.generation()[2]) in {"a-2", "b-2"}
    stored(bucket).publish(made(tmp_path / "a", "last"))
    assert of_one(bucket.generation()[2]) == "last"


@pytest.mark.parametrize("call", ["put_object", "delete_object"])
def test_a_file_that_another_builder_has_again_is_not_removed(
    call: str, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one publishes just before old files are removed, or while they are."""
    monkeypatch.setattr(site_store, "_BATCH", 1)
    stored(bucket).publish(made(tmp_path / "a", "one", "again"))
    stored(bucket).publish(made(tmp_path / "a", "two"))
    waiting = [made(tmp_path / "b", "of-b", "again")]

    def interrupted(client: Any) -> None:
        send = getattr(client, call)

        def sent(**given: Any) -> Any:
            answer = send(**given)
            if waiting and (call == "delete_object" or given["Key"].endswith(PORTAL)):
                stored(bucket).publish(waiting.pop())
            return answer

        setattr(client, call, sent)

    place = settings(bucket.name)
    SiteStore(S3Store(place, client=broken(interrupted))).publish(made(tmp_path / "a", "three"))
    assert waiting == []
    files = bucket.generation()[2]
    assert (of_one(files), files["again"]) == ("of-b", b"again")
