"""Traces of a build environment in texts: times, and values that stand where ours stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from builders.methods.clock import EARLIEST, LATEST

_OFFSET = r"Z| ?UTC| ?GMT|\+00:?00"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MONTH, _YEAR = f"(?P<month>{'|'.join(_MONTHS)})", r"(?P<year>\d{4})"
_TIME = r"(?P<time>\d\d:\d\d:\d\d)"
_FORMS = (
    re.compile(rf"{_YEAR}-(?P<month>\d\d)-(?P<day>\d\d)[T ]{_TIME}(?:\.\d+)?(?P<zone>{_OFFSET})?"),
    re.compile(rf"{_MONTH} +(?P<day>\d{{1,2}}) {_TIME}(?: (?P<zone>[A-Z]{{3,5}}))? {_YEAR}"),
    re.compile(rf"(?P<day>\d{{1,2}}) {_MONTH} {_YEAR} {_TIME}(?: (?P<zone>[+]0000|GMT|UTC))?"),
)
_DAY = re.compile(rf"{_MONTH} (?P<day>[ \d]\d) {_YEAR}")
_CLOCK = re.compile(rf"(?<!\d){_TIME}(?!\d)")
_EPOCH = re.compile(r"(?<!\d)(1\d{9})(?!\d)")
_UTC = re.compile(_OFFSET)
# Texts that are compared with each other at most.
_FEW, _MANY = 60, 4000


@dataclass(frozen=True, order=True, kw_only=True)
class Stamp:
    """A time in a text; `absolute` if the text says that it is UTC."""

    seconds: int
    absolute: bool
    text: str


def stamps(texts: Iterable[str]) -> list[Stamp]:
    """Return the times that a clock could have had, sorted.

    `__DATE__` and `__TIME__` of a C compiler stand in two texts; they are joined where there is
    one day only.
    """
    found: set[Stamp] = set()
    days, clocks = set[tuple[str, str, str]](), set[str]()
    for text in texts:
        rest = text
        for form in _FORMS:
            found |= {
                _stamp(*match.group("year", "month", "day", "time"), zone=match["zone"])
                for match in form.finditer(rest)
            }
            rest = form.sub(" ", rest)
        found |= {
            Stamp(seconds=int(match[1]), absolute=True, text=match[1])
            for match in _EPOCH.finditer(rest)
        }
        days |= {(m["year"], m["month"], m["day"]) for m in _DAY.finditer(rest)}
        clocks |= {m["time"] for m in _CLOCK.finditer(rest)}
    if len(days) == 1:
        found |= {_stamp(*day, time, zone=None) for day in days for time in clocks}
    return sorted(stamp for stamp in found if EARLIEST <= stamp.seconds <= LATEST)


def _stamp(year: str, month: str, day: str, time: str, *, zone: str | None) -> Stamp:
    """Return a time; one that no calendar has is out of every range."""
    absolute = zone is not None and _UTC.fullmatch(zone) is not None
    number = _MONTHS.index(month) + 1 if month in _MONTHS else int(month)
    try:
        moment = datetime.fromisoformat(f"{year}-{number:02}-{int(day):02}T{time}+00:00")
    except ValueError:
        return Stamp(seconds=0, absolute=absolute, text="")
    text = f"{moment:%Y-%m-%d %H:%M:%S}"
    return Stamp(seconds=int(moment.timestamp()), absolute=absolute, text=text)


def values_for(
    value: str, ours: Iterable[str], theirs: Iterable[str], valid: Callable[[str], bool]
) -> list[str]:
    """Return what shipped texts have in the place of `value` in rebuilt ones, likeliest first.

    A shipped text stands for a rebuilt one if both are equal but for that value.
    """
    shipped = sorted(theirs)[:_MANY]
    votes: Counter[str] = Counter()
    for text in [text for text in sorted(ours) if value in text][:_FEW]:
        start, *rest = map(re.escape, text.split(value))
        form = re.compile(f"{start}(?P<value>.+){'(?P=value)'.join(rest)}")
        found = {match["value"] for other in shipped if (match := form.fullmatch(other))}
        votes.update(one for one in found if one != value and valid(one))
    return sorted(votes, key=lambda one: (-votes[one], len(one), one))
