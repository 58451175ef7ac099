"""What a policy in its form still cannot mean: each rule of this module refuses one such thing.

A threshold nobody reaches would stop every step, a key of two people would count one as two, and a
range of log sizes that is empty or covered twice would leave open whose statement it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from builders.core.yamlfile import Document, FieldPath
from pipelines.evidence.publickey import PublicKey
from pipelines.log.errors import NoteError
from pipelines.log.notekey import NoteKey
from pipelines.policy.form import PolicyFile
from pipelines.policy.place import refuse
from pipelines.policy.value import ConsensusRules, Policy, PolicyCenter
from pipelines.policy.vkey import log_key, witness_key


def check_sense(policy: Policy, written: PolicyFile, document: Document) -> None:
    """Raise `RecipeError` with file, line and field for the first rule that is broken."""
    _check_names(policy, document)
    _check_threshold(policy, document)
    _check_operators_of_centers(policy, document)
    for number, center in enumerate(policy.centers):
        _check_log(center, number, document)
        _check_ranges(center, number, document)
    _check_keys(policy, document)
    _check_revoked(policy, written, document)
    _check_reviews(policy, document)
    _check_consensus(policy, document)


def _check_names(policy: Policy, document: Document) -> None:
    places: list[tuple[str, FieldPath]] = [
        *((f"operator {o.name}", ("operators", n, "name")) for n, o in enumerate(policy.operators)),
        *((f"center {c.id}", ("centers", n, "id")) for n, c in enumerate(policy.centers)),
        *(
            (f"log {c.origin}", ("centers", n, "log", "origin"))
            for n, c in enumerate(policy.centers)
        ),
        *((f"builder {c.builder}", ("centers", n)) for n, c in enumerate(policy.centers)),
    ]
    seen: set[str] = set()
    for name, place in places:
        if name in seen:
            refuse(
                document,
                place,
                "a name stands twice",
                got=name,
                expected="each once",
                todo="Keys of one center belong into its `keys`",
            )
        seen.add(name)


def _check_threshold(policy: Policy, document: Document) -> None:
    if policy.threshold > len(policy.operators):
        refuse(
            document,
            ("threshold",),
            "more operators are demanded than there are",
            got=policy.threshold,
            expected=f"1 to {len(policy.operators)}",
            todo="Add operators with their public keys, or ask for fewer",
        )


def _check_operators_of_centers(policy: Policy, document: Document) -> None:
    names = [operator.name for operator in policy.operators]
    for number, center in enumerate(policy.centers):
        if center.operator not in names:
            refuse(
                document,
                ("centers", number, "operator"),
                f"center {center.id} has an unknown operator",
                got=center.operator,
                expected=f"one of {', '.join(names)}",
            )


def _check_log(center: PolicyCenter, number: int, document: Document) -> None:
    """Refuse keys that are not of a log or a witness, and a log key under another name."""
    try:
        place: FieldPath = ("centers", number, "log", "key")
        key = log_key(center.log_key)
        if center.witness_key is not None:
            place = ("centers", number, "witness")
            witness_key(center.witness_key)
    except NoteError as error:
        refuse(document, place, error.what, got=error.got, expected=error.expected)
    if key.name != center.origin:
        refuse(
            document,
            ("centers", number, "log", "key"),
            "the key of a log has another name than the log",
            got=ascii(key.name),
            expected=ascii(center.origin),
        )


def _check_ranges(center: PolicyCenter, number: int, document: Document) -> None:
    """Refuse empty ranges, and two keys for one index of the center's log."""
    places = sorted(range(len(center.keys)), key=lambda place: center.keys[place].start)
    before: int | None = 0
    for place in places:
        key = center.keys[place]
        if key.end is not None and key.end <= key.start:
            refuse(
                document,
                ("centers", number, "keys", place, "until"),
                "an empty range of log sizes",
                got=f"from {key.start} until {key.end}",
                expected=f"until {key.start + 1} or more, or none",
            )
        if before is None or key.start < before:
            refuse(
                document,
                ("centers", number, "keys", place, "from"),
                "two keys for one part of a log",
                got=f"from {key.start}, where the key before it still counts",
                expected="an end of the key before" if before is None else f"{before} or more",
            )
        before = key.end


def _check_keys(policy: Policy, document: Document) -> None:
    """Refuse one key twice: one would count as two, or do the work of another."""
    seen: dict[str, str] = {}
    for whose, key, place in _keys(policy):
        for name in {key.material, f"id {key.keyid}"}:
            if name in seen:
                refuse(
                    document,
                    place,
                    "one key stands twice",
                    got=f"key {key.keyid[:16]} of {whose}, and of {seen[name]}",
                    expected="a key of its own for every person, center and use",
                )
        seen[key.material] = seen[f"id {key.keyid}"] = whose


def _keys(policy: Policy) -> Iterator[tuple[str, PublicKey, FieldPath]]:
    for number, operator in enumerate(policy.operators):
        yield f"operator {operator.name}", operator.key, ("operators", number, "key")
    for number, center in enumerate(policy.centers):
        for place, key in enumerate(center.keys):
            yield f"center {center.id}", key.key, ("centers", number, "keys", place, "key")
        log = NoteKey.parse(center.log_key)
        yield f"the log of {center.id}", log.public, ("centers", number, "log", "key")
        if center.witness_key is not None:
            witness = NoteKey.parse(center.witness_key)
            yield f"the witness of {center.id}", witness.public, ("centers", number, "witness")
    for number, reviewer in enumerate(policy.reviewers):
        yield reviewer.name, reviewer.key, ("reviewers", number, "key")


def _check_revoked(policy: Policy, written: PolicyFile, document: Document) -> None:
    known = {reviewer.key.keyid for reviewer in policy.reviewers}
    for number, keyid in enumerate(written.revoked):
        if keyid not in known or keyid in written.revoked[:number]:
            refuse(
                document,
                ("revoked", number),
                "no key of a reviewer to revoke" if keyid not in known else "revoked twice",
                got=f"key {keyid[:16]}",
                expected="the id of a reviewer's key, once",
                todo="A center's key ends with `until`; an operator is left out of a new version",
            )


def _check_reviews(policy: Policy, document: Document) -> None:
    """Refuse a minimum that the reviewers cannot reach: nothing would ever be built."""
    places: dict[FieldPath, int] = {("reviews", "minimum"): policy.minimum}
    places |= {("reviews", "kinds", kind): minimum for kind, minimum in policy.kinds.items()}
    people = len(policy.people())
    for place, minimum in places.items():
        if minimum > people:
            refuse(
                document,
                place,
                "more reviewers are demanded than there are",
                got=minimum,
                expected=f"at most {people}, the reviewers whose keys are not revoked",
                todo="Add reviewers with their public keys, or ask for fewer",
            )


def _check_consensus(policy: Policy, document: Document) -> None:
    _check_rules(policy.consensus, ("consensus",), policy, document)
    for kind, rules in policy.consensus_kinds.items():
        _check_rules(rules, ("consensus", "kinds", kind), policy, document)


def _check_rules(
    rules: ConsensusRules, place: FieldPath, policy: Policy, document: Document
) -> None:
    """Refuse rules under which nothing could ever be confirmed."""
    operators = len({center.operator for center in policy.centers})
    regions = len({center.region for center in policy.centers})
    for field, got, most, what in (
        ("k", rules.k, operators, "operators with a center"),
        ("regions", rules.regions, regions, "regions with a center"),
        ("max_dissent", rules.max_dissent, operators - rules.k, "operators beyond k"),
    ):
        if got > most:
            refuse(
                document,
                (*place, field),
                f"more {what} are counted on than there are",
                got=got,
                expected=f"at most {most}",
            )
