"""What the differences of two files mean: the fields that differ, of all members that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from builders.archives import ArchiveLimitError
from pipelines.explain.format_fields import HEAD, Content, FieldComparison, Format, Told
from pipelines.judge.difference import FieldDifference, FieldKind

SHOWN = 50
"""Fields that are listed."""
_MOST = 10_000
"""Fields that are told apart; what follows is only counted."""
_DETAILED, _ALONE = 1 << 20, 16 << 20
"""Bytes of files whose contents are compared in detail by readers that align them: of members, and
of a file that is compared alone, to which all the time is left."""
_TEXT = 300
"""Characters of one value."""
_RANK = {kind: number for number, kind in enumerate(FieldKind)}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two files that differ, of one path; "" is that of the outermost."""

    path: str
    shipped: Content
    rebuilt: Content
    is_same: Callable[[str], bool] = lambda _: False
    """As `FieldComparison.is_same`."""
    alone: bool = False
    """Whether one of the two is empty in the place of a file that is not there."""


class Meaning:
    """Collects the fields that differ; those of many members count as one."""

    def __init__(self) -> None:
        """Start with none."""
        self._found: dict[tuple[str, ...], FieldDifference] = {}
        self.cut = False
        """Whether the time was used up before all pairs were compared."""
        self._left_out = self._detailed = 0

    def read(self, pairs: Iterable[Pair], tick: Callable[[], None]) -> None:
        """Compare pairs until `tick` raises `ArchiveLimitError`."""
        try:
            for pair in pairs:
                for form, told in self._told(pair, tick):
                    self._add(pair, form, told)
        except ArchiveLimitError:
            self.cut = True

    def _told(self, pair: Pair, tick: Callable[[], None]) -> Iterator[tuple[str, Told]]:
        """Yield what differs in a pair, with the name of its format."""
        form = _format(pair)
        if pair.alone and not (form and form.alone):
            return
        work = max(pair.shipped.size, pair.rebuilt.size)
        most = _DETAILED if pair.path else _ALONE
        if detail := self._detailed + work <= most and form is not None:
            self._detailed += work if form.compare is not None else 0
        both = FieldComparison(pair.shipped, pair.rebuilt, pair.is_same, tick, detail)
        told: list[Told] = []
        try:
            told.extend(both.told(form))
        except ArchiveLimitError:
            yield from ((_name(form), one) for one in told)
            raise
        except Exception:  # noqa: BLE001  # hostile bytes may end a reader in any way
            form, told = None, list(both.told(None))
        yield from ((_name(form), one) for one in told)

    def _add(self, pair: Pair, form: str, told: Told) -> None:
        member = told.field.member
        inner = f"{pair.path}/" if pair.path and member else pair.path
        path, kind = f"{inner}{member}", told.field.kind
        key = (form, told.field.name, path if kind is FieldKind.CONTENT else "")
        if known := self._found.get(key):
            more = {
                "places": known.places + 1,
                "differing_bytes": known.differing_bytes + told.count,
            }
            self._found[key] = known.model_copy(update=more)
        elif len(self._found) >= _MOST:
            self._left_out += 1
        else:
            self._found[key] = FieldDifference(
                path=path,
                format=form,
                field=told.field.name,
                kind=kind,
                shipped=_short(told.shipped),
                rebuilt=_short(told.rebuilt),
                differing_bytes=told.count,
            )

    def fields(self) -> tuple[tuple[FieldDifference, ...], int]:
        """Return the most telling fields first, and how many more there are."""
        order = sorted(
            self._found.values(), key=lambda f: (_RANK[f.kind], f.shipped is f.rebuilt is None)
        )
        return tuple(order[:SHOWN]), max(0, len(order) - SHOWN) + self._left_out


def formats() -> tuple[Format, ...]:
    """Import and return the readers of formats."""
    from pipelines.explain.formats import FORMATS  # noqa: PLC0415  # those who ask for a look need none

    return FORMATS


def _format(pair: Pair) -> Format | None:
    heads = [side.bytes(0, HEAD) for side in (pair.shipped, pair.rebuilt) if side.size]
    return next((form for form in formats() if all(map(form.matches, heads))), None)


def _name(form: Format | None) -> str:
    return "" if form is None else form.name


def _short(text: str | None) -> str | None:
    if text is None or len(text) <= _TEXT:
        return text
    return f"{text[: _TEXT - 3]}..."
