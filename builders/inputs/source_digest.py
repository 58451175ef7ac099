"""The source digest: identifies the source that a reviewer read, independent of its archive.

SHA-256 of the canonical JSON (RFC 8785) of the sorted list of [path, mode, SHA-256] of the files in
the unpacked tree. A mode is one of git's: 100644, 100755, or 120000 for a symbolic link, whose
digest is that of its target. Folders, times and owners are not included.

- The single top folder of an archive (tar, zip), if it has one, is left out.
- A Debian source package is unpacked as `dpkg-source --skip-patches -x` does: the upstream archive,
  each further component below its own folder, and `debian/` from the packaging archive. A
  `.diff.gz` of format 1.0 is not applied; it counts as the file `debian.diff`.
- Anything that is no archive is one file under its own name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import BinaryIO

from builders.core.digest import Digest, canonical_json
from builders.core.errors import InfrastructureError
from builders.inputs.input_file import InputFile
from builders.inputs.source_archive import ARCHIVE, ArchiveName, SourceTree
from builders.inputs.source_contents import SourceContents
from builders.jail.errors import JailFailedError
from builders.jail.file_reader import Jail

Opener = Callable[[InputFile], AbstractContextManager[BinaryIO]]

_COMPONENT = re.compile(r".+\.orig-([A-Za-z0-9-]+)\.tar\.[a-z0-9]+")
_PACKAGING = re.compile(r".+\.debian\.tar\.[a-z0-9]+")
_DIFF = re.compile(r".+\.diff\.gz")


def source_digest(files: Iterable[InputFile], opener: Opener, jail: Jail) -> Digest:
    """Return the source digest of one source: its file, or a .dsc with the files it names.

    Raises `InputMismatchError` for an archive that is not sound, and `InfrastructureError` where
    its reader gave no answer or the jail could not be started.
    """
    return tree_digest(source_tree(list(files), opener, jail))


def tree_digest(tree: SourceTree) -> Digest:
    """Return the source digest of a tree."""
    manifest = [[path, mode, digest.hex] for path, (mode, digest) in sorted(tree.items())]
    return Digest.of(canonical_json(manifest))


def source_tree(
    files: list[InputFile], opener: Opener, jail: Jail, contents: SourceContents | None = None
) -> SourceTree:
    """Return mode and digest of every file of the unpacked tree, by path; read in the jail.

    The contents of the files are kept in `contents`, as the very bytes that were hashed, and with
    them the targets of symbolic links. Raises as `source_digest` does.
    """
    if not any(file.name.endswith(".dsc") for file in files):
        (file,) = files
        return _unpacked(file, opener, jail, contents)
    tree: SourceTree = {}
    for file in sorted(files, key=_order):
        if file.name.endswith((".dsc", ".asc")):
            continue
        inside = _unpacked(file, opener, jail, contents)
        if _PACKAGING.fullmatch(file.name):
            tree = {p: v for p, v in tree.items() if not p.startswith("debian/")}
            inside = {p if p.startswith("debian/") else f"debian/{p}": v for p, v in inside.items()}
        elif match := _COMPONENT.fullmatch(file.name):
            tree = {p: v for p, v in tree.items() if not p.startswith(f"{match[1]}/")}
            inside = {f"{match[1]}/{p}": v for p, v in inside.items()}
        elif _DIFF.fullmatch(file.name):
            inside = dict(zip(("debian.diff",), inside.values(), strict=True))
        tree.update(inside)
    return tree


def _order(file: InputFile) -> tuple[int, str]:
    """Sort the upstream archive first, then its components, then the packaging."""
    late = bool(_PACKAGING.fullmatch(file.name)) or bool(_DIFF.fullmatch(file.name))
    return (2 if late else 1 if _COMPONENT.fullmatch(file.name) else 0), file.name


def _unpacked(
    file: InputFile, opener: Opener, jail: Jail, contents: SourceContents | None
) -> SourceTree:
    """Read one archive in the jail; contents it wrote are hashed again outside of it.

    A reader that gave no answer says nothing of the archive: the machine may have been too slow.
    """
    name = ArchiveName(name=file.name)
    try:
        with opener(file) as stream:
            if contents is None:
                return jail.run(ARCHIVE, [stream], name).tree
            with contents.output() as output:
                found = jail.run(ARCHIVE, [stream], name, outputs=[output])
                contents.take(output, found.written)
                return found.tree
    except JailFailedError as error:
        raise InfrastructureError(
            f"source {file.name} was not read", got=error, expected="an answer of its reader"
        ) from error
