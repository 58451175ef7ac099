from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.core.errors import RecipeError
from builders.core.yamlfile import MAX_BYTES, MAX_DEPTH, load_document, parse_document, read_text


def parse(text: str) -> Any:
    return parse_document(text, file="f.yaml").data


def fault(text: str) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    "scalar",
    ["1.10", "010", "1e3", "0x1F", "yes", "No", "true", "2026-11-24", "1:30", ".inf", "1_000", "="],
)
def test_no_scalar_changes_its_text(scalar: str) -> None:
    assert parse(f"a: {scalar}  # as written\n") == {"a": scalar}
    assert parse(f"{scalar}: a\n") == {scalar: "a"}


def test_only_plain_nulls_are_nothing() -> None:
    assert parse("[~, null, '', '~', \"null\"]") == [None, None, "", "~", "null"]
    assert parse("a:\nb: ''\n") == {"a": None, "b": ""}


def test_every_field_knows_its_line() -> None:
    text = "# a comment\na:\n  - b\n  - c:\n      d: e\nf: >\n  g\n\nh: [i,\n  j]\n"
    document = parse_document(text, file="f.yaml")
    assert document.data == {"a": ["b", {"c": {"d": "e"}}], "f": "g\n", "h": ["i", "j"]}
    lines = {path: document.line_of(path) for path in document.lines}
    assert lines[("a",)] == 2
    assert lines["a", 0] == 3
    assert lines["a", 1, "c", "d"] == 5
    assert lines[("f",)] == 6
    assert lines["h", 1] == 10
    assert document.line_of(("a", 1, "c", "missing", 7)) == 4
    assert document.line_of(("missing",)) == 2


def test_a_mark_of_byte_order_and_windows_lines_are_read() -> None:
    assert parse("\ufeffa: b\r\nc: d\r\n") == {"a": "b", "c": "d"}


def test_only_an_unquoted_arrow_merges() -> None:
    assert parse("'<<': a\n") == {"<<": "a"}
    assert "keys are plain text" in fault("a: {<<: {b: c}}\n").what


def test_a_duplicate_key_names_both_lines() -> None:
    error = fault("a: 1\nb:\n  c: 1\n  d: 2\n  'c': 3\n")
    assert (error.line, error.field) == (5, "b.c")
    assert error.todo == "Line 3 has it already: keep one of them"


def test_depth_is_counted_to_the_level() -> None:
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert "nested too deep" in fault("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)).what
    assert "nested too deep" in fault("a: {" * 500_000).what


@pytest.mark.parametrize("text", ["a: 1\n...\n---\nb: 2\n", "---\n---\n", "a: 1\n--- b\n"])
def test_one_document_only(text: str) -> None:
    assert "more than one document" in fault(text).what


def test_a_document_may_have_its_marks() -> None:
    assert parse("%YAML 1.1\n---\na: b\n...\n") == {"a": "b"}


@pytest.mark.parametrize(
    "text", ["&a b", "a: &x [b]", "a: &x {b: c}", "&k a: b", "*a", "a: *b", "*a : b"]
)
def test_no_anchor_and_no_alias(text: str) -> None:
    assert "anchors and aliases" in fault(text).what


@pytest.mark.parametrize(
    "text", ["!!str a", "a: !b c", "!k a: b", "a: !!map {}", "! a", "- !<tag:x.example,1> a"]
)
def test_no_tag(text: str) -> None:
    assert "tags are refused" in fault(text).what


def test_values_and_keys_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builders.core.yamlfile.MAX_VALUES", 5)
    assert parse("{a: b, c: d}") == {"a": "b", "c": "d"}
    assert "too many values" in fault("{a: b, c: d, e: f}").what
    assert "too many values" in fault("[a, b, c, d, e]").what


def test_a_key_cannot_write_to_the_terminal() -> None:
    error = fault('"a\\e[31m\\nb": 1\n"a\\e[31m\\nb": 2\n')
    assert error.field == r"a\x1b[31m\nb"
    assert str(error).isprintable()


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(
        RecipeError, match=f"file too large; got more; expected at most {MAX_BYTES}"
    ):
        read_text(path)


@pytest.mark.parametrize("size", [MAX_BYTES, MAX_BYTES + 1])
def test_the_limit_of_size_is_exact(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(b"#" * size)
    if size == MAX_BYTES:
        assert len(read_text(path)) == size
    else:
        with pytest.raises(RecipeError, match="file too large"):
            read_text(path)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("folder", "got a folder; expected a regular file"),
        ("pipe", "got a pipe or device; expected a regular file"),
        ("device", "got a pipe or device; expected a regular file"),
        ("missing", "got No such file or directory"),
        ("below a file", "got Not a directory"),
        ("loop of links", "got Too many levels of symbolic links"),
        ("name too long", "got File name too long"),
    ],
)
def test_what_is_no_file_is_said_at_once(tmp_path: Path, kind: str, words: str) -> None:
    path = tmp_path / "recipe.yaml"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "device":
            path = Path("/dev/zero")
        case "below a file":
            path.touch()
            path = path / "recipe.yaml"
        case "loop of links":
            path.symlink_to(path)
        case "name too long":
            path = tmp_path / ("a" * 300)
        case _:
            pass
    with pytest.raises(RecipeError, match=words) as caught:
        load_document(path)
    assert str(caught.value).startswith(f"{path}: cannot be read")


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("a: b\n")
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    assert load_document(tmp_path / "link.yaml").data == {"a": "b"}


@contextmanager
def as_nobody() -> Iterator[None]:
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_a_file_of_somebody_else_is_said_to_be_closed() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.yaml"
        path.write_text("a: b\n")
        path.chmod(0)
        Path(folder).chmod(0o755)
        with as_nobody(), pytest.raises(RecipeError, match="got Permission denied"):
            load_document(path)


@given(st.binary(max_size=200))
def test_noise_is_data_or_one_error(noise: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(noise)
        file.flush()
        try:
            load_document(Path(file.name))
        except RecipeError as error:
            assert str(error).startswith(file.name)  # noqa: PT017  # data is fine too
            assert str(error).isprintable()  # noqa: PT017
