"""Lies in the form of a bundle: its members, the card, keys, envelopes, and kinds of statement."""

from __future__ import annotations

from tests.bundle import forgeries, stories
from tests.bundle.bundles import CARD, REPORT, STATEMENTS_KEY
from tests.bundle.tells import (
    ATTEMPT,
    COMPARISON,
    OTHER,
    Lie,
    add,
    both,
    drop,
    in_card,
    in_one,
    member_of,
    put,
    rename,
)
from tests.evidence.examples import STATEMENTS as EXAMPLES

FORM_LIES: dict[str, Lie] = {
    "unknown-member": Lie("members", add("policy.json", b"{}")),
    "private-member": Lie("members", add("private/cas/x", b"secret")),
    "without-card": Lie("members", drop(CARD)),
    "without-key": Lie("members", drop(STATEMENTS_KEY)),
    "without-report": Lie("members", drop(REPORT)),
    "card-too-large": Lie("members", add(CARD, b" " * (65 << 10))),
    "card-no-json": Lie("card", add(CARD, b"center")),
    "card-of-another-version": Lie("card", in_card("schema", "samebits/center-card/v2")),
    "card-with-a-field-more": Lie("card", in_card("verified", "yes")),
    "card-without-a-key-for-statements": Lie(
        "card", in_card("keys/1/use", "witness"), says="a key for"
    ),
    "card-with-one-key-for-two-uses": Lie(
        "card",
        lambda a, _: a.card(lambda d: d["keys"][0].update(keyid=d["keys"][1]["keyid"])),
        says="another key for each use",
    ),
    "card-indented": Lie(
        "card", lambda a, _: a.members.update({CARD: a.members[CARD].replace(b",", b", ")})
    ),
    "card-of-another-key": Lie("keys", in_card("keys/0/keyid", OTHER)),
    "key-nobody-named": Lie(
        "keys", lambda a, o: a.members.update({"keys/witness.pub": o.public.to_pem()})
    ),
    "key-rubbish": Lie("keys", add(STATEMENTS_KEY, b"rubbish")),
    "envelope-indented": Lie("envelopes", forgeries.indented),
    "envelope-rubbish": Lie("envelopes", add(member_of(ATTEMPT), b"{}")),
    "statement-twice": Lie(
        "envelopes",
        lambda a, _: a.members.update({member_of("attempt-2"): a.members[member_of(ATTEMPT)]}),
    ),
    "payload-bent": Lie("signatures", forgeries.bent),
    "signed-by-another": Lie("signatures", forgeries.by_another),
    "all-by-another-who-put-a-key-in": Lie(
        "signatures",
        both(
            forgeries.card_of_another_key,
            forgeries.all_by_another,
        ),
    ),
    "another-key-on-the-card": Lie("key-use", forgeries.card_of_another_key),
    "signed-with-the-key-for-witnessing": Lie("key-use", forgeries.witness_key_on_card),
    "signed-under-another-key-id": Lie("signatures", forgeries.under_another_key_id),
    "key-on-the-card-that-has-signed-nothing": Lie(
        "signatures", forgeries.all_under_another_key_id
    ),
    "signed-by-another-too": Lie("key-use", forgeries.by_another_too),
    "field-nobody-knows": Lie("schema", in_one(ATTEMPT, "predicate/extra", 1)),
    "subject-without-digest": Lie("schema", in_one(COMPARISON, "subject/0/digest", {})),
    "predicate-nobody-knows": Lie("schema", stories.unknown, unchecked=True),
    "review-among-the-statements": Lie("run", put("review-1", EXAMPLES["review"].to_dict())),
    "statement-under-another-name": Lie("kinds", rename("comparison-2", "attempt-2")),
    "a-gap-in-the-numbers": Lie("kinds", rename("comparison-2", "comparison-3")),
    "two-provenances": Lie("kinds", stories.second_provenance),
    "moved-twice": Lie("kinds", stories.moved_twice, "moved"),
}
