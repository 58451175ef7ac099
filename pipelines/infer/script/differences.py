"""Where rebuilt files differ from shipped ones, and what still differs when a search ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from builders.core.digest import Digest
from builders.methods.clock import LATEST, format_timestamp
from pipelines.infer.journal import RemainingCause
from pipelines.infer.machine_traces import is_reordered, reordered
from pipelines.infer.script.parts import Part, Parts
from pipelines.infer.trial import listed

# Texts of a member that a cause names.
_SHOWN = 2


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Where one artefact differs. Pairs are (shipped, rebuilt), paths those of its members.

    - `missing`: nothing was built under its name.
    - `content`: members with other content.
    - `theirs`, `ours`: texts that only the shipped, or only the rebuilt members of `content` have.
    - `folders`: those whose files are in another order.
    - `packed`: whether all members are equal, and the file is not.
    - `paths`: all shipped members in their order.
    """

    name: str
    missing: bool = False
    only_shipped: tuple[str, ...] = ()
    only_rebuilt: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    theirs: frozenset[str] = frozenset()
    ours: frozenset[str] = frozenset()
    modes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    times: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    owners: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    executable: frozenset[str] = frozenset()
    order: bool = False
    folders: tuple[str, ...] = ()
    packed: bool = False
    paths: tuple[str, ...] = ()

    @property
    def weight(self) -> float:
        """Return a distance: files and contents count most, then what is inside."""
        if self.missing:
            return 1e9
        return (
            1000.0 * (len(self.only_shipped) + len(self.only_rebuilt) + len(self.content))
            + 10.0 * (self.packed + self.order + len(self.folders))
            + len(self.modes)
            + len(self.times)
            + len(self.owners)
            + min(900.0, len(self.theirs) + len(self.ours))
        )


def compare_parts(name: str, shipped: Parts, rebuilt: Parts) -> Differences:
    """Compare two files that differ, by their parts."""
    if ("" in shipped) != ("" in rebuilt):  # only one of them is an archive
        shipped, rebuilt = _whole(shipped), _whole(rebuilt)
    pairs = [(part, rebuilt[path]) for path, part in shipped.items() if path in rebuilt]
    changed = [(a, b) for a, b in pairs if (a.digest, a.target) != (b.digest, b.target)]
    theirs = {text for a, _ in changed for text in a.texts}
    ours = {text for _, b in changed for text in b.texts}
    found = Differences(
        name=name,
        only_shipped=tuple(path for path in shipped if path not in rebuilt),
        only_rebuilt=tuple(path for path in rebuilt if path not in shipped),
        content=tuple(a.path for a, _ in changed),
        theirs=frozenset(theirs - ours),
        ours=frozenset(ours - theirs),
        modes={
            a.path: (a.mode & 0o777, b.mode & 0o777)
            for a, b in pairs
            if a.mode is not None and b.mode is not None and (a.mode ^ b.mode) & 0o777
        },
        times={
            a.path: (a.mtime, b.mtime)
            for a, b in pairs
            if a.mtime is not None and b.mtime is not None and a.mtime != b.mtime
        },
        owners={
            a.path: (a.owner, b.owner)
            for a, b in pairs
            if a.owner and b.owner != a.owner and b.owner
        },
        executable=frozenset(a.path for a, b in pairs if _runs(a) or _runs(b)),
        order=is_reordered(shipped, rebuilt),
        folders=reordered(shipped, rebuilt),
        paths=tuple(shipped),
    )
    return found if found.weight else Differences(name=name, packed=True, paths=found.paths)


def _whole(parts: Parts) -> Parts:
    """Return the parts of a file as one."""
    texts = frozenset(text for part in parts.values() for text in part.texts)
    return {"": Part(path="", digest=Digest.of(repr(sorted(texts)).encode()), texts=texts)}


def _runs(part: Part) -> bool:
    return part.folder or bool((part.mode or 0) & 0o111)


def remaining_causes(found: Iterable[Differences]) -> Iterator[RemainingCause]:
    """Yield what still differs in each artefact, and what it comes from as far as is known."""
    for d in found:
        yield from (RemainingCause(name=name, detail=f"{d.name}: {text}") for name, text in _of(d))


def _of(d: Differences) -> Iterator[tuple[str, str]]:
    if d.missing:
        yield "missing", "the build left no such file"
    for what, paths in (("shipped", d.only_shipped), ("rebuilt", d.only_rebuilt)):
        if paths:
            yield "members", f"only in the {what} file: {listed(paths)}"
    if d.content:
        theirs, ours = _telling(d.theirs, d.ours), _telling(d.ours, d.theirs)
        shown = f"shipped has {_some(theirs)}, rebuilt has {_some(ours)}"
        yield "content", f"{listed([path or 'its bytes' for path in d.content])}; {shown}"
    if d.modes:
        path, (mode, built) = next(iter(d.modes.items()))
        yield "modes", f"{len(d.modes)}, such as {path}: {mode:03o} shipped, {built:03o} rebuilt"
    if d.times:
        yield "times", _times(d)
    if d.owners:
        theirs_, ours_ = next(iter(d.owners.values()))
        text = f"{theirs_} shipped, {ours_} rebuilt; no owner can be declared: set it in the build"
        yield "owner", f"{text}, as with `tar --owner=0 --group=0`"
    if d.order or d.folders:
        yield "order", "members stand in another order: sort them in the build"
    if d.packed:
        yield "packing", "the members are equal, and are packed in another way"


def _times(d: Differences) -> str:
    path, (when, now) = next(iter(d.times.items()))
    times = f"{_moment(when)} shipped, {_moment(now)} rebuilt"
    text = f"{len(d.times)}, such as {path}: {times}"
    span = max(t for t, _ in d.times.values()) - min(t for t, _ in d.times.values())
    if not span:
        return text
    still = "a declared clock stands still: give the files one time in the build"
    return f"{text}; the shipped ones span {span} s, and {still}"


def _telling(texts: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    """Return the texts that are not equal to another but for a byte in front, as after a digest."""
    tails = {text[1:] for text in others}
    return frozenset(t for t in texts if t[0].isdigit() or t[1:] not in tails) or texts


def _moment(seconds: int) -> str:
    return format_timestamp(seconds) if 0 <= seconds <= LATEST else str(seconds)


def _some(texts: frozenset[str]) -> str:
    """Return a few texts in quotes, the shortest first: those say most."""
    first = sorted(texts, key=lambda text: (len(text), text))[:_SHOWN]
    return " and ".join(ascii(text[:80]) for text in first) or "no text of its own"
