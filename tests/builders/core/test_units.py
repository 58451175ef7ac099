from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.core.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0B", 0),
        ("1B", 1),
        ("1KiB", 1024),
        ("512MiB", 512 << 20),
        ("512 MiB", 512 << 20),
        ("4GiB", 4 << 30),
        ("4TiB", 4 << 40),
        ("999999999B", 999_999_999),
    ],
)
def test_sizes_are_binary(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30min", 1800), ("2 h", 7200)])
def test_times_are_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("parse", [parse_size, parse_duration])
@pytest.mark.parametrize(
    "wrong",
    [
        *("", "1", "MiB", "1MB", "1mib", "1  MiB", "1\nMiB", "1MiB\n", " 1MiB", "-1MiB"),
        *(
            "1.5GiB",
            "1e3B",
            "٣MiB",
            "\uff14GiB",
            "0x10B",
            "1_000B",
            "0999999999B",
            "1hour",
            "1m",
            "1H",
            "-5s",
        ),
        *(None, True, 1.5, [], {}, b"1MiB"),
    ],
)
def test_anything_else_is_refused(parse: Callable[[object], int], wrong: object) -> None:
    with pytest.raises(ValueError, match=r"expected a (size|time) such as"):
        parse(wrong)


@given(st.integers(0, 999_999_999))
def test_what_is_shown_is_read_back(count: int) -> None:
    assert parse_size(format_size(count)) == count
    assert parse_duration(format_duration(count)) == count


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0B"), (1, "1B"), (1536, "1536B"), (2048, "2KiB"), (1 << 40, "1TiB"), (5 << 40, "5TiB")],
)
def test_sizes_are_shown_whole(count: int, shown: str) -> None:
    assert format_size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(59, "59s"), (60, "1min"), (90, "90s"), (3600, "1h"), (5400, "90min")]
)
def test_times_are_shown_whole(seconds: int, shown: str) -> None:
    assert format_duration(seconds) == shown
