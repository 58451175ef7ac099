"""What changed between the source trees of two releases: a diff that nothing in them steers.

Which files changed is read from the trees themselves: path, mode and SHA-256. Lines are compared by
`diff`, which is given two files at a time under names of ours, so that no attribute, driver or
configuration in a source can hide a change.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError
from builders.core.run_tool import run_tool, tool_environment
from pipelines.verify.release_source import ReleaseSource

_MAX_TEXT = 16 << 20
"""Bytes of a file that is compared line by line."""
_HEAD = 8000
"""Bytes in which a NUL makes a file binary, as for git."""
_SECONDS = 60.0
_EMPTY = Path("/dev/null")


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file of a source tree; a link's content is what it leads to."""

    mode: str
    digest: Digest
    size: int
    path: Path = field(compare=False)
    """Where its content is."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {"mode": self.mode, "sha256": str(self.digest), "size": self.size}


@dataclass(frozen=True, kw_only=True)
class SourceChange:
    """A file that only one tree has, or that differs in content or mode."""

    path: str
    before: SourceFile | None
    after: SourceFile | None
    lines: bytes = b""
    """The lines that differ, as a unified diff has them; empty when only the mode does."""
    note: str | None = None
    """Why no lines are shown."""
    was: str | None = None
    """The path before, of a file that was renamed."""

    @property
    def kind(self) -> str:
        """`added`, `removed`, `changed`, `mode` or `renamed`."""
        if self.was is not None:
            return "renamed"
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "mode" if self.before.digest == self.after.digest else "changed"

    @property
    def inserted(self) -> int:
        """How many lines were added."""
        return self._count(b"+")

    @property
    def deleted(self) -> int:
        """How many lines were removed."""
        return self._count(b"-")

    def _count(self, sign: bytes) -> int:
        return sum(line.startswith(sign) for line in self.lines.split(b"\n")[2:])

    def patch(self) -> bytes:
        """Return the change as git writes it."""
        old, new = quoted(f"a/{self.path}"), quoted(f"b/{self.path}")
        rows = [f"diff --git {old} {new}"]
        if self.before is None:
            rows.append(f"new file mode {self.after.mode if self.after else ''}")
        elif self.after is None:
            rows.append(f"deleted file mode {self.before.mode}")
        elif self.before.mode != self.after.mode:
            rows += [f"old mode {self.before.mode}", f"new mode {self.after.mode}"]
        if self.note:
            rows.append(f"{self.note}: {_told(self.before)} -> {_told(self.after)}")
        return "".join(f"{row}\n" for row in rows).encode() + self.lines

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "path": self.path,
            "change": self.kind,
            "before": self.before.to_dict() if self.before else None,
            "after": self.after.to_dict() if self.after else None,
            "inserted": self.inserted,
            "deleted": self.deleted,
            "note": self.note,
        }


@dataclass(kw_only=True)
class DiffTotals:
    """How much changed."""

    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("changed", "added", "removed", "mode"), 0)
    )
    inserted: int = 0
    deleted: int = 0

    def add(self, change: SourceChange) -> None:
        """Count a change."""
        self.counts[change.kind] += 1
        self.inserted += change.inserted
        self.deleted += change.deleted

    def __str__(self) -> str:
        """Return the numbers in words."""
        words = {"mode": "with another mode"}
        found = [f"{n} {words.get(kind, kind)}" for kind, n in self.counts.items() if n]
        if not found:
            return "no file differs"
        return f"files: {', '.join(found)}; lines: {self.inserted} added, {self.deleted} removed"

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {"files": self.counts, "inserted": self.inserted, "deleted": self.deleted}


def source_changes(
    before: Iterable[ReleaseSource], after: Iterable[ReleaseSource], *, text: bool = False
) -> Iterator[SourceChange]:
    """Yield every difference between two releases, sorted by path.

    `text` compares binary files line by line too. Raises `InfrastructureError` without `diff`.
    """
    for change in changed_files(before, after):
        yield with_lines(change, text=text)


def changed_files(
    before: Iterable[ReleaseSource], after: Iterable[ReleaseSource]
) -> Iterator[SourceChange]:
    """Yield every difference between two releases without its lines, sorted by path."""
    old, new = release_tree(before), release_tree(after)
    for path in sorted(old | new):
        one, other = old.get(path), new.get(path)
        if one != other:
            yield SourceChange(path=path, before=one, after=other)


def release_tree(sources: Iterable[ReleaseSource]) -> dict[str, SourceFile]:
    """Return the files of all sources of a release, by path."""
    found = {}
    for source in sources:
        contents = source.files.contents
        for path, (mode, digest) in source.files.tree.items():
            name = f"{source.folder}/{path}" if source.folder else path
            size = contents.size(digest)
            found[name] = SourceFile(
                mode=mode, digest=digest, size=size, path=contents.path(digest)
            )
    return found


def with_lines(change: SourceChange, *, text: bool = False) -> SourceChange:
    """Return a change with the lines that differ, or why they are not shown.

    `text` compares binary files too. Raises `InfrastructureError` without `diff`.
    """
    before, after = change.before, change.after
    if before and after and before.digest == after.digest:
        return change
    lines, note = b"", unshown([f for f in (before, after) if f], text=text)
    if note is None:
        try:
            lines = _compared(change)
        except InfrastructureError as error:
            if not isinstance(error.__cause__, subprocess.TimeoutExpired):
                raise
            note = "not compared within its time"
    return replace(change, lines=lines, note=note)


def unshown(files: list[SourceFile], *, text: bool = False) -> str | None:
    """Return why files are not compared line by line; None when they are."""
    if any(file.size > _MAX_TEXT for file in files):
        return f"larger than {_MAX_TEXT >> 20} MiB"
    return "binary" if not text and any(map(is_binary, files)) else None


def is_binary(file: SourceFile) -> bool:
    """Say whether git would take a file for a binary one."""
    with file.path.open("rb") as stream:
        return b"\0" in stream.read(_HEAD)


def _compared(change: SourceChange) -> bytes:
    named = (("a", change.was or change.path, change.before), ("b", change.path, change.after))
    sides = [
        (quoted(f"{side}/{path}") if file else str(_EMPTY), file.path if file else _EMPTY)
        for side, path, file in named
    ]
    labels = [f"--label={name}" for name, _ in sides]
    done = run_tool(
        ["diff", "-u", "-a", *labels, "--", *(str(file) for _, file in sides)],
        environment=tool_environment(),
        timeout=_SECONDS,
        todo="It comes with the package diffutils",
    )
    if done.exit_code > 1:
        raise InfrastructureError("diff failed", got=done.error_text[:300])
    return done.output


def quoted(path: str) -> str:
    """Return a path that stays on one line and shows every character."""
    return path if path.isprintable() and '"' not in path else json.dumps(path)


def _told(file: SourceFile | None) -> str:
    return f"{file.size} bytes, sha256 {file.digest}" if file else "none"
