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

from builders.archives import ArchiveError, Member, members
from builders.core.digest import Digest, canonical_json, digest_stream
from builders.core.errors import InputMismatchError
from builders.inputs.input_file import InputFile

SourceTree = dict[str, tuple[str, Digest]]
Opener = Callable[[InputFile], AbstractContextManager[BinaryIO]]

_COMPONENT = re.compile(r".+\.orig-([A-Za-z0-9-]+)\.tar\.[a-z0-9]+")
_PACKAGING = re.compile(r".+\.debian\.tar\.[a-z0-9]+")
_DIFF = re.compile(r".+\.diff\.gz")
_UNPACKED = "(unpacked)"  # what `members` calls the content of a compressed file


def source_digest(files: Iterable[InputFile], opener: Opener) -> Digest:
    """Return the source digest of one source: its file, or a .dsc with the files it names.

    Raises `InputMismatchError` for an archive that cannot be read.
    """
    tree = source_tree(list(files), opener)
    manifest = [[path, mode, digest.hex] for path, (mode, digest) in sorted(tree.items())]
    return Digest.of(canonical_json(manifest))


def source_tree(files: list[InputFile], opener: Opener) -> SourceTree:
    """Return mode and digest of every file of the unpacked tree, by path."""
    if not any(file.name.endswith(".dsc") for file in files):
        (file,) = files
        return _unpacked(file, opener)
    tree: SourceTree = {}
    for file in sorted(files, key=_order):
        if file.name.endswith((".dsc", ".asc")):
            continue
        inside = _unpacked(file, opener)
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


def _unpacked(file: InputFile, opener: Opener) -> SourceTree:
    tree: SourceTree = {}
    try:
        with opener(file) as stream:
            for member in members(stream):
                if member.inside in {"", _UNPACKED} and member.path != _UNPACKED:
                    _add_member(member, tree)
                elif member.path == _UNPACKED and not member.container and member.sha256:
                    tree[file.name] = ("100644", member.sha256)
        if not tree:
            with opener(file) as stream:
                return {file.name: ("100644", digest_stream(stream))}
    except ArchiveError as error:
        raise InputMismatchError(
            f"source {file.name} cannot be read", got=error, expected="a sound archive"
        ) from error
    return _without_top_folder(tree)


def _add_member(member: Member, tree: SourceTree) -> None:
    """Add a member as unpacking would: it replaces an earlier one of the same path."""
    path = _clean(member.path)
    match member.kind:
        case "file" if member.sha256 is not None:
            executable = bool((member.mode or 0) & 0o100)
            tree[path] = ("100755" if executable else "100644", member.sha256)
        case "symlink":
            tree[path] = ("120000", Digest.of((member.target or "").encode()))
        case "hardlink":
            target = _clean(member.target or "")
            if target not in tree:
                what = "a hard link in a source has no target in it"
                raise InputMismatchError(what, got=target, expected=path)
            tree[path] = tree[target]
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
