"""Every check of requests, receipts and heartbeats: how it is broken, and who notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_REQUESTS = "pipelines/requests/"
_STATEMENTS = "pipelines/evidence/statements/"
_HERE = "tests/requests/"
_SERVING = tuple(f"{_HERE}test_{name}.py" for name in ("serving", "strangers", "serving_faults"))
_RECORDS, _ASKING = (f"{_HERE}test_records.py",), (f"{_HERE}test_asking.py",)
_BEATS, _KINDS = (f"{_HERE}test_heartbeats.py",), ("tests/evidence/test_statements.py",)


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check, how it is broken (`old` stands once in the file), and its killers."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    killers: tuple[str, ...]


def _checks(file: str, tests: tuple[str, ...], *rows: tuple[str, str, str, str]) -> Iterator[Check]:
    for name, old, new, killers in rows:
        found = tuple(killers.split())
        yield Check(name=name, file=file, old=old, new=new, tests=tests, killers=found)


CHECKS = (
    *_checks(
        f"{_REQUESTS}rules.py",
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
    ),
    *_checks(
        f"{_REQUESTS}look.py",
        _SERVING,
        (
            "expired policy",
            "self._desk.policy.expires <= self._now",
            "False",
            "test_an_expired_policy_knows_nobody",
        ),
        (
            "its own name",
            "if asked.digest != folder.digest:",
            "if False:",
            "test_a_request_under_another_name_is_none",
        ),
        (
            "strangers get no answer",
            "if isinstance(signer, Unanswered) and not folder.receipts:",
            "if False:",
            "test_a_stranger_is_counted_and_makes_nobody_write",
        ),
        (
            "no-longer-known",
            "elif case.doubt is not None:",
            "elif False:",
            "test_a_key_that_goes_away_after_acceptance_is_not_served",
        ),
        (
            "an accepted request is open",
            "                self._resume(case)\n\n    def _begin",
            "                pass\n\n    def _begin",
            "test_an_accepted_request_is_taken_up_after_a_restart",
        ),
        (
            "a last receipt is the last",
            "            if case.final is not None:",
            "            if False:",
            "test_a_lost_or_spoilt_memory_costs_time_only",
        ),
        (
            "answered nonces are used",
            "            self._nonces.add(case.nonce)\n            if case.final",
            "            if case.final",
            "test_a_replay_is_found_without_the_memory",
        ),
        (
            "remembered nonces are used",
            "{(s.requester, s.nonce) for s in self._known.values()}",
            "set()",
            "test_a_replayed_nonce_is_refused",
        ),
        (
            "nonces of one look are used",
            "            self._nonces.add(case.nonce)\n            if why",
            "            if why",
            "test_of_two_requests_with_one_nonce_the_older_is_run",
        ),
        (
            "a refused request is not run",
            "if told.answer is Answer.ACCEPTED:",
            "if True:",
            "test_a_known_person_is_told_why_not",
        ),
        (
            "a recipe is looked for again",
            "        if isinstance(recipe, Refusal):\n            self._refuse",
            "        if False:\n            self._refuse",
            "test_a_release_that_goes_away_after_acceptance_is_refused",
        ),
        (
            "oldest first",
            "self._seen.open.sort(key=lambda item: (item.asked.told.requested_on, item.digest))",
            "self._seen.open.sort(key=lambda item: item.digest)",
            "test_who_asked_first_is_served_first",
        ),
        (
            "bounded reading",
            "[*names[start:], *names[:start]][:MAX_READ]",
            "names",
            "test_where_there_are_too_many_every_look_takes_others",
        ),
        (
            "every look begins elsewhere",
            "[*names[start:], *names[:start]][:MAX_READ]",
            "names[:MAX_READ]",
            "test_where_there_are_too_many_every_look_takes_others",
        ),
    ),
    *_checks(
        f"{_REQUESTS}desk.py",
        _SERVING,
        (
            "a run of that release and center",
            "if (report.release, report.center) != (item.release, desk.center):",
            "if False:",
            "test_only_a_run_of_that_release_and_center_is_an_answer",
        ),
        (
            "open until it expires",
            "if item.asked.told.expires > now:",
            "if True:",
            "test_a_run_that_fails_is_tried_again_until_the_request_expires",
        ),
        (
            "tried again before",
            "if item.asked.told.expires > now:",
            "if False:",
            "test_a_run_that_fails_is_tried_again_until_the_request_expires",
        ),
        (
            "the receipt that stands there",
            "return read_receipt(desk, asked, number)\n        except",
            "return statement.predicate\n        except",
            (
                "test_the_slower_server_says_what_the_faster_one_wrote "
                "test_a_forger_who_is_faster_than_the_center_blocks_that_request_alone"
            ),
        ),
        (
            "declared recipes only",
            "if not path.is_file():",
            "if False:",
            "test_a_known_person_is_told_why_not",
        ),
        (
            "the recipe of that release",
            "path if declared == release else Refusal.BAD_RECIPE",
            "path",
            "test_a_recipe_under_the_name_of_another_release_is_not_run",
        ),
        (
            "settled is remembered",
            "    desk.memory.add(",
            "    (",
            "test_what_is_answered_is_not_even_read_again",
        ),
        (
            "receipts are logged",
            "    desk.log(",
            "    (",
            "test_receipts_are_logged_once_and_before_they_are_forgotten",
        ),
        (
            "only receipts of its own are logged",
            "for number in (FIRST, LAST) if _stands(desk, asked, number)]",
            "for number in (FIRST, LAST)]",
            "test_receipts_are_logged_once_and_before_they_are_forgotten",
        ),
    ),
    *_checks(
        f"{_REQUESTS}serve.py",
        _SERVING,
        (
            "run once on one machine",
            "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
            "pass",
            "test_on_one_machine_a_request_is_run_once",
        ),
        (
            "a hold on what is there",
            "return os.fstat(fd).st_ino == path.stat().st_ino",
            "return True",
            "test_a_hold_on_a_file_that_was_removed_is_none",
        ),
        (
            "answered meanwhile",
            "told = read_receipt(desk, item.asked, LAST)",
            "raise NotFoundError('x')",
            "test_a_request_that_was_answered_meanwhile_is_not_run",
        ),
        (
            "a cancelled run is no failed one",
            "except CancelledError:",
            "except ZeroDivisionError:",
            "test_a_cancelled_run_leaves_its_request_open",
        ),
    ),
    *_checks(
        f"{_REQUESTS}records.py",
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
    *_checks(
        f"{_STATEMENTS}request.py",
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
    *_checks(
        f"{_STATEMENTS}status.py",
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
    *_checks(
        f"{_REQUESTS}asking.py",
        _ASKING,
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
    ),
    *_checks(
        "pipelines/heartbeats.py",
        _BEATS,
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
    ),
)
