"""Consensus: joins the signed findings of independent centers into one result per artefact.

May import the policy, the log, evidence, storage and the judge's values.
"""

from pipelines.consensus.center_finding import ExclusionReason
from pipelines.consensus.consensus_result import (
    Consensus,
    ConsensusSubject,
    OperatorFinding,
    Result,
)
from pipelines.consensus.join import join
from pipelines.consensus.record_source import Source
from pipelines.consensus.release_consensus import ReleaseConsensus, consensus_of, read_release
from pipelines.consensus.statement_reader import StatementReader
from pipelines.consensus.work_proofs import OwnCenter

__all__ = [
    "Consensus",
    "ConsensusSubject",
    "ExclusionReason",
    "OperatorFinding",
    "OwnCenter",
    "ReleaseConsensus",
    "Result",
    "Source",
    "StatementReader",
    "consensus_of",
    "join",
    "read_release",
]
