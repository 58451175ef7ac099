"""From an address to a store, and what a center's file may say of one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from builders.core.errors import RecipeError, UsageError
from pipelines.center.center import load_center
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import Visibility
from pipelines.storage.opening import open_center_store, open_store, store_address
from pipelines.storage.outbox import OutboxStore
from pipelines.storage.s3settings import Requirement, S3Place, S3Settings

HEAD = "schema: samebits/center/v1\nid: eu-west\n"


def center_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "center.yaml"
    path.write_text(HEAD + text)
    return path


def test_an_address_is_a_folder_or_a_bucket(tmp_path: Path) -> None:
    assert store_address("a/b", tmp_path) == tmp_path / "a/b"
    found = store_address("s3://bucket-1/eu/west/")
    assert isinstance(found, S3Settings)
    assert found.place(Visibility.PUBLIC) == S3Place(bucket="bucket-1", prefix="eu/west")
    assert found.place(Visibility.PRIVATE).name("private/x") == "eu/west/private/x"
    assert str(found) == "s3://bucket-1/eu/west"
    assert isinstance(open_store(str(tmp_path)), DirectoryStore)
    assert isinstance(open_center_store(found, tmp_path / "outbox"), OutboxStore)
    assert isinstance(open_center_store(tmp_path, tmp_path / "outbox"), DirectoryStore)


@pytest.mark.parametrize(
    "address",
    [
        "s3://",
        "s3:///x",
        "s3://B/x",
        "S3://bucket/x",
        "s3://bucket/../x",
        "s3://bucket//x",
        "s3://bucket/é",
        "s3://user:secret@bucket/x",
        "s3://bucket/" + "x" * 121,
    ],
)
def test_what_looks_like_s3_and_is_not_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="not the address of a store in S3"):
        store_address(address)


def test_a_center_names_places_profiles_and_demands(tmp_path: Path) -> None:
    path = center_file(
        tmp_path,
        "store:\n  public: s3://seen/eu\n  private: s3://hidden\n"
        "  profiles: {public: writer, private: secret}\n"
        "  retention: {mode: compliance, days: 365}\n"
        "  require: [conditional-writes, object-lock]\n",
    )
    store = load_center(path).store
    assert isinstance(store, S3Settings)
    seen, hidden = (store.place(visibility) for visibility in Visibility)
    assert seen == S3Place(bucket="seen", prefix="eu", profile="writer")
    assert hidden == S3Place(bucket="hidden", profile="secret")
    assert store.require == (Requirement.CONDITIONAL_WRITES, Requirement.OBJECT_LOCK)
    assert store.retention
    assert store.retention.days == 365
    assert load_center(path, "s3://other").store == S3Settings(url="s3://other")
    assert load_center(center_file(tmp_path, "store: s3://one\n")).store == S3Settings(
        url="s3://one"
    )
    assert load_center(center_file(tmp_path, "store: evidence\n")).store == tmp_path / "evidence"


@pytest.mark.parametrize(
    "section",
    [
        "{}",
        "{public: 's3://seen'}",
        "{url: 's3://one', public: 's3://seen', private: 's3://hidden'}",
        "{url: 'ftp://one'}",
        "{url: 's3://one', retention: {mode: eternal, days: 1}}",
        "{url: 's3://one', retention: {mode: compliance, days: 0}}",
        "{url: 's3://one', require: [magic]}",
        "{url: 's3://one', secret_key: x}",
    ],
)
def test_a_bad_section_is_one_clear_error(tmp_path: Path, section: str) -> None:
    with pytest.raises(RecipeError, match="store"):
        load_center(center_file(tmp_path, f"store: {section}\n"))


def test_a_folder_costs_no_import_of_boto3() -> None:
    code = (
        "import sys, pipelines.center.center; from pipelines.storage.opening import open_store;"
        "open_store('x'); sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
