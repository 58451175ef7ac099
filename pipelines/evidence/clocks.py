"""How far the clock of somebody else may be ahead of ours: what is later is from the future."""

from __future__ import annotations

from datetime import timedelta

SKEW = timedelta(minutes=5)
"""Of who asks our signer, of a reviewer and of a witness."""
CENTER_SKEW = timedelta(hours=1)
"""Of another center and of a requester: what they say late is lost until the next round."""
