"""Consensus: joins the signed findings of independent centers into one result per artefact.

May import the audit, the policy, the log, evidence, storage and the judge's values.
"""

from pipelines.consensus.consensus_result import Consensus, OperatorFinding
from pipelines.consensus.release_consensus import ReleaseConsensus

__all__ = ["Consensus", "OperatorFinding", "ReleaseConsensus"]
