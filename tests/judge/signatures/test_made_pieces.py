"""Pieces of a splice plan that are made here, and the file that they are in."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.judge.signatures.splice import (
    HashTree,
    Own,
    SpliceError,
    SpliceLimits,
    SplicePlan,
    splice,
)
from pipelines.judge.signatures.zip_pieces import End, ZipLimits
from tests.judge.signatures.test_splice import GOOD, LIMITS, OURS, THEIRS, fitting


def test_a_hash_tree_is_over_whole_blocks_and_in_no_archive() -> None:
    limits = SpliceLimits(replaced=9, derived=9, taken=9)
    for zipped, length, error in (
        (True, 4096, "1 hash trees, at most 0"),
        (False, 10, "a hash tree over"),
    ):
        pieces = (Own(offset=0, length=10), HashTree(length=length, salt="0" * 64))
        within = replace(limits, zip=ZipLimits(taken="x")) if zipped else limits
        with pytest.raises(SpliceError, match=error):
            fitting(SplicePlan(pieces=pieces), io.BytesIO(OURS), io.BytesIO(), io.BytesIO(), within)


def test_a_file_has_one_hash_tree_and_no_signature_in_its_place() -> None:
    ours, tree = bytes(8192), HashTree(length=8192, salt="0" * 64)
    limits = SpliceLimits(replaced=0, derived=0, taken=0)

    def made(limits: SpliceLimits, *trees: HashTree) -> int:
        plan = SplicePlan(pieces=(Own(offset=0, length=8192), *trees))
        return fitting(plan, io.BytesIO(ours), io.BytesIO(), io.BytesIO(), limits).size

    assert made(limits, tree) == 8192 + 4096
    with pytest.raises(SpliceError, match="2 hash trees, at most 1"):
        made(limits, tree, tree)
    with pytest.raises(SpliceError, match="whose length its plan does not say"):
        made(replace(limits, fits=lambda *_: True), tree)


def test_a_piece_of_an_archive_is_none_of_another_file() -> None:
    pieces = (Own(offset=0, length=10), End(offset=10))
    limits = SpliceLimits(replaced=0, derived=0, taken=0)
    files = io.BytesIO(bytes(32)), io.BytesIO()
    with pytest.raises(SpliceError, match="a piece of a zip archive"):
        fitting(SplicePlan(pieces=pieces), *files, io.BytesIO(), limits)


def test_a_file_is_complete_once_it_is_made(tmp_path: Path) -> None:
    with (tmp_path / "made").open("wb") as out:
        files = io.BytesIO(OURS), io.BytesIO(THEIRS)
        splice(SplicePlan(pieces=tuple(GOOD)), *files, out, LIMITS)
        assert (tmp_path / "made").read_bytes() == THEIRS
