"""A signature below a compression: a false plan gives no copy of the shipped file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, BinaryIO, cast

import pytest

from builders.jail.file_reader import Nothing, P, R, Reader
from builders.packing import GzipPacking
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.filled import Checksum
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.graft_readers import FORMATS
from pipelines.judge.signatures.signature_format import (
    Graft,
    Refused,
    SignatureFault,
    VerifiedSignatures,
)
from pipelines.judge.signatures.splice import Derived, Own, PackedPlan, Piece, SplicePlan, Taken
from tests.fakes.jail import OpenJail
from tests.judge.signatures.module_tricks import ADA, BY_ADA, OTHER, OURS
from tests.judge.signatures.modules import XZ, packed, signed

CONTENT = signed(OURS, ADA)
SHIPPED = packed(CONTENT)


class LyingJail(OpenJail):
    """A jail whose readers answer what a test says, and that notes which files they are given."""

    def __init__(self, **answers: Any) -> None:
        super().__init__()
        self.answers = answers
        self.given: list[tuple[str, tuple[bytes, ...]]] = []

    def run(
        self,
        reader: Reader[P, R],
        files: Sequence[BinaryIO],
        parameters: P,
        *,
        outputs: Sequence[BinaryIO] = (),
        seconds: float | None = None,
    ) -> R:
        name = reader.name.rpartition(":")[2]
        held = []
        for file in files:
            file.seek(0)
            held.append(file.read())
            file.seek(0)
        self.given.append((name, tuple(held)))
        if name in self.answers:
            answer = self.answers[name]
            made = answer(files, outputs) if callable(answer) else answer
            return cast("R", made)
        return super().run(reader, files, parameters, outputs=outputs)


def run(jail: OpenJail, ours: bytes = OURS, pins: PinnedSignature = BY_ADA) -> Graft | Refused:
    return graft(jail, io.BytesIO(SHIPPED), io.BytesIO(ours), pins, io.BytesIO())


def test_no_process_that_makes_our_file_is_given_the_shipped_one() -> None:
    jail = LyingJail()
    assert isinstance(run(jail, packed(OURS)), Graft)
    assert [name for name, _ in jail.given] == ["PLAN", "UNPACK", "UNPACK", "PACK", "VERIFY"]
    assert jail.given[1] == ("UNPACK", (packed(OURS),))
    assert jail.given[3] == ("PACK", (CONTENT, packed(OURS)))


def inside(
    *pieces: Piece, packing: Any = XZ, size: int = len(SHIPPED), begin: int = 0
) -> SplicePlan:
    held = PackedPlan(pieces=pieces, packing=packing, begin=begin)
    return SplicePlan(pieces=(Own(offset=0, length=size),), inside=held)


GOOD = (
    Own(offset=0, length=len(OURS)),
    Taken(offset=len(OURS), length=len(CONTENT) - len(OURS) - 40, why="signature"),
    Derived(data=CONTENT[-40:].hex()),
)
FALSE: dict[str, tuple[SplicePlan, str]] = {
    "all of the content is taken": (
        inside(Taken(offset=0, length=len(CONTENT), why="all")), "left out"
    ),
    "all of the file is taken": (
        SplicePlan(pieces=(Taken(offset=0, length=len(SHIPPED), why="all"),)), "left out"
    ),
    "all of the file is taken beside what is inside": (
        SplicePlan(
            pieces=(Taken(offset=0, length=len(SHIPPED), why="all"),),
            inside=PackedPlan(pieces=GOOD, packing=XZ),
        ),
        "not the shipped file",
    ),
    "the content is derived": (inside(Derived(data=CONTENT.hex())), "left out"),
    "more is derived": (inside(*GOOD, Derived(data=b"x".hex())), "derived bytes"),
    "more is taken": (
        inside(GOOD[0], Taken(offset=len(OURS), length=9000, why="more")), "at most 8192"
    ),
    "a part of ours is left out": (
        inside(Own(offset=0, length=len(OURS) - 1), *GOOD[1:]), "left out"
    ),
    "ours twice": (inside(GOOD[0], *GOOD), "twice or out of order"),
    "taken bytes move": (
        inside(GOOD[0], Taken(offset=0, length=64, why="moved")), "would move"
    ),
    "beyond the end of the content": (
        inside(GOOD[0], Taken(offset=len(OURS), length=4096, why="more")), "ends before"
    ),
    "another packing": (inside(*GOOD, packing=GzipPacking()), "not the shipped file"),
    "a name in another packing": (
        inside(*GOOD, packing=GzipPacking(name="x" * 255)), "not the shipped file"
    ),
    "a stream behind a part of ours": (inside(*GOOD, begin=16), "not the shipped file"),
    "a part of the packed file is left out": (
        inside(*GOOD, size=len(SHIPPED) - 1), "not the shipped file"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_a_false_plan_makes_no_copy_of_the_shipped_file(name: str) -> None:
    plan, error = FALSE[name]
    found = run(LyingJail(PLAN=plan, VERIFY=VerifiedSignatures(signers=(), uncovered=())))
    assert isinstance(found, Refused)
    assert error in found.detail


def test_a_plan_that_is_right_is_taken_whoever_made_it() -> None:
    assert isinstance(run(LyingJail(PLAN=inside(*GOOD))), Graft)


def test_content_of_the_shipped_file_that_is_false_is_of_no_use() -> None:
    """Whatever a process that reads the shipped file writes, only the signature of it is used."""

    def unpack(files: Sequence[BinaryIO], outputs: Sequence[BinaryIO]) -> Any:
        shipped = files[0].read() == SHIPPED
        outputs[0].write(CONTENT if shipped else OTHER)
        return Nothing()

    found = run(LyingJail(UNPACK=unpack), ours=packed(OURS))
    assert isinstance(found, Refused)
    assert found.fault == "bytes-differ"
    assert isinstance(run(LyingJail(UNPACK=unpack, PLAN=inside(*GOOD)), ours=OTHER), Refused)


@pytest.mark.parametrize("checksum", [None, Checksum(at=0, value=b"another")])
def test_a_checksum_in_what_is_compressed_is_looked_at(
    checksum: Checksum | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = FORMATS[BY_ADA.format]
    assert form.limits.inside
    wrong = replace(form.limits.inside, checksum=lambda _: checksum)
    changed = replace(form, limits=replace(form.limits, inside=wrong))
    monkeypatch.setitem(FORMATS, BY_ADA.format, changed)
    found = run(LyingJail(PLAN=inside(*GOOD)))
    assert isinstance(found, Refused)
    assert found.fault is SignatureFault.DIGEST


def test_a_format_without_compression_has_no_plan_inside() -> None:
    from builders.recipe.signature import SignedFormat

    pins = BY_ADA.model_copy(update={"format": SignedFormat.PE})
    jail = LyingJail(PLAN=inside(*GOOD))
    found = run(jail, pins=pins)
    assert isinstance(found, Refused)
    assert "compresses nothing" in found.detail
    assert [name for name, _ in jail.given] == ["PLAN"]
