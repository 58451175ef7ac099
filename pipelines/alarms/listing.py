"""All alarms that a center's view shows, and which of them an operator has acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from builders.core.errors import SamebitsError, StoreError, UsageError
from pipelines.alarms.alarm import Alarm, Leaf, ListedAlarm
from pipelines.alarms.cause import ABOUT_CENTERS, AlarmCause
from pipelines.alarms.raised import release_alarms
from pipelines.audit.acknowledgements import VerifiedAcknowledgement, read_acknowledgements
from pipelines.audit.center_finding import Excluded, ExclusionReason
from pipelines.audit.log_faults import LogFault, LogFaults, has_begun, log_faults
from pipelines.audit.log_index import LogIndex
from pipelines.audit.source import UnreachableError
from pipelines.audit.statement_reader import StatementReader
from pipelines.consensus.release_consensus import (
    ConsensusView,
    base_chains,
    join_releases,
    read_logs,
    rules_for,
)
from pipelines.evidence.release_name import ReleaseName
from pipelines.log.errors import ForkedLogError, LogError
from pipelines.log.leaf import own_key
from pipelines.policy import Policy

_LOG = logging.getLogger("samebits")
Count = Callable[[int, int], None]
"""Is told how many releases are done, of how many."""
_ORDER = tuple(AlarmCause)
_GONE = " (does not show any more)"
_UNREAD = frozenset({ExclusionReason.UNREACHABLE, ExclusionReason.BEHIND})


@dataclass(frozen=True, kw_only=True)
class AlarmList:
    """Every alarm, the gravest causes first."""

    alarms: tuple[ListedAlarm, ...]
    excluded: tuple[Excluded, ...]
    """Acknowledgements that do not count, whatever they are about."""
    faults: tuple[str, ...] = ()
    """Releases and centers that could not be looked at, with the reason."""

    @property
    def open(self) -> tuple[ListedAlarm, ...]:
        """Those that nobody has acknowledged."""
        return tuple(one for one in self.alarms if one.is_open)

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "alarms": [one.to_dict() for one in self.alarms],
            "open": len(self.open),
            "acknowledged": len(self.alarms) - len(self.open),
            "counted_out": [one.to_dict() for one in self.excluded],
            "faults": list(self.faults),
        }


def list_alarms(
    view: ConsensusView,
    names: Iterable[ReleaseName] | None = None,
    *,
    told: Iterable[Alarm] = (),
    count: Count = lambda _done, _total: None,
) -> AlarmList:
    """Return the alarms about logs and about the releases `names`.

    By default these are the releases of the center's recipes, and those that its log is about.
    `told` are alarms of before: what of them does not show any more is listed all the same. Raises
    `StoreError` for the center's own store.
    """
    logs = read_logs(view, ())
    logs.read_ahead()
    chains = base_chains(view, logs)
    wanted = known_releases(view, logs) if names is None else sorted(set(names))
    raised: list[Alarm] = []
    faults: dict[str, None] = {}
    joins = join_releases(view, wanted, logs=logs, chains=chains)
    for done, (name, join) in enumerate(zip(wanted, joins, strict=True)):
        count(done, len(wanted))
        try:
            joined = join()
            withheld = logs.once_withheld(view.center, str(name))
            raised += release_alarms(joined, rules_for(view, joined.recipe), withheld)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a peer shows costs one release
            if not isinstance(error, SamebitsError):
                _LOG.warning("%s could not be joined", name, exc_info=True)
            faults[f"{name}: {error}"] = None
            continue
        unread = [e for e in joined.read.excluded if e.reason in _UNREAD]
        faults |= dict.fromkeys(f"{e.center} cannot be read: {e.detail}" for e in unread)
    about = {None, *map(str, wanted)}
    return listed_alarms(
        view, logs, raised, told=(alarm for alarm in told if alarm.release in about), faults=faults
    )


def known_releases(view: ConsensusView, logs: LogIndex) -> list[ReleaseName]:
    """Return the releases of the center's recipes, and those that its log is about, in order."""
    return sorted({*recipe_releases(view), *logged_releases(view, logs)})


def listed_alarms(
    view: ConsensusView,
    logs: LogIndex,
    raised: Iterable[Alarm],
    *,
    told: Iterable[Alarm] = (),
    faults: Iterable[str] = (),
) -> AlarmList:
    """Return alarms `raised` by releases, and those about logs, with their acknowledgements.

    `told` are alarms of before; `faults` are why releases could not be looked at.
    """
    on_record = log_faults(view.policy.policy, view.sources, view.center)
    found = [*_of_logs(view, logs, on_record), *raised]
    listed, excluded = _listed(view, logs, [*found, *_gone(told, found)])
    return AlarmList(
        alarms=tuple(sorted(listed, key=_order)),
        excluded=excluded,
        faults=tuple(dict.fromkeys([*on_record.unread, *faults])),
    )


def open_alarms(view: ConsensusView, raised: Iterable[Alarm]) -> tuple[Alarm, ...]:
    """Return those of `raised`, and those about logs, that nobody has acknowledged.

    Raises as `list_alarms` does.
    """
    logs = read_logs(view, ())
    logs.read_ahead()
    on_record = log_faults(view.policy.policy, view.sources, view.center)
    listed, _ = _listed(view, logs, [*_of_logs(view, logs, on_record), *raised])
    return tuple(one.alarm for one in listed if one.is_open)


def _listed(
    view: ConsensusView, logs: LogIndex, raised: Iterable[Alarm]
) -> tuple[tuple[ListedAlarm, ...], tuple[Excluded, ...]]:
    """Return alarms with their acknowledgements, and acknowledgements that do not count."""
    policy = view.policy.policy
    reader = StatementReader(policy=policy, logs=logs)
    known, excluded = read_acknowledgements(reader, view.sources)
    listed = (
        with_acknowledgements(alarm, known, policy, view.center) for alarm in dict.fromkeys(raised)
    )
    return tuple(listed), excluded


def _gone(told: Iterable[Alarm], raised: Iterable[Alarm]) -> Iterator[Alarm]:
    """Yield the alarms of before of which leaves do not show any more."""
    shown = {(one.cause, one.release, leaf) for one in raised for leaf in one.leaves}
    for alarm in told:
        kept = (o for o in alarm.leaves if (alarm.cause, alarm.release, o) not in shown)
        if leaves := tuple(kept):
            text = f"{alarm.text.removesuffix(_GONE)}{_GONE}"
            yield replace(alarm, leaves=leaves, text=text)


def with_acknowledgements(
    alarm: Alarm, known: Iterable[VerifiedAcknowledgement], policy: Policy, center: str
) -> ListedAlarm:
    """Return an alarm with the acknowledgements of its leaves, as they count for `center`."""
    covered: set[Leaf] = set()
    by: list[VerifiedAcknowledgement] = []
    objections: list[str] = []
    about_center = alarm.cause in ABOUT_CENTERS
    for one in known:
        if (one.content.cause, one.content.release) != (alarm.cause, alarm.release):
            continue
        for leaf in alarm.leaves:
            if not any(leaf.in_range(leaves) for leaves in one.content.leaves):
                continue
            if objection := one.objection(
                policy, reader=center, log=leaf.log, about_center=about_center
            ):
                objections.append(objection)
            else:
                covered.add(leaf)
                by.append(one)
    return ListedAlarm(
        alarm=alarm,
        by=tuple(dict.fromkeys(by)),
        objections=tuple(dict.fromkeys(objections)),
        is_open=not alarm.leaves or covered != {*alarm.leaves},
    )


def _order(one: ListedAlarm) -> tuple[object, ...]:
    alarm = one.alarm
    return _ORDER.index(alarm.cause), alarm.about, alarm.leaves, alarm.text


def _of_logs(view: ConsensusView, logs: LogIndex, found: LogFaults) -> Iterator[Alarm]:
    """Yield the alarms about logs as a whole: on record, and of logs that are not believed now."""
    policy = view.policy.policy
    yield from map(_of_fault, found.faults)
    known = {center.id for center in policy.centers}
    for source in (s for s in view.sources if s.center in known):
        with suppress(UnreachableError):
            try:
                logs.witnessed(source.center)
            except ForkedLogError:
                text = f"the key of the log of {source.center} has signed two histories"
                yield _of_log_now(AlarmCause.FORK, source.center, text)
            except LogError:
                if has_begun(policy, source, view.sources):
                    text = f"the log of {source.center} is altered, or is not what was seen of it"
                    yield _of_log_now(AlarmCause.PEER_ROLLED_BACK, source.center, text)


def _of_log_now(cause: AlarmCause, center: str, text: str) -> Alarm:
    return Alarm(cause=cause, release=None, center=center, text=text, leaves=())


def _of_fault(fault: LogFault) -> Alarm:
    proof = "proved by two checkpoints" if fault.proved else "seen by our witness"
    return Alarm(
        cause=AlarmCause.FORK if fault.proved else AlarmCause.PEER_ROLLED_BACK,
        release=None,
        center=fault.center,
        text=f"the log of {fault.center} is {fault.complaint} at size {fault.size}, {proof}",
        leaves=(Leaf(log=fault.center, index=fault.size),),
        record=fault.record,
    )


def recipe_releases(view: ConsensusView) -> Iterator[ReleaseName]:
    """Yield the releases of the center's recipes."""
    for path in (view.recipes / "releases").glob("*/*/*.yaml"):
        with suppress(UsageError):  # a file of another name is the recipe of nothing
            vendor, product = path.parts[-3:-1]
            yield ReleaseName(vendor=vendor, product=product, version=path.stem)


def logged_releases(view: ConsensusView, logs: LogIndex, start: int = 0) -> Iterator[ReleaseName]:
    """Yield the releases in the center's own log, from the leaf `start` on.

    A log that is not believed is an alarm itself.
    """
    if any(center.id == view.center for center in view.policy.policy.centers):
        with suppress(LogError):
            for name in logs.releases(view.center, start) - {own_key(view.center)}:
                with suppress(UsageError):
                    yield ReleaseName.parse(name)
