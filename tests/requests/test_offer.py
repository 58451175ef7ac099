"""What a center says that it can be asked: what is unknown there is an error at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders.core.errors import UsageError
from pipelines.requests.offer import check_asked, newest_offer, offer_of, publish_offer
from pipelines.storage.store import DamagedError
from tests.requests.office import ADA, BOB, EVE, HERE, NOW, Center

MINUTE = timedelta(minutes=1)


def asked(office: Center, **changes: Any) -> bool:
    given = {"center": HERE, "release": "lab/engine@1", "requester": "ada"}
    given |= {"keyid": ADA.public.keyid, **changes}
    return check_asked(office.store, **given)


@pytest.fixture
def open_center(center: Center) -> Center:
    publish_offer(center.handler, NOW)
    return center


def test_what_the_center_would_answer_is_asked(open_center: Center) -> None:
    assert asked(open_center)
    assert asked(open_center, requester="bob", keyid=BOB.public.keyid, release="lab/rules@1")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"keyid": EVE.public.keyid}, "does not know this key.*one of its reviewers: ada, bob"),
        ({"requester": "eda"}, "knows this key under another name.*Did you mean --requester ada"),
        ({"requester": "bob"}, "knows this key under another name"),
        ({"release": "lab/engine@2"}, "no recipe of that release.*Did you mean 'lab/engine@1'"),
        ({"center": "aisa"}, "does not look for requests in this store.*Did you mean 'asia'"),
        ({"center": "\x1b[2J"}, r"got '\\x1b\[2J'"),
    ],
)
def test_what_would_not_be_answered_is_an_error_at_once(
    open_center: Center, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        asked(open_center, **changes)


def test_a_center_without_an_offer_may_still_be_asked(center: Center) -> None:
    assert asked(center) is False


def test_an_offer_is_renewed_when_it_changes_and_not_before(open_center: Center) -> None:
    publish_offer(open_center.handler, NOW + MINUTE)
    assert len(list(open_center.store.list("public/offers/"))) == 1
    open_center.people = {"ada": ADA}
    (open_center.recipes / "lab/engine/2.yaml").write_text("a recipe that cannot be used")
    publish_offer(open_center.handler, NOW + 2 * MINUTE)
    assert len(list(open_center.store.list("public/offers/"))) == 2
    assert asked(open_center, release="lab/engine@2"), "the receipt says what is wrong with it"
    with pytest.raises(UsageError, match="does not know this key"):
        asked(open_center, requester="bob", keyid=BOB.public.keyid)


def test_a_revoked_key_is_not_offered(center: Center) -> None:
    center.revoked = (BOB,)
    handler = center.handler
    assert set(offer_of(HERE, handler.policy, handler.recipes).requesters) == {"ada"}


def test_another_host_that_is_as_fast_leaves_this_one_to_compare_again(open_center: Center) -> None:
    other = open_center.another(home="home-2", people={"bob": BOB})
    publish_offer(other.handler, NOW)
    publish_offer(other.handler, NOW + MINUTE)
    found = newest_offer(open_center.store, HERE)
    assert found
    assert set(found.requesters) == {"bob"}


@pytest.mark.parametrize("data", [b"", b"{}", b'{"schema":"samebits/offer/v2"}', b"x" * 100])
def test_a_damaged_offer_is_told(center: Center, data: bytes) -> None:
    center.store.put_record(f"public/offers/{HERE}/20260101T000000Z.json", data)
    with pytest.raises(DamagedError):
        asked(center)


def test_an_offer_under_the_name_of_another_center_is_none(open_center: Center) -> None:
    handler = open_center.handler
    made = offer_of("europe", handler.policy, handler.recipes)
    data = made.model_dump_json(by_alias=True).encode()
    open_center.store.put_record(f"public/offers/{HERE}/29990101T000000Z.json", data)
    with pytest.raises(UsageError, match="does not look for requests"):
        asked(open_center)
