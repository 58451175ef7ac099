"""Who counts: operators, centers and their keys, witnesses, reviewers, and how many it takes.

A policy is written as YAML, signed by a threshold of its operators, and replaced only by a newer
one that the operators of the one before have signed too. May import log, evidence and storage, and
nothing above them.
"""

from pipelines.policy.changes import expiry_warnings
from pipelines.policy.errors import CenterPolicyError, PolicyError
from pipelines.policy.model import ConsensusRules, Policy, PolicyCenter, Reviewer
from pipelines.policy.signed_policy import SignedPolicy, load_policy, open_policy, read_signed
from pipelines.policy.validation import read_policy

__all__ = [
    "CenterPolicyError",
    "ConsensusRules",
    "Policy",
    "PolicyCenter",
    "PolicyError",
    "Reviewer",
    "SignedPolicy",
    "expiry_warnings",
    "load_policy",
    "open_policy",
    "read_policy",
    "read_signed",
]
