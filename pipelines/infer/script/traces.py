"""Traces of a build environment in texts: times, and values that stand where ours stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from builders.methods.clock import EARLIEST, LATEST

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MONTH = f"({'|'.join(_MONTHS)})"
_TIME = r"(\d\d):(\d\d):(\d\d)"
_ISO = re.compile(rf"(\d{{4}})-(\d\d)-(\d\d)[T ]{_TIME}(?:\.\d+)?(Z| UTC| GMT|\+00:?00)?")
_DATE = re.compile(rf"{_MONTH} +(\d{{1,2}}) {_TIME}(?: ([A-Z]{{3,5}}))? (\d{{4}})")
_RFC = re.compile(rf"(\d{{1,2}}) {_MONTH} (\d{{4}}) {_TIME}(?: ([+]0000|GMT|UTC))?")
_DAY = re.compile(rf"{_MONTH} ([ \d]\d) (\d{{4}})")
_CLOCK = re.compile(rf"(?<!\d){_TIME}(?!\d)")
_EPOCH = re.compile(r"(?<!\d)(1\d{9})(?!\d)")
_ZERO = frozenset({"UTC", "GMT"})
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
    days: set[tuple[int, int, int]] = set()
    clocks: set[tuple[int, int, int]] = set()
    for text in texts:
        rest = text
        for form, read in ((_ISO, _iso), (_DATE, _date), (_RFC, _rfc)):
            found |= {read(match) for match in form.finditer(rest)}
            rest = form.sub(" ", rest)
        found |= {
            Stamp(seconds=int(match[1]), absolute=True, text=match[1])
            for match in _EPOCH.finditer(rest)
        }
        days |= {(int(m[3]), _MONTHS.index(m[1]) + 1, int(m[2])) for m in _DAY.finditer(rest)}
        clocks |= {(int(m[1]), int(m[2]), int(m[3])) for m in _CLOCK.finditer(rest)}
    if len(days) == 1:
        found |= {_stamp(*day, *clock, absolute=False) for day in days for clock in clocks}
    return sorted(stamp for stamp in found if EARLIEST <= stamp.seconds <= LATEST)


def _iso(match: re.Match[str]) -> Stamp:
    year, month, day, hour, minute, second = (int(match[n]) for n in range(1, 7))
    return _stamp(year, month, day, hour, minute, second, absolute=match[7] is not None)


def _date(match: re.Match[str]) -> Stamp:
    day, hour, minute, second, year = (int(match[n]) for n in (2, 3, 4, 5, 7))
    month = _MONTHS.index(match[1]) + 1
    return _stamp(year, month, day, hour, minute, second, absolute=match[6] in _ZERO)


def _rfc(match: re.Match[str]) -> Stamp:
    day, year, hour, minute, second = (int(match[n]) for n in (1, 3, 4, 5, 6))
    month = _MONTHS.index(match[2]) + 1
    return _stamp(year, month, day, hour, minute, second, absolute=match[7] is not None)


def _stamp(
    year: int, month: int, day: int, hour: int, minute: int, second: int, *, absolute: bool
) -> Stamp:
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
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
