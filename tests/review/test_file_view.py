"""How lines become rows, pairs and colours."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.jail import JailEnd, JailFailedError
from pipelines.review.colors import MAX_BYTES, colored
from pipelines.review.diff_rows import MAX_LINE, MAX_ROWS, diff_rows, side_by_side
from pipelines.review.file_view import ViewKind, file_view
from pipelines.review.source_search import MAX_HITS, search_source
from pipelines.verify.source_diff import SourceChange, SourceFile
from tests.fakes.jail import OpenJail

DIFF = b"""--- a/x
+++ b/x
@@ -3,4 +3,5 @@ int f(void)
 same
-one
-two
+ONE
+TWO
+three
 @@ -1 +1 @@ a line of the file
\\ No newline at end of file
"""


def made(folder: Path, data: bytes) -> SourceFile:
    path = folder / Digest.of(data).hex
    path.write_bytes(data)
    return SourceFile(mode="100644", digest=Digest.of(data), size=len(data), path=path)


def test_lines_are_numbered_as_in_their_files() -> None:
    rows = diff_rows(DIFF)
    assert [(r.sign, r.old, r.new, r.text) for r in rows] == [
        ("@", None, None, "@@ -3,4 +3,5 @@ int f(void)"),
        (" ", 3, 3, "same"),
        ("-", 4, None, "one"),
        ("-", 5, None, "two"),
        ("+", None, 4, "ONE"),
        ("+", None, 5, "TWO"),
        ("+", None, 6, "three"),
        (" ", 6, 7, "@@ -1 +1 @@ a line of the file"),
    ]
    assert [row.unended for row in rows] == [False] * 7 + [True]


def test_removed_lines_stand_beside_the_added_ones_that_follow() -> None:
    pairs = [
        (p.left and p.left.text, p.right and p.right.text) for p in side_by_side(diff_rows(DIFF))
    ]
    assert pairs[2:5] == [("one", "ONE"), ("two", "TWO"), (None, "three")]
    again = b"\n\n@@ -1 +1 @@\n-a\n+b\n-c\n"
    assert [p.right and p.right.text for p in side_by_side(diff_rows(again))][1:] == ["b", None]


def test_what_nobody_would_see_as_itself_is_shown_as_an_escape() -> None:
    rows = diff_rows("\n\n@@ -0,0 +1 @@\n+\x1b[2J\u202e\ta\r".encode() + b"\xff\n")
    assert rows[1].text == r"\x1b[2J\u202e   a\r\xff"


def test_a_long_line_is_cut_and_says_so(tmp_path: Path) -> None:
    change = SourceChange(path="x.py", before=None, after=made(tmp_path, b"y" * (10 << 20)))
    view = file_view(change, ViewKind.UNIFIED, 1, OpenJail())
    row = view.rows[-1]
    assert (len(row.text), row.cut) == (MAX_LINE, 10 << 20)
    assert len(view.html(row)) == MAX_LINE


def test_many_lines_are_pages(tmp_path: Path) -> None:
    change = SourceChange(path="x", before=None, after=made(tmp_path, b"a\n" * (MAX_ROWS + 5)))
    for kind in ViewKind:
        view = file_view(change, kind, 99, OpenJail())
        assert (view.page, view.pages) == (2, 2)
        assert len(view.rows or view.pairs) in {5, 6}


def test_more_lines_than_are_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.review.diff_rows.MAX_READ", 50)
    change = SourceChange(path="x", before=None, after=made(tmp_path, b"\n" * 60))
    for kind in ViewKind:
        view = file_view(change, kind, 1, OpenJail())
        assert view.cut
        assert len(view.rows or view.pairs) in {48, 50}


def test_colours_are_those_of_the_whole_file(tmp_path: Path) -> None:
    old, new = (made(tmp_path, b'"""text\n%s\n"""\n' % word) for word in (b"if", b"else"))
    change = SourceChange(path="x.py", before=old, after=new)
    view = file_view(change, ViewKind.UNIFIED, 1, OpenJail())
    (row,) = [row for row in view.rows if row.sign == "-"]
    assert view.html(row) == '<span class="k-sd">if</span>', "in a string that began above"


def test_text_is_never_markup_with_colours_or_without(tmp_path: Path) -> None:
    line = '<script>"</span>'
    for name, jail in (("x.py", OpenJail()), ("x.unknown", OpenJail())):
        (found,) = colored([line], name, jail)
        assert "<script" not in found
    failing = OpenJail(failing=JailFailedError(JailEnd.TIMED_OUT, "slow", got="6 s"))
    assert colored([line], "x.py", failing) == ["&lt;script&gt;&#34;&lt;/span&gt;"]


@pytest.mark.parametrize(
    ("name", "first", "known"),
    [
        ("debian/postinst", "#!/bin/sh -e", True),
        ("run", "#!/usr/bin/env python3", True),
        ("run", "#!/usr/bin/brainfuck", False),
        ("notes", "# about /bin/sh", False),
    ],
)
def test_a_language_is_known_by_the_interpreter_too(name: str, first: str, known: bool) -> None:
    found = colored([first, "if true"], name, OpenJail())
    assert ("<span" in found[1]) is known


def test_colours_that_spell_other_lines_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenJail, "run", lambda *_, **__: [[("k", "good")]])
    assert colored(["evil"], "x.py", OpenJail()) == ["evil"]


def test_a_large_text_has_no_colours() -> None:
    failing = OpenJail(failing=RuntimeError("asked"))  # type: ignore[arg-type]
    assert len(colored(["x" * (MAX_BYTES + 1)], "x.py", failing)) == 1


def test_a_search_says_where_and_when_it_stops(tmp_path: Path) -> None:
    one = made(tmp_path, b"first\nan axe\nand axes, axes\n")
    binary = made(tmp_path, b"\0axe")
    found = search_source([("axe/one", one), ("two", binary)], "axe")
    assert [(h.path, h.line) for h in found.hits] == [
        ("axe/one", None),
        ("axe/one", 2),
        ("axe/one", 3),
    ]
    assert (found.unread, found.stopped) == (1, None)
    many = made(tmp_path, b"axe\n" * (MAX_HITS + 5))
    stopped = search_source([("many", many), ("never", many)], "axe")
    assert (len(stopped.hits), stopped.stopped) == (MAX_HITS, f"{MAX_HITS} places")
