"""From a center to the desk at which it answers requests."""

from __future__ import annotations

from datetime import datetime

from pipelines.center.center import Center
from pipelines.center.keys import public_keys
from pipelines.evidence.publickey import PublicKey
from pipelines.log.heartbeats import signs
from pipelines.policy import Policy, load_policy
from pipelines.requests.desk import Desk
from pipelines.storage.opening import open_store
from pipelines.verify.publish import open_signer
from pipelines.verify.session import recipes_folder, workshop


def open_desk(center: Center, now: datetime) -> Desk:
    """Return the desk of a center, with the policy that holds at `now` (UTC).

    Raises `KeyFileError`, and what `load_policy` raises.
    """
    shop = workshop(center)
    book = shop.logbook()
    policy = load_policy(center.policy, home=center.home, now=now)
    return Desk(
        center=center.id,
        store=open_store(center.store),
        reports=shop.store,
        policy=policy,
        recipes=(center.recipes or recipes_folder()) / "releases",
        sign=signs(open_signer(center, shop.store, shop.vault)),
        keys=_keys(center, policy),
        home=center.home / "requests",
        log=lambda keys: book.settle(*keys),
    )


def _keys(center: Center, policy: Policy) -> tuple[PublicKey, ...]:
    """Return the key that signs now, and others of the center that the policy has not ended."""
    now = public_keys(center)["statements"]
    others = (k.key for c in policy.centers if c.id == center.id for k in c.keys if k.end is None)
    return now, *(key for key in others if key != now)
