"""The checks of making and finding heartbeats."""

from __future__ import annotations

from tests.requests.check import checks_of, modules_of

HEARTBEAT_CHECKS = checks_of(
    "pipelines/log/heartbeats.py",
    modules_of("heartbeats"),
    (
        "a heartbeat is signed",
        "            verify(envelope, keys)\n",
        "",
        "test_what_is_no_heartbeat_of_the_center_is_passed_over",
    ),
    (
        "a heartbeat's center and time",
        " and heartbeat_key(statement) == folder + name",
        "",
        "test_what_is_no_heartbeat_of_the_center_is_passed_over",
    ),
    (
        "none from the future",
        " and name <= latest",
        "",
        "test_a_heartbeat_from_the_future_hides_no_silence",
    ),
    (
        "an hour ahead counts",
        "now + SKEW:",
        "now:",
        "test_a_heartbeat_from_the_future_hides_no_silence",
    ),
    (
        "the newest first",
        "heapq.nlargest(MAX_TRIES, ",
        "heapq.nsmallest(MAX_TRIES, ",
        "test_the_newest_is_found",
    ),
    (
        "bounded tries",
        "heapq.nlargest(MAX_TRIES, past)",
        "heapq.nlargest(10_000, past)",
        "test_rubbish_without_end_is_given_up",
    ),
    (
        "bounded heads",
        "heapq.nlargest(MAX_HEADS, ",
        "heapq.nlargest(1_000_000, ",
        "test_of_too_many_heads_those_that_moved_last_are_listed",
    ),
    (
        "bounded bytes of heads",
        "if total > _MAX_BYTES:",
        "if False:",
        "test_the_largest_heartbeat_can_be_read",
    ),
    (
        "the newest heads",
        "heapq.nlargest(MAX_HEADS, ",
        "heapq.nsmallest(MAX_HEADS, ",
        "test_of_too_many_heads_those_that_moved_last_are_listed",
    ),
)
