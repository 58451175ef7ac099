"""The flow `serve-requests`: signed requests are answered, ahead of the night."""

from __future__ import annotations

from pipelines.flows.plain import plain_flow
from pipelines.requests.serve import serve_for_a_while

serve_requests = plain_flow("serve-requests", serve_for_a_while)
