"""Reviews in the public prefix of another center's object store."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.policy.reviews.review_records import keep_review, stored_reviews
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.s3 import S3Store
from tests.command import samebits
from tests.policy.reviews.people import ADA, BOB, THE_SOURCE, signed
from tests.storage.ceph import settings


@pytest.mark.usefixtures("aws")
def test_reviews_are_listed_and_taken_in_from_a_bucket(plain_bucket: str, tmp_path: Path) -> None:
    asia = S3Store(settings(plain_bucket, "asia"))
    reviews = [signed("ada", ADA), signed("bob", BOB)]
    names = [keep_review(asia, review) for review in reviews]
    place = f"s3://{plain_bucket}/asia"
    listed = samebits("review", "list", "--from", place, "--json", home=tmp_path)
    assert [row["name"] for row in listed.document()["reviews"]] == sorted(names)
    assert samebits("review", "import", place, home=tmp_path).code == 0
    here = stored_reviews(DirectoryStore(tmp_path / "store"), THE_SOURCE)
    assert [review.name for review in here] == sorted(names)
