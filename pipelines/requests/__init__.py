"""Signed requests: a reviewer asks a center to verify one release now, and gets receipts.

Imports `verify` and what stands below it; no Prefect.
"""

from pipelines.requests.handler import OpenRequest, RequestHandler, RequestOutcome, answer, fail
from pipelines.requests.messages import SignedRequest, store_request
from pipelines.requests.rules import IgnoreReason, RefusalReason
from pipelines.requests.serve import held, serve
from pipelines.requests.triage import TriageResult, pending

__all__ = [
    "IgnoreReason",
    "OpenRequest",
    "RefusalReason",
    "RequestHandler",
    "RequestOutcome",
    "SignedRequest",
    "TriageResult",
    "answer",
    "fail",
    "held",
    "pending",
    "serve",
    "store_request",
]
