"""The checks of looking for requests, running them and writing receipts."""

from __future__ import annotations

from tests.requests.check import REQUESTS, checks_of, modules_of

_SERVING = modules_of("serving", "strangers", "serving_faults")

SERVING_CHECKS = (
    *checks_of(
        f"{REQUESTS}look.py",
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
    *checks_of(
        f"{REQUESTS}desk.py",
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
    *checks_of(
        f"{REQUESTS}serve.py",
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
)
