"""The flow `witness`: the logs of the peers are verified and cosigned."""

from __future__ import annotations

from pipelines.flows.plain import plain_flow
from pipelines.nightly.periodic import witness_round

witness = plain_flow("witness", witness_round)
