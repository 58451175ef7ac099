"""What has to be true before the keys or the home of a center are changed: nothing of it runs."""

from __future__ import annotations

from builders.core.errors import UsageError
from builders.rebuild.workspace import living_runs
from pipelines.center.center import Center
from pipelines.services.supervisor import listens, pids


def require_stopped(center: Center) -> None:
    """Raise `UsageError` where a service, the signer or a run of the center is alive here."""
    alive = [f"{name} (pid {pid})" for name, pid in sorted(pids(center).items())]
    if center.signer is not None and "signer" not in pids(center) and listens(center.signer):
        alive.append(f"the signer at {center.signer}")
    alive += [f"run {name}" for name, _ in living_runs(center.runs)]
    if alive:
        raise UsageError(
            f"center {center.id} is at work",
            got=", ".join(alive),
            expected="none of its services and runs",
            todo="Stop it first: `samebits center down`; on other hosts, too",
        )
