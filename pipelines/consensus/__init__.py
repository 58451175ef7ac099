"""The findings of the centers joined: what they together say of each shipped file."""

from pipelines.consensus.gather import Gathered, ReleaseConsensus, consensus_of, gather
from pipelines.consensus.join import join
from pipelines.consensus.position import CountedOut, Place, Position, Why
from pipelines.consensus.proofs import OwnCenter
from pipelines.consensus.result import Consensus, Question, Result
from pipelines.consensus.verified import IndexOf, Source

__all__ = [
    "Consensus",
    "CountedOut",
    "Gathered",
    "IndexOf",
    "OwnCenter",
    "Place",
    "Position",
    "Question",
    "ReleaseConsensus",
    "Result",
    "Source",
    "Why",
    "consensus_of",
    "gather",
    "join",
]
