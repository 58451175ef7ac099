"""Who counts: operators, centers and their keys, witnesses, reviewers, and how many it takes.

A policy is written as YAML, signed by a threshold of its operators, and replaced only by a newer
one that the operators of the one before have signed too. May import log, evidence and storage, and
nothing above them.
"""

from pipelines.policy.changes import expiry_warnings
from pipelines.policy.errors import CenterPolicyError, Fault, PolicyError
from pipelines.policy.model import (
    CenterKey,
    ConsensusRules,
    Operator,
    Policy,
    PolicyCenter,
    PolicyLog,
    PolicyRules,
    Reviewer,
    ReviewRules,
)
from pipelines.policy.signed_policy import SignedPolicy, load_policy, open_policy, read_signed
from pipelines.policy.validation import policy_from, read_policy

__all__ = [
    "CenterKey",
    "CenterPolicyError",
    "ConsensusRules",
    "Fault",
    "Operator",
    "Policy",
    "PolicyCenter",
    "PolicyError",
    "PolicyLog",
    "PolicyRules",
    "ReviewRules",
    "Reviewer",
    "SignedPolicy",
    "expiry_warnings",
    "load_policy",
    "open_policy",
    "policy_from",
    "read_policy",
    "read_signed",
]
