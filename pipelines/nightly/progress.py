"""How far a night is: the plan that it stores when it begins, and the results so far."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from builders.core.errors import NotFoundError, StoreConflictError
from builders.core.frozen_model import FrozenModel
from pipelines.nightly.night_plan import NightPlan
from pipelines.nightly.record import plan_key, results_prefix
from pipelines.storage.store import DamagedError, Store

_SCHEMA: Literal["samebits/night-plan/v1"] = "samebits/night-plan/v1"
_MAX_BYTES = 1 << 16


class StoredPlan(FrozenModel):
    """What a night says of itself when it begins."""

    schema_: Literal["samebits/night-plan/v1"] = Field(default=_SCHEMA, alias="schema")
    started: datetime
    releases: int
    """How many it has: those that are rebuilt, and those whose shipped files alone are fetched."""


@dataclass(frozen=True, kw_only=True)
class NightProgress:
    """How many releases of a night are done, and how fast."""

    night: str
    started: datetime
    releases: int
    done: int
    now: datetime

    @property
    def per_hour(self) -> float:
        """Releases done in an hour, on average since the night began."""
        return self.done * 3600 / max((self.now - self.started).total_seconds(), 1.0)

    @property
    def seconds_left(self) -> int | None:
        """How long the rest takes at that rate; None before the first release is done."""
        left = max(self.releases - self.done, 0)
        return round(left * 3600 / self.per_hour) if self.done else None

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`; the time in ISO 8601, UTC."""
        return {
            "night": self.night,
            "started": self.started.astimezone(UTC).isoformat(timespec="seconds"),
            "releases": self.releases,
            "done": self.done,
            "per_hour": round(self.per_hour, 1),
            "seconds_left": self.seconds_left,
        }


def store_plan(store: Store, center: str, plan: NightPlan) -> None:
    """Store what the night will do; of one that is started again, the first plan stays."""
    stored = StoredPlan(started=plan.started, releases=len(plan.dues))
    with suppress(StoreConflictError):
        data = stored.model_dump_json(by_alias=True).encode()
        store.put_record(plan_key(center, plan.night), data)


def night_progress(store: Store, center: str, night: str, *, now: datetime) -> NightProgress | None:
    """Return how far a night is; None while it has no plan. Raises `StoreError`."""
    key = plan_key(center, night)
    try:
        stored = StoredPlan.model_validate_json(store.get(key, _MAX_BYTES))
    except NotFoundError:
        return None
    except ValidationError as error:
        raise DamagedError(f"{key} is damaged", got=f"{error.error_count()} faults") from error
    done = sum(name.endswith(".json") for name in store.list(results_prefix(center, night)))
    return NightProgress(
        night=night, started=stored.started, releases=stored.releases, done=done, now=now
    )
