"""A source tree on disk: exactly the files that its source digest names, whatever the archive says.

The tree is written from the contents that were hashed. Who may read it is up to the umask; whether
a file can be executed is part of the digest. No path of it leads through a link, so nothing is
written outside of it. Owners, times and empty folders are no part of a source digest, and are not
restored.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from builders.archives import ArchiveLimits
from builders.core.digest import Digest, digest_file
from builders.core.errors import InputMismatchError
from builders.core.escaping import escaped
from builders.inputs.input_file import InputFile
from builders.inputs.source_archive import SourceTree
from builders.inputs.source_contents import SourceContents
from builders.inputs.source_digest import Opener, source_tree, tree_digest
from builders.jail.file_reader import Jail

LINK = "120000"
_EXECUTABLE = "100755"
MAX_BYTES = ArchiveLimits().unpacked
"""Bytes of one tree on disk: hard links can multiply what an archive holds."""


@dataclass(frozen=True, kw_only=True)
class SourceFiles:
    """A source tree, its digest, and where the contents of its files are."""

    tree: SourceTree
    digest: Digest
    contents: SourceContents

    @classmethod
    def read(cls, files: list[InputFile], opener: Opener, folder: Path, jail: Jail) -> SourceFiles:
        """Read a source into the new `folder`; raises as `source_digest` does."""
        contents = SourceContents(folder)
        tree = source_tree(files, opener, jail, contents)
        return cls(tree=tree, digest=tree_digest(tree), contents=contents)

    def write(self, folder: Path) -> None:
        """Write the tree into the new `folder`, and read it again to compare the digests.

        Raises `InputMismatchError` for a tree that no folder can hold.
        """
        self._check_size()
        folder.mkdir()
        for path, (mode, digest) in sorted(self.tree.items()):
            try:
                self._write_file(folder, path, mode, digest)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                raise _unwritable(path, reason) from error
        if (found := folder_digest(folder)) != self.digest:
            what = "what was written is not the source"
            raise InputMismatchError(what, got=f"source digest {found}", expected=self.digest)

    def links_out(self) -> Iterator[str]:
        """Yield the paths of links that lead out of the tree."""
        for path, (mode, digest) in sorted(self.tree.items()):
            if mode == LINK and _leaves(path, self.contents.text(digest)):
                yield path

    def size(self) -> int:
        """Return the bytes of all files."""
        sizes = {digest: self.contents.size(digest) for _, digest in self.tree.values()}
        return sum(sizes[digest] for _, digest in self.tree.values())

    def _check_size(self) -> None:
        if (size := self.size()) > MAX_BYTES:
            what = "a source unpacks to too much"
            raise InputMismatchError(what, got=f"{size} bytes", expected=f"at most {MAX_BYTES}")

    def _write_file(self, folder: Path, path: str, mode: str, digest: Digest) -> None:
        above = folder
        for part in PurePosixPath(path).parts[:-1]:
            above = above / part
            if above.is_symlink() or above.is_file():
                raise _unwritable(path, f"{above.relative_to(folder)} is no folder")
            if not above.exists():
                above.mkdir()
        target = folder / path
        if mode == LINK:
            target.symlink_to(self.contents.text(digest))
            return
        self.contents.copy(digest, target)
        if mode == _EXECUTABLE:
            allowed = target.stat().st_mode
            target.chmod(allowed | (allowed & 0o444) >> 2)  # whoever may read it may execute it


def folder_digest(folder: Path) -> Digest:
    """Return the source digest of a folder; links are not followed. Raises `OSError`."""
    tree: SourceTree = {}
    for above, folders, files in os.walk(folder):
        for name in [*files, *folders]:
            path = Path(above, name)
            key = path.relative_to(folder).as_posix()
            if path.is_symlink():
                tree[key] = (LINK, Digest.of(os.fsencode(path.readlink())))
            elif path.is_file():
                executable = path.stat().st_mode & 0o100
                tree[key] = (_EXECUTABLE if executable else "100644", digest_file(path))
    return tree_digest(tree)


def _leaves(path: str, target: str) -> bool:
    """Say whether a link leads out of its tree; what it leads to may be a link again."""
    depth = path.count("/")
    for part in target.split("/"):
        if part == "..":
            depth -= 1
        elif part not in {"", "."}:
            depth += 1
        if depth < 0:
            return True
    return target.startswith("/")


def _unwritable(path: str, reason: object) -> InputMismatchError:
    return InputMismatchError(
        "a source cannot be written to a folder",
        got=f"{escaped(path)[:200]}: {reason}",
        expected="files and folders with names that a file system takes",
    )
