"""One policy made of those that centers made for themselves, for all their operators to sign.

The joint policy is never weaker than one of them: reviewers and revoked keys are those of all, and
of two numbers the stricter one holds. A name or a key that two of them have is refused by the
checks that hold for every policy. Keys are inline, so that the file can be sent to all signers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeVar

import yaml

from builders.core.errors import UsageError
from builders.core.yamlfile import Document, parse_document
from pipelines.policy.independence import independent_regions
from pipelines.policy.model import (
    SCHEMA,
    ConsensusRules,
    Policy,
    PolicyCenter,
    PolicyRules,
    ReviewRules,
)
from pipelines.policy.quorum import Quorum, QuorumWitness, WitnessGroup
from pipelines.policy.validation import policy_from

_GROUP = "centers"
_FILE = "the joint policy"
JOINT = """\
# A joint policy. Every operator reads it, and signs it into one file:
#   samebits policy sign THIS --key operator.key --operator NAME --out policy.dsse.json
"""
_Part = TypeVar("_Part")


@dataclass(frozen=True, kw_only=True)
class JoinOptions:
    """What the operators have agreed on; None leaves it to the number of them."""

    version: int | None = None
    """By default one more than the newest of the policies that are joined."""
    threshold: int | None = None
    """By default more than half of the operators."""
    k: int | None = None
    """By default two, where there are two operators."""
    regions: int | None = None
    """By default as many as `k`, where there are as many."""


def join_policies(policies: Sequence[Policy], options: JoinOptions) -> Policy:
    """Return the joint policy; raises `UsageError`, and `RecipeError` for what clashes.

    The centers witness each other's logs: one of their witnesses, or of those outside that a policy
    names, has to have seen a log. Two centers of one operator may be joined; it then has one entry.
    """
    if len(policies) < 2:
        raise UsageError(
            "there is nothing to join", got=f"{len(policies)} policy", expected="two or more"
        )
    operators = _unique(o for policy in policies for o in policy.operators)
    centers = _unique(c for policy in policies for c in policy.centers)
    joint = Policy(
        schema=SCHEMA,
        version=options.version or max(policy.version for policy in policies) + 1,
        expires=min(policy.expires for policy in policies),
        operators=operators,
        threshold=len(operators) // 2 + 1 if options.threshold is None else options.threshold,
        centers=centers,
        quorum=_quorum(policies, centers),
        reviewers=_unique(r for policy in policies for r in policy.reviewers),
        reviews=ReviewRules(
            minimum=max(policy.reviews.minimum for policy in policies),
            kinds={
                kind: max(policy.demand(kind) for policy in policies)
                for kind in {kind for policy in policies for kind in policy.reviews.kinds}
            },
        ),
        min_evidence=max((p.min_evidence for p in policies if p.min_evidence), default=None),
        resolutions=_unique(r for policy in policies for r in policy.resolutions),
        max_open=_shortest_open(policies),
        revoked=frozenset[str]().union(*(policy.revoked for policy in policies)),
        consensus=PolicyRules(
            **vars(_rules([p.consensus for p in policies], centers, options)),
            kinds={
                kind: _rules([p.rules(kind) for p in policies], centers, options)
                for kind in {kind for policy in policies for kind in policy.consensus.kinds}
            },
        ),
    )
    return policy_from(Document(file=_FILE, data=joint.to_dict(), lines={}), None)


def _shortest_open(policies: Sequence[Policy]) -> int | None:
    """Return the shortest time that one of them leaves a run open; None where none names one."""
    named = any(policy.max_open for policy in policies)
    return int(min(p.longest_open for p in policies).total_seconds()) if named else None


def to_yaml(policy: Policy, heading: str = JOINT) -> str:
    """Return a policy as people read and change it; reading it gives the same policy again.

    `heading` is the comment above it.
    """
    text = heading + yaml.dump(
        policy.to_dict(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000
    )
    if policy_from(parse_document(text, file=_FILE), None) != policy:
        message = "a policy was written that reads otherwise"
        raise AssertionError(message)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, and every list indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, indentless=False)

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def _unique(parts: Iterable[_Part]) -> tuple[_Part, ...]:
    """Return `parts` without those that are equal to one before them."""
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
    own = [QuorumWitness(name=c.id, key=c.witness) for c in centers if c.witness]
    named = _unique(w for policy in policies for w in policy.quorum.witnesses)
    keys = {witness.key for witness in own}
    witnesses = (*own, *(witness for witness in named if witness.key not in keys))
    if len(witnesses) < 2:  # a log's own witness proves nothing about it
        return Quorum(witnesses=witnesses)
    group = WitnessGroup(name=_GROUP, threshold=1, members=tuple(w.name for w in witnesses))
    return Quorum(witnesses=witnesses, groups=(group,), name=_GROUP)


def _rules(
    given: Sequence[ConsensusRules], centers: Sequence[PolicyCenter], options: JoinOptions
) -> ConsensusRules:
    """Return what the operators have agreed on, where none of the policies is stricter."""
    k = min(2, len({center.operator for center in centers})) if options.k is None else options.k
    regions = min(k, independent_regions((c.operator, c.region) for c in centers))
    agreed = ConsensusRules(
        k=k,
        regions=regions if options.regions is None else options.regions,
        max_dissent=given[0].max_dissent,
        normalizers=given[0].normalizers,
    )
    return reduce(ConsensusRules.tightened, given, agreed)
