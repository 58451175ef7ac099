"""Independence: one key, one legal body and one operator each count once.

Keys are compared by their values, whatever their names and encodings. Legal names are compared
without case, accents' encoding, spaces, punctuation and characters that are not seen, and with
Cyrillic and Greek letters that look like Latin ones taken as those. Look-alikes of other scripts,
abbreviations and translations are not found: who signs a policy has to know its operators.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from builders.core.yamlfile import FieldPath
from pipelines.evidence.publickey import PublicKey
from pipelines.policy.model import Policy

_LOOK_ALIKE = str.maketrans(
    "авекмнорстухіјѕһԁԛԝ" + "αβεζηικμνορτυχϲϳ",
    "abekmhopctyxijshdqw" + "abezhikmnoptyxcj",
)
"""After case folding; among them letters of which only the capitals look alike."""
_UNSEEN = frozenset(
    [
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    ]
)
"""Characters without a glyph that Unicode calls letters, marks or symbols."""


class Problem(NamedTuple):
    """What is wrong with a field of a policy."""

    field: FieldPath
    what: str
    got: object
    expected: object
    todo: str | None = None


def legal_body(name: str) -> str:
    """Return what is compared of a name in law: equal for two spellings of one name."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    seen = (c for c in folded if ord(c) not in _UNSEEN and unicodedata.category(c)[0] not in "ZPC")
    return "".join(seen).translate(_LOOK_ALIKE)


def independent_regions(places: Iterable[tuple[str, str]]) -> int:
    """Return how many regions there are if each operator counts for one region alone.

    `places` are pairs of an operator and a region. It is the size of a maximum matching: an
    operator with centers in two regions cannot count for both.
    """
    regions: dict[str, set[str]] = defaultdict(set)
    for operator, region in places:
        regions[operator].add(region)
    taken: dict[str, str] = {}

    def place(operator: str, tried: set[str]) -> bool:
        for region in sorted(regions[operator] - tried):
            tried.add(region)
            if region not in taken or place(taken[region], tried):
                taken[region] = operator
                return True
        return False

    return sum(place(operator, set()) for operator in sorted(regions))


def counted_twice(policy: Policy) -> Iterator[Problem]:
    """Yield what would let one hand count twice, or one key have two uses."""
    yield from _used_twice(policy)
    yield from _legal_twins(policy)
    yield from _witnesses_of_one_operator(policy)


def _used_twice(policy: Policy) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for field, whose, key in _owners(policy):
        if key is None:
            if whose in seen:
                todo = "Keys of one center belong into its `keys`"
                yield Problem(field, "a name is used twice", whose, "each once", todo)
            seen[whose] = whose
            continue
        if other := seen.get(key.material) or seen.get(f"id {key.keyid}"):
            got = f"key {key.keyid[:16]} of {whose}, and of {other}"
            expected = "a key of its own for every person, center and use"
            yield Problem(field, "one key is used twice", got, expected)
        seen[key.material] = seen[f"id {key.keyid}"] = whose


def _owners(policy: Policy) -> Iterator[tuple[FieldPath, str, PublicKey | None]]:
    """Yield each name where it is given, and each key with the name of its owner."""
    for n, operator in enumerate(policy.operators):
        yield ("operators", n, "name"), f"operator {operator.name}", None
        yield ("operators", n, "key"), f"operator {operator.name}", operator.key
    for n, center in enumerate(policy.centers):
        place, name, log = ("centers", n), f"center {center.id}", center.log
        yield (*place, "id"), name, None
        yield (*place, "log", "origin"), f"log {log.origin}", None
        yield place, f"builder {center.builder}", None
        for number, key in enumerate(center.keys):
            yield (*place, "keys", number, "key"), name, key.key
        yield (*place, "log", "key"), f"the log of {center.id}", log.key.public
        if center.witness is not None:
            yield (*place, "witness"), f"the witness of {center.id}", center.witness.public
    for n, reviewer in enumerate(policy.reviewers):
        yield ("reviewers", n, "key"), f"reviewer {reviewer.name}", reviewer.key
    of_centers = {center.witness.key for center in policy.centers if center.witness}
    for witness in policy.quorum.witnesses:
        if witness.key.key not in of_centers:
            yield ("witnesses",), f"the witness {witness.name}", witness.key.public


def _legal_twins(policy: Policy) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for number, operator in enumerate(policy.operators):
        body = legal_body(operator.legal)
        if body in seen:
            yield Problem(
                ("operators", number, "legal"),
                "one legal body is two operators",
                f"{operator.legal!a:.80} of {operator.name}, and of {seen[body]}",
                "another legal body for every operator",
                "Give all centers of one legal body the same operator",
            )
        seen.setdefault(body, operator.name)


def _witnesses_of_one_operator(policy: Policy) -> Iterator[Problem]:
    """Yield groups of witnesses in which one operator would count more than once."""
    owner = {center.witness.key: center.operator for center in policy.centers if center.witness}
    members: dict[str, set[str]] = defaultdict(set)
    for witness in policy.quorum.witnesses:
        if operator := owner.get(witness.key.key):
            members[operator].add(witness.name)
    for operator, names in members.items():
        for group in policy.quorum.groups:
            own = names & set(group.members)
            if group.threshold > 1 and len(own) > 1:
                yield Problem(
                    ("witnesses",),
                    "the witnesses of one operator count more than once",
                    f"{len(own)} of operator {operator} in group {group.name!a:.80}",
                    "one witness of each operator, in a group that needs more than one",
                    "Put the witnesses of one operator into a group `any` of their own",
                )
            if len(own) >= group.threshold:
                names.add(group.name)
