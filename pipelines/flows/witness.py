"""The flow `witness`: the logs of the peers are looked at, and cosigned."""

from __future__ import annotations

from pipelines.flows.plain import plain_flow

witness = plain_flow("witness", "pipelines.nightly.rounds:witness_round")
