"""The next hypotheses, from how the files of a trial differ from the shipped ones.

Values that the shipped files show come first, all of them together; then each alone; then the
other values that builds often have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from pydantic import TypeAdapter, ValidationError

from builders.container.folderorder import CREATED, HASHED
from builders.core.enums import Outcome
from builders.methods.base import BuildPath
from builders.methods.clock import EARLIEST, LATEST
from builders.methods.script import ScriptBuild
from pipelines.infer.journal import RemainingCause
from pipelines.infer.machine_traces import order_of
from pipelines.infer.script.differences import Differences
from pipelines.infer.script.hypothesis import Change, ScriptHypothesis
from pipelines.infer.script.traces import Stamp, stamps, values_for

_UMASKS = ("022", "002", "027", "077", "007", "000", "026", "037")
_ASCII = "ANSI_X3.4-1968"
"""The character set of the locales C and POSIX, as a C library names it."""
_HOUR = 3600
_SLOW = 300
"""Seconds between the first and the last time of one build, at most."""
_FAR = 14
"""Hours of the time zone that is furthest from UTC."""
_PATH: TypeAdapter[str] = TypeAdapter(BuildPath)


def refined(
    h: ScriptHypothesis, outcome: Outcome, found: Sequence[Differences]
) -> list[ScriptHypothesis]:
    """Return what to try after a trial of `h`, the likeliest first."""
    if outcome in {Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES} and h.clock is not None:
        reason = "under a clock that stands still the build does not end"
        return [
            h.with_changes(
                [Change("clock", None, reason), Change("source_date_epoch", h.clock, reason)]
            )
        ]
    shown = [change for change in _shown(h, found) if getattr(h, change.field) != change.value]
    tried = [h.with_changes(shown)] if shown else []
    tried += [h.with_changes([change]) for change in shown]
    return tried + [h.with_changes([change]) for change in _usual(h, found)]


def _shown(h: ScriptHypothesis, found: Sequence[Differences]) -> Iterator[Change]:
    """Yield the values that the shipped files show; of one field the likeliest first."""
    theirs = {text for d in found for text in d.theirs}
    ours = {text for d in found for text in d.ours}
    yield from _umask(found)
    yield from _clock(h, found, theirs)
    for name in ("path", "hostname", "locale"):
        now = getattr(h, name)
        for value in values_for(now, ours, theirs, partial(_is_valid, name))[:2]:
            yield Change(name, value, f"it stands in the shipped files where {now} stands in ours")
    if any(_ASCII in text for text in theirs):
        yield Change("locale", "C", f"the shipped files name its character set, {_ASCII}")
    for d in found:
        if d.folders and (order := order_of(d.paths, d.folders, d.folders[0])):
            yield Change(
                "folder_order",
                order,
                f"under it {d.folders[0] or '.'} lists its files as {d.name} does",
            )
        if d.order or d.folders:
            yield Change("folder_order", CREATED, f"{d.name} has its members in another order")


def _umask(found: Iterable[Differences]) -> Iterator[Change]:
    pairs = [
        (theirs, 0o777 if path in d.executable else 0o666)
        for d in found
        for path, (theirs, _) in d.modes.items()
    ]

    def explained(mask: str) -> int:
        return sum(whole & ~int(mask, 8) == mode for mode, whole in pairs)

    best = max(_UMASKS, key=explained)
    if pairs and explained(best):
        reason = f"{explained(best)} of {len(pairs)} members with other modes have those it gives"
        yield Change("umask", best, reason)


def _clock(h: ScriptHypothesis, found: Iterable[Differences], theirs: set[str]) -> Iterator[Change]:
    """Yield the time of the build, and the zone if local times stand beside it."""
    made = {t: path for d in found for path, (t, _) in d.times.items() if EARLIEST <= t <= LATEST}
    written = stamps(theirs)
    fixed = [stamp for stamp in written if stamp.absolute]
    local = [stamp for stamp in written if not stamp.absolute]
    if made:
        clock, reason = max(made), f"{made[max(made)]} has it, the newest member that differs"
    elif fixed or local:
        newest = (fixed or local)[-1]
        clock, reason = newest.seconds, f"the shipped files say {newest.text}"
    elif h.clock is not None:
        clock, reason = h.clock, dict(h.evidence).get("clock", "")
    else:
        return
    if h.source_date_epoch is None:
        yield Change("clock", clock, reason)
    yield from _zone(clock, local)


def _zone(clock: int, local: Sequence[Stamp]) -> Iterator[Change]:
    for stamp in local:
        hours = round((stamp.seconds - clock) / _HOUR)
        close = abs(stamp.seconds - clock - hours * _HOUR) <= _SLOW
        if close and 0 < abs(hours) <= _FAR:
            zone = f"UTC{-hours:+d}"
            yield Change("timezone", zone, f"{stamp.text} is the build's time there")
            return


def _usual(h: ScriptHypothesis, found: Sequence[Differences]) -> Iterator[Change]:
    """Yield values that no difference shows, but that may explain one."""
    if any(d.times for d in found) and h.clock is not None and h.source_date_epoch is None:
        yield Change("source_date_epoch", h.clock, "the clock alone does not explain the times")
    if not any(d.content or d.packed or d.missing for d in found):
        return
    reason = "nothing in the shipped files shows what else differs"
    for locale in ("C", "POSIX"):
        if h.locale != locale:
            yield Change("locale", locale, reason)
    if h.folder_order == HASHED:
        yield Change("folder_order", CREATED, reason)
    for umask in ("002", "027", "077"):
        if h.umask != umask:
            yield Change("umask", umask, reason)


def undeclarable(h: ScriptHypothesis, found: Sequence[Differences]) -> Iterator[RemainingCause]:
    """Yield a build path of the vendor's that no recipe can declare."""
    theirs = {text for d in found for text in d.theirs}
    ours = {text for d in found for text in d.ours}
    outside = lambda path: path.startswith("/") and not _is_valid("path", path)  # noqa: E731
    for path in values_for(h.path, ours, theirs, outside)[:1]:
        try:
            _PATH.validate_python(path)
        except ValidationError as error:
            why = error.errors()[0]["msg"].removeprefix("Value error, ")
            text = f"the shipped files were built in {ascii(path)[1:-1]}; {why}"
            yield RemainingCause(name="path", detail=f"{text}. Map it, as with -ffile-prefix-map")


def _is_valid(name: str, value: str) -> bool:
    """Say whether a recipe can declare a value."""
    try:
        if name == "path":
            _PATH.validate_python(value)
        else:
            ScriptBuild.model_validate(
                {"method": "script", "image": "any", "steps": [["true"]], name: value}
            )
    except ValidationError:
        return False
    return True
