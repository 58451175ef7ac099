"""A policy as plain data: what is signed, in one spelling."""

from __future__ import annotations

from typing import Any

from builders.core.digest import canonical_json
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.statement import show_time
from pipelines.policy.form import SCHEMA
from pipelines.policy.value import ConsensusRules, Policy, PolicyCenter


def to_dict(policy: Policy) -> dict[str, Any]:
    """Return a policy as `PolicyFile` reads it, every key inline and every default written out."""
    return {
        "schema": SCHEMA,
        "version": policy.version,
        "expires": show_time(policy.expires) if policy.expires else None,
        "operators": [
            {"name": o.name, "legal": o.legal, "key": key_text(o.key)} for o in policy.operators
        ],
        "threshold": policy.threshold,
        "centers": [_center(center) for center in policy.centers],
        "witnesses": policy.quorum.to_text(),
        "reviewers": [{"name": r.name, "key": key_text(r.key)} for r in policy.reviewers],
        "reviews": {
            "minimum": policy.minimum,
            "kinds": {str(kind): minimum for kind, minimum in policy.kinds.items()},
        },
        "revoked": sorted(policy.revoked),
        "consensus": {
            **_rules(policy.consensus),
            "kinds": {str(kind): _rules(rules) for kind, rules in policy.consensus_kinds.items()},
        },
    }


def to_bytes(policy: Policy) -> bytes:
    """Return canonical JSON (RFC 8785): the payload that operators sign."""
    return canonical_json(to_dict(policy))


def key_text(key: PublicKey) -> str:
    """Return a key in its one spelling: PEM for Ed25519, key JSON for everything else.

    PEM says nothing of the scheme, which only Ed25519 has one of.
    """
    data = key.to_pem() if key.keytype == "ed25519" else key.to_json()
    return data.decode()


def _center(center: PolicyCenter) -> dict[str, Any]:
    return {
        "id": center.id,
        "operator": center.operator,
        "region": center.region,
        "builder": center.builder,
        "verifier": center.verifier,
        "log": {"origin": center.origin, "key": center.log_key},
        "witness": center.witness_key,
        "keys": [
            {"key": key_text(key.key), "from": key.start, "until": key.end} for key in center.keys
        ],
    }


def _rules(rules: ConsensusRules) -> dict[str, Any]:
    return {
        "k": rules.k,
        "regions": rules.regions,
        "max_dissent": rules.max_dissent,
        "normalizers": sorted(rules.normalizers),
    }
