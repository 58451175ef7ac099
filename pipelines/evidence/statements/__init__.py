"""The statements that samebits signs: one module each, and one reader for them all."""

from pipelines.evidence.statements.attempt import AttemptStatement
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.crosscheck import CrosscheckStatement
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.reader import STATEMENT_TYPES, read_statement
from pipelines.evidence.statements.review import Decision, ReviewStatement
from pipelines.evidence.statements.robustness import RobustnessStatement
from pipelines.evidence.statements.statement import NAMESPACE, Statement
from pipelines.evidence.statements.vsa import SummaryStatement

__all__ = [
    "NAMESPACE",
    "STATEMENT_TYPES",
    "AttemptStatement",
    "ComparisonStatement",
    "CrosscheckStatement",
    "Decision",
    "ProvenanceStatement",
    "ReviewStatement",
    "RobustnessStatement",
    "Statement",
    "SummaryStatement",
    "read_statement",
]
