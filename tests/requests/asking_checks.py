"""The checks of who asks a center: what counts as its answer."""

from __future__ import annotations

from tests.requests.check import REQUESTS, checks_of, modules_of

ASKING_CHECKS = checks_of(
    f"{REQUESTS}asking.py",
    modules_of("asking"),
    (
        "only what is verified",
        "if not heard.verified or",
        "if",
        "test_without_a_key_of_the_center_nothing_is_believed",
    ),
    (
        "the report that is named",
        "if told.report != DigestSet(sha256=Digest.of(data)):",
        "if False:",
        "test_a_report_that_the_receipt_does_not_name_is_no_answer",
    ),
    (
        "its verdict",
        "if worst_of(verdicts) is not told.verdict:",
        "if False:",
        "test_a_report_with_another_verdict_than_the_receipt_is_no_answer",
    ),
    (
        "the exit code of all verdicts",
        "return exit_code_of(verdicts)",
        "return exit_code_of([told.verdict])",
        "test_the_worst_verdict_is_not_the_exit_code",
    ),
    (
        "a fault is no answer",
        "return self.final is not None or self.fault is not None",
        "return self.final is not None",
        "test_rubbish_in_place_of_a_receipt_is_no_answer",
    ),
    (
        "an end to waiting",
        "if heard.over or not left > 0:",
        "if heard.over or left <= 4:",
        "test_no_answer_in_time_is_not_a_pass",
    ),
)
