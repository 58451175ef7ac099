"""Clearing away what killed runs of a center left on this machine."""

from __future__ import annotations

from builders.build.reap import Reaped, reap
from pipelines.center.center import Center
from pipelines.verify.session import workshop


def reap_center(center: Center) -> Reaped:
    """Remove containers, mounts and folders of no living run, and half-written objects."""
    shop = workshop(center)
    gone = reap(shop.engine, center.runs, shop.workdir, center=center.id)
    shop.store.sweep()
    return gone
