"""A real S3 store beyond the contract: what is written once is what every reader gets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from builders.core.digest import digest_stream
from builders.core.errors import StoreError, UsageError
from pipelines.storage.names import Visibility, cas
from pipelines.storage.s3 import S3Store
from pipelines.storage.s3client import connect
from pipelines.storage.s3settings import S3Place, S3Profiles, S3Settings
from pipelines.storage.store import DamagedError
from tests.storage.ceph import KEY, LARGE, Gateway, broken, new_bucket, settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

pytestmark = pytest.mark.usefixtures("aws")
HERE = Path(__file__).parents[2]


def writer(bucket: str, key: str, text: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.storage.writer", f"s3://{bucket}", "record", key, text],
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
        process.communicate(timeout=300)
    truth = int(S3Store(settings(bucket)).get(KEY, 10))
    codes = [process.returncode for process in processes]
    assert codes == [0 if number // 2 == truth else 3 for number in range(4)]


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


def test_a_reader_is_held_to_what_it_saw_first(admin: S3Client, bucket: str) -> None:
    store = S3Store(settings(bucket))
    store.put_record(KEY, b"old")
    assert store.get(KEY, 10) == b"old"
    admin.put_object(Bucket=bucket, Key=KEY, Body=b"new")
    with pytest.raises(DamagedError, match="no longer the object that was read first"):
        store.get(KEY, 10)
    with pytest.raises(DamagedError):
        store.has(KEY)


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
    where = {"public": str(public), "private": str(private)}
    store = S3Store(S3Settings(**where, profiles=S3Profiles(public="open", private="closed")))
    store.put_record("public/x", b"seen")
    store.put_record("private/x", b"hidden")
    assert store.get("private/x", 10) == b"hidden"
    assert admin.get_object(Bucket=public.bucket, Key="a/b/public/x")["Body"].read() == b"seen"
    with pytest.raises(ClientError, match="AccessDenied"):
        admin.get_object(Bucket=private.bucket, Key="private/x")
    wrong = S3Store(S3Settings(**where, profiles=S3Profiles(public="open", private="open")))
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
