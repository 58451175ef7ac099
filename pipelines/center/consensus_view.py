"""Open a center's view for consensus: its valid policy, and the stores of its peers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from builders.core.errors import UsageError
from pipelines.audit.kept_logs import KeptLogs
from pipelines.audit.source import Source
from pipelines.center.center import Center
from pipelines.center.keys import policy_file
from pipelines.consensus.release_consensus import ConsensusView
from pipelines.policy import SignedPolicy, load_policy, read_signed
from pipelines.storage.bounded import BoundedStore
from pipelines.storage.store import Store


def open_view(
    center: Center,
    store: Store,
    now: datetime,
    peers: Mapping[str, BoundedStore],
    kept: KeptLogs,
) -> ConsensusView:
    """Return the view of a center whose evidence is in `store`, under its policy valid at `now`.

    `now` is UTC; `peers` are the stores of its peers, `kept` is what was read of logs. Raises what
    `load_policy` raises, and `UsageError` for a center without a policy.
    """
    path = policy_file(center)
    policy = load_policy(path, home=center.home, now=now)
    signed = read_signed(path.read_bytes())
    if signed.policy != policy:
        raise UsageError(f"{path} changed while it was read", todo="Try again")
    return view_under(signed, center, store, peers, kept)


def view_under(
    policy: SignedPolicy,
    center: Center,
    store: Store,
    peers: Mapping[str, BoundedStore],
    kept: KeptLogs,
) -> ConsensusView:
    """Return the view of a center under a policy, which is verified."""
    return ConsensusView(
        center=center.id,
        verifier_id=center.verifier_id,
        store=store,
        policy=policy,
        peers=tuple(Source(center=name, store=one, peer=True) for name, one in peers.items()),
        recipes=center.recipes,
        kept=kept,
    )
