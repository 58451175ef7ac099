"""The flow `consensus`: the findings of all centers are joined, release by release."""

from __future__ import annotations

from pipelines.flows.plain import plain_flow
from pipelines.nightly.periodic import join_everything

consensus = plain_flow("consensus", join_everything)
