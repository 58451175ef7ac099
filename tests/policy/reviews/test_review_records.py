"""Reviews as records and as files that travel."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.core.digest import canonical_json
from builders.core.errors import NotFoundError, UsageError
from pipelines.evidence.dsse import Envelope, sign_envelope
from pipelines.evidence.errors import KeyFileError, MalformedError
from pipelines.evidence.privatekey import load_key
from pipelines.evidence.statements.people import Decision
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy.reviews import review_records as records
from pipelines.policy.reviews.count import CountedReviewer, ReviewTarget, review_of
from pipelines.policy.reviews.review_records import (
    keep_review,
    read_review,
    review_key,
    reviews_in,
    sign_reviews,
    status_of,
    stored_reviews,
)
from pipelines.storage.store import DamagedError
from tests.fakes.store import MemoryStore
from tests.policy.reviews.people import (
    ADA,
    BOB,
    CLAIM,
    EVE,
    NOW,
    OTHER_SOURCE,
    REVIEWED,
    SCOPE,
    SOURCE,
    THE_SOURCE,
    policy,
    signed,
)

DATA = Path(__file__).parents[2] / "data" / "reviews"
BROKEN = sorted((DATA / "records").glob("*.dsse.json"))
GOOD = DATA / "good.dsse.json"
ada = signed("ada", ADA)


@pytest.mark.parametrize("path", BROKEN, ids=lambda p: p.name.removesuffix(".dsse.json"))
def test_a_broken_review_is_one_clear_error(path: Path) -> None:
    with pytest.raises(MalformedError) as caught:
        read_review(path.read_bytes())
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_the_good_one_reads_back_to_its_own_bytes() -> None:
    data = GOOD.read_bytes()
    assert read_review(data).to_bytes() == data


@pytest.mark.parametrize("path", sorted((DATA / "keys").glob("*.key")), ids=lambda p: p.stem)
def test_a_broken_key_file_is_one_clear_error(path: Path, tmp_path: Path) -> None:
    (tmp_path / "ada.key").write_bytes(path.read_bytes())
    (tmp_path / "ada.key").chmod(0o600)
    with pytest.raises(KeyFileError) as caught:
        load_key(tmp_path, "ada")
    assert "\n" not in str(caught.value)


def test_every_decision_has_a_record_of_its_own() -> None:
    store = MemoryStore()
    decisions = [
        ada,
        signed("ada", ADA, decision=Decision.WITHDRAW),
        signed("ada", ADA, ago=timedelta(minutes=1)),
        signed("ada", EVE),
        signed("bob", BOB),
    ]
    names = [keep_review(store, envelope) for envelope in decisions]
    assert len(set(names)) == len(names)
    assert all(name.startswith(f"public/reviews/{SOURCE}/") for name in names)
    assert names[0].rpartition("/")[2].startswith("ada-20260301T110000Z-")
    assert [r.envelope for r in stored_reviews(store, THE_SOURCE)] == [
        envelope for _, envelope in sorted(zip(names, decisions, strict=True))
    ]
    assert list(stored_reviews(store, DigestSet(sha256=OTHER_SOURCE))) == []


def test_nobody_can_take_the_name_of_a_review_with_a_bad_signature() -> None:
    forged = sign_envelope(ada.payload, EVE)
    assert review_key(forged) != review_key(ada)


def test_keeping_a_review_twice_is_keeping_it_once() -> None:
    store = MemoryStore()
    assert keep_review(store, ada) == keep_review(store, ada)


def test_a_record_that_cannot_be_read_does_not_hide_the_others() -> None:
    store = MemoryStore()
    keep_review(store, ada)
    store.put_record(f"public/reviews/{SOURCE}/a.dsse.json", b"rubbish")
    store.put_record(f"public/reviews/{SOURCE}/z.dsse.json", b"x" * (records.MAX_REVIEW + 1))
    found = list(stored_reviews(store, THE_SOURCE))
    assert [bool(r.envelope) for r in found] == [False, True, False]
    assert all(r.fault for r in found if r.envelope is None)


def test_a_record_that_is_gone_or_damaged_does_not_hide_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    keep_review(store, ada)
    for name in ("a", "z"):
        store.put_record(f"public/reviews/{SOURCE}/{name}.dsse.json", b"{}")
    get = store.get

    def gone_or_damaged(key: str, limit: int) -> bytes:
        if key.endswith("/a.dsse.json"):
            raise NotFoundError("gone", got=key)
        if key.endswith("/z.dsse.json"):
            raise DamagedError("damaged", got=key)
        return get(key, limit)

    monkeypatch.setattr(store, "get", gone_or_damaged)
    found = list(stored_reviews(store, THE_SOURCE))
    assert [bool(r.envelope) for r in found] == [False, True, False]


def test_a_flood_of_records_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(records, "MAX_REVIEWS", 1)
    store = MemoryStore()
    for envelope in (ada, signed("bob", BOB)):
        name = keep_review(store, envelope).rpartition("/")[2]
        (tmp_path / name).write_bytes(envelope.to_bytes())
    with pytest.raises(DamagedError, match="too many reviews"):
        list(stored_reviews(store))
    with pytest.raises(DamagedError, match="too many reviews"):
        list(reviews_in(tmp_path))
    monkeypatch.setattr(records, "MAX_REVIEWS", 2)
    assert len(list(stored_reviews(store))) == len(list(reviews_in(tmp_path))) == 2


def test_reviews_below_a_folder_are_sorted_by_name(tmp_path: Path) -> None:
    names = [f"{number}.dsse.json" for number in (5, 3, 8, 1, 9, 2, 7, 4, 6)]
    for name in names:
        (tmp_path / name).write_bytes(ada.to_bytes())
    assert [Path(review.name).name for review in reviews_in(tmp_path)] == sorted(names)


def test_a_decision_on_every_source_is_signed_and_kept() -> None:
    store, target = (
        MemoryStore(),
        ReviewTarget.named([SOURCE, OTHER_SOURCE], CLAIM, scope=SCOPE, keyed=False),
    )
    names = sign_reviews(target, store, key=ADA, reviewer="ada", decision=Decision.APPROVE, now=NOW)
    found = [review for source in target.sources for review in stored_reviews(store, source)]
    assert [review.name for review in found] == names
    count = status_of(target, 1, found, policy(), NOW).count
    assert count.counted == (CountedReviewer(reviewer="ada", keyid=ADA.public.keyid),)


def test_a_name_that_no_policy_can_have_signs_nothing() -> None:
    store = MemoryStore()
    with pytest.raises(UsageError, match="not the name of a reviewer"):
        sign_reviews(REVIEWED, store, key=ADA, reviewer="Ada!", decision=Decision.APPROVE, now=NOW)
    assert list(stored_reviews(store)) == []


def test_reviews_are_read_from_folders_without_following_links(tmp_path: Path) -> None:
    place = tmp_path / "asia" / "public"
    (place / "reviews" / "x").mkdir(parents=True)
    (place / "reviews" / "x" / "one.dsse.json").write_bytes(ada.to_bytes())
    (place / "reviews" / "x" / "two.dsse.json").write_bytes(b"{}")
    (place / "reviews" / "notes.txt").write_text("not one")
    (tmp_path / "outside.dsse.json").write_bytes(ada.to_bytes())
    (place / "linked.dsse.json").symlink_to(tmp_path / "outside.dsse.json")
    (place / "loop").symlink_to(place)
    found = list(reviews_in(place))
    assert [Path(r.name).name for r in found] == ["one.dsse.json", "two.dsse.json"]
    assert [r.envelope for r in found] == [ada, None]


def test_a_file_is_a_place_too() -> None:
    (one,) = reviews_in(GOOD)
    assert one.envelope
    assert review_of(one.envelope).predicate.reviewer == "ada"


def test_no_such_place_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        list(reviews_in(tmp_path / "nowhere"))


def refused(data: bytes) -> bool:
    try:
        envelope = read_review(data)
    except MalformedError:
        return True
    assert envelope.to_bytes() == canonical_json(json.loads(data))
    return False


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert refused(data)


@given(st.integers(0, len(ada.to_bytes()) - 1), st.integers(1, 255))
def test_one_changed_byte_never_stays_unseen(place: int, change: int) -> None:
    data = bytearray(ada.to_bytes())
    data[place] ^= change
    if not refused(bytes(data)):
        assert Envelope.from_bytes(bytes(data)) != ada


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


@given(st.sampled_from(["_type", "subject", "predicate", "predicateType", "more"]), json_values)
def test_any_field_of_the_statement_can_be_anything(field: str, value: object) -> None:
    statement = {**json.loads(ada.payload), field: value}
    payload = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    data = {**ada.to_dict(), "payload": base64.b64encode(payload).decode()}
    assert refused(json.dumps(data).encode())


# Each rule of a record, and a test that goes red without it:
#
#   its size                            a_broken_review_is_one_clear_error[too-large]
#   a review and nothing else           a_broken_review_is_one_clear_error[of-an-attempt]
#   both digests plain, or both keyed   a_broken_review_is_one_clear_error[source-a-commit]
#   links are not followed              reviews_are_read_from_folders_without_following_links
#   a name of its own                   nobody_can_take_the_name_of_a_review_with_a_bad_signature
