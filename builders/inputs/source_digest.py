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

from builders.archives import ArchiveError, Copier, Member, members
from builders.core.digest import Digest, canonical_json, digest_stream
from builders.core.errors import InputMismatchError
from builders.inputs.input_file import InputFile
from builders.inputs.source_contents import SourceContents

SourceTree = dict[str, tuple[str, Digest]]
Opener = Callable[[InputFile], AbstractContextManager[BinaryIO]]

_COMPONENT = re.compile(r".+\.orig-([A-Za-z0-9-]+)\.tar\.[a-z0-9]+")
_PACKAGING = re.compile(r".+\.debian\.tar\.[a-z0-9]+")
_DIFF = re.compile(r".+\.diff\.gz")
_UNPACKED = "(unpacked)"  # what `members` calls the content of a compressed file
_OUTERMOST = frozenset({"", _UNPACKED})


def source_digest(files: Iterable[InputFile], opener: Opener) -> Digest:
    """Return the source digest of one source: its file, or a .dsc with the files it names.

    Raises `InputMismatchError` for an archive that cannot be read.
    """
    return tree_digest(source_tree(list(files), opener))


def tree_digest(tree: SourceTree) -> Digest:
    """Return the source digest of a tree."""
    manifest = [[path, mode, digest.hex] for path, (mode, digest) in sorted(tree.items())]
    return Digest.of(canonical_json(manifest))


def source_tree(
    files: list[InputFile], opener: Opener, contents: SourceContents | None = None
) -> SourceTree:
    """Return mode and digest of every file of the unpacked tree, by path.

    The contents of the files are kept in `contents`, as the very bytes that were hashed, and with
    them the targets of symbolic links. Raises `InputMismatchError`.
    """
    if not any(file.name.endswith(".dsc") for file in files):
        (file,) = files
        return _unpacked(file, opener, contents)
    tree: SourceTree = {}
    for file in sorted(files, key=_order):
        if file.name.endswith((".dsc", ".asc")):
            continue
        inside = _unpacked(file, opener, contents)
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


def _unpacked(file: InputFile, opener: Opener, contents: SourceContents | None) -> SourceTree:
    tree: SourceTree = {}
    try:
        with opener(file) as stream:
            for member in members(stream, copier=_copier(contents)):
                if member.inside in _OUTERMOST and member.path != _UNPACKED:
                    _add_member(member, tree, contents)
                elif member.path == _UNPACKED and not member.container and member.sha256:
                    tree[file.name] = ("100644", member.sha256)
        if contents and file.name in tree and not contents.path(tree[file.name][1]).exists():
            _keep_only_member(file, opener, contents)
        if not tree:
            return {file.name: ("100644", _digest(file, opener, contents))}
    except ArchiveError as error:
        raise InputMismatchError(
            f"source {file.name} cannot be read", got=error, expected="a sound archive"
        ) from error
    return _without_top_folder(tree)


def _copier(contents: SourceContents | None) -> Copier | None:
    """Return what keeps the members of the outermost archive, and not of those nested in it."""
    if contents is None:
        return None
    return lambda path, inside: (
        contents.begin() if inside in _OUTERMOST and path != _UNPACKED else None
    )


def _keep_only_member(file: InputFile, opener: Opener, contents: SourceContents) -> None:
    """Keep the content of a compressed file that is no archive."""
    with opener(file) as stream:
        copier: Copier = lambda path, _: contents.begin() if path == _UNPACKED else None  # noqa: E731
        for member in members(stream, copier=copier):
            if member.path == _UNPACKED and member.sha256:
                contents.finish(member.sha256)


def _digest(file: InputFile, opener: Opener, contents: SourceContents | None) -> Digest:
    """Return the digest of a file that is no archive."""
    with opener(file) as stream:
        return contents.add_stream(stream) if contents else digest_stream(stream)


def _add_member(member: Member, tree: SourceTree, contents: SourceContents | None) -> None:
    """Add a member as unpacking would: it replaces an earlier one of the same path."""
    path = _clean(member.path)
    match member.kind:
        case "file" if member.sha256 is not None:
            executable = bool((member.mode or 0) & 0o100)
            tree[path] = ("100755" if executable else "100644", member.sha256)
            if contents:
                contents.finish(member.sha256)
        case "symlink":
            target = (member.target or "").encode()
            tree[path] = ("120000", contents.add(target) if contents else Digest.of(target))
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
