"""The flow `consensus`: what all centers found is joined, release by release."""

from __future__ import annotations

from pipelines.flows.plain import plain_flow

consensus = plain_flow("consensus", "pipelines.nightly.rounds:join_everything")
