"""From a center to the desk at which it answers requests."""

from __future__ import annotations

from datetime import datetime

from pipelines.center.center import Center
from pipelines.center.keys import public_keys
from pipelines.evidence.publickey import PublicKey
from pipelines.policy import Policy
from pipelines.requests.desk import Desk
from pipelines.signer.local import status_signer
from pipelines.storage.opening import open_store
from pipelines.verify.session import Session


def open_desk(session: Session, now: datetime) -> Desk:
    """Return the desk of a center, with the policy that holds at `now` (UTC).

    Raises `KeyFileError`, and what `load_policy` raises.
    """
    center, book, policy = session.center, session.logbook(), session.policy(now)
    return Desk(
        center=center.id,
        store=open_store(center.store),
        reports=session.store,
        policy=policy,
        recipes=center.recipes / "releases",
        sign=status_signer(session.signer),
        keys=_keys(center, policy),
        home=center.home / "requests",
        log=lambda keys: book.settle(*keys),
    )


def _keys(center: Center, policy: Policy) -> tuple[PublicKey, ...]:
    """Return the key that signs now, and others of the center that the policy has not ended."""
    now = public_keys(center)["statements"]
    others = (k.key for c in policy.centers if c.id == center.id for k in c.keys if k.end is None)
    return now, *(key for key in others if key != now)
