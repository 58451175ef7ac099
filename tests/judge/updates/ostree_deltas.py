"""Makes static deltas of OSTree by their parts."""

from __future__ import annotations

import hashlib
import lzma
import stat
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.judge.updates.gvariant import parts_of

FILE, TREE, FOLDER, COMMIT = 1, 2, 3, 4
COMMIT_TYPE = "(a{sv}aya(say)sstayay)"
SUPERBLOCK = f"(a{{sv}}tayay{COMMIT_TYPE}aya(uayttay)a(yaytt))"
PART = "(a(uuu)aa(ayay)ayay)"
_SIZES = {"y": 1, "u": 4, "t": 8, "s": 1, "v": 8}


def encoded(kind: str, value: Any) -> bytes:
    """Serialize a value; numbers are bytes, texts are text, and `v` is a pair of type and value."""
    if isinstance(value, bytes):
        return value
    if kind == "s":
        return str(value).encode() + b"\0"
    if kind == "v":
        return encoded(*value) + b"\0" + str(value[0]).encode()
    if kind[0] == "a":
        return _joined([kind[1:]] * len(value), value, array=True)
    return _joined(parts_of(kind), value, array=False)


def _joined(kinds: Sequence[str], values: Sequence[Any], *, array: bool) -> bytes:
    made, ends = b"", []
    for number, (kind, value) in enumerate(zip(kinds, values, strict=True)):
        made += bytes(-len(made) % _alignment(kind)) + encoded(kind, value)
        if not _is_fixed(kind) and (array or number < len(kinds) - 1):
            ends.append(len(made))
    width = next(one for one in (1, 2, 4) if len(made) + one * len(ends) < 1 << 8 * one)
    offsets = [end.to_bytes(width, "little") for end in ends]
    return made + b"".join(offsets if array else reversed(offsets))


def _alignment(kind: str) -> int:
    if kind[0] == "a":
        return _alignment(kind[1:])
    return max(map(_alignment, parts_of(kind))) if kind[0] in "({" else _SIZES[kind]


def _is_fixed(kind: str) -> bool:
    return all(map(_is_fixed, parts_of(kind))) if kind[0] in "({" else kind in {"y", "u", "t"}


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def number(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


@dataclass
class Tree:
    """A commit of some files, and of a folder of others; text is the target of a symbolic link."""

    files: Mapping[str, bytes | str]
    sub: Tree | None = None
    objects: dict[tuple[int, bytes], bytes] = field(default_factory=dict)
    names: dict[str, bytes] = field(default_factory=dict)

    roots: tuple[bytes, bytes] = (b"", b"")
    """The digests of its folder and of the mode of that."""

    def __post_init__(self) -> None:
        for name, content in self.files.items():
            header = encoded("(uuuusa(ayay))", self._header(content))
            data = content if isinstance(content, bytes) else b""
            self.names[name] = sha256(struct.pack(">II", len(header), 0) + header + data)
        folder = self._add(FOLDER, encoded("(uuua(ayay))", [*self.owner("d"), []]))
        listed, folders = sorted(self.names.items()), []
        if self.sub:
            self.objects.update(self.sub.objects)
            folders = [("sub", *self.sub.roots)]
            self.files = {**self.files, **self.sub.files}
            self.names.update(self.sub.names)
        tree = self._add(TREE, encoded("(a(say)a(sayay))", (listed, folders)))
        self.roots = (tree, folder)
        self.content = encoded(COMMIT_TYPE, ([], b"", [], "subject", "", bytes(8), tree, folder))
        self.commit = sha256(self.content)

    def owner(self, kind: str) -> tuple[bytes, ...]:
        mode = {"d": stat.S_IFDIR, "f": stat.S_IFREG, "l": stat.S_IFLNK}[kind] | 0o644
        return tuple(struct.pack(">I", one) for one in (0, 0, mode))

    def _header(self, content: bytes | str) -> tuple[Any, ...]:
        kind, link = ("l", content) if isinstance(content, str) else ("f", "")
        return (*self.owner(kind), bytes(4), link, [])

    def _add(self, kind: int, data: bytes) -> bytes:
        self.objects[kind, sha256(data)] = data
        return sha256(data)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part by its parts."""

    modes: tuple[tuple[bytes, ...], ...] = ()
    names: bytes = b""
    data: bytes = b""
    code: bytes = b""
    packing: bytes = b"\0"
    checksum: bytes | None = None

    def file(self) -> bytes:
        payload = encoded(PART, (self.modes, [[]], self.data, self.code))
        return self.packing + (lzma.compress(payload) if self.packing == b"x" else payload)


@dataclass(frozen=True, kw_only=True)
class OstreeDelta:
    """A static delta in one file."""

    tree: Tree
    parts: tuple[Part, ...]
    base: bytes = b""
    commit: bytes | None = None
    others: bytes = b""
    outside: tuple[Any, ...] = ()
    inline: tuple[int, ...] | None = None
    unnamed: int = 0
    """How many parts, of the last ones, have no header."""
    after: bytes = b""
    about: tuple[Any, ...] = ()
    """Beside what is said of it."""

    @classmethod
    def full(cls, tree: Tree) -> OstreeDelta:
        """Return a delta from nothing."""
        return cls(tree=tree, parts=(_part(tree, {}),))

    @classmethod
    def between(cls, old: Tree, new: Tree) -> OstreeDelta:
        return cls(tree=new, parts=(_part(new, old.names, old),), base=old.commit)

    def file(self) -> bytes:
        inline = range(len(self.parts)) if self.inline is None else self.inline
        about: list[Any] = [("ostree.endianness", ("y", b"l"))]
        about += [(f"deltas/x/{at}", ("(yay)", self.parts[at].file())) for at in inline]
        about += self.about
        headers = [
            (
                bytes(4),
                sha256(one.file()) if one.checksum is None else one.checksum,
                bytes(8),
                bytes(8),
                one.names,
            )
            for one in self.parts[: len(self.parts) - self.unnamed]
        ]
        commit = self.tree.commit if self.commit is None else self.commit
        values = (
            about, bytes(8), self.base, commit, self.tree.content, self.others, headers,
            self.outside,
        )  # fmt: skip
        return encoded(SUPERBLOCK, values) + self.after


def _part(tree: Tree, known: Mapping[str, bytes], old: Tree | None = None) -> Part:
    """Return what makes all that is new in a tree, of files of the same name where there are."""
    names = data = code = b""
    for (kind, checksum), metadata in tree.objects.items():
        if old is None or (kind, checksum) not in old.objects:
            names += bytes([kind]) + checksum
            code += b"S" + number(len(metadata)) + number(len(data))
            data += metadata
    for name, content in tree.files.items():
        if tree.names[name] in known.values():
            continue
        names += bytes([FILE]) + tree.names[name]
        before = None if old is None else old.files.get(name)
        if isinstance(content, bytes) and isinstance(before, bytes):
            code += b"o\0\0" + number(len(content)) + b"r" + number(len(data))
            data += known[name]
            common = min(len(content), len(before))
            steps = struct.pack("<3Q", common, len(content) - common, 0)
            steps += bytes((a - b) % 256 for a, b in zip(content, before, strict=False))
            steps += content[common:]
            if len(content) % 2:
                code += b"B" + number(len(data)) + number(len(steps)) + b"Rc"
                data += steps
            else:
                same = next((n for n in range(common) if content[n] != before[n]), common)
                code += b"w" + number(same) + b"\0" + b"Rw" + number(len(content) - same)
                code += number(len(data)) + b"c"
                data += content[same:]
            continue
        raw = content.encode() if isinstance(content, str) else content
        mode = b"\1" if isinstance(content, str) else b"\0"
        code += b"S" + mode + b"\0" + number(len(raw)) + number(len(data))
        data += raw
    return Part(modes=(tree.owner("f"), tree.owner("l")), names=names, data=data, code=code)
