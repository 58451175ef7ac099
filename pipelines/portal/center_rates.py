"""How often a center matches: shares of its newest verdicts, release by release."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from builders.core.enums import Verdict
from builders.core.frozen_model import FrozenModel
from pipelines.audit.center_finding import MATCHES

_Z = 1.959964
"""Of the normal distribution, for 95 %."""


class Share(FrozenModel):
    """A share of the releases that the center came to a verdict about, with a 95 % interval."""

    count: int
    of: int
    low: float
    """Wilson score interval, 0 to 1."""
    high: float


class Rates(FrozenModel):
    """The newest verdicts of the center, release by release."""

    verdicts: dict[str, int]
    """Releases by the worst verdict of the newest run."""
    identical: Share
    """Bit for bit."""
    with_signature: Share
    """The same, with the vendor's signature on our bytes."""
    unchecked: int
    """Releases without a verdict: neither a match nor a failure."""


def rates(counts: Mapping[Verdict, int]) -> Rates:
    """Return the shares of matches among the verdicts; what was not checked is no part of them."""
    judged = sum(n for verdict, n in counts.items() if verdict is not Verdict.NOT_CHECKED)
    return Rates(
        verdicts={str(verdict): counts[verdict] for verdict in Verdict if counts.get(verdict)},
        identical=_share(counts.get(Verdict.IDENTICAL, 0), judged),
        with_signature=_share(sum(counts.get(verdict, 0) for verdict in MATCHES), judged),
        unchecked=counts.get(Verdict.NOT_CHECKED, 0),
    )


def _share(count: int, of: int) -> Share:
    """Return a share with its Wilson score interval."""
    if of == 0:
        return Share(count=0, of=0, low=0.0, high=1.0)
    p, z2 = count / of, _Z * _Z
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z * sqrt(p * (1 - p) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Share(count=count, of=of, low=round(low, 4), high=round(high, 4))
