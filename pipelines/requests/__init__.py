"""Signed requests: a known person asks a center to verify one release now, and gets receipts."""

from pipelines.requests.desk import Desk, OpenRequest, Served, answer, give_up
from pipelines.requests.look import Round, pending
from pipelines.requests.records import SignedRequest, keep_request
from pipelines.requests.rules import Refusal, Unanswered
from pipelines.requests.serve import held, serve

__all__ = [
    "Desk",
    "OpenRequest",
    "Refusal",
    "Round",
    "Served",
    "SignedRequest",
    "Unanswered",
    "answer",
    "give_up",
    "held",
    "keep_request",
    "pending",
    "serve",
]
