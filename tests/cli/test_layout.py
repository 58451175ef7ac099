"""Tables and wrapped lines, on terminals of any width and elsewhere."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.progress import Progress

from builders.core.errors import SamebitsError
from pipelines.cli import options
from pipelines.cli.console import styled, unstyled
from pipelines.cli.layout import fitted, short, table, width, wrapped
from pipelines.cli.main import fail
from pipelines.cli.terminal import LiveLines, columns

HEADER = ("VERDICT", "RELEASE", "CLAIM")
ROWS = [
    (styled("IDENTICAL", "green"), "debian/netbase@6.5", "0a1b2c3d4e5f"),
    ("DIFFERENT", "debian/modsecurity-crs@3.3.7-1+deb13u2", "f5e4d3c2b1a0"),
]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make stdout a terminal of so many columns."""

    def of(columns: int) -> None:
        monkeypatch.setattr(sys, "stdout", Terminal())
        monkeypatch.setenv("COLUMNS", str(columns))

    return of


def plain(lines: list[str]) -> list[str]:
    return [unstyled(line) for line in lines]


def test_a_table_has_its_header_and_whole_rows_where_there_is_no_terminal() -> None:
    assert plain(list(table(HEADER, ROWS))) == [
        "VERDICT    RELEASE                                 CLAIM",
        "IDENTICAL  debian/netbase@6.5                      0a1b2c3d4e5f",
        "DIFFERENT  debian/modsecurity-crs@3.3.7-1+deb13u2  f5e4d3c2b1a0",
    ]


def test_the_flexible_column_is_folded_on_a_narrow_terminal(
    terminal: Callable[[int], None],
) -> None:
    terminal(50)
    assert plain(list(table(HEADER, ROWS, flexible=1))) == [
        "VERDICT    RELEASE                    CLAIM",
        "IDENTICAL  debian/netbase@6.5         0a1b2c3d4e5f",
        "DIFFERENT  debian/modsecurity-crs     f5e4d3c2b1a0",
        "           @3.3.7-1+deb13u2",
    ]


@pytest.mark.parametrize(
    ("cell", "lines"),
    [
        ("one two three four", ["one two", "three four"]),
        ("lab/example@1", ["lab/example", "@1"]),
        ("from a/b/c/d", ["from a/b/c/d"]),
        ("from abc/def/g", ["from", "abc/def/g"]),
        ("abcdefghijklmno", ["abcdefghijkl", "mno"]),
        ("a-long/path/with/folders", ["a-long/path/", "with/folders"]),
    ],
)
def test_a_cell_is_folded_where_it_can_be_read(
    cell: str, lines: list[str], terminal: Callable[[int], None]
) -> None:
    terminal(15)
    rows = plain(list(table(("N", "NAME"), [("1", cell)])))
    assert [row[3:] for row in rows[1:]] == lines


def test_a_terminal_too_narrow_for_the_columns_gets_wrapped_rows_with_nothing_cut(
    terminal: Callable[[int], None],
) -> None:
    terminal(40)
    shown = plain(list(fitted(table(HEADER, ROWS, flexible=1))))
    assert max(map(len, shown)) <= 40
    letters = sorted("".join("".join(shown).split()))
    assert letters == sorted("".join(unstyled(cell) for row in [HEADER, *ROWS] for cell in row))


def test_cells_keep_their_colours_and_numbers_can_be_on_the_right() -> None:
    rows = list(table(("N", "NAME"), [("1", "a"), ("12", "b")], right=[0]))
    assert plain(rows) == [" N  NAME", " 1  a", "12  b"]
    assert styled("IDENTICAL", "green") in list(table(HEADER, ROWS))[1]


def test_a_table_without_rows_is_nothing() -> None:
    assert list(table(HEADER, [])) == []


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("one two three", ["one two", "  three"]),
        ("  one two three", ["  one two", "    three"]),
        ("- one two three", ["- one two", "  three"]),
        ("a  one two three", ["a  one two", "   three"]),
        ("  a  one two three", ["  a  one", "     two", "     three"]),
        ("aaaaaaaa  one two", ["aaaaaaaa", "  one two"]),
        ("averyverylongword b", ["averyver", "  ylongwor", "  d b"]),
        ("  \u6f22\u6f22\u6f22\u6f22\u6f22 b", ["  \u6f22\u6f22\u6f22", "    \u6f22\u6f22 b"]),
        (f"  {'0a' * 32} b", [f"  {'0a' * 32}", "    b"]),
        pytest.param(styled("one", bold=True) + " two three", ["one two", "  three"], id="bold"),
        ("short", ["short"]),
    ],
)
def test_the_rest_of_a_line_hangs_below_its_text(line: str, parts: list[str]) -> None:
    assert plain(list(wrapped(line, 10))) == parts


def test_no_line_of_a_text_looks_like_one_of_ours(terminal: Callable[[int], None]) -> None:
    terminal(14)
    assert list(fitted(["  it failed\n  IDENTICAL  it"])) == [
        "  it failed",
        "  |",
        "  | IDENTICAL",
        "  | it",
    ]


def test_nothing_but_colors_reaches_the_terminal_as_it_is() -> None:
    green = styled("ok", "green")
    assert list(fitted([f"{green} \x1b]0;title\x07\r\u202e"])) == [
        f"{green} \\x1b]0;title\\x07\\r\\u202e"
    ]


def test_an_error_shows_what_others_wrote_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    fail(SamebitsError("a record is damaged", got="\x1b[2J\x1b[32mok"), as_json=False)
    assert capsys.readouterr().err == ("samebits: a record is damaged; got \\x1b[2J\\x1b[32mok\n")


def test_the_progress_of_a_run_obeys_no_markup_and_no_escapes() -> None:
    shown = Terminal()
    with Progress(*columns(), console=Console(file=shown, width=100)) as progress:
        sink = LiveLines(progress)
        sink.step("acme/engine@1", "explaining [/dim].bin")
        sink.detail("acme/engine@1", "\x1b]0;title\x07")
    assert "explaining [/dim].bin" in shown.getvalue()
    assert "\\x1b]0;title" in shown.getvalue()


def test_a_file_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert width(io.StringIO()) is None
    assert width(Terminal()) == 80


def test_wide_shows_whole_digests_on_lines_that_are_not_wrapped() -> None:
    @click.command()
    @options.wide
    def print_it() -> None:
        click.echo(f"{short('a' * 64)} {width(Terminal())}")

    run = CliRunner(env={"COLUMNS": "80"}).invoke
    assert run(print_it, []).stdout == f"{'a' * 12} 80\n"
    assert run(print_it, ["--wide"]).stdout == f"{'a' * 64} None\n"
