"""A jail that lies, and a ledger that was forged, make no file equivalent."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import pytest
from pydantic import ValidationError

from builders.core.digest import Digest
from builders.jail.errors import JailEnd, JailFailedError
from builders.recipe.normalizers import MAX_MASKED, NormalizerName
from pipelines.judge.normalizers.find_fields import FileField
from pipelines.judge.normalizers.ledger import MaskLedger, NotMasked, replay
from pipelines.judge.normalizers.mask import mask
from tests.fakes.jail import OpenJail
from tests.judge.normalizers.made_files import FILLER, PAIRS, edited, elf, pe, tar
from tests.judge.normalizers.program_tricks import ELF_TEXT, PE_TEXT
from tests.judge.normalizers.trick import NEW, OLD, declared


class ForgedJail(OpenJail):
    """Answers with what the file that it reads makes it answer."""

    def __init__(self, *answers: object) -> None:
        super().__init__()
        self.answers = list(answers)

    def run(self, reader: Any, files: Sequence[BinaryIO], parameters: Any, **_: Any) -> Any:
        """Return the next answer, as it arrives from a jail."""
        return reader.result.validate_json(reader.result.dump_json(self.answers.pop(0)))


def field(
    normalizer: NormalizerName, name: str, offset: int, length: int, size: int = 1 << 20
) -> FileField:
    return FileField(
        normalizer=normalizer,
        field=name,
        offset=offset,
        length=length,
        members=(),
        start=0,
        size=size,
    )


CODE = elf(bytes(20), segment=4)
OTHER_CODE = edited(CODE, ELF_TEXT + 20, b"\xcc\xcc\xcc\xcc")
BUILD_ID, TIMES, STAMP = (
    NormalizerName.ELF_BUILD_ID,
    NormalizerName.TAR_TIMES,
    NormalizerName.PE_TIME_STAMP,
)
PE, OTHER_PE = pe(1), edited(pe(1), PE_TEXT + 8, b"\xcc\xcc\xcc\xcc")
TIME, CHECKSUM = field(TIMES, "modification-time", 136, 12), field(TIMES, "checksum", 148, 8)
SECOND = 512 + len(FILLER)
ID = CODE.index(b"GNU\0") + 4
FILES = {
    "short": (CODE[: ID + 4], CODE[:ID] + b"\1\1\1\1"),
    "elf": (CODE, OTHER_CODE),
    "pe": (PE, OTHER_PE),
    "tar": (tar(NEW), tar(OLD)),
    "one": (tar(NEW), tar(OLD)[:512] + tar(NEW)[512:]),
    "end": (CODE[: ID + 20], CODE[:ID] + b"\1" * 20),
}
FORGED: dict[str, tuple[str, str, list[FileField]]] = {
    "code that is a build id": (
        "elf", "no-such-field", [field(BUILD_ID, "build-id", ELF_TEXT + 20, 20)],
    ),
    "code that is the time of a tar": (
        "elf", "no-such-field", [field(TIMES, "modification-time", ELF_TEXT + 20, 12)],
    ),
    "code that is the time of a zip": (
        "elf", "no-such-field",
        [field(NormalizerName.ZIP_TIMES, "modification-time", ELF_TEXT + 20, 4)],
    ),
    "code that is the extra time of a zip": (
        "elf", "no-such-field",
        [field(NormalizerName.ZIP_TIMES, "extra-modification-time", ELF_TEXT + 20, 4)],
    ),
    "code that is the time of an ar": (
        "elf", "no-such-field",
        [field(NormalizerName.AR_TIMES, "modification-time", ELF_TEXT + 20, 12)],
    ),
    "code that is the time of a .pyc": (
        "elf", "no-such-field", [field(NormalizerName.PYC_TIME, "source-time", ELF_TEXT + 20, 4)],
    ),
    "a field of no normalizer": ("elf", "no-such-field", [field(BUILD_ID, "code", 0, 64)]),
    "the whole file": ("elf", "no-such-field", [field(BUILD_ID, "build-id", 0, MAX_MASKED)]),
    "beyond the end": (
        "elf", "no-such-field", [field(BUILD_ID, "build-id", len(CODE) - 4, 20)],
    ),
    "a field that the file ends in": (
        "short", "no-such-field", [field(BUILD_ID, "build-id", ID, 20)],
    ),
    "code that is a time stamp": (
        "pe", "no-such-field", [field(STAMP, "time-stamp", PE_TEXT + 8, 4)],
    ),
    "code that is a copy of the time stamp": (
        "pe", "no-such-field", [field(STAMP, "time-stamp-copy", PE_TEXT + 8, 4)],
    ),
    "code that is the checksum": (
        "pe", "no-such-field", [field(STAMP, "checksum", PE_TEXT + 8, 4)],
    ),
    "one field twice": ("tar", "no-such-field", [TIME, TIME, CHECKSUM]),
    "fields out of order": ("tar", "no-such-field", [CHECKSUM, TIME]),
    "fields that overlap": (
        "tar", "no-such-field", [TIME, field(TIMES, "checksum", 147, 8)],
    ),
    "a field of another length": (
        "tar", "no-such-field", [field(TIMES, "modification-time", 136, 20)],
    ),
    "a field where nothing differs": (
        "tar", "no-such-field", [TIME, CHECKSUM, field(TIMES, "modification-time", 1 << 17, 12)],
    ),
    "a true field where nothing differs": (
        "one", "no-such-field",
        [TIME, CHECKSUM, field(TIMES, "modification-time", SECOND + 136, 12)],
    ),
    "a difference that is left out": ("tar", "bytes-differ", [TIME, CHECKSUM]),
    "no field at all": ("tar", "bytes-differ", []),
    "a normalizer that the recipe has not": (
        "elf", "undeclared-normalizer",
        [field(NormalizerName.PYC_TIME, "source-time", ELF_TEXT + 20, 4)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_answer_is_refused(name: str) -> None:
    which, fault, fields = FORGED[name]
    rebuilt, shipped = FILES[which]
    allowed = declared(*(f.normalizer for f in fields[:1])) or declared(TIMES)
    if fault == "undeclared-normalizer":
        allowed = declared(BUILD_ID)
    jail = ForgedJail(tuple(fields), tuple(fields))
    found = mask(jail, io.BytesIO(shipped), io.BytesIO(rebuilt), allowed)
    assert isinstance(found, NotMasked)
    assert found.fault == fault, found


def test_a_field_may_be_the_end_of_a_file() -> None:
    rebuilt, shipped = FILES["end"]
    answer = (field(BUILD_ID, "build-id", ID, 20),)
    allowed = declared(BUILD_ID, bytes=20)
    jail = ForgedJail(answer, answer)
    found = mask(jail, io.BytesIO(shipped), io.BytesIO(rebuilt), allowed)
    assert isinstance(found, MaskLedger)
    assert found.sha256 == Digest.of(shipped)


@pytest.mark.parametrize("ours", [True, False])
def test_one_process_alone_convinces_nobody(ours: bool) -> None:
    """The process that reads the shipped file may be its servant; the other one never saw it."""
    rebuilt, shipped = FILES["elf"]
    lie = (field(BUILD_ID, "build-id", ELF_TEXT + 20, 20),)
    truth = NotMasked(fault="executable-code", detail="byte 196 is in executable-section")
    answers = (lie, truth) if ours else (truth, lie)
    found = mask(ForgedJail(*answers), io.BytesIO(shipped), io.BytesIO(rebuilt), declared(BUILD_ID))
    assert found == truth
    found = mask(ForgedJail(lie, ()), io.BytesIO(shipped), io.BytesIO(rebuilt), declared(BUILD_ID))
    assert isinstance(found, NotMasked)
    assert found.fault == "fields-differ"


def test_a_reader_that_dies_is_a_difference_with_a_name() -> None:
    rebuilt, shipped = FILES["elf"]
    jail = OpenJail(JailFailedError(JailEnd.CRASHED, "a reader crashed", got="signal 11"))
    found = mask(jail, io.BytesIO(shipped), io.BytesIO(rebuilt), declared(BUILD_ID))
    assert isinstance(found, NotMasked)
    assert found.fault == "fields-unreadable"


PAIR = PAIRS["tar times"]
TRUE = mask(
    OpenJail(),
    io.BytesIO(PAIR.make(PAIR.shipped)),
    io.BytesIO(PAIR.make(PAIR.rebuilt)),
    declared(PAIR.normalizer),
)


def lines(change: Callable[[list[dict[str, Any]]], None]) -> dict[str, Any]:
    assert isinstance(TRUE, MaskLedger)
    document = TRUE.model_dump(mode="json")
    change(document["lines"])
    return document


FALSE: dict[str, Callable[[list[dict[str, Any]]], None]] = {
    "other bytes": lambda found: found[0].update(data="00" * 12),
    "fewer bytes": lambda found: found[0].update(data="00" * 11),
    "another length": lambda found: found[0].update(length=13),
    "another offset": lambda found: found[1].update(offset=found[0]["offset"]),
    "out of order": lambda found: found.reverse(),
    "a line twice": lambda found: found.insert(0, found[0]),
    "a line beyond the end": lambda found: found[-1].update(offset=1 << 30),
    "no lines": lambda found: found.clear(),
    "an unknown normalizer": lambda found: found[0].update(normalizer="code"),
    "too many bytes": lambda found: found[0].update(
        length=MAX_MASKED + 1, data="00" * (MAX_MASKED + 1)
    ),
}


@pytest.mark.parametrize("name", FALSE)
def test_a_forged_ledger_is_none(name: str) -> None:
    with pytest.raises(ValidationError):
        MaskLedger.model_validate_json(_json(lines(FALSE[name])), strict=True)


def _json(document: dict[str, Any]) -> bytes:
    import json

    return json.dumps(document).encode()


def test_a_ledger_over_other_bytes_replays_to_nothing() -> None:
    assert isinstance(TRUE, MaskLedger)
    with pytest.raises(ValueError, match="has other bytes at 136"):
        replay(TRUE.lines, io.BytesIO(PAIR.make(1)))
    with pytest.raises(ValueError, match="ends before"):
        replay(TRUE.lines, io.BytesIO(b"short"))
    made = replay(TRUE.lines, io.BytesIO(PAIR.make(PAIR.rebuilt) + b"more"))
    assert made[0] != TRUE.sha256
    assert TRUE.sha256 == Digest.of(PAIR.make(PAIR.shipped))
