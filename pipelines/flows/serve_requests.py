"""The flow `serve-requests`: signed requests are answered, ahead of the night."""

from __future__ import annotations

from pipelines.flows.plain import plain_flow

serve_requests = plain_flow("serve-requests", "pipelines.nightly.rounds:serve_for_a_while")
