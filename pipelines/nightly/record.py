"""What a night found, release by release: the record that the next night starts from.

The whole record is private; the public form leaves out claims, which tell of closed sources.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import NotFoundError
from builders.core.frozen_model import FrozenModel
from builders.rebuild.robustness_factors import Factor, KeptFactor
from pipelines.alarms.alarm import Alarm, Leaf, ranges_of
from pipelines.alarms.cause import ALARM_EXIT, AlarmCause
from pipelines.evidence.report import Robustness
from pipelines.evidence.statements.acknowledgement import LeafRange
from pipelines.judge.finding import verdicts_exit_code
from pipelines.storage.names import check_key, check_prefix, encode, private_twin
from pipelines.storage.store import DamagedError, ReadableStore, Store

SCHEMA: Literal["samebits/night/v1"] = "samebits/night/v1"
MAX_RECORD = 64 << 20
_MAX_RESULT = 1 << 20
_BY_THE_BUILD = frozenset({Outcome.BUILD_FAILED, Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES})
MAX_ERROR = 4096
"""Bytes of the reason for which a release has no result."""
Model = TypeVar("Model", "NightRecord", "NightEntry")


class Mode(StrEnum):
    """What was done for a release in a night."""

    REBUILT = "rebuilt"
    FRESH = "fresh"
    """The shipped files were fetched and hashed again; the verdict is that of an earlier night."""
    NOT_RUN = "not-run"
    """Nothing came back: its flow run broke, or was cancelled."""


class DueReason(StrEnum):
    """Why a release is rebuilt in a night, or why not."""

    NEW = "new"
    CHANGED = "changed"
    """Its claim, scope or published digests are others than in the last night."""
    UNSETTLED = "unsettled"
    """The last night could not check it."""
    ROTATION = "rotation"
    SHIPPED_CHANGED = "shipped-changed"
    """Looking again showed another shipped file than the published one."""
    NOT_REVIEWED = "not-reviewed"
    """The reviews that it rested on are not enough any more."""
    UNCHANGED = "unchanged"


class ArtefactVerdict(FrozenModel):
    """One artefact and its verdict."""

    name: str
    verdict: Verdict


class RobustnessResult(FrozenModel):
    """A second rebuild in a varied environment, and what it showed; never part of a verdict."""

    result: Robustness
    outcome: Outcome | None = None
    """How that rebuild ended; None where that could not be told."""
    moved: tuple[Factor, ...] = ()
    kept: tuple[KeptFactor, ...] = ()
    changed: tuple[str, ...] = ()
    """Artefacts that were not left as the judged rebuild left them."""

    @property
    def fragile(self) -> bool:
        """Whether the release came out otherwise; what broke in our own machinery says nothing."""
        return self.result is Robustness.DIFFERS or self.outcome in _BY_THE_BUILD

    def __str__(self) -> str:
        """Return it in one line."""
        parts = [str(self.result)]
        if self.result is Robustness.FAILED:
            parts.append(f"outcome: {self.outcome or 'none'}")
        if self.changed:
            parts.append(f"changed: {', '.join(self.changed)}")
        if self.moved:
            parts.append(f"varied: {', '.join(self.moved)}")
        if self.kept:
            parts.append(f"kept: {', '.join(f'{k.factor} ({k.why})' for k in self.kept)}")
        return "; ".join(parts)


class NightEntry(FrozenModel):
    """One release in one night."""

    release: str
    claim: Digest | None = None
    scope: Digest | None = None
    published: Digest | None = None
    """One digest over the names and published digests of all artefacts."""
    mode: Mode
    why: DueReason
    verdict: Verdict
    outcome: Outcome | None = None
    artefacts: tuple[ArtefactVerdict, ...] = ()
    run: str | None = None
    """The run that gave the verdict, of this night or of an earlier one."""
    rebuilt: int = 0
    """The number of the night of its last true rebuild; 0 for never."""
    settled: Verdict | None = None
    """The last verdict other than NOT_CHECKED, of whichever night."""
    expected: Verdict | None = None
    seconds: float = 0.0
    """Wall time of its last true rebuild, from fetching to publishing."""
    robustness: Robustness | None = None
    moved: RobustnessResult | None = None
    """How it came to that."""
    error: str | None = None
    """Why it has no result, of a release that was not run to its end."""


class UnusableRecipe(FrozenModel):
    """A recipe of the folder that cannot be used."""

    recipe: str
    error: str


class AlarmKind(StrEnum):
    """What a night raises an alarm for."""

    SUSPECT = "suspect"
    SHIPPED_MISMATCH = "shipped-mismatch"
    SPLIT = "split"
    WITHHELD = "withheld"
    ABANDONED = "abandoned"
    FORK = "fork"
    WORSE = "worse"
    PEER_SILENT = "peer-silent"
    PEER_ROLLED_BACK = "peer-rolled-back"
    GAP = "gap"
    KEY_EXPIRING = "key-expiring"
    POLICY_EXPIRING = "policy-expiring"


class NightAlarm(FrozenModel):
    """One thing that somebody has to look at."""

    kind: AlarmKind
    about: str
    """A release, or the id of a center, or the name of a key or policy."""
    text: str
    run: str | None = None
    """The run of this center that shows it, if one does."""
    acknowledged: str | None = None
    """The operators who have acknowledged it; None for an open alarm."""

    @property
    def is_open(self) -> bool:
        """Whether somebody has to look at it."""
        return self.acknowledged is None

    def __str__(self) -> str:
        """Return it in one line."""
        state = "ALARM" if self.is_open else f"acknowledged by {self.acknowledged},"
        return f"{state} {self.kind}: {self.about}: {self.text}"


class LastingAlarm(FrozenModel):
    """An open alarm that is told until it is acknowledged, though it may not show any more."""

    cause: AlarmCause
    release: str | None = None
    center: str
    text: str
    leaves: tuple[LeafRange, ...]
    record: str = ""
    since: str = ""

    @classmethod
    def of(cls, alarm: Alarm) -> LastingAlarm:
        """Return it as it is recorded."""
        return cls(
            cause=alarm.cause,
            release=alarm.release,
            center=alarm.center,
            text=alarm.text,
            leaves=ranges_of(alarm.leaves),
            record=alarm.record,
            since=alarm.since,
        )

    def alarm(self) -> Alarm:
        """Return the alarm."""
        leaves = (
            Leaf(log=r.log, index=index)
            for r in self.leaves
            for index in range(r.first, r.last + 1)
        )
        kept = self.only("cause", "release", "center", "text", "record", "since")
        return Alarm(**kept, leaves=tuple(leaves))


class NightRecord(FrozenModel):
    """One night of one center."""

    schema_: Literal["samebits/night/v1"] = Field(default=SCHEMA, alias="schema")
    center: str
    night: str
    number: int
    """Counts the nights of the center; rotation goes by it."""
    started: str
    finished: str
    """ISO 8601, UTC."""
    releases: tuple[NightEntry, ...]
    unusable: tuple[UnusableRecipe, ...] = ()
    alarms: tuple[NightAlarm, ...] = ()
    lasting: tuple[LastingAlarm, ...] = ()
    """The open alarms that last, of this night and those before."""

    def to_json(self) -> bytes:
        """Return the whole record as it is stored."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n"

    def public(self) -> bytes:
        """Return the public form: no claims, and of unusable recipes no more than their names."""
        claims = {"__all__": {"claim", "scope", "published", "error"}}
        hidden: Any = {"releases": claims, "unusable": {"__all__": {"error"}}}
        text = self.model_dump_json(by_alias=True, exclude_none=True, exclude=hidden)
        return text.encode() + b"\n"

    def exit_code(self) -> int:
        """Return 3 if an alarm is open; else 1, 2 or 0 as for reports."""
        if any(alarm.is_open for alarm in self.alarms):
            return ALARM_EXIT
        verdicts = [entry.verdict for entry in self.releases]
        return verdicts_exit_code([*verdicts, *(Verdict.NOT_CHECKED for _ in self.unusable)])


def night_id(made: datetime, flow_run: str) -> str:
    """Return the id of the night of a flow run: when that was made, and a part of its own id."""
    return f"{made.astimezone(UTC):%Y%m%dT%H%M%SZ}-{flow_run[:8]}"


def nights_prefix(center: str) -> str:
    """Return the folder of the public records of a center's nights."""
    return check_prefix(f"public/nights/{encode(center)}/")


def night_key(center: str, night: str) -> str:
    """Return the name of the public record of one night."""
    return check_key(f"{nights_prefix(center)}{encode(night)}.json")


def plan_key(center: str, night: str) -> str:
    """Return the name of the plan of one night; created once."""
    return check_key(f"private/nights/{encode(center)}/{encode(night)}.plan.json")


def results_prefix(center: str, night: str) -> str:
    """Return the folder of what one night found, release by release."""
    return check_prefix(f"private/nights/{encode(center)}/{encode(night)}.results/")


def result_key(center: str, night: str, release: str) -> str:
    """Return the name of what one night found for one release; created once."""
    return check_key(f"{results_prefix(center, night)}{encode(release)}.json")


def error_key(center: str, night: str, release: str) -> str:
    """Return the name of the reason for which a release has no result."""
    return f"{result_key(center, night, release).removesuffix('.json')}.error"


def store_night(store: Store, record: NightRecord) -> str:
    """Store the record of a night, whole and in public; returns the public name."""
    key = night_key(record.center, record.night)
    store.put_record(private_twin(key), record.to_json())
    store.put_record(key, record.public())
    return key


def read_night(store: Store, center: str, night: str) -> NightRecord:
    """Return the whole record of a night; raises `NotFoundError`, `DamagedError`."""
    return _read(store, private_twin(night_key(center, night)), NightRecord, MAX_RECORD)


def read_result(store: Store, key: str) -> NightEntry | None:
    """Return what a night found for a release; None while there is nothing. Raises `StoreError`."""
    try:
        return _read(store, key, NightEntry, _MAX_RESULT)
    except NotFoundError:
        return None


def by_release(record: NightRecord | None) -> dict[str, NightEntry]:
    """Return the entries of a night, if there was one, by release."""
    return {entry.release: entry for entry in record.releases} if record else {}


def last_night(store: Store, center: str, *, before: str | None = None) -> NightRecord | None:
    """Return the newest night of a center, or the newest one before the night named `before`."""
    keys = store.list(nights_prefix(center))
    names = [k.rpartition("/")[2].removesuffix(".json") for k in keys if k.endswith(".json")]
    for name in sorted((n for n in names if before is None or n < before), reverse=True):
        with suppress(NotFoundError):
            return read_night(store, center, name)
    return None


def last_public_night(store: ReadableStore, center: str) -> NightRecord | None:
    """Return the newest night of a center as it is published; None without one that is whole."""
    keys = (key for key in store.list(nights_prefix(center)) if key.endswith(".json"))
    newest = max(keys, default=None)
    if newest is not None:
        with suppress(DamagedError, NotFoundError):
            return _read(store, newest, NightRecord, MAX_RECORD)
    return None


def _read(store: ReadableStore, key: str, model: type[Model], limit: int) -> Model:
    try:
        return model.model_validate_json(store.get(key, limit))
    except ValidationError as error:
        raise DamagedError(
            f"{key} is damaged", got=f"{error.error_count()} faults", expected="what a night found"
        ) from error
