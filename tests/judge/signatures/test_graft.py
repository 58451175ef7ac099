"""What the trusted side makes of the answers of the jail, and of a jail that gives none."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from builders.core.digest import CHUNK, Digest
from builders.core.errors import SamebitsError
from builders.jail.errors import JailEnd, JailFailedError
from builders.packing.compress import PackingError
from pipelines.judge.signatures.filled import pe_checksum, rpm_checksum
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.graft_readers import PACK, PLAN, UNPACK
from pipelines.judge.signatures.signature_format import (
    Graft,
    Refused,
    SignatureFault,
    Signer,
    Uncovered,
    VerifiedSignatures,
)
from pipelines.judge.signatures.splice import Derived, Own, PackedPlan, SplicePlan
from tests.fakes.jail import OpenJail
from tests.judge.signatures.large_files import LARGE
from tests.judge.signatures.module_tricks import BY_ADA as MODULE_BY_ADA
from tests.judge.signatures.module_tricks import OURS as MODULE
from tests.judge.signatures.modules import XZ, packed
from tests.judge.signatures.pe_tricks import ADA, BY_ADA, EVE, OURS
from tests.judge.signatures.signing import CHECKSUM, Signing, signed
from tests.judge.signatures.test_packed_plans import CONTENT, SHIPPED, LyingJail

SIGNED = signed(OURS, Signing(by=ADA))
BY = {
    "ada": Signer(certificate=ADA.pin, subject="a"),
    "eve": Signer(certificate=EVE.pin, subject="e"),
}


def grafted(jail: OpenJail, **fields: bool) -> Graft | Refused:
    alike = (lambda *_: fields["alike"]) if fields else None
    return graft(jail, io.BytesIO(SIGNED), io.BytesIO(OURS), BY_ADA, io.BytesIO(), alike=alike)


@pytest.mark.parametrize(
    "error", [JailFailedError(JailEnd.CRASHED, "it crashed", got="signal 11"), PackingError("no")]
)
def test_a_jail_that_fails_is_a_fault_of_the_file(error: SamebitsError) -> None:
    found = grafted(OpenJail(error))
    assert isinstance(found, Refused)
    assert found.fault is SignatureFault.UNREADABLE
    assert str(error) in found.detail


@pytest.mark.parametrize("names", ["", "eve", "ada eve"])
def test_the_signers_that_the_jail_names_are_the_pinned_ones(names: str) -> None:
    signers = tuple(BY[name] for name in names.split())
    found = grafted(LyingJail(VERIFY=VerifiedSignatures(signers=signers, uncovered=())))
    assert isinstance(found, Refused)
    assert found.fault is SignatureFault.UNEXPECTED_SIGNER


@pytest.mark.parametrize("alike", [False, True])
def test_the_shipped_file_needs_nobody_who_takes_another_one(*, alike: bool) -> None:
    assert isinstance(grafted(OpenJail(), alike=alike), Graft)


def test_the_shipped_file_is_not_written_once_more() -> None:
    out = io.BytesIO()
    found = graft(OpenJail(), io.BytesIO(SIGNED), io.BytesIO(OURS), BY_ADA, out)
    assert isinstance(found, Graft)
    assert found.sha256 == Digest.of(SIGNED)
    assert out.getvalue() == b""


def test_a_file_that_is_not_the_shipped_one_is_written_and_looked_at() -> None:
    """Others in it that fit no signature are told before that it is another file."""
    whole = (Own(offset=0, length=CHECKSUM), Derived(data="00" * 4))
    rest = Own(offset=CHECKSUM + 4, length=len(OURS) - CHECKSUM - 4)
    out = io.BytesIO()
    jail = LyingJail(PLAN=SplicePlan(pieces=(*whole, rest)))
    found = graft(jail, io.BytesIO(SIGNED), io.BytesIO(OURS), BY_ADA, out)
    assert isinstance(found, Refused)
    assert "does not fit" in found.detail
    assert len(out.getvalue()) == len(OURS)


def test_a_file_that_is_not_the_shipped_one_gets_a_checksum_of_its_own() -> None:
    """It is looked at by those who take such a file, and its digest is told."""
    ours, out, seen = OURS[:-1] + b"x", io.BytesIO(), []

    def alike(made: BinaryIO, _: Sequence[Uncovered]) -> bool:
        made.seek(0)
        seen.append(made.read())
        return True

    found = graft(OpenJail(), io.BytesIO(SIGNED), io.BytesIO(ours), BY_ADA, out, alike=alike)
    assert isinstance(found, Graft)
    assert seen == [out.getvalue()]
    assert found.sha256 == Digest.of(out.getvalue())
    checksum = pe_checksum(out)
    assert checksum is not None
    assert checksum.is_in(out)
    assert not checksum.is_in(io.BytesIO(SIGNED))


def test_another_package_that_is_taken_has_an_md5_of_its_own() -> None:
    shipped, ours, pins = LARGE["rpm"](100)
    out = io.BytesIO()
    files = io.BytesIO(shipped), io.BytesIO(ours[:-1] + bytes([ours[-1] ^ 1]))
    assert isinstance(graft(OpenJail(), *files, pins, out, alike=lambda *_: True), Graft)
    checksum = rpm_checksum(out)
    assert checksum is not None
    assert checksum.is_in(out)
    assert not checksum.is_in(io.BytesIO(shipped))


@pytest.mark.parametrize("alike", [False, True])
def test_a_checksum_that_the_shipped_file_has_wrong_is_not_taken(*, alike: bool) -> None:
    stale = SIGNED[:CHECKSUM] + b"evil" + SIGNED[CHECKSUM + 4 :]
    files = io.BytesIO(stale), io.BytesIO(OURS)
    found = graft(OpenJail(), *files, BY_ADA, io.BytesIO(), alike=lambda *_: alike)
    assert isinstance(found, Refused)
    assert found.fault is SignatureFault.DIGEST


@pytest.mark.parametrize("form", LARGE)
def test_files_with_a_descriptor_are_read_side_by_side(form: str) -> None:
    shipped, rebuilt, pins = LARGE[form](3 * CHUNK)
    with tempfile.TemporaryFile() as theirs, tempfile.TemporaryFile() as ours:
        for file, data in ((theirs, shipped), (ours, rebuilt)):
            file.write(data)
            file.flush()
        found = graft(OpenJail(), theirs, ours, pins, io.BytesIO())
    assert isinstance(found, Graft)
    assert found == graft(OpenJail(), io.BytesIO(shipped), io.BytesIO(rebuilt), pins, io.BytesIO())


def test_a_graft_tells_what_was_taken_and_the_contents_that_were_compressed() -> None:
    files = io.BytesIO(SHIPPED), io.BytesIO(MODULE)
    found = graft(OpenJail(), *files, MODULE_BY_ADA, io.BytesIO())
    assert isinstance(found, Graft)
    assert found.contents == (Digest.of(MODULE), Digest.of(CONTENT))
    assert found.signature == Digest.of(CONTENT[len(MODULE) :][: found.taken])
    plain = grafted(OpenJail())
    assert isinstance(plain, Graft)
    assert plain.signature == Digest.of(SIGNED[-plain.taken :])


def test_what_a_reader_wrote_is_in_the_file_once_it_answers(tmp_path: Path) -> None:
    with (tmp_path / "content").open("wb") as out:
        UNPACK.read([io.BytesIO(SHIPPED), out], MODULE_BY_ADA, tempfile.TemporaryFile)
        assert (tmp_path / "content").read_bytes() == CONTENT
    with (tmp_path / "packed").open("wb") as out:
        content, ours = io.BytesIO(b"at the end"), io.BytesIO(b"head of ours")
        content.seek(3)
        ours.seek(3)
        PACK.read(
            [content, ours, out], PackedPlan(begin=4, pieces=(), packing=XZ), tempfile.TemporaryFile
        )
        assert (tmp_path / "packed").read_bytes() == b"head" + packed(b"at the end")


def test_of_a_format_that_compresses_nothing_nothing_is_unpacked() -> None:
    found = UNPACK.read([io.BytesIO(SIGNED), io.BytesIO()], BY_ADA, tempfile.TemporaryFile)
    assert isinstance(found, Refused)
    assert "compresses nothing" in found.detail


def test_what_the_jail_answers_is_what_a_plan_refuses() -> None:
    files = [io.BytesIO(OURS), io.BytesIO(OURS)]
    found = PLAN.read(files, BY_ADA, tempfile.TemporaryFile)
    assert isinstance(found, Refused)
    assert found.fault is SignatureFault.MISSING


def test_a_file_that_is_taken_for_the_shipped_one_has_its_own_checksum() -> None:
    """It is masked where it differs; what a plan says of the checksum does not matter."""
    plan = PLAN.read([io.BytesIO(SIGNED), io.BytesIO(OURS)], BY_ADA, tempfile.TemporaryFile)
    assert isinstance(plan, SplicePlan)
    wrong = [
        piece.model_copy(update={"data": "00000001"})
        if isinstance(piece, Derived) and at == 1
        else piece
        for at, piece in enumerate(plan.pieces)
    ]
    found = grafted(LyingJail(PLAN=SplicePlan(pieces=tuple(wrong))), alike=True)
    assert isinstance(found, Graft)
    assert found.sha256 == Digest.of(SIGNED)
