"""Validation of policies: from a document to a `Policy`, or to the first error in it.

Both forms of a policy are read here; in the signed one no key is a path. The model checks each
field; the checks here refuse fields that contradict each other. A threshold above the number of
operators would stop every new version, and a range of log sizes that is empty or covered twice
would leave open whose statement it is. `independence` finds what would let one hand count twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from builders.core.errors import RecipeError
from builders.core.yamlfile import Document, FieldPath, load_document, parse_model
from pipelines.policy.independence import Problem, counted_twice, independent_regions
from pipelines.policy.model import ConsensusRules, Policy, PolicyCenter, adapter
from pipelines.policy.resolution import ForkResolution


def read_policy(path: Path) -> Policy:
    """Read a policy as people write it; raises `RecipeError` with file, line and field."""
    return policy_from(load_document(path), path.parent)


def policy_from(document: Document, folder: Path | None, *, check: bool = True) -> Policy:
    """Validate a document that is already read; key files are relative to `folder`.

    Without a folder every key must be inline. Without `check`, fields may contradict each other.
    Raises `RecipeError`.
    """
    policy = parse_model(
        document,
        adapter(),
        todo="infra/docs/reference/policy.md shows every field of a policy",
        context=folder,
    )
    for problem in _problems(policy, document) if check else ():
        raise RecipeError(
            problem.what,
            file=document.file,
            line=document.line_of(problem.field),
            field=".".join(map(str, problem.field)),
            got=problem.got,
            expected=problem.expected,
            todo=problem.todo,
        )
    return policy


def _problems(policy: Policy, document: Document) -> Iterator[Problem]:
    yield from counted_twice(policy)
    operators = [operator.name for operator in policy.operators]
    for number, center in enumerate(policy.centers):
        yield from _center_problems(center, ("centers", number), operators)
    yield from _revoked(policy, document.data.get("revoked", ()))
    yield from _out_of_reach(policy)
    for number, resolution in enumerate(policy.resolutions):
        yield from _resolution_problems(policy, resolution, ("resolutions", number))
    if len(policy.operators) > 1 and not policy.requires_witnesses:
        what = "several operators, and no witness is required: each could show two logs"
        todo = "Name the centers' witnesses, and a quorum of them; `samebits policy join` does so"
        yield Problem(("witnesses",), what, "quorum none", "a quorum of witnesses", todo)


def _out_of_reach(policy: Policy) -> Iterator[Problem]:
    """Yield numbers that cannot be reached: nothing would ever be signed, built or confirmed."""
    valid, reviews = "reviewers with a valid key", policy.reviews
    reviewers = len(policy.reviewer_keys())
    operators = len({center.operator for center in policy.centers})
    regions = independent_regions((c.operator, c.region) for c in policy.centers)
    limits: list[tuple[FieldPath, int, int, str]] = [
        (("threshold",), policy.threshold, len(policy.operators), "operators"),
        (("reviews", "minimum"), reviews.minimum, reviewers, valid),
        *((("reviews", "kinds", k), least, reviewers, valid) for k, least in reviews.kinds.items()),
    ]
    places: dict[FieldPath, ConsensusRules] = {("consensus",): policy.consensus}
    places |= {("consensus", "kinds", kind): r for kind, r in policy.consensus.kinds.items()}
    for place, rules in places.items():
        limits += [
            ((*place, "k"), rules.k, operators, "operators with a center"),
            ((*place, "regions"), rules.regions, regions, "regions of different operators"),
            ((*place, "max_dissent"), rules.max_dissent, operators - rules.k, "operators beyond k"),
        ]
    for field, got, most, counted in limits:
        if got > most:
            what = f"more {counted} are required than there are"
            todo = "Add them to the policy, or ask for fewer"
            yield Problem(field, what, got, f"at most {most}", todo)


def _center_problems(
    center: PolicyCenter, place: FieldPath, operators: list[str]
) -> Iterator[Problem]:
    if center.operator not in operators:
        what = f"center {center.id} has an unknown operator"
        expected = f"one of {', '.join(operators)}"
        yield Problem((*place, "operator"), what, center.operator, expected)
    name, origin = center.log.key.name, center.log.origin
    if name != origin:
        what = "the key of a log has another name than the log"
        yield Problem((*place, "log", "key"), what, ascii(name), ascii(origin))
    yield from _overlapping_ranges(center, place)


def _overlapping_ranges(center: PolicyCenter, place: FieldPath) -> Iterator[Problem]:
    """Yield empty ranges, and two keys for one index of the center's log."""
    end: int | None = 0
    for number, key in sorted(enumerate(center.keys), key=lambda numbered: numbered[1].start):
        if key.end is not None and key.end <= key.start:
            yield Problem(
                (*place, "keys", number, "until"),
                "an empty range of log sizes",
                f"from {key.start} until {key.end}",
                f"until {key.start + 1} or more, or none",
            )
        if end is None or key.start < end:
            yield Problem(
                (*place, "keys", number, "from"),
                "two keys for one part of a log",
                f"from {key.start}, where the key before it still counts",
                "an end of the key before" if end is None else f"{end} or more",
            )
        end = key.end


def _resolution_problems(
    policy: Policy, resolution: ForkResolution, place: FieldPath
) -> Iterator[Problem]:
    """Yield what would leave open which history of a log counts, or let the log go on."""
    center = next((c for c in policy.centers if c.log.origin == resolution.log), None)
    if center is None:
        logs = ", ".join(c.log.origin for c in policy.centers)
        what = "no center has the log of a resolution"
        yield Problem((*place, "log"), what, ascii(resolution.log), f"one of {logs}")
        return
    if policy.resolution(resolution.log) is not resolution:
        yield Problem((*place, "log"), "two resolutions for one log", resolution.log, "one")
    if resolution.accepted in resolution.rejected:
        what, root = "a tree is accepted and rejected", f"root {resolution.accepted.root}"
        yield Problem((*place, "rejected"), what, root, "other trees than the accepted one")
    size = resolution.accepted.size
    for number, key in enumerate(center.keys):
        if key.end is None or key.end > size:
            yield Problem(
                ("centers", policy.centers.index(center), "keys", number, "until"),
                "a key goes on in a log that ended with a fork",
                "no end" if key.end is None else key.end,
                f"until {size}, where the accepted history ends",
                f"`samebits center new-log --until {size}` gives the center a new log",
            )


def _revoked(policy: Policy, written: list[str]) -> Iterator[Problem]:
    known = {reviewer.key.keyid for reviewer in policy.reviewers}
    for number, keyid in enumerate(written):
        if keyid not in known or keyid in written[:number]:
            yield Problem(
                ("revoked", number),
                "no key of a reviewer to revoke" if keyid not in known else "revoked twice",
                f"key {keyid[:16]}",
                "the id of a reviewer's key, once",
                "A center's key ends with `until`; an operator is left out of a new version",
            )
