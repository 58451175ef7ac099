"""Times, values and members that the files of a vendor's own build show."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders.core.enums import Outcome
from pipelines.infer.script.differences import Differences, compare_parts, remaining_causes
from pipelines.infer.script.hypothesis import PATH, Change, ScriptHypothesis
from pipelines.infer.script.parts import Parts, read_parts, texts_of
from pipelines.infer.script.refinement import refined, undeclarable
from pipelines.infer.script.traces import stamps, values_for
from tests.fakes.jail import OpenJail

AT = int(datetime(2026, 3, 5, 6, 7, 8, tzinfo=UTC).timestamp())
MAKE = Callable[..., Parts]


@pytest.mark.parametrize(
    ("texts", "absolute"),
    [
        (["built 2026-03-05T06:07:08Z"], True),
        (["built 2026-03-05 06:07:08"], False),
        (["Thu Mar  5 06:07:08 UTC 2026"], True),
        (["Thu Mar  5 06:07:08 CET 2026"], False),
        (["Thu, 05 Mar 2026 06:07:08 +0000"], True),
        (["Mar  5 2026", "06:07:08"], False),
        ([f"epoch={AT};"], True),
    ],
)
def test_a_time_is_read_however_it_is_written(texts: list[str], absolute: bool) -> None:
    assert [(s.seconds, s.absolute) for s in stamps(texts)] == [(AT, absolute)]


def test_what_is_no_time_of_a_clock_is_none() -> None:
    assert stamps(["2026-13-05T06:07:08Z", "1970-01-02T00:00:00Z", "11234567890", "v1.2.3"]) == []
    assert stamps(["Mar  5 2026", "Mar  6 2026", "06:07:08"]) == [], "which day it was"


def test_a_value_is_what_stands_between_the_same_texts() -> None:
    def values(ours: list[str], theirs: list[str]) -> list[str]:
        return values_for("/build/x", ours, theirs, lambda value: value.startswith("/"))

    assert values(["/build/x/main.c"], ["/home/ci/main.c", "other"]) == ["/home/ci"]
    assert values(["I/build/x:/build/x/b"], ["I/h:/h/b", "I/a:/c/b"]) == ["/h"], "each time"
    assert values(["/build/x/a", "/build/x/b"], ["/p/a", "/q/a", "/q/b"]) == ["/q", "/p"]
    assert values(["/build/x/main.c"], ["relative/main.c"]) == []


@pytest.fixture
def tarred(tmp_path: Path) -> MAKE:
    """Write a .tar.gz and read its parts."""

    def make(*names: str, at: int = AT, mode: int = 0o644, owner: int = 0, body: str = "") -> Parts:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name in names:
                info = tarfile.TarInfo(name)
                data = (body or name).encode()
                info.size, info.mtime, info.mode, info.uid = len(data), at, mode, owner
                archive.addfile(info, io.BytesIO(data))
        path = tmp_path / "a.tar.gz"
        path.write_bytes(gzip.compress(out.getvalue(), mtime=0))
        return read_parts(path, OpenJail())

    return make


def test_the_parts_of_an_archive_are_its_members_and_of_another_file_itself(
    tarred: MAKE, tmp_path: Path
) -> None:
    parts = tarred("d/main", body="one two\0thr\0four five")
    assert list(parts) == ["d/main"]
    assert (parts["d/main"].mode, parts["d/main"].mtime) == (0o644, AT)
    assert parts["d/main"].texts == {"one two", "four five"}
    (tmp_path / "plain").write_bytes(b"\x7fELF text inside \0")
    assert read_parts(tmp_path / "plain", OpenJail())[""].texts == {"ELF text inside "}
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"\x1f\x8bxxxxxxxxxxxxx")
    assert list(read_parts(broken, OpenJail())) == [""]
    assert texts_of(b"ab\ncdef\xff") == {"cdef"}


def explored(h: ScriptHypothesis, *found: Differences) -> list[dict[str, object]]:
    tried = refined(h, Outcome.BUILT, found)
    return [{k: v for k, v in one.values().items() if v is not None} for one in tried]


def test_times_modes_and_order_are_tried_together_and_then_alone(tarred: MAKE) -> None:
    shipped = tarred("d/ferret", "d/exploit", "d/anchor", at=AT, mode=0o640)
    rebuilt = tarred("d/anchor", "d/exploit", "d/ferret", at=AT + 99, mode=0o644)
    found = explored(ScriptHypothesis(), compare_parts("a", shipped, rebuilt))
    clock = "2026-03-05T06:07:08Z"
    assert {k: found[0][k] for k in ("umask", "clock")} == {"umask": "027", "clock": clock}
    assert str(found[0]["folder_order"]).startswith("hashed-")
    assert {"umask": "027"} in found[1:]
    assert {"clock": clock} in found[1:]
    assert {"folder_order": "created"} in found[1:]


def test_a_local_time_beside_the_time_of_a_file_shows_the_zone(tarred: MAKE) -> None:
    shipped = tarred("log", at=AT, body="made 2026-03-05 08:07:08")
    rebuilt = tarred("log", at=AT + 99, body="made 2026-03-05 06:08:47")
    found = explored(ScriptHypothesis(), compare_parts("a", shipped, rebuilt))
    assert (found[0]["timezone"], found[0]["clock"]) == ("UTC-2", "2026-03-05T06:07:08Z")


def test_a_clock_under_which_the_build_does_not_end_becomes_an_epoch() -> None:
    (one,) = refined(ScriptHypothesis(clock=AT), Outcome.TIMED_OUT, [])
    assert (one.clock, one.source_date_epoch) == (None, AT)
    assert refined(ScriptHypothesis(), Outcome.TIMED_OUT, []) == []


def test_a_path_that_no_recipe_can_declare_is_a_cause(tarred: MAKE) -> None:
    shipped = tarred("x", body="/var/lib/jenkins/engine/main.c")
    rebuilt = tarred("x", body=f"{PATH}/main.c")
    difference = compare_parts("a", shipped, rebuilt)
    (cause,) = undeclarable(ScriptHypothesis(), [difference])
    assert "built in /var/lib/jenkins/engine; expected a clean absolute path below" in cause.detail
    assert not any("path" in one for one in explored(ScriptHypothesis(), difference))


def test_what_nothing_shows_is_tried_last(tarred: MAKE) -> None:
    found = explored(
        ScriptHypothesis(), compare_parts("a", tarred("x", body="1\0"), tarred("x", body="2\0"))
    )
    assert found[0] == {"locale": "C"}
    assert {"folder_order": "created"} in found


def test_every_difference_is_a_cause_that_says_where(tarred: MAKE) -> None:
    shipped = tarred("b", "a", "old", owner=7, mode=0o600, at=AT, body="theirs here")
    rebuilt = tarred("a", "b", "new", owner=8, mode=0o644, at=AT + 1, body="ours here")
    names = [c.name for c in remaining_causes([compare_parts("f", shipped, rebuilt)])]
    assert names == ["members", "members", "content", "modes", "times", "owner", "order"]
    causes = {c.name: c.detail for c in remaining_causes([compare_parts("f", shipped, rebuilt)])}
    assert "shipped has 'theirs here', rebuilt has 'ours here'" in causes["content"]
    assert "600 shipped, 644 rebuilt" in causes["modes"]
    assert (
        "such as b: 2026-03-05T06:07:08Z shipped, 2026-03-05T06:07:09Z rebuilt" in causes["times"]
    )
    same = compare_parts("f", shipped, shipped)
    assert [c.name for c in remaining_causes([same])] == ["packing"]
    assert [c.name for c in remaining_causes([Differences(name="f", missing=True)])] == ["missing"]


def test_an_archive_in_the_place_of_a_file_is_other_content(tarred: MAKE, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("plain text")
    difference = compare_parts("f", read_parts(tmp_path / "plain", OpenJail()), tarred("member"))
    (cause,) = remaining_causes([difference])
    assert cause.detail == "f: its bytes; shipped has 'plain text', rebuilt has 'member'"


def test_bytes_in_front_of_a_text_are_not_shown_as_a_difference(tarred: MAKE) -> None:
    shipped = tarred("x", body="G/lib/ld.so\0built 06:07:08\0")
    rebuilt = tarred("x", body=";/lib/ld.so\0built 06:07:09\0")
    (cause,) = remaining_causes([compare_parts("f", shipped, rebuilt)])
    assert cause.detail == "f: x; shipped has 'built 06:07:08', rebuilt has 'built 06:07:09'"


def test_a_time_that_no_clock_can_have_is_not_declared(tarred: MAKE) -> None:
    found = compare_parts("f", tarred("x", at=2**33), tarred("x", at=AT))
    assert not any("clock" in one for one in explored(ScriptHypothesis(), found))
    (cause,) = remaining_causes([found])
    assert "8589934592 shipped" in cause.detail


def test_each_value_is_counted_in_bits_with_its_reason() -> None:
    h = ScriptHypothesis().with_changes(
        [Change("clock", AT, "why"), Change("clock", 0, "no"), Change("path", "/home/ci", "where")]
    )
    assert h.clock == AT, "of one field the first"
    assert {s.name: (s.bits, s.evidence) for s in h.scalars()} == {
        "clock": (31.0, "why"),
        "path": (48.0, "where"),
    }
    assert str(h) == "path /home/ci; clock 2026-03-05T06:07:08Z"
    assert str(ScriptHypothesis()) == "nothing declared"
