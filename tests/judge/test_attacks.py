"""Whatever a file does to its reader ends in time, within memory, and with an answer or a name."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator

import pytest

from builders.archives import SoughtFile, tar
from builders.core.digest import Digest
from builders.core.enums import Role
from builders.jail import JailEnd, JailFailedError, ParserJail
from infra.bench import attacks, looks
from infra.bench.attacks import ATTACKS, gzip_bomb
from pipelines.explain.first_look import FirstLooks
from pipelines.judge.copied import CheckedInput, contents, input_fault
from pipelines.verify.readers import READERS
from tests.judge.encodings import HIDDEN

SLACK = 30
"""Seconds that a busy machine may add."""


@pytest.fixture(scope="module")
def jail() -> Iterator[ParserJail]:
    jail = ParserJail(READERS)
    jail.start()
    yield jail
    jail.close()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_a_look_ends_in_time(jail: ParserJail, name: str) -> None:
    attack = ATTACKS[name](1)
    start = time.monotonic()
    first = FirstLooks(jail, seconds=10)
    look = first.difference(io.BytesIO(attack), io.BytesIO(b"rebuilt"))
    assert look.diff.first_offset == 0
    assert time.monotonic() - start < 3 + SLACK


@pytest.mark.parametrize("name", ["gzip_bomb", "nested_zips", "global_headers_and_members"])
def test_what_takes_too_long_to_list_is_named(jail: ParserJail, name: str) -> None:
    first = FirstLooks(jail, seconds=0.5)
    start = time.monotonic()
    with pytest.raises(JailFailedError) as caught:
        first.carried(io.BytesIO(ATTACKS[name](2)), [])
    assert caught.value.end is JailEnd.TIMED_OUT
    assert time.monotonic() - start < 0.5 + SLACK


def test_a_thousand_bombs_share_the_time_of_all_looks(jail: ParserJail) -> None:
    bomb, timed_out = gzip_bomb(8), 0
    start = time.monotonic()
    first = FirstLooks(jail, seconds=3)
    for _ in range(1000):
        try:
            first.difference(io.BytesIO(bomb), io.BytesIO(b"rebuilt"))
        except JailFailedError as error:
            timed_out += error.end is JailEnd.TIMED_OUT
    assert time.monotonic() - start < 3 + SLACK
    assert timed_out > 900


def test_the_bench_of_looks_tells_seconds_memory_and_end() -> None:
    name = "a member of eight exabytes"
    figures = looks.measure(cases={name: looks.CASES[name]}, limit=10 + SLACK)
    row = figures["attacks"][name]["here"]
    assert row["ends"] == ["done", "done"]
    assert row["seconds"] < 3 + SLACK
    assert 10 < row["peak_megabytes"] < 512
    (line,) = looks.table(figures)
    assert line.startswith(name)
    assert f"{row['seconds']} s, {row['peak_megabytes']} MB, done and done" in line


@pytest.mark.parametrize("how", ["in-a-zip-without-directory", "hex-of-gzip-of-base64-of-zlib"])
def test_an_encoded_copy_is_found_in_the_jail(jail: ParserJail, how: str) -> None:
    wanted = b"the bytes that were shipped" + hashlib.sha512(b"more of them").digest() * 2
    hidden = HIDDEN[how](wanted)
    file = CheckedInput(
        role=Role.SOURCE,
        name="x.tar",
        digest=Digest.of(hidden),
        open=lambda: io.BytesIO(hidden),
    )
    sought = SoughtFile.of(iter([wanted]), Digest.of(wanted))
    assert sought is not None
    assert contents(file, jail, sought=[sought]).copies.keys() == {Digest.of(wanted).hex}


def test_an_input_that_the_jail_cannot_read_is_not_searched() -> None:
    """Nothing of it counts as read, and no verdict comes of it."""
    jail = ParserJail(["pipelines.judge.copied:CONTENTS", "pipelines.judge.copied:NONE"])
    content = b"an input"
    file = CheckedInput(
        role=Role.DEPENDENCY,
        name="x.tar",
        digest=Digest.of(content),
        open=lambda: io.BytesIO(content),
    )
    fault = input_fault([(file, contents(file, jail))], {"a": Digest.of(b"a")})
    jail.close()
    assert str(fault).startswith(
        "input-not-scanned: the dependency x.tar: the parser jail cannot be started; got "
    )


def test_nothing_is_kept_of_extended_headers_but_what_is_read() -> None:
    names = attacks.extended_names(0, 1000)
    assert len(names) > 900
    assert tar._pax(names + attacks.record(b"path", b"a")) == {"path": b"a"}
