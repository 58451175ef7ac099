"""Search in the files of a source: names and lines that contain a text, within limits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipelines.review.diff_rows import MAX_LINE, shown_line
from pipelines.verify.source_diff import SourceFile, unshown

MAX_HITS = 300
MAX_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class SearchHit:
    """A file whose name contains the text, or a line of one."""

    path: str
    line: int | None = None
    text: str = ""
    """The line, escaped as for a terminal and cut."""


@dataclass(frozen=True, kw_only=True)
class SearchAnswer:
    """What was found, and whether that is all."""

    hits: tuple[SearchHit, ...]
    stopped: str | None = None
    """Why not everything was searched."""
    unread: int = 0
    """Files that are binary or too large."""


def search_source(files: Iterable[tuple[str, SourceFile]], text: str) -> SearchAnswer:
    """Return where `text` is, with its case, in the order of `files`."""
    end = time.monotonic() + MAX_SECONDS
    hits: list[SearchHit] = []
    wanted, unread = text.encode("utf-8", "replace"), 0
    for path, file in files:
        if time.monotonic() > end:
            return SearchAnswer(hits=tuple(hits), unread=unread, stopped=f"{MAX_SECONDS:g} seconds")
        if text in path:
            hits.append(SearchHit(path=path))
        if unshown([file]):
            unread += 1
        else:
            hits += _hits(path, file.path.read_bytes(), wanted)
        if len(hits) >= MAX_HITS:
            stopped = f"{MAX_HITS} places"
            return SearchAnswer(hits=tuple(hits[:MAX_HITS]), unread=unread, stopped=stopped)
    return SearchAnswer(hits=tuple(hits), unread=unread)


def _hits(path: str, data: bytes, wanted: bytes) -> Iterator[SearchHit]:
    """Yield the lines that contain `wanted`, as many as are shown at most."""
    number, start, found = 1, 0, 0
    while found < MAX_HITS and (at := data.find(wanted, start)) >= 0:
        number += data.count(b"\n", start, at)
        first, last = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
        last = len(data) if last < 0 else last
        begin = max(first, at - MAX_LINE // 4)
        yield SearchHit(
            path=path, line=number, text=shown_line(data[begin : min(last, begin + MAX_LINE)])
        )
        number, start, found = number + 1, last + 1, found + 1
