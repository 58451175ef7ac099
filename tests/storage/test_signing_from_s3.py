"""A signer reads what it signs from a real object store, which sends streams that cannot seek."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.evidence.privatekey import create_key
from pipelines.storage.s3 import S3Store
from tests.signer.conftest import SCENES
from tests.signer.scene import Scene
from tests.storage.ceph import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3.client import S3Client

    from pipelines.storage.s3settings import S3Place

pytestmark = pytest.mark.s3


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(("name", "signed"), [("identical", 4), ("different", 5)])
def test_a_run_is_signed(
    name: str,
    signed: int,
    versioned_bucket: str,
    client_of: Callable[[S3Place], S3Client],
    tmp_path: Path,
) -> None:
    store = S3Store(settings(versioned_bucket, f"signing-{name}"), client=client_of)
    scene = Scene(folder=tmp_path, **{**SCENES[name], "store": store})
    envelopes = scene.signer(create_key(tmp_path / "keys", "statements")).sign(scene.make())
    assert len(envelopes) == signed, "a difference has an explanation too"
