"""Witnesses and the quorum they form, in the words of C2SP tlog-policy.

The lines are `witness <name> <vkey> [<url>]`, `group <name> all|any|<k> <member>...` and, once,
`quorum <name>|none`; empty lines and comments are passed over. A line names only what stands above
it, and a name is a member of one group at most, so no quorum is circular and none out of reach.
The `log` lines of that format are refused: which logs there are is said by a policy's centers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from pipelines.log.errors import NoteError
from pipelines.policy.vkey import witness_key

MAX_TEXT = 256 << 10
MAX_NAMES = 256
"""Witnesses and groups together; the format asks for at least 32 of each."""
NONE = "none"
_SPACE = re.compile(r"[ \t]+")
_COUNT = re.compile(r"[1-9][0-9]{0,3}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class QuorumError(ValueError):
    """A line that cannot be used; `number` counts lines from 1."""

    def __init__(self, what: str, number: int, *, got: str, expected: str) -> None:
        """Keep what, got and expected apart for whoever names the file."""
        self.what, self.number = what, number
        self.got, self.expected = got, expected
        super().__init__(f"line {number}: {what}; got {got}; expected {expected}")


@dataclass(frozen=True, kw_only=True)
class Witness:
    """A witness by the name that groups use; `key` is a vkey, `url` where it may be reached."""

    name: str
    key: str
    url: str | None = None

    def to_text(self) -> str:
        """Return its line."""
        return " ".join(filter(None, ("witness", self.name, self.key, self.url)))


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group has witnessed what at least `threshold` of its members have."""

    name: str
    threshold: int
    members: tuple[str, ...]

    def to_text(self) -> str:
        """Return its line; `any` and `all` are written as their numbers."""
        return " ".join(("group", self.name, str(self.threshold), *self.members))


@dataclass(frozen=True, kw_only=True)
class Quorum:
    """Which cosignatures it takes; without any line, none."""

    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    name: str = NONE

    @classmethod
    def parse(cls, text: str) -> Quorum:
        """Read the lines of a policy; raises `QuorumError`."""
        return _Reader().read(text)

    def to_text(self) -> str:
        """Return the lines in one spelling: witnesses, groups, quorum."""
        witnesses = [witness.to_text() for witness in self.witnesses]
        groups = [group.to_text() for group in self.groups]
        return "\n".join([*witnesses, *groups, f"quorum {self.name}", ""])

    def met(self, names: Collection[str]) -> bool:
        """Say whether the witnesses `names` are enough; names that are no witness count nothing."""
        if self.name == NONE:
            return True
        witnessed = {witness.name for witness in self.witnesses} & set(names)
        for group in self.groups:
            if len(witnessed & set(group.members)) >= group.threshold:
                witnessed.add(group.name)
        return self.name in witnessed


@dataclass
class _Reader:
    """Reads lines in order; what is not above a line is not there for it."""

    witnesses: list[Witness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    quorum: str | None = None
    number: int = 0
    keys: set[bytes] = field(default_factory=set)
    members: set[str] = field(default_factory=set)

    def read(self, text: str) -> Quorum:
        if len(text) > MAX_TEXT:
            self.number = 1
            raise self._fault("too long", got=f"{len(text)} characters", expected=str(MAX_TEXT))
        words: dict[str, Callable[[list[str]], None]] = {
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        for self.number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            if found := _CONTROL.search(line):
                raise self._fault(
                    "a control character", got=f"{ord(found[0]):#04x}", expected="text and tabs"
                )
            items = _SPACE.split(line.strip(" \t"))
            if not items[0] or items[0].startswith("#"):
                continue
            if items[0] not in words:
                raise self._fault(
                    "unknown word", got=_shown(items[0]), expected="witness, group or quorum"
                )
            words[items[0]](items[1:])
        if self.quorum is None:
            raise self._fault("no quorum", got="the end", expected="one line `quorum <name>`")
        return Quorum(witnesses=tuple(self.witnesses), groups=tuple(self.groups), name=self.quorum)

    def _witness(self, items: list[str]) -> None:
        if len(items) not in {2, 3}:
            raise self._fault(
                "not a witness", got=f"{len(items)} items", expected="witness <name> <vkey> [<url>]"
            )
        name = self._new_name(items[0])
        try:
            key = witness_key(items[1])
        except NoteError as error:
            raise self._fault(
                f"the key of witness {_shown(name)} cannot be used: {error.what}",
                got=str(error.got),
                expected=str(error.expected),
            ) from error
        if key.key in self.keys:
            raise self._fault(
                "one key stands twice", got=f"witness {_shown(name)}", expected="a key of its own"
            )
        self.keys.add(key.key)
        url = items[2] if len(items) == 3 else None
        self.witnesses.append(Witness(name=name, key=items[1], url=url))

    def _group(self, items: list[str]) -> None:
        if len(items) < 3:
            raise self._fault(
                "not a group",
                got=f"{len(items)} items",
                expected="group <name> all|any|<k> <member>...",
            )
        name, count, members = self._new_name(items[0]), items[1], items[2:]
        for member in members:
            self._check_known(member, "a group")
            if member in self.members:
                raise self._fault(
                    "a member stands twice",
                    got=_shown(member),
                    expected="every name in one group at most, once",
                )
            self.members.add(member)
        threshold = {"any": 1, "all": len(members)}.get(count)
        if threshold is None:
            threshold = int(count) if _COUNT.fullmatch(count) else 0
        if not 1 <= threshold <= len(members):
            raise self._fault(
                "a group that cannot be met",
                got=f"{_shown(count)} of {len(members)} members",
                expected=f"all, any, or a number from 1 to {len(members)}",
            )
        self.groups.append(Group(name=name, threshold=threshold, members=tuple(members)))

    def _quorum(self, items: list[str]) -> None:
        if len(items) != 1:
            raise self._fault(
                "not a quorum", got=f"{len(items)} items", expected="quorum <name>|none"
            )
        if self.quorum is not None:
            raise self._fault("a second quorum", got=_shown(items[0]), expected="one")
        if items[0] != NONE:
            self._check_known(items[0], "a quorum")
        self.quorum = items[0]

    def _new_name(self, name: str) -> str:
        if name == NONE or name in self._names():
            raise self._fault(
                "a name that is taken", got=_shown(name), expected="a name of its own, not `none`"
            )
        if len(self._names()) >= MAX_NAMES:
            raise self._fault("too many names", got="more", expected=f"at most {MAX_NAMES}")
        return name

    def _check_known(self, name: str, where: str) -> None:
        if name not in self._names():
            raise self._fault(
                f"an unknown name in {where}",
                got=_shown(name),
                expected="a witness or group from a line above",
            )

    def _names(self) -> set[str]:
        return {w.name for w in self.witnesses} | {g.name for g in self.groups}

    def _fault(self, what: str, *, got: str, expected: str) -> QuorumError:
        return QuorumError(what, self.number, got=got, expected=expected)


def _shown(text: str) -> str:
    return ascii(text[:80])
