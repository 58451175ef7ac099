"""What the S3 store promises beyond the contract, on a real Ceph gateway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from builders.digest import Digest, digest_stream
from builders.errors import NotFoundError, StoreConflictError, StoreError, UsageError
from builders.vault import Vault
from pipelines.evidence import s3upload
from pipelines.evidence.keys import Visibility, cas
from pipelines.evidence.s3 import S3Store
from pipelines.evidence.s3client import connect
from pipelines.evidence.s3settings import Requirement, Retention, S3Place, S3Settings
from pipelines.evidence.store import DamagedError, UnfitStoreError
from tests.evidence.ceph import Gateway, new_bucket, settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

pytestmark = pytest.mark.usefixtures("aws")
KEY = "public/releases/v/p/1.0/center/run/report.json"
HERE = Path(__file__).parents[2]
LARGE = (3 * s3upload.PART) + 12_345


@pytest.fixture
def bucket(admin: S3Client) -> str:
    return new_bucket(admin)


@pytest.fixture
def versioned(admin: S3Client) -> str:
    return new_bucket(admin, versions=True)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(LARGE))
    return path


def parts_left(admin: S3Client, bucket: str) -> int:
    return len(admin.list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def broken(change: Callable[[Any], None]) -> Callable[[S3Place], S3Client]:
    """Connect as the store does, with one method of the client replaced."""

    def client(place: S3Place) -> S3Client:
        made = connect(place)
        change(made)
        return made

    return client


def writer(bucket: str, key: str, text: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.evidence.writer", f"s3://{bucket}", "record", key, text],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_racing_processes_have_one_winner(bucket: str) -> None:
    processes = [writer(bucket, KEY, str(number // 2)) for number in range(4)]
    for process in processes:
        assert process.stdout
        process.stdout.readline()
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    truth = int(S3Store(settings(bucket)).get(KEY, 10))
    codes = [process.returncode for process in processes]
    assert codes == [0 if number // 2 == truth else 3 for number in range(4)]


def test_a_large_object_goes_up_in_parts_and_comes_back(
    admin: S3Client, bucket: str, large: Path
) -> None:
    store = S3Store(settings(bucket))
    digest = store.put_cas(Visibility.PRIVATE, large)
    with store.open(cas(Visibility.PRIVATE, digest)) as stream:
        assert digest_stream(stream) == digest
    assert admin.head_object(Bucket=bucket, Key=cas(Visibility.PRIVATE, digest))["ETag"].endswith(
        '-4"'
    )
    store.put_file(Vault.key(digest), large)
    assert store.has(Vault.key(digest))
    assert parts_left(admin, bucket) == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, StoreError, OSError])
def test_a_failed_upload_leaves_no_parts(
    admin: S3Client, bucket: str, large: Path, error: type[BaseException]
) -> None:
    def fail_on_the_third(client: Any) -> None:
        send = client.upload_part

        def upload_part(**fields: Any) -> Any:
            if fields["PartNumber"] == 3:
                raise error("x")
            return send(**fields)

        client.upload_part = upload_part

    store = S3Store(settings(bucket), client=broken(fail_on_the_third))
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else StoreError):
        store.put_cas(Visibility.PRIVATE, large)
    assert parts_left(admin, bucket) == 0
    assert list(store.list("private/cas/")) == []


def test_a_source_that_does_not_match_its_name_is_never_completed(
    admin: S3Client, bucket: str, large: Path
) -> None:
    store = S3Store(settings(bucket))
    with pytest.raises(DamagedError, match="does not hold what its name promises"):
        store.put_file(Vault.key(Digest.of(b"other")), large)
    assert parts_left(admin, bucket) == 0
    assert list(store.list("private/vault/")) == []


def test_a_source_that_changes_on_the_way_is_never_completed(
    admin: S3Client, bucket: str, large: Path
) -> None:
    def write_meanwhile(client: Any) -> None:
        send = client.upload_part

        def upload_part(**fields: Any) -> Any:
            with large.open("r+b") as stream:
                stream.write(b"changed")
            return send(**fields)

        client.upload_part = upload_part

    store = S3Store(settings(bucket), client=broken(write_meanwhile))
    with pytest.raises(DamagedError, match="its source changed while it was sent"):
        store.put_cas(Visibility.PRIVATE, large)
    assert parts_left(admin, bucket) == 0
    assert list(store.list("private/cas/")) == []


def test_what_a_killed_writer_left_is_swept_after_a_day(admin: S3Client, bucket: str) -> None:
    admin.create_multipart_upload(Bucket=bucket, Key="private/cas/x")
    admin.create_multipart_upload(Bucket=bucket, Key="of/somebody/else")
    store = S3Store(settings(bucket))
    assert store.sweep() == 0
    (mine,) = {id(b): b for b in store._buckets.values()}.values()
    tomorrow = datetime.now(UTC) + timedelta(days=1, minutes=1)
    assert s3upload.sweep(mine, "private/", tomorrow) == 1
    assert parts_left(admin, bucket) == 1


@pytest.mark.parametrize("size", [7, LARGE])
def test_damage_is_noticed_by_every_read(
    admin: S3Client, bucket: str, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    store = S3Store(settings(bucket))
    key = cas(Visibility.PUBLIC, store.put_cas(Visibility.PUBLIC, path))
    admin.put_object(Bucket=bucket, Key=key, Body=bytes(size - 1) + b"x")
    with pytest.raises(DamagedError, match="does not hold what its name promises"):
        S3Store(settings(bucket)).get(key, size)
    with store.open(key) as stream, pytest.raises(DamagedError):
        digest_stream(stream)


def test_a_line_that_breaks_is_not_an_end(bucket: str) -> None:
    from pipelines.evidence.s3read import checked

    class Short:
        def read(self, size: int) -> bytes:
            return b""

        def close(self) -> None:
            pass

    body: Any = Short()
    with (
        checked(body, KEY, 3, S3Place(bucket=bucket)) as stream,
        pytest.raises(StoreError, match="got 0 bytes; expected 3 bytes"),
    ):
        stream.read()


def test_the_oldest_version_is_the_truth(admin: S3Client, versioned: str) -> None:
    store = S3Store(settings(versioned))
    store.put_record(KEY, b"old")
    admin.put_object(Bucket=versioned, Key=KEY, Body=b"newer")
    for reader in (store, S3Store(settings(versioned))):
        assert reader.get(KEY, 10) == b"old"
        assert [v.size for v in reader.versions(KEY)] == [3, 5]
        reader.put_record(KEY, b"old")
        with pytest.raises(StoreConflictError):
            reader.put_record(KEY, b"newer")


def test_a_delete_marker_hides_nothing(admin: S3Client, versioned: str) -> None:
    S3Store(settings(versioned)).put_record(KEY, b"old")
    admin.delete_object(Bucket=versioned, Key=KEY)
    store = S3Store(settings(versioned))
    assert store.has(KEY)
    assert list(store.list("public/")) == [KEY]
    assert store.get(KEY, 10) == b"old"
    store.put_record(KEY, b"old")
    with pytest.raises(StoreConflictError):
        store.put_record(KEY, b"other")
    assert S3Store(settings(versioned)).get(KEY, 10) == b"old"


def test_a_reader_is_held_to_what_it_saw_first(admin: S3Client, bucket: str) -> None:
    store = S3Store(settings(bucket))
    store.put_record(KEY, b"old")
    assert store.get(KEY, 10) == b"old"
    admin.put_object(Bucket=bucket, Key=KEY, Body=b"new")
    with pytest.raises(DamagedError, match="no longer the object that was read first"):
        store.get(KEY, 10)
    with pytest.raises(DamagedError):
        store.has(KEY)


def test_a_deleted_truth_is_noticed_by_its_readers(admin: S3Client, versioned: str) -> None:
    store = S3Store(settings(versioned))
    store.put_record(KEY, b"old")
    assert store.get(KEY, 10) == b"old"
    (version,) = store.versions(KEY)
    admin.put_object(Bucket=versioned, Key=KEY, Body=b"new")
    admin.delete_object(Bucket=versioned, Key=KEY, VersionId=version.id)
    with pytest.raises(DamagedError, match="no longer the object that was read first"):
        store.get(KEY, 10)


def test_object_lock_refuses_to_delete(admin: S3Client, tmp_path: Path, large: Path) -> None:
    name = new_bucket(admin, lock=True)
    kept = settings(
        name,
        retention=Retention(mode="compliance", days=1),
        require=(Requirement.VERSIONING, Requirement.OBJECT_LOCK),
    )
    store = S3Store(kept)
    store.put_record(KEY, b"{}")
    key = cas(Visibility.PRIVATE, store.put_cas(Visibility.PRIVATE, large))
    for locked in (KEY, key):
        (version,) = store.versions(locked)
        with pytest.raises(ClientError, match="AccessDenied"):
            admin.delete_object(
                Bucket=name, Key=locked, VersionId=version.id, BypassGovernanceRetention=True
            )
        admin.delete_object(Bucket=name, Key=locked)  # a marker, no more
        assert store.has(locked)
    head = admin.get_object_retention(Bucket=name, Key=KEY, VersionId=store.versions(KEY)[0].id)
    until = head["Retention"]["RetainUntilDate"]
    assert timedelta(hours=23) < until - datetime.now(UTC) < timedelta(hours=25)


def test_the_probe_says_what_it_found(bucket: str, versioned: str) -> None:
    plain, other = S3Store(settings(bucket)), S3Store(settings(versioned))
    found = plain.capabilities()
    assert found.private.to_dict() == {
        "conditional_writes": True,
        "versioning": "off",
        "object_lock": False,
        "read_after_write": True,
    }
    assert json.loads(plain.get(found.key, 1000))["private"]["versioning"] == "off"
    assert other.capabilities().public.versioning == "enabled"
    # This server forgets the condition in buckets with versions: the record says so.
    assert not other.capabilities().public.conditional_writes
    before = list(plain.list("private/"))
    S3Store(settings(bucket)).capabilities()
    assert list(plain.list("private/")) == before


@pytest.mark.parametrize("requirement", [Requirement.VERSIONING, Requirement.OBJECT_LOCK])
def test_a_missing_requirement_stops_every_write(bucket: str, requirement: Requirement) -> None:
    store = S3Store(settings(bucket, require=(requirement,)))
    for _ in range(2):
        with pytest.raises(UnfitStoreError, match=f"got no {requirement}; .*nothing was written"):
            store.put_record(KEY, b"{}")
    assert list(store.list("public/")) == []


def test_retention_without_object_lock_is_refused(bucket: str) -> None:
    store = S3Store(settings(bucket, retention=Retention(mode="governance", days=1)))
    with pytest.raises(UnfitStoreError, match="got no object-lock"):
        store.put_cas(Visibility.PUBLIC, b"x")


def ignore_conditions(client: Any) -> None:
    put = client.put_object
    client.put_object = lambda **f: put(**{k: v for k, v in f.items() if k != "IfNoneMatch"})


def test_a_server_that_ignores_conditions_is_found_out(bucket: str, versioned: str) -> None:
    strict = settings(bucket, require=(Requirement.CONDITIONAL_WRITES,))
    with pytest.raises(UnfitStoreError, match="got no conditional-writes"):
        S3Store(strict, client=broken(ignore_conditions)).put_record(KEY, b"{}")
    for name in (bucket, versioned):
        store = S3Store(settings(name), client=broken(ignore_conditions))
        assert not store.capabilities().private.conditional_writes
        store.put_record(KEY, b"one")
        store.put_record(KEY, b"one")
        with pytest.raises(StoreConflictError):
            store.put_record(KEY, b"two")
        assert store.get(KEY, 10) == b"one"
        assert len(store.versions(KEY)) == 1


def test_conflicts_of_writers_under_way_are_tried_again(bucket: str) -> None:
    busy = iter([409, 409])

    def conflict_twice(client: Any) -> None:
        put = client.put_object

        def put_object(**fields: Any) -> Any:
            if fields["Key"] == KEY and next(busy, None):
                answer: Any = {
                    "Error": {"Code": "ConditionalRequestConflict"},
                    "ResponseMetadata": {"HTTPStatusCode": 409},
                }
                raise ClientError(answer, "PutObject")
            return put(**fields)

        client.put_object = put_object

    store = S3Store(settings(bucket), client=broken(conflict_twice))
    store.put_record(KEY, b"{}")
    assert store.get(KEY, 10) == b"{}"


def test_two_buckets_with_their_own_credentials(
    gateway: Gateway, tmp_path: Path, admin: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.add_user("secretary", "SECRETARY", "secretary-key")
    credentials = tmp_path / "aws-credentials"
    environment = gateway.environment
    credentials.write_text(
        "[open]\n"
        f"aws_access_key_id={environment['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key={environment['AWS_SECRET_ACCESS_KEY']}\n"
        "[closed]\naws_access_key_id=SECRETARY\naws_secret_access_key=secretary-key\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    public = S3Place(bucket=new_bucket(admin), prefix="a/b", profile="open")
    private = S3Place(bucket="samebits-closed", profile="closed")
    connect(private).create_bucket(Bucket=private.bucket)
    store = S3Store(S3Settings(public=public, private=private))
    store.put_record("public/x", b"seen")
    store.put_record("private/x", b"hidden")
    assert store.get("private/x", 10) == b"hidden"
    assert admin.get_object(Bucket=public.bucket, Key="a/b/public/x")["Body"].read() == b"seen"
    with pytest.raises(ClientError, match="AccessDenied"):
        admin.get_object(Bucket=private.bucket, Key="private/x")
    wrong = S3Store(
        S3Settings(public=public, private=private.model_copy(update={"profile": "open"}))
    )
    with pytest.raises(StoreError, match=r"got AccessDenied.*name another profile"):
        list(wrong.list("private/"))
    with pytest.raises(UsageError, match="no such profile"):
        connect(S3Place(bucket="x-y", profile="nobody"))


def test_foreign_names_are_passed_over(admin: S3Client, bucket: str) -> None:
    for name in ("public/note to self~", "public/folder/", "public/é", "elsewhere"):
        admin.put_object(Bucket=bucket, Key=name, Body=b"")
    store = S3Store(settings(bucket))
    store.put_record(KEY, b"")
    assert list(store.list("public/")) == [KEY]


def test_a_listing_of_many_pages_is_in_order(bucket: str) -> None:
    def small_pages(client: Any) -> None:
        paginator = client.get_paginator

        def get_paginator(name: str) -> Any:
            found = paginator(name)
            pages = found.paginate
            found.paginate = lambda **f: pages(**{**f, "PaginationConfig": {"PageSize": 3}})
            return found

        client.get_paginator = get_paginator

    store = S3Store(settings(bucket), client=broken(small_pages))
    names = sorted(f"public/x/{number}" for number in range(20))
    for name in names:
        store.put_record(name, b"")
    assert list(store.list("public/x/")) == names


def test_a_missing_bucket_is_named(gateway: Gateway) -> None:
    store = S3Store(settings("there-is-no-such"))
    for call in (
        lambda: store.put_record(KEY, b""),
        lambda: store.has(KEY),
        lambda: list(store.list("public/")),
    ):
        with pytest.raises(StoreError, match=r"NoSuchBucket.*Create the bucket"):
            call()


def test_a_silent_server_is_one_clear_error(gateway: Gateway, bucket: str) -> None:
    def impatient(place: S3Place) -> S3Client:
        return connect(place, connect_seconds=0.5, read_seconds=0.5)

    store = S3Store(settings(bucket), client=impatient)
    store.put_record(KEY, b"{}")
    pid = int((gateway.folder / "rgw.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    try:
        with pytest.raises(StoreError, match=r"got no answer in time.*Start the server"):
            store.get(KEY, 10)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert time.monotonic() - start < 15
    assert store.get(KEY, 10) == b"{}"


def test_a_stopped_server_is_one_clear_error_and_a_started_one_works(
    gateway: Gateway, bucket: str
) -> None:
    store = S3Store(settings(bucket))
    store.put_record(KEY, b"{}")
    gateway.kill()
    try:
        start = time.monotonic()
        with pytest.raises(StoreError, match=r"got no connection.*Start the server") as caught:
            store.put_record("public/other", b"{}")
        assert time.monotonic() - start < 20
        assert "127.0.0.1" not in str(caught.value)
    finally:
        gateway.start()
    store.put_record("public/other", b"{}")
    assert store.get(KEY, 10) == b"{}"


def test_memory_does_not_grow_with_the_object(bucket: str, tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "big"
    with path.open("wb") as out:
        out.truncate(160 << 20)
    store = S3Store(settings(bucket))
    store.capabilities()
    tracemalloc.start()
    try:
        digest = store.put_cas(Visibility.PRIVATE, path)
        with store.open(cas(Visibility.PRIVATE, digest)) as stream:
            assert digest_stream(stream) == digest
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 96 << 20


def test_a_missing_object_beside_versions_is_missing(versioned: str) -> None:
    store = S3Store(settings(versioned))
    store.put_record("public/ab", b"")
    with pytest.raises(NotFoundError):
        store.get("public/a", 10)
    with suppress(NotFoundError):
        store.open("public/a").close()
        pytest.fail("it is not there")
