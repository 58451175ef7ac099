"""The rules by which a request is taken or refused."""

from __future__ import annotations

from tests.requests.check import REQUESTS, checks_of, modules_of

_SERVING = modules_of("serving", "strangers", "serving_faults")

TAKING_CHECKS = checks_of(
    f"{REQUESTS}rules.py",
    _SERVING,
    (
        "wrong-name",
        "told.requester != at.requester",
        "False",
        "test_a_known_person_is_told_why_not",
    ),
    (
        "other-center",
        "told.center != at.center",
        "False",
        (
            "test_a_known_person_is_told_why_not "
            "test_a_request_copied_from_another_center_is_refused"
        ),
    ),
    (
        "replayed",
        "(at.requester, told.nonce) in at.nonces",
        "False",
        "test_a_replayed_nonce_is_refused test_of_two_requests_with_one_nonce_the_older_is_run",
    ),
    (
        "a nonce is the requester's own",
        "(at.requester, told.nonce) in at.nonces",
        "told.nonce in {n for _, n in at.nonces}",
        "test_a_nonce_belongs_to_its_requester",
    ),
    (
        "from-the-future",
        "told.requested_on > at.now + SKEW",
        "False",
        "test_a_known_person_is_told_why_not",
    ),
    (
        "from-the-future, by an hour",
        "told.requested_on > at.now + SKEW",
        "told.requested_on >= at.now + SKEW",
        "test_the_edges_of_time_are_inside",
    ),
    (
        "expired",
        "told.expires <= at.now",
        "False",
        "test_a_known_person_is_told_why_not",
    ),
    (
        "expired, at its end",
        "told.expires <= at.now",
        "told.expires < at.now",
        "test_a_known_person_is_told_why_not",
    ),
    (
        "unknown-release",
        "at.recipe(told.release) is Refusal.UNKNOWN_RELEASE",
        "False",
        "test_a_known_person_is_told_why_not",
    ),
    (
        "bad-recipe",
        "at.recipe(told.release) is Refusal.BAD_RECIPE",
        "False",
        "test_a_known_person_is_told_why_not",
    ),
    (
        "too-many-open",
        "at.open >= at.limit",
        "False",
        "test_a_requester_has_only_so_many_open test_open_ones_of_an_earlier_look_count",
    ),
    (
        "too-many-open, by one",
        "at.open >= at.limit",
        "at.open > at.limit",
        "test_a_requester_has_only_so_many_open",
    ),
    (
        "known key",
        "if person.key.keyid == keyid",
        "if True",
        "test_a_stranger_is_counted_and_makes_nobody_write",
    ),
    (
        "signature",
        "verify(asked.envelope, [named[0].key])",
        "pass",
        "test_a_stranger_is_counted_and_makes_nobody_write",
    ),
    (
        "revoked key",
        "if keyid in revoked",
        "if False",
        (
            "test_a_revoked_key_makes_nobody_write "
            "test_a_key_that_goes_away_after_acceptance_is_not_served"
        ),
    ),
)
