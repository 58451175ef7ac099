"""Witnesses and the quorum they form, in the words of C2SP tlog-policy.

The lines are `witness <name> <vkey> [<url>]`, `group <name> all|any|<k> <member>...` and, once,
`quorum <name>|none`; empty lines and comments are skipped. A line names only what is above it,
and a name is a member of one group at most, so no quorum is circular and none out of reach. The
`log` lines of that format are refused: the logs are those of a policy's centers.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from builders.core.yamlfile import FieldError
from pipelines.log.errors import NoteError
from pipelines.log.notekey import COSIGNATURE, NoteKey

MAX_TEXT = 256 << 10
MAX_NAMES = 256
"""Witnesses and groups together; the format asks for at least 32 of each."""
NONE = "none"
_SPACE = re.compile(r"[ \t]+")
_COUNT = re.compile(r"[1-9][0-9]{0,3}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_FORMS = {
    "witness": ("witness <name> <vkey> [<url>]", range(2, 4)),
    "group": ("group <name> all|any|<k> <member>...", range(3, MAX_TEXT)),
    "quorum": ("quorum <name>|none", range(1, 2)),
}


class QuorumError(FieldError):
    """A line that cannot be used."""


@dataclass(frozen=True, kw_only=True)
class QuorumWitness:
    """A witness by the name that groups use; `url` is where it may be reached."""

    name: str
    key: NoteKey
    url: str | None = None

    def to_text(self) -> str:
        """Return its line."""
        return " ".join(filter(None, ("witness", self.name, str(self.key), self.url)))


@dataclass(frozen=True, kw_only=True)
class WitnessGroup:
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

    witnesses: tuple[QuorumWitness, ...] = ()
    groups: tuple[WitnessGroup, ...] = ()
    name: str = NONE

    @classmethod
    def parse(cls, text: str) -> Quorum:
        """Read the lines of a policy; raises `QuorumError`."""
        return _Reader().read(text)

    def to_text(self) -> str:
        """Return the lines in one form: witnesses, groups, quorum."""
        witnesses = [witness.to_text() for witness in self.witnesses]
        groups = [group.to_text() for group in self.groups]
        return "\n".join([*witnesses, *groups, f"quorum {self.name}", ""])

    def satisfied_by(self, names: Collection[str]) -> bool:
        """Say whether the witnesses `names` are enough; a name of no witness counts for nothing."""
        if self.name == NONE:
            return True
        witnessed = {witness.name for witness in self.witnesses} & set(names)
        for group in self.groups:
            if len(witnessed & set(group.members)) >= group.threshold:
                witnessed.add(group.name)
        return self.name in witnessed


class _Reader:
    """Reads lines in order; a name counts from the line after its own."""

    def __init__(self) -> None:
        self._witnesses: dict[str, QuorumWitness] = {}
        self._groups: dict[str, WitnessGroup] = {}
        self._quorum: str | None = None
        self._line = 1

    def read(self, text: str) -> Quorum:
        if len(text) > MAX_TEXT:
            raise self._error("too long", got=f"{len(text)} characters", expected=str(MAX_TEXT))
        for self._line, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            if found := _CONTROL.search(line):
                raise self._error(
                    "a control character", got=f"{ord(found[0]):#04x}", expected="text and tabs"
                )
            word, *items = _SPACE.split(line.strip(" \t"))
            if word and not word.startswith("#"):
                self._read_line(word, items)
        if self._quorum is None:
            raise self._error("no quorum", got="the end", expected="one line `quorum <name>`")
        witnesses, groups = tuple(self._witnesses.values()), tuple(self._groups.values())
        return Quorum(witnesses=witnesses, groups=groups, name=self._quorum)

    def _read_line(self, word: str, items: list[str]) -> None:
        if word not in _FORMS:
            raise self._error("unknown word", got=_shown(word), expected=", ".join(_FORMS))
        form, counts = _FORMS[word]
        if len(items) not in counts:
            raise self._error(f"not a {word}", got=f"{len(items)} items", expected=form)
        match word:
            case "witness":
                self._read_witness(*items)
            case "group":
                self._read_group(*items)
            case _:
                self._read_quorum(*items)

    def _read_witness(self, name: str, vkey: str, url: str | None = None) -> None:
        self._check_new(name)
        try:
            key = NoteKey.parse(vkey, COSIGNATURE)
        except NoteError as error:
            raise self._error(
                f"the key of witness {_shown(name)} cannot be used: {error.what}",
                got=str(error.got),
                expected=str(error.expected),
            ) from error
        if key.key in {witness.key.key for witness in self._witnesses.values()}:
            raise self._error(
                "one key is used twice", got=f"witness {_shown(name)}", expected="a key of its own"
            )
        self._witnesses[name] = QuorumWitness(name=name, key=key, url=url)

    def _read_group(self, name: str, count: str, *members: str) -> None:
        taken = {member for group in self._groups.values() for member in group.members}
        for member in members:
            self._check_known(member, "a group")
            if member in taken:
                expected = "every name in one group at most, once"
                raise self._error("a member is named twice", got=_shown(member), expected=expected)
            taken.add(member)
        self._check_new(name)
        threshold = {"any": 1, "all": len(members)}.get(count)
        if threshold is None:
            threshold = int(count) if _COUNT.fullmatch(count) else 0
        if not 1 <= threshold <= len(members):
            raise self._error(
                "a group that cannot be satisfied",
                got=f"{_shown(count)} of {len(members)} members",
                expected=f"all, any, or a number from 1 to {len(members)}",
            )
        self._groups[name] = WitnessGroup(name=name, threshold=threshold, members=members)

    def _read_quorum(self, name: str) -> None:
        if self._quorum is not None:
            raise self._error("a second quorum", got=_shown(name), expected="one")
        if name != NONE:
            self._check_known(name, "a quorum")
        self._quorum = name

    def _check_new(self, name: str) -> None:
        if name == NONE or name in self._witnesses or name in self._groups:
            expected = "a name of its own, not `none`"
            raise self._error("a name that is taken", got=_shown(name), expected=expected)
        if len(self._witnesses) + len(self._groups) >= MAX_NAMES:
            raise self._error("too many names", got="more", expected=f"at most {MAX_NAMES}")

    def _check_known(self, name: str, where: str) -> None:
        if name not in self._witnesses and name not in self._groups:
            expected = "a witness or group from a line above"
            raise self._error(f"an unknown name in {where}", got=_shown(name), expected=expected)

    def _error(self, what: str, *, got: str, expected: str) -> QuorumError:
        todo = "The lines are those of C2SP tlog-policy"
        return QuorumError(what, got=got, expected=expected, todo=todo, line=self._line)


def _shown(text: str) -> str:
    return ascii(text[:80])
