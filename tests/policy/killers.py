"""Writes `killers.md`: every rule by which a policy is accepted, and what notices its absence.

A rule is a line of code and what it would be without the rule; the tests named beside it go red.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("killers.md")
SOURCES = Path(__file__).parents[2] / "pipelines" / "policy"
_HEAD = """# Rules of policies, and what kills each when it is broken

Written by `python -m tests.policy.killers`.

| module | rule | broken as | killers |
|---|---|---|---|
"""


class Rule(NamedTuple):
    """A rule: `old` stands once in `module`, and with `new` in its place `killers` fail."""

    module: str
    name: str
    old: str
    new: str
    killers: tuple[str, ...]


RULES = (
    Rule(
        "signed", "a threshold of its own operators",
        "    check_signatures(signed)\n    check_expiry", "    check_expiry",
        ("test_signed.test_fewer_operators_are_not_enough",),
    ),
    Rule(
        "signed", "as many as the threshold says",
        "if len(_signers(signed, by)) < by.threshold:", "if len(_signers(signed, by)) < 1:",
        ("test_signed.test_fewer_operators_are_not_enough",),
    ),
    Rule(
        "signed", "it has not expired",
        "    check_expiry(signed.policy, now)\n", "",
        ("test_signed.test_it_counts_until_the_second_it_expires",),
    ),
    Rule(
        "signed", "the second it expires it does not count",
        "now >= policy.expires", "now > policy.expires",
        ("test_signed.test_it_counts_until_the_second_it_expires",),
    ),
    Rule(
        "signed", "a step from the trusted policy is checked",
        "    if trusted is not None:\n        check_step(trusted, signed)\n", "",
        ("test_signed.test_an_older_version_is_a_rollback",),
    ),
    Rule(
        "signed", "no rollback",
        "if new.policy.version < old.policy.version:", "if new.policy.version < 0:",
        ("test_signed.test_an_older_version_is_a_rollback",),
    ),
    Rule(
        "signed", "the same policy is no step",
        "    if new.digest == old.digest:\n        return\n", "",
        ("test_signed.test_the_same_policy_follows_itself_with_more_signatures",),
    ),
    Rule(
        "signed", "one version is one payload",
        "if new.policy.version == old.policy.version:", "if new.policy.version == 0:",
        ("test_signed.test_one_version_is_one_policy",),
    ),
    Rule(
        "signed", "the operators before have signed the step",
        '    _check_threshold(new, old.policy, Fault.UNCHAINED, "the operators of the policy '
        'before it")\n',
        "",
        ("test_signed.test_other_operators_cannot_follow_by_themselves",),
    ),
    Rule(
        "signed", "with the keys and threshold that they had",
        "_check_threshold(new, old.policy,", "_check_threshold(new, new.policy,",
        ("test_signed.test_the_threshold_of_the_old_policy_rules_the_step",),
    ),
    Rule(
        "signed", "the payload type is a policy's",
        'if fields.get("payloadType") != PAYLOAD_TYPE:', "if False:",
        ("test_signed.test_an_envelope_in_another_form_is_malformed",),
    ),
    Rule(
        "signed", "the payload type is part of what is signed",
        "payload_type=PAYLOAD_TYPE\n    )\n    return", "payload_type=IN_TOTO\n    )\n    return",
        ("test_signed.test_what_two_of_three_operators_signed_counts",),
    ),
    Rule(
        "signed", "a payload has one spelling",
        "if to_bytes(policy) != payload:", "if False:",
        ("test_signed.test_a_payload_has_one_spelling",),
    ),
    Rule(
        "signed", "an empty policy is called so",
        "if fields.get(part) == []:", "if False:",
        ("test_signed.test_a_policy_without_operators_or_centers_is_empty",),
    ),
    Rule(
        "signed", "what is signed has no paths for keys",
        'lines={}), None)', 'lines={}), __import__("pathlib").Path())',
        ("test_signed.test_a_path_is_no_key_in_what_is_signed",),
    ),
    Rule(
        "signed", "a key signs for its own operator",
        "if signer.public.material != key.material:", "if False:",
        ("test_signed.test_a_key_signs_for_its_own_operator_alone",),
    ),
    Rule(
        "signed", "a signature is added to the same payload",
        "if to is not None and to.envelope.payload != payload:", "if False:",
        ("test_signed.test_a_signature_is_not_added_to_another_policy",),
    ),
    Rule(
        "accepted", "what was accepted is remembered",
        "        durable.replace(path, _to_bytes(signed), mode=0o644)\n", "        pass\n",
        ("test_accepted.test_an_older_policy_in_its_place_is_a_rollback",),
    ),
    Rule(
        "accepted", "and can only be followed",
        "            check_step(old, signed)\n", "            pass\n",
        ("test_accepted.test_an_older_policy_in_its_place_is_a_rollback",),
    ),
    Rule(
        "accepted", "only what counts is remembered",
        "signed = open_policy(data, now=now)", "signed = read_signed(data)",
        ("test_accepted.test_what_does_not_count_is_not_remembered",),
    ),
    Rule(
        "accepted", "the record is as it was written",
        "        damaged = _to_bytes(signed) != data\n", "        damaged = False\n",
        ("test_accepted.test_a_damaged_record_lets_nothing_in",),
    ),
    Rule(
        "accepted", "a damaged record lets nothing in",
        "        raise _damaged(path, error.what) from error\n", "        return None\n",
        ("test_accepted.test_a_damaged_record_lets_nothing_in",),
    ),
    Rule(
        "accepted", "one after the other",
        "    with durable.held(path.parent / LOCK):\n",
        "    path.parent.mkdir(parents=True, exist_ok=True)\n    if True:\n",
        ("test_accepted.test_a_step_waits_for_the_one_before",),
    ),
    Rule(
        "value", "a key counts from its start",
        "self.start <= index and", "True and",
        ("test_value.test_a_key_counts_for_its_part_of_the_log",),
    ),
    Rule(
        "value", "its start included",
        "self.start <= index and", "self.start < index and",
        ("test_value.test_a_key_counts_for_its_part_of_the_log",),
    ),
    Rule(
        "value", "until its end",
        "(self.end is None or index < self.end)", "True",
        ("test_value.test_a_key_counts_for_its_part_of_the_log",),
    ),
    Rule(
        "value", "its end not included",
        "index < self.end)", "index <= self.end)",
        ("test_value.test_a_key_counts_for_its_part_of_the_log",),
    ),
    Rule(
        "value", "a key of a center is asked for its range",
        "                    _check_range(center, key, index)\n", "",
        ("test_value.test_a_key_counts_for_its_part_of_the_log",),
    ),
    Rule(
        "value", "the empty policy trusts nobody, and says so",
        "        if not self.centers:\n", "        if False:\n",
        ("test_value.test_the_empty_policy_trusts_nobody_and_says_so",),
    ),
    Rule(
        "value", "a center is no witness of its own log",
        "if witness_key(w.key).key not in own)", "if True)",
        ("test_value.test_a_center_is_no_witness_of_its_own_log",),
    ),
    Rule(
        "joining", "what clashes is refused by the rules for every policy",
        'policy_from(Document(file="the joint policy", data=to_dict(joint), lines={}), None)',
        "joint",
        ("test_joining.test_what_two_have_is_refused[the witness]",
         "test_joining.test_what_two_have_is_refused[the key of the log]"),
    ),
    Rule(
        "joining", "the policy that ends first ends the joint one",
        "expires=min(", "expires=max(",
        ("test_joining.test_the_stricter_of_two_numbers_holds",),
    ),
    Rule(
        "joining", "the greater minimum of reviewers holds",
        "minimum=max(", "minimum=min(",
        ("test_joining.test_the_stricter_of_two_numbers_holds",),
    ),
    Rule(
        "joining", "what one revokes is revoked",
        "revoked=frozenset[str]().union(*(policy.revoked for policy in policies)),", "",
        ("test_joining.test_the_stricter_of_two_numbers_holds",),
    ),
    Rule(
        "joining", "a wish loosens nothing",
        "            k=rules.k,\n", "",
        ("test_joining.test_a_wish_loosens_nothing",),
    ),
    Rule(
        "joining", "only normalizers that all allow",
        "            normalizers=rules.normalizers,\n", "",
        ("test_joining.test_the_stricter_of_two_numbers_holds",),
    ),
    Rule(
        "joining", "it takes more than half of the operators",
        "len(operators) // 2 + 1", "1",
        ("test_joining.test_three_centers_confirm_by_two_and_watch_each_other",),
    ),
    Rule(
        "joining", "groups of witnesses are not left out unseen",
        "        if policy.quorum.groups:\n", "        if False:\n",
        ("test_joining.test_groups_of_witnesses_are_not_guessed_at",),
    ),
    Rule(
        "joining", "what is written reads as it was",
        "json.dumps(part, ensure_ascii=False)", "json.dumps(part)",
        ("test_joining.test_it_reads_again_from_the_file_as_it_was_joined",),
    ),
    Rule(
        "value", "a recipe asks for more operators, never for fewer",
        "max(self.k, k)", "k",
        ("test_value.test_a_recipe_tightens_and_never_loosens",),
    ),
    Rule(
        "value", "and for more regions",
        "max(self.regions, regions)", "regions",
        ("test_value.test_a_recipe_tightens_and_never_loosens",),
    ),
    Rule(
        "value", "and for less dissent",
        "min(self.max_dissent, max_dissent)", "max_dissent",
        ("test_value.test_a_recipe_tightens_and_never_loosens",),
    ),
    Rule(
        "value", "and for fewer normalizers",
        "self.normalizers & set(normalizers)", "frozenset(normalizers)",
        ("test_value.test_a_recipe_tightens_and_never_loosens",),
    ),
    Rule(
        "value", "a kind has rules of its own",
        "self.consensus_kinds.get(kind, self.consensus)", "self.consensus",
        ("test_value.test_a_kind_has_rules_of_its_own_and_else_those_of_all",),
    ),
    Rule(
        "sense", "names are names of one",
        "        if name in seen:\n            refuse(\n                document,\n                "
        "place,\n                \"a name",
        "        if False:\n            refuse(\n                document,\n                "
        "place,\n                \"a name",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[two-centers-one-id]",),
    ),
    Rule(
        "sense", "a threshold in reach",
        "policy.threshold > len(policy.operators)", "False",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[threshold-out-of-reach]",),
    ),
    Rule(
        "sense", "centers of known operators",
        "if center.operator not in names:", "if False:",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[operator-unknown]",),
    ),
    Rule(
        "sense", "a log key has the log's name",
        "if key.name != center.origin:", "if False:",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[log-key-of-another-log]",),
    ),
    Rule(
        "sense", "no empty range",
        "key.end <= key.start", "key.end < key.start",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[range-empty]",),
    ),
    Rule(
        "sense", "no two keys for one index",
        "if before is None or key.start < before:", "if before is None:",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[ranges-overlap]",),
    ),
    Rule(
        "sense", "nor after a key without end",
        "if before is None or key.start < before:", "if before is not None and key.start < before:",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[two-ranges-without-end]",),
    ),
    Rule(
        "sense", "in whatever order they are written",
        "sorted(range(len(center.keys)), key=lambda place: center.keys[place].start)",
        "range(len(center.keys))",
        ("test_sense.test_gaps_between_keys_and_keys_side_by_side_are_meant",),
    ),
    Rule(
        "sense", "one key for one use",
        "            if name in seen:\n", "            if False:\n",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[one-key-in-two-centers]",),
    ),
    Rule(
        "sense", "revoked keys are a reviewer's",
        "if keyid not in known or", "if",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[revoked-unknown]",),
    ),
    Rule(
        "sense", "reviews in reach",
        "        if minimum > people:\n", "        if False:\n",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[minimum-out-of-reach]",),
    ),
    Rule(
        "sense", "consensus in reach",
        "        if got > most:\n", "        if False:\n",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[k-out-of-reach]",),
    ),
    Rule(
        "sense", "that of a kind too",
        '        _check_rules(rules, ("consensus", "kinds", kind), policy, document)\n',
        "        pass\n",
        ("test_sense.test_nonsense_is_one_clear_error_with_its_place[k-of-a-kind-out-of-reach]",),
    ),
    Rule(
        "quorum", "a group needs its number",
        ">= group.threshold:", ">= 1:",
        ("test_quorum.test_two_organizations_as_the_specification_has_them",),
    ),
    Rule(
        "quorum", "names that are no witness count nothing",
        "{witness.name for witness in self.witnesses} & set(names)", "set(names)",
        ("test_quorum.test_who_is_enough",),
    ),
    Rule(
        "quorum", "a member of one group",
        "            if member in self.members:\n", "            if False:\n",
        ("test_quorum.test_what_cannot_be_meant_is_refused_with_its_line[member-of-two]",),
    ),
    Rule(
        "quorum", "a group can be met",
        "if not 1 <= threshold <= len(members):", "if False:",
        ("test_quorum.test_what_cannot_be_meant_is_refused_with_its_line[too-many-wanted]",),
    ),
    Rule(
        "quorum", "known names alone",
        "        if name not in self._names():\n", "        if False:\n",
        ("test_quorum.test_what_cannot_be_meant_is_refused_with_its_line[quorum-unknown]",),
    ),
    Rule(
        "quorum", "one key is one witness",
        "        if key.key in self.keys:\n", "        if False:\n",
        ("test_quorum.test_what_cannot_be_meant_is_refused_with_its_line[one-key-two-witnesses]",),
    ),
    Rule(
        "vkey", "a key for that use",
        "if key.algorithm != algorithm:", "if False:",
        ("test_quorum.test_what_cannot_be_meant_is_refused_with_its_line[key-of-a-log]",),
    ),
    Rule(
        "warning", "thirty days ahead",
        "policy.expires - now <= AHEAD", "policy.expires - now < AHEAD",
        ("test_warning.test_the_expiry_is_told_thirty_days_ahead",),
    ),
    Rule(
        "warning", "the end of a last key",
        "if all(key.end is not None for key in center.keys)", "if False",
        ("test_warning.test_the_end_of_a_centers_last_key_is_told",),
    ),
)  # fmt: skip


def table() -> str:
    """Return the file."""
    return _HEAD + "".join(
        f"| {rule.module} | {rule.name} | `{_shown(rule.new) or 'left out'}` "
        f"| {', '.join(rule.killers)} |\n"
        for rule in RULES
    )


def _shown(code: str) -> str:
    return " ".join(code.split()).replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(table())
