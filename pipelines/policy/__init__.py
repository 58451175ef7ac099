"""What counts: operators, centers and their keys, witnesses, reviewers, and how many it takes.

A policy is written as YAML, signed by a threshold of its operators, and replaced only by a newer
one that the operators of the one before have signed too.
"""

from pipelines.policy.accepted import load_policy
from pipelines.policy.errors import CenterPolicyError, Fault, PolicyError
from pipelines.policy.quorum import Group, Quorum, QuorumError, Witness
from pipelines.policy.signed import SignedPolicy, open_policy, read_signed
from pipelines.policy.source import policy_from, read_source
from pipelines.policy.value import (
    CenterKey,
    ConsensusRules,
    Operator,
    Policy,
    PolicyCenter,
    Reviewer,
)
from pipelines.policy.warning import warnings

__all__ = [
    "CenterKey",
    "CenterPolicyError",
    "ConsensusRules",
    "Fault",
    "Group",
    "Operator",
    "Policy",
    "PolicyCenter",
    "PolicyError",
    "Quorum",
    "QuorumError",
    "Reviewer",
    "SignedPolicy",
    "Witness",
    "load_policy",
    "open_policy",
    "policy_from",
    "read_signed",
    "read_source",
    "warnings",
]
