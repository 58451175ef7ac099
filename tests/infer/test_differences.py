"""What is read from a pair of wheels, before anybody names a cause."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.infer.journal import WheelDifferences
from pipelines.infer.wheel import comparison
from pipelines.infer.wheel.comparison import compare_wheels
from tests.fakes.jail import OpenJail
from tests.infer.pairs import DIST, NAME, Changes, Pair
from tests.infer.workbench import BUILT, METADATA, Entry, wheel, wheel_files

PLAIN = wheel_files()
WHEEL = PLAIN[f"{DIST}/WHEEL"]
DATA = "tool/data.txt"


def read(folder: Path, pair: Pair) -> WheelDifferences:
    return pair.compared(folder)[1]


def of(folder: Path, shipped: bytes, rebuilt: bytes) -> WheelDifferences:
    """Compare wheels with another content of one file."""
    pair = Pair(shipped={DATA: Entry(data=shipped)}, rebuilt={DATA: Entry(data=rebuilt)})
    return read(folder, pair)


def test_the_same_wheel_has_no_differences(tmp_path: Path) -> None:
    found = read(tmp_path, Pair())
    assert found == WheelDifferences()
    assert found.weight == 0


def test_members_of_one_side_are_told_apart(tmp_path: Path) -> None:
    found = read(tmp_path, Pair(shipped={"a.py": Entry()}, rebuilt={"b.py": Entry()}))
    assert (found.only_shipped, found.only_rebuilt) == (("a.py",), ("b.py",))
    assert (found.content, found.packing, found.order) == ((), (), False)


@pytest.mark.parametrize(
    ("shipped", "rebuilt"),
    [
        (b'version = "1.0.2"\n', b'version = "1.0"\n'),
        (b'version = "1.0.2"\n', b'version = "1.0.dev3+g0123abc"\n'),
        (b"commit = g0123abc\n", b"commit = gfedcba9\n"),
        (b"commit = 0123abc\n", b"commit = " + b"f" * 40 + b"\n"),
    ],
)
def test_versions_and_commits_are_seen(tmp_path: Path, shipped: bytes, rebuilt: bytes) -> None:
    found = of(tmp_path, shipped, rebuilt)
    assert (found.content, found.version_strings, found.line_endings) == ((DATA,), (DATA,), ())


@pytest.mark.parametrize(
    ("shipped", "rebuilt"),
    [
        (b"x = 1\n", b"x = 2\n"),
        (b'version = "1.0"\n', b'version = "1.1"; import socket\n'),
        (b"commit = 0123ab\n", b"commit = 0123ac\n"),
        (b"commit = " + b"e" * 41, b"commit = " + b"f" * 41),
        (b"a\rb\n", b"a\nb\n"),
        (b"a\r\n", b"b\n"),
    ],
)
def test_other_content_is_neither(tmp_path: Path, shipped: bytes, rebuilt: bytes) -> None:
    found = of(tmp_path, shipped, rebuilt)
    assert (found.content, found.version_strings, found.line_endings) == ((DATA,), (), ())


def test_line_endings_are_seen_either_way(tmp_path: Path) -> None:
    for pair in ((b"a\r\nb\r\n", b"a\nb\n"), (b"a\nb\n", b"a\r\nb\n")):
        found = of(tmp_path, *pair)
        assert (found.content, found.line_endings, found.version_strings) == ((DATA,), (DATA,), ())


@pytest.mark.parametrize(
    ("shipped", "rebuilt", "moved"),
    [
        (b"a\nb\nc\n", b"b\na\nc\n", 2),
        (b"names = a, b; c\n", b"names = c, b; a\n", 2),
        (b"a b\nc d\n", b"c d\na b\n", 2),
        (b"a b c\n", b"b c a\n", 3),
        (b"a\nb\n", b"a\nc\n", 0),
        (b"a b\n", b"a b b\n", 0),
    ],
)
def test_lines_or_words_in_another_order_are_counted(
    tmp_path: Path, shipped: bytes, rebuilt: bytes, moved: int
) -> None:
    found = of(tmp_path, shipped, rebuilt)
    assert found.shuffled == ({DATA: moved} if moved else {})
    assert found.content == (DATA,)


@pytest.mark.parametrize("large", ["shipped", "rebuilt"])
def test_large_files_are_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: str
) -> None:
    monkeypatch.setattr(comparison, "_MAX_TEXT", 14)
    pair = (b'v = "1.0.1.1.1"\n', b'v = "1.0"\n')
    found = of(tmp_path, *(pair if large == "shipped" else reversed(pair)))
    assert (found.content, found.version_strings) == ((DATA,), ())
    assert of(tmp_path, b'v = "1.1"\n', b'v = "1.0"\n').version_strings == (DATA,)


def test_another_level_packs_the_same_content_to_another_size(tmp_path: Path) -> None:
    same = {DATA: Entry(data=b"ab" * 5000 + b"ba" * 777)}
    found = read(tmp_path, Pair(shipped={**same}, rebuilt={**same}, level=1))
    assert DATA in found.packing
    assert found.content == ()


def test_what_is_packed_in_another_way_to_the_same_size_is_seen(tmp_path: Path) -> None:
    same: Changes = {DATA: Entry(data=b"aaaaa")}
    found = Pair(shipped=same, rebuilt=same).compared(tmp_path)[1]
    assert found == WheelDifferences()
    stored = tmp_path / "stored.whl"
    with zipfile.ZipFile(tmp_path / NAME) as one, zipfile.ZipFile(stored, "w") as other:
        for info in one.infolist():
            data, size = one.read(info), info.compress_size
            if info.filename == DATA:
                info.compress_type = zipfile.ZIP_STORED
            other.writestr(info, data)
            assert info.compress_size == size, "five letters cannot be packed smaller"
    found = compare_wheels(tmp_path / NAME, stored, NAME, OpenJail())
    assert found == WheelDifferences(packing=(DATA,))


def test_other_content_is_not_said_to_be_packed_otherwise(tmp_path: Path) -> None:
    assert DATA not in of(tmp_path, b"a", b"b" * 99).packing


def test_packages_that_were_lost_are_named_and_new_ones_are_not(tmp_path: Path) -> None:
    listed = f"{DIST}/top_level.txt"
    pair = Pair(
        shipped={listed: Entry(data=b"tool\nscripts\n a \n\n")},
        rebuilt={listed: Entry(data=b"tool\nmore\n")},
    )
    assert read(tmp_path, pair).lost_packages == ("a", "scripts")
    assert read(tmp_path, Pair(shipped=pair.shipped)).lost_packages == ("a", "scripts", "tool")


def test_times_and_modes_are_pairs_with_the_shipped_one_first(tmp_path: Path) -> None:
    late = replace(PLAIN[DATA], at=BUILT + 60, mode=0o600)
    found = read(tmp_path, Pair(rebuilt={DATA: late}))
    assert found.times == {DATA: (PLAIN[DATA].at, BUILT + 60)}
    assert found.modes == {DATA: (0o644, 0o600)}
    assert found.content == found.packing == ()


def test_changed_lines_have_the_sign_of_their_side(tmp_path: Path) -> None:
    pair = Pair(
        shipped={f"{DIST}/METADATA": Entry(data=f"Platform: UNKNOWN\n{METADATA}".encode())},
        rebuilt={f"{DIST}/WHEEL": replace(WHEEL, data=WHEEL.data.replace(b"0.37.1", b"0.38"))},
    )
    found = read(tmp_path, pair)
    assert found.metadata == ("-Platform: UNKNOWN",)
    assert found.wheel == (
        "-Generator: bdist_wheel (0.37.1)",
        "+Generator: bdist_wheel (0.38)",
    )


def test_lines_that_are_kept_have_an_end(tmp_path: Path) -> None:
    many = METADATA + "".join(f"{n} {'x' * 300}\n" for n in range(100))
    found = read(tmp_path, Pair(shipped={f"{DIST}/METADATA": Entry(data=many.encode())}))
    assert len(found.metadata) == 40
    assert max(map(len, found.metadata)) == 200


def test_the_order_of_record_is_that_of_the_paths_that_both_name(tmp_path: Path) -> None:
    found = read(tmp_path, Pair(reverse_record=True))
    assert (found.record_order, found.reordered) == (True, ("tool", DIST))
    more = read(tmp_path, Pair(rebuilt={"a.py": Entry()}))
    assert (more.record_order, more.order) == (False, False)


def test_the_order_of_members_is_told_apart_from_that_of_record(tmp_path: Path) -> None:
    clues, _ = Pair().compared(tmp_path)
    turned = wheel(
        tmp_path / "turned.whl",
        dict(reversed(PLAIN.items())),
        record="".join(f"{path},,\n" for path in clues.shipped.record),
    )
    found = compare_wheels(tmp_path / NAME, turned, NAME, OpenJail())
    assert found == WheelDifferences(order=True, reordered=("tool", DIST))
    assert found.weight == 1


def test_a_record_that_is_no_table_has_no_order(tmp_path: Path) -> None:
    found = read(tmp_path, Pair(record='"' + "x" * 200_000))
    assert (found.record_order, found.content) == (False, ())


def test_content_weighs_most_then_packing() -> None:
    one = ("a",)
    heavy = [
        WheelDifferences(only_shipped=one),
        WheelDifferences(only_rebuilt=one),
        WheelDifferences(content=one),
    ]
    assert [d.weight for d in heavy] == [1000, 1000, 1000]
    assert WheelDifferences(packing=one).weight == 10
    assert WheelDifferences(content=one, shuffled={"a": 2}).weight == 500
    light = [
        WheelDifferences(modes={"a": (1, 2)}),
        WheelDifferences(times={"a": (1, 2)}),
        WheelDifferences(order=True),
        WheelDifferences(record_order=True),
    ]
    assert [d.weight for d in light] == [1, 1, 1, 1]
