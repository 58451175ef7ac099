"""The summaries of one file in their order: each supersedes the one before it, and none else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from builders.core.errors import StoreConflictError
from infra.bench.madeup import MadeUpFile
from pipelines.consensus.summaries import publish_summary, summary_prefix
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import EvidenceError, SignatureError
from pipelines.evidence.statements.consensus_results import Reference, SummaryStatement
from pipelines.evidence.statements.reader import read_statement
from pipelines.evidence.statements.statement import DigestSet
from pipelines.storage.store import DamagedError
from tests.consensus.findings import FILE, NOW
from tests.consensus.test_summaries import BY
from tests.consensus.world import CONTENT, RELEASE, World


class Publisher:
    """Where Ada publishes what she joins."""

    def __init__(self, *operators: str) -> None:
        self.world = World(*(operators or ("ada", "bob")))
        self.site = self.world["ada-1"]
        self.minutes = 0

    def publish(self, **changes: Any) -> str | None:
        (found,) = self.world.consensus().artefacts
        self.minutes += 1
        sign = changes.pop("sign", self.site.sign)
        legal = {o.name: o.legal for o in self.world.policy.operators}
        summarizer = replace(BY, **{"legal": legal, **changes})
        now = NOW + timedelta(minutes=self.minutes)
        return publish_summary(
            self.site.store,
            summary_prefix(RELEASE, found.subject, "ada-1"),
            partial(summarizer.summary, found, now=now),
            sign=sign,
            keys=[self.site.key.public],
        )

    def read(self, published: str | None) -> SummaryStatement:
        assert published is not None
        envelope = Envelope.from_bytes(self.site.store.get(published, 1 << 20))
        statement = read_statement(envelope.payload)
        assert isinstance(statement, SummaryStatement)
        return statement


def test_a_later_summary_names_the_one_it_supersedes() -> None:
    publisher = Publisher()
    for site in publisher.world.sites.values():
        site.run()
    first = publisher.publish()
    publisher.world["bob-1"].run(
        run="20260103T030405Z-00000003", files={FILE: MadeUpFile.different(CONTENT, b"other")}
    )
    second = publisher.publish()
    assert first
    assert second
    assert first.endswith("/ada-1/000001.dsse.json")
    assert second.endswith("/ada-1/000002.dsse.json")
    one, two = publisher.read(first), publisher.read(second)
    assert [str(s.predicate.verification_result) for s in (one, two)] == ["PASSED", "FAILED"]
    assert two.predicate.consensus.supersedes == Reference(
        uri=f"https://samebits.example/{first}", digest=DigestSet(sha256=one.digest())
    )


def test_what_says_nothing_new_is_not_said_again() -> None:
    publisher = Publisher()
    for site in publisher.world.sites.values():
        site.run()
    assert publisher.publish() is not None
    assert publisher.publish() is None
    publisher.world["bob-1"].run(run="20260103T030405Z-00000003")
    assert publisher.publish() is not None


def test_of_what_is_open_nothing_is_kept() -> None:
    publisher = Publisher()
    publisher.site.run()
    assert publisher.publish() is None


def test_of_two_that_publish_at_once_the_second_supersedes_the_first() -> None:
    publisher = Publisher()
    for site in publisher.world.sites.values():
        site.run()
    store, sign = publisher.site.store, publisher.site.sign
    raced: list[str | None] = []

    def late(statement: Any) -> Envelope:
        if not raced:
            raced.append(None)
            raced[0] = publisher.publish(reviews=1)
        return sign(statement)

    second = publisher.publish(sign=late)
    assert second
    assert second.endswith("000002.dsse.json")
    assert publisher.read(second).predicate.consensus.supersedes is not None
    assert len([k for k in store.objects if k.startswith("public/consensus")]) == 2


def test_many_that_publish_at_once_end_in_one_message() -> None:
    publisher = Publisher()
    for site in publisher.world.sites.values():
        site.run()
    real, count = publisher.site.store.put_record, iter(range(1000))

    def taken(key: str, data: bytes) -> None:
        del data
        raise StoreConflictError(f"{key} {next(count)}")

    publisher.site.store.put_record = taken  # type: ignore[method-assign]
    with pytest.raises(StoreConflictError, match="by many at once"):
        publisher.publish()
    publisher.site.store.put_record = real  # type: ignore[method-assign]


def prefix(publisher: Publisher) -> str:
    (found,) = publisher.world.consensus().artefacts
    return summary_prefix(RELEASE, found.subject, "ada-1")


def test_a_summary_that_somebody_else_planted_is_not_built_upon() -> None:
    publisher = Publisher()
    for site in publisher.world.sites.values():
        site.run()
    made = publisher.publish()
    assert made
    forged = publisher.world["bob-1"].sign(publisher.read(made))
    publisher.site.store.objects[f"{prefix(publisher)}000002.dsse.json"] = [forged.to_bytes()]
    with pytest.raises(SignatureError):
        publisher.publish()


@pytest.mark.parametrize("where", ["000009.dsse.json", "x.dsse.json"])
def test_a_summary_under_the_name_of_another_is_not_built_upon(where: str) -> None:
    publisher = Publisher()
    for site in publisher.world.sites.values():
        site.run()
    made = publisher.publish()
    assert made
    store = publisher.site.store
    store.objects[f"{prefix(publisher)}{where}"] = [store.get(made, 1 << 20)]
    with pytest.raises(DamagedError):
        publisher.publish()


def test_a_summary_of_another_file_is_not_built_upon() -> None:
    publisher = Publisher()
    for site in publisher.world.sites.values():
        site.run()
    made = publisher.publish()
    assert made
    other = publisher.read(made).to_dict()
    other["subject"][0]["name"] = "other.deb"
    envelope = publisher.site.sign(SummaryStatement.model_validate(other))
    publisher.site.store.objects[made] = [envelope.to_bytes()]
    with pytest.raises((DamagedError, EvidenceError)):
        publisher.publish(reviews=1)


def test_another_record_in_the_folder_of_the_summaries_is_none_of_them() -> None:
    publisher = Publisher()
    for site in publisher.world.sites.values():
        site.run()
    publisher.site.store.objects[f"{prefix(publisher)}notes.txt"] = [b"x"]
    first = publisher.publish()
    assert first
    assert first.endswith("/000001.dsse.json")
    assert publisher.publish() is None


def test_a_cross_check_in_the_place_of_a_summary_is_not_built_upon() -> None:
    publisher = Publisher()
    for site in publisher.world.sites.values():
        site.run()
    envelope = publisher.site.sign(publisher.site.made().attempt())
    publisher.site.store.objects[f"{prefix(publisher)}000001.dsse.json"] = [envelope.to_bytes()]
    with pytest.raises(DamagedError, match="is not the summary that its name promises"):
        publisher.publish()
