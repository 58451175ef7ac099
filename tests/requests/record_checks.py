"""The checks of what a request, a receipt and a heartbeat say, and how it is spelled."""

from __future__ import annotations

from tests.requests.check import REQUESTS, STATEMENTS, checks_of, modules_of

_RECORDS, _KINDS = modules_of("records"), ("tests/evidence/test_statements.py",)

RECORD_CHECKS = (
    *checks_of(
        f"{REQUESTS}records.py",
        _RECORDS,
        (
            "one signature",
            "if len(envelope.signatures) != 1:",
            "if False:",
            "test_a_request_has_one_signature_and_a_bounded_size",
        ),
        (
            "one spelling",
            "if envelope.to_bytes() != data:",
            "if False:",
            "test_a_request_has_one_signature_and_a_bounded_size",
        ),
        (
            "a receipt is signed",
            "    verify(envelope, keys)\n",
            "",
            "test_a_receipt_is_signed_by_the_center",
        ),
        (
            "a receipt's center",
            "if told.center != center:",
            "if False:",
            "test_a_receipt_is_about_exactly_this_request",
        ),
        (
            "a receipt's request",
            "if statement.subject != (",
            "if False and (",
            "test_a_receipt_is_about_exactly_this_request",
        ),
        (
            "a receipt's release",
            "(told.release, told.nonce) != (asked.told.release, asked.told.nonce)",
            "told.nonce != asked.told.nonce",
            "test_a_receipt_is_about_exactly_this_request",
        ),
        (
            "a receipt's nonce",
            "(told.release, told.nonce) != (asked.told.release, asked.told.nonce)",
            "told.release != asked.told.release",
            "test_a_receipt_is_about_exactly_this_request",
        ),
        (
            "a receipt's number",
            "if told.answer not in _ANSWERS[number]:",
            "if False:",
            "test_a_receipt_is_about_exactly_this_request",
        ),
        (
            "a receipt's size",
            "    if len(data) > MAX_RECORD:\n        raise malformed(_RECEIPT",
            "    if False:\n        raise malformed(_RECEIPT",
            "test_another_statement_is_no_receipt",
        ),
    ),
    *checks_of(
        f"{STATEMENTS}request.py",
        _RECORDS,
        (
            "an end",
            "if not timedelta(0) < self.expires - self.requested_on <= MAX_VALID:",
            "if False:",
            "test_what_no_request_can_say_is_refused",
        ),
        (
            "the longest time",
            "self.requested_on <= MAX_VALID:",
            "self.requested_on < MAX_VALID:",
            "test_the_longest_request_is_one",
        ),
        (
            "the subject",
            "if self.subject != (_subject(self.predicate.release),):",
            "if False:",
            "test_the_subject_is_the_release",
        ),
        (
            "one spelling of the payload",
            "if statement.to_bytes() != payload:",
            "if False:",
            "test_another_spelling_or_kind_is_refused",
        ),
        (
            "no path is a release",
            'pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}/[A-Za-z0-9][A-Za-z0-9._+-]{0,127}"',
            'pattern=r"^[A-Za-z0-9.][A-Za-z0-9._+-]{0,127}/[A-Za-z0-9./][A-Za-z0-9./_+-]{0,127}"',
            (
                "test_no_path_command_or_address_is_a_release "
                "test_what_a_request_can_name_is_what_recipes_can_be_named"
            ),
        ),
        (
            "no path is a nonce",
            'pattern=r"^[A-Za-z0-9_-]{8,64}$"',
            'pattern=r"^[A-Za-z0-9_./-]{8,64}$"',
            "test_what_no_request_can_say_is_refused",
        ),
    ),
    *checks_of(
        f"{STATEMENTS}status.py",
        _KINDS,
        (
            "a receipt is complete",
            "        if told != expected:",
            "        if False:",
            "test_a_statement_of_status_is_refused_for_what_it_is_named_by",
        ),
        (
            "a receipt's subject",
            '        if told != [(REQUESTED, {"sha256"})]:',
            "        if False:",
            "test_a_statement_of_status_is_refused_for_what_it_is_named_by",
        ),
        (
            "the root of nothing",
            '(self.size == 0) != (self.root == Digest.of(b""))',
            "False",
            "test_a_statement_of_status_is_refused_for_what_it_is_named_by",
        ),
        (
            "heads in order",
            "if names != sorted(set(names)):",
            "if False:",
            "test_a_statement_of_status_is_refused_for_what_it_is_named_by",
        ),
        (
            "heads of the releases",
            "if not len(names) <= self.releases <= self.log.size:",
            "if not self.releases <= self.log.size:",
            "test_a_statement_of_status_is_refused_for_what_it_is_named_by",
        ),
        (
            "releases of the log",
            "if not len(names) <= self.releases <= self.log.size:",
            "if not len(names) <= self.releases:",
            "test_a_statement_of_status_is_refused_for_what_it_is_named_by",
        ),
        (
            "heads within the log",
            "head.sequence >= self.log.size",
            "head.sequence > self.log.size",
            "test_a_statement_of_status_is_refused_for_what_it_is_named_by",
        ),
        (
            "done of those due",
            "self.done + self.failed > self.due",
            "self.done > self.due",
            "test_a_statement_of_status_is_refused_for_what_it_is_named_by",
        ),
        (
            "the subject of a heartbeat",
            "if self.subject != (subject(HEADS, _heads_digest(self.predicate.heads)),):",
            "if False:",
            "test_a_statement_of_status_is_refused_for_what_it_is_named_by",
        ),
    ),
)
