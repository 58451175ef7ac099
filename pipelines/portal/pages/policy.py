"""The policy: who counts and since when, the rules, and what each version changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel
from pipelines.policy import ConsensusRules, Policy, PolicyCenter, SignedPolicy, expiry_warnings
from pipelines.policy.changes import changes
from pipelines.policy.model import CenterKey, Operator
from pipelines.policy.signed_policy import signed_by
from pipelines.portal.paths import center_path
from pipelines.portal.portal_page import PortalPage


class PolicyOperator(FrozenModel):
    """A legal body that runs centers and signs policies."""

    name: str
    legal: str
    key: str
    since: int
    """The first known version of the policy that has it with this key."""


class PolicyKey(FrozenModel):
    """A key for statements, and the part of its center's log in which it counts."""

    key: str
    start: int
    end: int | None
    """The first index at which it does not count any more."""


class PolicyCenterRow(FrozenModel):
    """A center, and who runs it where."""

    center: str
    path: str
    operator: str
    region: str
    log: str
    log_key: str
    witness: str | None
    keys: tuple[PolicyKey, ...]
    since: int
    """The first known version of the policy that has it."""


class ReviewerKeys(FrozenModel):
    """A reviewer, and the keys that count."""

    reviewer: str
    keys: tuple[str, ...]


class KindRules(FrozenModel):
    """What it takes to confirm a release."""

    kind: str
    """`every kind`, or one that has rules of its own."""
    k: int
    regions: int
    max_dissent: int
    normalizers: tuple[str, ...]
    work_proof: str | None
    user_namespace: str | None
    reviews: int


class ChangeRow(FrozenModel):
    """A part that differs from the version before; None where it is not."""

    part: str
    before: str | None
    after: str | None


class VersionRow(FrozenModel):
    """One version of the policy."""

    version: int
    sha256: Digest
    expires: AwareDatetime
    signed_by: tuple[str, ...]
    """Operators of this version whose signatures are good."""
    also_signed_by: tuple[str, ...]
    """Operators of the version before it whose signatures are good."""
    file: str
    changes: tuple[ChangeRow, ...]


class PolicyPage(PortalPage):
    """The policy in force, and the versions before it."""

    TEMPLATE: ClassVar[str] = "policy.html.j2"
    schema_: Annotated[Literal["samebits/portal/policy/v1"], Field(alias="schema")] = (
        "samebits/portal/policy/v1"
    )
    version: int
    sha256: Digest
    """Of the signed content."""
    first_version: int
    fingerprint: Digest
    """Of the first version that is known: what a reader compares with another source."""
    expires: AwareDatetime
    warnings: tuple[str, ...]
    threshold: int
    operators: tuple[PolicyOperator, ...]
    centers: tuple[PolicyCenterRow, ...]
    witnesses: str
    """As the policy has it: witnesses, groups and the quorum."""
    reviewers: tuple[ReviewerKeys, ...]
    revoked: tuple[str, ...]
    rules: tuple[KindRules, ...]
    min_evidence: int
    max_open: int
    """Seconds for which a run may leave open what it found."""
    versions: tuple[VersionRow, ...]
    """The newest first."""

    @property
    def path(self) -> str:
        """Where it is."""
        return "policy/"


def policy_page(
    policies: Sequence[SignedPolicy], now: datetime, sizes: Mapping[str, int] | None = None
) -> PolicyPage:
    """Return the page of a chain of policies, of which the last is in force.

    `now` is UTC, `sizes` are the sizes of logs by center.
    """
    first, current = policies[0], policies[-1]
    policy = current.policy
    known = [signed.policy for signed in policies]
    return PolicyPage(
        version=policy.version,
        sha256=current.digest,
        first_version=first.policy.version,
        fingerprint=first.digest,
        expires=policy.expires,
        warnings=expiry_warnings(policy, now, sizes),
        threshold=policy.threshold,
        operators=tuple(_operator(one, known) for one in policy.operators),
        centers=tuple(_center(one, known) for one in policy.centers),
        witnesses=policy.quorum.to_text(),
        reviewers=tuple(
            ReviewerKeys(reviewer=name, keys=tuple(key.keyid for key in keys))
            for name, keys in sorted(policy.reviewer_keys().items())
        ),
        revoked=tuple(sorted(policy.revoked)),
        rules=tuple(_rules(policy)),
        min_evidence=policy.oldest_evidence,
        max_open=int(policy.longest_open.total_seconds()),
        versions=tuple(_versions(policies))[::-1],
    )


def _operator(one: Operator, known: Iterable[Policy]) -> PolicyOperator:
    same = (
        p.version
        for p in known
        for other in p.operators
        if (other.name, other.key.material) == (one.name, one.key.material)
    )
    return PolicyOperator(name=one.name, legal=one.legal, key=one.key.keyid, since=min(same))


def _center(one: PolicyCenter, known: Iterable[Policy]) -> PolicyCenterRow:
    same = (p.version for p in known if any(other.id == one.id for other in p.centers))
    return PolicyCenterRow(
        center=one.id,
        path=center_path(one.id),
        operator=one.operator,
        region=one.region,
        log=one.log.origin,
        log_key=str(one.log.key),
        witness=str(one.witness) if one.witness else None,
        keys=tuple(map(_key, one.keys)),
        since=min(same),
    )


def _key(one: CenterKey) -> PolicyKey:
    return PolicyKey(key=one.key.keyid, start=one.start, end=one.end)


def _rules(policy: Policy) -> Iterable[KindRules]:
    yield _kind("every kind", policy.consensus, policy.reviews.minimum)
    kinds = sorted({*policy.consensus.kinds, *policy.reviews.kinds})
    for kind in kinds:
        yield _kind(str(kind), policy.rules(kind), policy.demand(kind))


def _kind(kind: str, rules: ConsensusRules, reviews: int) -> KindRules:
    return KindRules(
        kind=kind,
        k=rules.k,
        regions=rules.regions,
        max_dissent=rules.max_dissent,
        normalizers=tuple(sorted(rules.normalizers)),
        work_proof=rules.work_proof,
        user_namespace=rules.user_namespace,
        reviews=reviews,
    )


def _versions(policies: Sequence[SignedPolicy]) -> Iterable[VersionRow]:
    for before, signed in pairwise([None, *policies]):
        if signed is None:
            continue
        found = changes(before.policy, signed.policy) if before else ()
        yield VersionRow(
            version=signed.policy.version,
            sha256=signed.digest,
            expires=signed.policy.expires,
            signed_by=signed_by(signed, signed.policy),
            also_signed_by=signed_by(signed, before.policy) if before else (),
            file=f"policy/{signed.policy.version}.dsse.json",
            changes=tuple(ChangeRow(**change.to_dict()) for change in found),
        )
