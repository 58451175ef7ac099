"""One policy out of those that centers made each for itself, for all their operators to sign.

Nothing gets weaker by it: reviewers and revoked keys are those of all, and of two numbers the
stricter one holds. What clashes (a name or a key of two) is refused by the rules that hold for
every policy. Keys stand inline, so that the file can travel to whoever signs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from builders.core.enums import Kind
from builders.core.errors import UsageError
from builders.core.yamlfile import Document, parse_document
from pipelines.policy.plain import to_dict
from pipelines.policy.quorum import Group, Quorum, Witness
from pipelines.policy.source import policy_from
from pipelines.policy.value import ConsensusRules, Policy, PolicyCenter

_GROUP = "centers"
_HEADING = """\
# A joint policy. Every operator reads it, and signs it into one file:
#   samebits policy sign THIS --key operator.key --operator NAME --out policy.dsse.json"""
_Part = TypeVar("_Part")


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the operators have agreed on; None is what the number of them suggests."""

    version: int | None = None
    """One more than the newest of the policies that are joined."""
    threshold: int | None = None
    """More than half of the operators."""
    k: int | None = None
    """Two, where there are two operators."""
    regions: int | None = None
    """As many as `k`, where there are as many."""


def join_policies(policies: Sequence[Policy], wishes: Wishes) -> Policy:
    """Return the joint policy; raises `UsageError`, and `RecipeError` for what clashes.

    Every center's witness is one for the others: one of them, or all that are asked for already,
    has to have seen a log. Two centers of one operator may be joined; it then has one entry.
    """
    if len(policies) < 2:
        raise UsageError(
            "there is nothing to join", got=f"{len(policies)} policy", expected="two or more"
        )
    operators = _once(o for policy in policies for o in policy.operators)
    centers = _once(c for policy in policies for c in policy.centers)
    wanted = len(operators) // 2 + 1 if wishes.threshold is None else wishes.threshold
    kinds = sorted({kind for policy in policies for kind in policy.consensus_kinds})
    joint = Policy(
        version=wishes.version or max(policy.version for policy in policies) + 1,
        expires=min(policy.expires for policy in policies if policy.expires),
        operators=operators,
        threshold=wanted,
        centers=centers,
        quorum=_quorum(policies, centers),
        reviewers=_once(r for policy in policies for r in policy.reviewers),
        minimum=max(policy.minimum for policy in policies),
        kinds={
            kind: max(policy.demand(kind) for policy in policies)
            for kind in sorted({kind for policy in policies for kind in policy.kinds})
        },
        revoked=frozenset[str]().union(*(policy.revoked for policy in policies)),
        consensus=_rules(policies, centers, wishes, None),
        consensus_kinds={kind: _rules(policies, centers, wishes, kind) for kind in kinds},
    )
    return policy_from(Document(file="the joint policy", data=to_dict(joint), lines={}), None)


def to_yaml(policy: Policy) -> str:
    """Return a policy as people read and change it; reading it gives the same policy again."""
    text = "\n".join((_HEADING, *_lines(to_dict(policy), ""), ""))
    if policy_from(parse_document(text, file="the joint policy"), None) != policy:
        message = "a policy was written that reads otherwise"
        raise AssertionError(message)
    return text


def _once(parts: Iterable[_Part]) -> tuple[_Part, ...]:
    """Return what is given, without what is the same in every respect."""
    found: list[_Part] = []
    for part in parts:
        if part not in found:
            found.append(part)
    return tuple(found)


def _quorum(policies: Sequence[Policy], centers: Sequence[PolicyCenter]) -> Quorum:
    """Return the quorum of the centers' witnesses, and of those outside that the policies name."""
    for policy in policies:
        if policy.quorum.groups:
            raise UsageError(
                "a policy with groups of witnesses cannot be joined by itself",
                got=f"group {policy.quorum.groups[0].name}",
                expected="the policy of one operator, with at most single witnesses",
                todo="Take its groups out, join, and write them into the joint policy",
            )
    own = [Witness(name=c.id, key=c.witness_key) for c in centers if c.witness_key]
    outside = [
        witness
        for witness in _once(w for policy in policies for w in policy.quorum.witnesses)
        if witness.key not in {one.key for one in own}
    ]
    witnesses = (*own, *outside)
    if len(witnesses) < 2:  # a log's own witness says nothing about it
        return Quorum(witnesses=witnesses)
    group = Group(name=_GROUP, threshold=1, members=tuple(w.name for w in witnesses))
    return Quorum(witnesses=witnesses, groups=(group,), name=_GROUP)


def _rules(
    policies: Sequence[Policy],
    centers: Sequence[PolicyCenter],
    wishes: Wishes,
    kind: Kind | None,
) -> ConsensusRules:
    """Return what the operators wish for, where none of the policies is stricter."""
    operators = len({center.operator for center in centers})
    k = min(2, operators) if wishes.k is None else wishes.k
    regions = len({center.region for center in centers})
    given = [p.consensus if kind is None else p.rules(kind) for p in policies]
    found = ConsensusRules(
        k=k,
        regions=min(k, regions) if wishes.regions is None else wishes.regions,
        max_dissent=given[0].max_dissent,
        normalizers=given[0].normalizers,
    )
    for rules in given:
        found = found.tightened(
            k=rules.k,
            regions=rules.regions,
            max_dissent=rules.max_dissent,
            normalizers=rules.normalizers,
        )
    return found


def _lines(value: dict[str, Any], indent: str) -> Iterator[str]:
    """Yield the lines of a mapping: one a field, and text of several lines as a block."""
    for name, part in value.items():
        if isinstance(part, list) and part and isinstance(part[0], dict):
            yield f"{indent}{name}:"
            for entry in part:
                first, *rest = _lines(entry, f"{indent}    ")
                yield f"{indent}  - {first.lstrip()}"
                yield from rest
        elif isinstance(part, dict) and part:
            yield f"{indent}{name}:"
            yield from _lines(part, f"{indent}  ")
        elif isinstance(part, str) and part.endswith("\n") and part.isascii():
            yield f"{indent}{name}: |"
            yield from (f"{indent}  {line}" for line in part.splitlines())
        else:  # every JSON value is a YAML value
            yield f"{indent}{name}: {json.dumps(part, ensure_ascii=False)}"
