"""One archive of a source as a tree of files, read in the parser jail.

Where the contents of its files are wanted, the jail writes them one behind the other into a file,
and says where each one ends. Whoever asked cuts that file up and hashes every piece again.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from typing import BinaryIO

from pydantic import TypeAdapter

from builders.archives import ArchiveError, ArchiveLimits, Copier, Member, Scratch, members
from builders.core.digest import Digest, chunks, digest_stream
from builders.core.errors import InputMismatchError
from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import JailLimits, Reader

SourceTree = dict[str, tuple[str, Digest]]
"""Mode and digest by path."""
_LIMITS = ArchiveLimits()
_UNPACKED = "(unpacked)"  # what `members` calls the content of a compressed file
_OUTERMOST = frozenset({"", _UNPACKED})


class ContentsWriter:
    """Writes contents one behind the other into one file, each digest once."""

    def __init__(self, output: BinaryIO) -> None:
        """Write to `output`, which is empty."""
        self._output = output
        self._sizes: dict[Digest, int] = {}
        self._end = 0

    @property
    def written(self) -> tuple[tuple[Digest, int], ...]:
        """Digest and size in bytes of each content, in the order of the file."""
        return tuple(self._sizes.items())

    def has(self, digest: Digest) -> bool:
        """Say whether a content was written."""
        return digest in self._sizes

    def begin(self) -> BinaryIO:
        """Return the file to which the next content is written; an unfinished one is replaced."""
        self._output.seek(self._end)
        self._output.truncate()
        return self._output

    def finish(self, digest: Digest) -> None:
        """Keep what was written since `begin` as the content of that digest."""
        end = self._output.tell()
        if digest not in self._sizes:
            self._sizes[digest] = end - self._end
            self._end = end

    def add(self, data: bytes) -> Digest:
        """Write a small content, and return its digest."""
        digest = Digest.of(data)
        self.begin().write(data)
        self.finish(digest)
        return digest

    def add_stream(self, stream: BinaryIO) -> Digest:
        """Write the rest of a stream, and return its digest."""
        hasher, output = hashlib.sha256(), self.begin()
        for piece in chunks(stream):
            hasher.update(piece)
            output.write(piece)
        digest = Digest(hasher.hexdigest())
        self.finish(digest)
        return digest


def read_archive(
    stream: BinaryIO,
    name: str,
    written: ContentsWriter | None = None,
    *,
    scratch: Scratch = tempfile.TemporaryFile,
) -> SourceTree:
    """Return the tree in the archive `name`, without its single top folder; see `source_digest`.

    The contents are given to `written`. Raises `InputMismatchError`.
    """
    tree: SourceTree = {}
    try:
        for member in members(stream, copier=_copier(written), scratch=scratch):
            if member.inside in _OUTERMOST and member.path != _UNPACKED:
                _add_member(member, tree, written)
            elif member.path == _UNPACKED and not member.container and member.sha256:
                tree[name] = ("100644", member.sha256)
        if written and name in tree and not written.has(tree[name][1]):
            _keep_only_member(stream, written, scratch)
        if not tree:
            return {name: ("100644", _digest(stream, written))}
    except ArchiveError as error:
        raise InputMismatchError(
            f"source {name} cannot be read", got=error, expected="a sound archive"
        ) from error
    return _without_top_folder(tree)


def _copier(written: ContentsWriter | None) -> Copier | None:
    """Return what keeps the members of the outermost archive, and not of those nested in it."""
    if written is None:
        return None
    return lambda path, inside: (
        written.begin() if inside in _OUTERMOST and path != _UNPACKED else None
    )


def _keep_only_member(stream: BinaryIO, written: ContentsWriter, scratch: Scratch) -> None:
    """Keep the content of a compressed file that is no archive."""
    stream.seek(0)
    copier: Copier = lambda path, _: written.begin() if path == _UNPACKED else None  # noqa: E731
    for member in members(stream, copier=copier, scratch=scratch):
        if member.path == _UNPACKED and member.sha256:
            written.finish(member.sha256)


def _digest(stream: BinaryIO, written: ContentsWriter | None) -> Digest:
    """Return the digest of a file that is no archive."""
    stream.seek(0)
    return written.add_stream(stream) if written else digest_stream(stream)


def _add_member(member: Member, tree: SourceTree, written: ContentsWriter | None) -> None:
    """Add a member as unpacking would: it replaces an earlier one of the same path."""
    path = _clean(member.path)
    match member.kind:
        case "file" if member.sha256 is not None:
            executable = bool((member.mode or 0) & 0o100)
            tree[path] = ("100755" if executable else "100644", member.sha256)
            if written:
                written.finish(member.sha256)
        case "symlink":
            target = (member.target or "").encode()
            tree[path] = ("120000", written.add(target) if written else Digest.of(target))
        case "hardlink":
            target_path = _clean(member.target or "")
            if target_path not in tree:
                what = "a hard link in a source has no target in it"
                raise InputMismatchError(what, got=target_path, expected=path)
            tree[path] = tree[target_path]
        case "directory":
            pass
        case _:
            what = "a member of a source is no file, link or folder"
            raise InputMismatchError(what, got=f"{member.kind} {path}")


def _clean(path: str) -> str:
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if path.startswith("/") or ".." in parts or not parts:
        raise InputMismatchError("a path in a source leaves its tree", got=path[:120])
    return "/".join(parts)


def _without_top_folder(tree: SourceTree) -> SourceTree:
    tops = {path.partition("/")[0] for path in tree}
    if len(tops) != 1 or not all("/" in path for path in tree):
        return tree
    return {path.partition("/")[2]: value for path, value in tree.items()}


class ArchiveName(FrozenModel):
    """The file name of an archive: the path of its content, if it is none."""

    name: str


class UnpackedArchive(FrozenModel):
    """The tree, and digest and size of the contents in the order in which they were written."""

    tree: SourceTree
    written: tuple[tuple[Digest, int], ...]


def _read(files: Sequence[BinaryIO], parameters: ArchiveName, scratch: Scratch) -> UnpackedArchive:
    stream, *outputs = files
    writer = ContentsWriter(outputs[0]) if outputs else None
    tree = read_archive(stream, parameters.name, writer, scratch=scratch)
    if outputs:
        outputs[0].flush()
    return UnpackedArchive(tree=tree, written=writer.written if writer else ())


ARCHIVE = Reader(
    name="builders.inputs.source_archive:ARCHIVE",
    read=_read,
    parameters=ArchiveName,
    result=TypeAdapter(UnpackedArchive),
    limits=JailLimits(
        seconds=_LIMITS.seconds + 10,
        answer=64 << 20,
        scratch_files=_LIMITS.depth,
        scratch=_LIMITS.unpacked,
    ),
    errors=(InputMismatchError,),
)
"""Reads an archive; a second file takes the contents."""
