"""One fixture for each cause: a shipped wheel, a rebuilt one, and what is said of the pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from builders.words import Outcome
from pipelines.infer.causes import Found, InferredCause, causes, failure, hopeless
from pipelines.infer.differences import Differences, compare_wheels
from pipelines.infer.shipped import read_wheel
from tests.infer.workbench import (
    BUILT,
    METADATA,
    Entries,
    Entry,
    clues,
    source_files,
    wheel,
    wheel_files,
)

DIST = "tool-1.0.dist-info"
NAME = "tool-1.0-py3-none-any.whl"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both wheels, as changes to the plain one; None takes a member away."""

    shipped: dict[str, Entry | None] = field(default_factory=dict)
    rebuilt: dict[str, Entry | None] = field(default_factory=dict)
    source: dict[str, Entry] = field(default_factory=dict)
    level: int | None = None
    reverse_record: bool = False


def changed(changes: dict[str, Entry | None]) -> Entries:
    files: dict[str, Entry | None] = {**wheel_files(), **changes}
    return {name: entry for name, entry in files.items() if entry is not None}


def differences(folder: Path, pair: Pair) -> tuple[Differences, Callable[[], tuple[Found, ...]]]:
    shipped = changed(pair.shipped)
    found = clues(folder, shipped=shipped, source={**source_files(), **pair.source})
    other = wheel(
        folder / "rebuilt.whl",
        changed(pair.rebuilt),
        level=pair.level,
        reverse_record=pair.reverse_record,
    )
    facts = read_wheel(other, NAME)
    d = compare_wheels(found.shipped, folder / NAME, facts, other)
    assert hopeless(found, d) in {True, False}
    return d, lambda: causes(found, d)


PLAIN = wheel_files()
OTHER = b"Platform: UNKNOWN\n" + METADATA.encode()
CASES = {
    InferredCause.GENERATED_TIMES: Pair(
        rebuilt={f"{DIST}/METADATA": replace(PLAIN[f"{DIST}/METADATA"], at=BUILT + 60)}
    ),
    InferredCause.MODES: Pair(rebuilt={"tool/data.txt": Entry(data=b"data\n", mode=0o755)}),
    InferredCause.METADATA: Pair(rebuilt={f"{DIST}/METADATA": Entry(data=OTHER, at=BUILT)}),
    InferredCause.RECORD_ORDER: Pair(reverse_record=True),
    InferredCause.LINE_ENDINGS: Pair(
        shipped={"tool/__init__.py": Entry(data=b"# tool\r\n")},
    ),
    InferredCause.SDIST_LACKS: Pair(
        shipped={f"{DIST}/NOTICE": Entry(data=b"Only in the repository.\n", at=BUILT)}
    ),
    InferredCause.VENDOR_ADDED: Pair(shipped={"payload/run.py": Entry(data=b"import os\n")}),
    InferredCause.VERSION_STRINGS: Pair(
        shipped={"tool/version.py": Entry(data=b'version = "1.0.2"\n')},
        rebuilt={"tool/version.py": Entry(data=b'version = "1.0.dev3+g0123abc"\n')},
    ),
    InferredCause.COMPRESSION: Pair(
        shipped={"tool/data.txt": Entry(data=b"ab" * 5000 + b"ba" * 777)},
        rebuilt={"tool/data.txt": Entry(data=b"ab" * 5000 + b"ba" * 777)},
        source={"tool/data.txt": Entry(data=b"ab" * 5000 + b"ba" * 777)},
        level=1,
    ),
    InferredCause.PYTHON_VERSION: Pair(
        shipped={"tool-1.0-py3.8-nspkg.pth": Entry(data=b"import sys\n", at=BUILT)},
        rebuilt={"tool-1.0-py3.11-nspkg.pth": Entry(data=b"import sys\n", at=BUILT)},
    ),
    InferredCause.UNEXPLAINED: Pair(
        shipped={"tool/__init__.py": Entry(data=b"# something else altogether\n")}
    ),
}  # fmt: skip


@pytest.mark.parametrize("cause", CASES)
def test_each_cause_is_named_and_no_other(tmp_path: Path, cause: InferredCause) -> None:
    _, named = differences(tmp_path, CASES[cause])
    assert [found.name for found in named()] == [cause]


def test_every_cause_of_a_difference_has_a_fixture() -> None:
    assert set(InferredCause) - set(CASES) == {
        InferredCause.BUILD_NEEDS,
        InferredCause.NO_END,
    }


def test_several_causes_are_all_named(tmp_path: Path) -> None:
    pair = Pair(
        shipped={"payload/run.py": Entry(data=b"import os\n")},
        rebuilt={"tool/data.txt": Entry(data=b"data\n", mode=0o600)},
    )
    _, named = differences(tmp_path, pair)
    assert [f.name for f in named()] == [InferredCause.VENDOR_ADDED, InferredCause.MODES]
    assert named()[0].detail == "payload/run.py"


def test_what_no_rule_covers_is_said_beside_the_other_causes(tmp_path: Path) -> None:
    pair = Pair(
        shipped={"tool/__init__.py": Entry(data=b"# something else altogether\n")},
        rebuilt={"tool/data.txt": Entry(data=b"data\n", mode=0o600)},
    )
    _, named = differences(tmp_path, pair)
    assert [f.name for f in named()] == [InferredCause.MODES, InferredCause.UNEXPLAINED]


def test_a_compressed_copy_of_a_source_file_is_the_vendors_own(tmp_path: Path) -> None:
    pair = Pair(
        shipped={"tool/data.txt.gz": Entry(data=b"\x1f\x8bnot really gzip")},
        source={"tool/data.txt": Entry(data=b"data\n")},
    )
    _, named = differences(tmp_path, pair)
    assert [f.name for f in named()] == [InferredCause.VENDOR_ADDED]


def test_the_original_that_the_vendor_replaced_needs_no_cause_of_its_own(tmp_path: Path) -> None:
    pair = Pair(
        shipped={"tool/more.json.gz": Entry(data=b"\x1f\x8bnot really gzip")},
        rebuilt={"tool/more.json": Entry(data=b"{}\n")},
        source={"tool/more.json": Entry(data=b"{}\n")},
    )
    _, named = differences(tmp_path, pair)
    assert [f.name for f in named()] == [InferredCause.VENDOR_ADDED]


def test_a_package_that_only_the_vendors_checkout_had_is_lacking(tmp_path: Path) -> None:
    listed = f"{DIST}/top_level.txt"
    pair = Pair(
        shipped={listed: Entry(data=b"scripts\ntool\n", at=BUILT)},
        rebuilt={listed: Entry(data=b"tool\n", at=BUILT)},
    )
    _, named = differences(tmp_path, pair)
    assert [(f.name, f.detail) for f in named()] == [
        (InferredCause.SDIST_LACKS, "scripts, named in top_level.txt")
    ]


def test_an_empty_file_is_known_by_its_name(tmp_path: Path) -> None:
    pair = Pair(shipped={"tool/py.typed": Entry()}, source={"tool/other": Entry()})
    _, named = differences(tmp_path, pair)
    assert [f.name for f in named()] == [InferredCause.SDIST_LACKS]


@pytest.mark.parametrize(
    ("cause", "ends"),
    [
        (InferredCause.VENDOR_ADDED, True),
        (InferredCause.SDIST_LACKS, True),
        (InferredCause.GENERATED_TIMES, True),
        (InferredCause.RECORD_ORDER, True),
        (InferredCause.METADATA, False),
        (InferredCause.MODES, False),
        (InferredCause.UNEXPLAINED, False),
    ],
)
def test_the_search_stops_where_no_environment_helps(
    tmp_path: Path, cause: InferredCause, ends: bool
) -> None:
    pair = CASES[cause]
    found = clues(tmp_path, shipped=changed(pair.shipped), source={**source_files(), **pair.source})
    d, _ = differences(tmp_path, pair)
    assert hopeless(found, d) is ends


def test_times_of_another_day_may_have_another_environment(tmp_path: Path) -> None:
    late = replace(PLAIN[f"{DIST}/METADATA"], at=BUILT + 86_400)
    d, _ = differences(tmp_path, Pair(rebuilt={f"{DIST}/METADATA": late}))
    assert not hopeless(clues(tmp_path), d)


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("ModuleNotFoundError: No module named 'numpy'\n", InferredCause.BUILD_NEEDS),
        ("ERROR: No matching distribution found for pbr>=1\n", InferredCause.BUILD_NEEDS),
        ("AttributeError: module 'collections' has no MutableMapping\n",
         InferredCause.PYTHON_VERSION),
        ("make: *** [all] Error 2\n", InferredCause.UNEXPLAINED),
        ("", InferredCause.UNEXPLAINED),
    ],
)  # fmt: skip
def test_a_build_that_fails_says_why(log: str, cause: InferredCause) -> None:
    (found,) = failure(Outcome.BUILD_FAILED, log, "bdist_wheel (0.37.1)")
    assert found.name is cause
    assert found.detail


def test_a_build_without_an_end_says_so() -> None:
    (found,) = failure(Outcome.TIMED_OUT, "ModuleNotFoundError: No module named 'x'\n", "flit 3")
    assert found.name is InferredCause.NO_END
