"""One fixture for each cause: a shipped wheel, a rebuilt one, and what is said of the pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from builders.core.enums import Outcome
from pipelines.infer.journal import RemainingCause, WheelDifferences
from pipelines.infer.wheel.differences import WheelCause, build_failure, is_hopeless, wheel_causes
from tests.infer.pairs import DIST, Pair
from tests.infer.workbench import BUILT, METADATA, Entry, wheel_files


def differences(
    folder: Path, pair: Pair
) -> tuple[WheelDifferences, Callable[[], tuple[RemainingCause, ...]]]:
    found, d = pair.compared(folder)
    return d, lambda: wheel_causes(found, d)


PLAIN = wheel_files()
OTHER = b"Platform: UNKNOWN\n" + METADATA.encode()
CASES = {
    WheelCause.GENERATED_TIMES: Pair(
        rebuilt={f"{DIST}/METADATA": replace(PLAIN[f"{DIST}/METADATA"], at=BUILT + 60)}
    ),
    WheelCause.MODES: Pair(rebuilt={"tool/data.txt": Entry(data=b"data\n", mode=0o755)}),
    WheelCause.METADATA: Pair(rebuilt={f"{DIST}/METADATA": Entry(data=OTHER, at=BUILT)}),
    WheelCause.RECORD_ORDER: Pair(reverse_record=True),
    WheelCause.LINE_ENDINGS: Pair(
        shipped={"tool/__init__.py": Entry(data=b"# tool\r\n")},
    ),
    WheelCause.SDIST_LACKS: Pair(
        shipped={f"{DIST}/NOTICE": Entry(data=b"Only in the repository.\n", at=BUILT)}
    ),
    WheelCause.VENDOR_ADDED: Pair(shipped={"payload/run.py": Entry(data=b"import os\n")}),
    WheelCause.VERSION_STRINGS: Pair(
        shipped={"tool/version.py": Entry(data=b'version = "1.0.2"\n')},
        rebuilt={"tool/version.py": Entry(data=b'version = "1.0.dev3+g0123abc"\n')},
    ),
    WheelCause.COMPRESSION: Pair(
        shipped={"tool/data.txt": Entry(data=b"ab" * 5000 + b"ba" * 777)},
        rebuilt={"tool/data.txt": Entry(data=b"ab" * 5000 + b"ba" * 777)},
        source={"tool/data.txt": Entry(data=b"ab" * 5000 + b"ba" * 777)},
        level=1,
    ),
    WheelCause.PYTHON_VERSION: Pair(
        shipped={"tool-1.0-py3.8-nspkg.pth": Entry(data=b"import sys\n", at=BUILT)},
        rebuilt={"tool-1.0-py3.11-nspkg.pth": Entry(data=b"import sys\n", at=BUILT)},
    ),
    WheelCause.UNEXPLAINED: Pair(
        shipped={"tool/__init__.py": Entry(data=b"# something else altogether\n")}
    ),
}  # fmt: skip


@pytest.mark.parametrize("cause", CASES)
def test_each_cause_is_named_and_no_other(tmp_path: Path, cause: WheelCause) -> None:
    _, named = differences(tmp_path, CASES[cause])
    assert [found.name for found in named()] == [cause]


def test_every_cause_of_a_difference_has_a_fixture() -> None:
    assert set(WheelCause) - set(CASES) == {
        WheelCause.BUILD_NEEDS,
        WheelCause.NO_END,
    }


def test_several_causes_are_all_named(tmp_path: Path) -> None:
    pair = Pair(
        shipped={"payload/run.py": Entry(data=b"import os\n")},
        rebuilt={"tool/data.txt": Entry(data=b"data\n", mode=0o600)},
    )
    _, named = differences(tmp_path, pair)
    assert [f.name for f in named()] == [WheelCause.VENDOR_ADDED, WheelCause.MODES]
    assert named()[0].detail == "payload/run.py"


def test_what_no_rule_covers_is_said_beside_the_other_causes(tmp_path: Path) -> None:
    pair = Pair(
        shipped={"tool/__init__.py": Entry(data=b"# something else altogether\n")},
        rebuilt={"tool/data.txt": Entry(data=b"data\n", mode=0o600)},
    )
    _, named = differences(tmp_path, pair)
    assert [f.name for f in named()] == [WheelCause.MODES, WheelCause.UNEXPLAINED]


def test_a_compressed_copy_of_a_source_file_is_the_vendors_own(tmp_path: Path) -> None:
    pair = Pair(
        shipped={"tool/data.txt.gz": Entry(data=b"\x1f\x8bnot really gzip")},
        source={"tool/data.txt": Entry(data=b"data\n")},
    )
    _, named = differences(tmp_path, pair)
    assert [f.name for f in named()] == [WheelCause.VENDOR_ADDED]


def test_the_original_that_the_vendor_replaced_needs_no_cause_of_its_own(tmp_path: Path) -> None:
    pair = Pair(
        shipped={"tool/more.json.gz": Entry(data=b"\x1f\x8bnot really gzip")},
        rebuilt={"tool/more.json": Entry(data=b"{}\n")},
        source={"tool/more.json": Entry(data=b"{}\n")},
    )
    _, named = differences(tmp_path, pair)
    assert [f.name for f in named()] == [WheelCause.VENDOR_ADDED]


def test_a_package_that_only_the_vendors_checkout_had_is_lacking(tmp_path: Path) -> None:
    listed = f"{DIST}/top_level.txt"
    pair = Pair(
        shipped={listed: Entry(data=b"scripts\ntool\n", at=BUILT)},
        rebuilt={listed: Entry(data=b"tool\n", at=BUILT)},
    )
    _, named = differences(tmp_path, pair)
    assert [(f.name, f.detail) for f in named()] == [
        (WheelCause.SDIST_LACKS, "scripts, named in top_level.txt")
    ]


def test_an_empty_file_is_known_by_its_name(tmp_path: Path) -> None:
    pair = Pair(shipped={"tool/py.typed": Entry()}, source={"tool/other": Entry()})
    _, named = differences(tmp_path, pair)
    assert [f.name for f in named()] == [WheelCause.SDIST_LACKS]


LICENSE = b"Do what you like.\n"
WHEEL = PLAIN[f"{DIST}/WHEEL"]
DETAILS = {
    "what only the rebuild has": (
        Pair(rebuilt={"tool/more.py": Entry(data=b"more\n")}),
        ["unexplained: tool/more.py"],
    ),
    "bytes of the source in a folder of their own": (
        Pair(shipped={"payload/copy.txt": Entry(data=LICENSE)}),
        ["unexplained: payload/copy.txt"],
    ),
    "bytes of the source beside others": (
        Pair(shipped={"tool/copy.txt": Entry(data=LICENSE)}),
        ["unexplained: tool/copy.txt"],
    ),
    "a license that one backend copies": (
        Pair(shipped={f"{DIST}/COPYING": Entry(data=LICENSE)}),
        [f"metadata-of-another-backend: {DIST}/COPYING"],
    ),
    "a license that no source holds": (
        Pair(
            shipped={f"{DIST}/NOTICE": Entry(data=b"Only in the repository.\n")},
            source={"docs/tool-1.0": Entry()},
        ),
        [f"files-the-sdist-lacks: {DIST}/NOTICE"],
    ),
    "a file that the vendor's backend writes": (
        Pair(shipped={f"{DIST}/zip-safe": Entry(data=b"\n")}),
        [f"metadata-of-another-backend: {DIST}/zip-safe"],
    ),
    "a file that this backend writes": (
        Pair(rebuilt={f"{DIST}/zip-safe": Entry(data=b"\n")}),
        [f"metadata-of-another-backend: {DIST}/zip-safe"],
    ),
    "a license that only this backend copies": (
        Pair(rebuilt={f"{DIST}/licenses/LICENSE": Entry(data=LICENSE)}),
        [f"metadata-of-another-backend: {DIST}/licenses/LICENSE"],
    ),
    "a backend's name in another folder": (
        Pair(shipped={"tool/METADATA": Entry(data=b"1\n")}, rebuilt={"tool/METADATA": Entry()}),
        ["unexplained: tool/METADATA"],
    ),
    "packages that only this build finds": (
        Pair(rebuilt={f"{DIST}/top_level.txt": Entry(data=b"tool\n")}),
        [f"metadata-of-another-backend: {DIST}/top_level.txt"],
    ),
    "a list with packages that came and none that went": (
        Pair(
            shipped={f"{DIST}/top_level.txt": Entry(data=b"tool\n")},
            rebuilt={f"{DIST}/top_level.txt": Entry(data=b"tests\ntool\n")},
        ),
        [f"metadata-of-another-backend: {DIST}/top_level.txt"],
    ),
    "fields of METADATA": (
        Pair(shipped={f"{DIST}/METADATA": Entry(data=OTHER, at=BUILT)}),
        ["metadata-of-another-backend: METADATA (-Platform: UNKNOWN)"],
    ),
    "another backend": (
        Pair(
            shipped={
                f"{DIST}/METADATA": Entry(data=OTHER, at=BUILT),
                f"{DIST}/WHEEL": replace(WHEEL, data=WHEEL.data.replace(b"0.37.1", b"0.38")),
            }
        ),
        [
            f"metadata-of-another-backend: METADATA (-Platform: UNKNOWN), {DIST}/WHEEL",
        ],
    ),
    "a tag of another Python": (
        Pair(shipped={f"{DIST}/WHEEL": replace(WHEEL, data=WHEEL.data + b"Tag: py2-none-any\n")}),
        [
            f"metadata-of-another-backend: {DIST}/WHEEL",
            "python-version: -Tag: py2-none-any",
        ],
    ),
    "an empty file whose name only ends alike": (
        Pair(shipped={"tool/py.typed": Entry()}, source={"tool/xpy.typed": Entry()}),
        ["files-the-sdist-lacks: tool/py.typed"],
    ),
    "an empty file of the source": (
        Pair(shipped={"tool/py.typed": Entry()}, source={"old/py.typed": Entry()}),
        ["unexplained: tool/py.typed"],
    ),
    "a folder named as a file of the source": (
        Pair(shipped={"LICENSE/run.py": Entry(data=b"import os\n")}),
        ["files-added-by-the-vendor: LICENSE/run.py"],
    ),
    "a file beside those of the source": (
        Pair(shipped={"tool/run.py": Entry(data=b"import os\n")}),
        ["files-the-sdist-lacks: tool/run.py"],
    ),
    "more than is shown": (
        Pair(shipped={f"tool/{n}.py": Entry(data=b"%d" % n) for n in range(5)}),
        ["files-the-sdist-lacks: tool/0.py, tool/1.py, tool/2.py and 2 more"],
    ),
    "as many as are shown": (
        Pair(shipped={f"tool/{n}.py": Entry(data=b"%d" % n) for n in range(3)}),
        ["files-the-sdist-lacks: tool/0.py, tool/1.py, tool/2.py"],
    ),
}


@pytest.mark.parametrize(("pair", "said"), DETAILS.values(), ids=DETAILS)
def test_each_cause_says_what_it_was_seen_in(tmp_path: Path, pair: Pair, said: list[str]) -> None:
    _, named = differences(tmp_path, pair)
    assert [f"{found.name}: {found.detail}" for found in named()] == said


def test_members_in_another_order_are_records_order(tmp_path: Path) -> None:
    found = Pair().clues(tmp_path)
    for only in (WheelDifferences(order=True), WheelDifferences(record_order=True)):
        named = [(f.name, f.detail) for f in wheel_causes(found, only)]
        assert named == [(WheelCause.RECORD_ORDER, "RECORD")]


def test_what_no_rule_sees_is_not_explained(tmp_path: Path) -> None:
    (found,) = wheel_causes(Pair().clues(tmp_path), WheelDifferences())
    assert found == RemainingCause(
        name=WheelCause.UNEXPLAINED, detail="no rule covers what differs"
    )


@pytest.mark.parametrize(
    ("cause", "ends"),
    [
        (WheelCause.VENDOR_ADDED, True),
        (WheelCause.SDIST_LACKS, True),
        (WheelCause.GENERATED_TIMES, True),
        (WheelCause.RECORD_ORDER, False),
        (WheelCause.METADATA, False),
        (WheelCause.MODES, False),
        (WheelCause.UNEXPLAINED, False),
    ],
)
def test_the_search_stops_where_no_environment_helps(
    tmp_path: Path, cause: WheelCause, ends: bool
) -> None:
    assert is_hopeless(*CASES[cause].compared(tmp_path)) is ends


@pytest.mark.parametrize(
    "left",
    [
        WheelDifferences(only_shipped=("tool/data.txt",)),
        WheelDifferences(only_rebuilt=("tool/more.py",)),
        WheelDifferences(content=("tool/data.txt",)),
        WheelDifferences(modes={"tool/data.txt": (0o644, 0o755)}),
        WheelDifferences(packing=("tool/data.txt",)),
        WheelDifferences(times={"tool/data.txt": (None, BUILT)}),
    ],
)
def test_the_search_goes_on_where_an_environment_may_help(
    tmp_path: Path, left: WheelDifferences
) -> None:
    assert not is_hopeless(Pair().clues(tmp_path), left)


def test_lost_packages_end_the_search(tmp_path: Path) -> None:
    lost = WheelDifferences(content=(f"{DIST}/top_level.txt",), lost_packages=("tests",))
    assert is_hopeless(Pair().clues(tmp_path), lost)


def test_times_of_another_day_may_have_another_environment(tmp_path: Path) -> None:
    late = replace(PLAIN[f"{DIST}/METADATA"], at=BUILT + 86_400)
    assert not is_hopeless(*Pair(rebuilt={f"{DIST}/METADATA": late}).compared(tmp_path))


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("ModuleNotFoundError: No module named 'numpy'\n", WheelCause.BUILD_NEEDS),
        ("ERROR: No matching distribution found for pbr>=1\n", WheelCause.BUILD_NEEDS),
        ("AttributeError: module 'collections' has no MutableMapping\n",
         WheelCause.PYTHON_VERSION),
        ("make: *** [all] Error 2\n", WheelCause.UNEXPLAINED),
        ("", WheelCause.UNEXPLAINED),
    ],
)  # fmt: skip
def test_a_build_that_fails_says_why(log: str, cause: WheelCause) -> None:
    found = build_failure(Outcome.BUILD_FAILED, log, "bdist_wheel (0.37.1)")
    assert found.name == cause
    assert found.detail


def test_the_last_error_of_a_log_is_the_reason() -> None:
    log = "ImportError: No module named x\nrunning without x\nTypeError: no\n"
    found = build_failure(Outcome.BUILD_FAILED, log, "bdist_wheel (0.37.1)")
    assert found.name == WheelCause.PYTHON_VERSION
    assert found.detail == "wheel 0.37.1 does not run on the Pythons at hand: TypeError: no"
    found = build_failure(Outcome.BUILD_FAILED, log, "own tool 3")
    assert found.detail.startswith("the backend does not run")
    found = build_failure(Outcome.BUILD_FAILED, "first\nlast\n\n", "bdist_wheel (0.37.1)")
    assert found.detail == "the build failed: last"


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES])
def test_a_build_without_an_end_says_so(outcome: Outcome) -> None:
    found = build_failure(outcome, "ModuleNotFoundError: No module named 'x'\n", "flit 3")
    assert found.name == WheelCause.NO_END
