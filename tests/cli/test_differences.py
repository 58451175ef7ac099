"""Owner, mode, times and order of members stand on the terminal as in the JSON."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.recipe.signature import SignedFormat
from pipelines.cli.differences import field_lines, signature_lines
from pipelines.explain.quickdiff import quick_diff
from pipelines.judge.difference import QuickDiff
from pipelines.judge.finding import FileFact, Finding, ShippedFact
from pipelines.judge.signatures.signature_format import CarriedRange, Graft, Signer
from tests.command import samebits


def tar(*names: str, content: bytes = b"1", **header: int | str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in header.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def look(shipped: bytes, rebuilt: bytes) -> QuickDiff:
    return quick_diff(io.BytesIO(shipped), io.BytesIO(rebuilt)).diff


def test_owner_mode_and_time_are_shown_with_both_values_even_where_content_differs() -> None:
    theirs = tar("a", uid=0, uname="root", mode=0o644, mtime=0)
    ours = tar("a", content=b"2", uid=1000, uname="build", mode=0o755, mtime=86400)
    assert list(field_lines(look(theirs, ours))) == [
        "- `mode` says 0644, the rebuild 0755 (tar, a)",
        "- `owner` says 0, the rebuild 1000 (tar, a)",
        "- `mtime` says 1970-01-01T00:00:00Z, the rebuild 1970-01-02T00:00:00Z (tar, a)",
        "- `name of the owner` says root, the rebuild build (tar, a)",
        "- `line 1` says 1, the rebuild 2 (a)",
        "- 1 more field differs",
    ]


def test_who_signed_and_what_a_signature_carries_are_shown_and_escaped() -> None:
    theirs, ours, year = Digest("a" * 64), Digest("b" * 64), datetime(2020, 1, 1, tzinfo=UTC)
    signer = Signer(
        certificate=ours, subject="CN=\x1b[2Jada", not_before=year, not_after=year, stamped_on=year
    )
    carried = [
        CarriedRange(offset=at, length=at + 1, sha256=ours, why=why)
        for at, why in enumerate(("structure", "certificate", "structure"))
    ]
    finding = Finding(
        name="boot.efi",
        verdict=Verdict.IDENTICAL_SIGNED,
        reason="same SHA-256 with the vendor's signature",
        shipped=ShippedFact(published=theirs, sha256=theirs, size=9),
        rebuilt=FileFact(sha256=ours, size=3),
        signature=Graft(
            format=SignedFormat.PE, sha256=theirs, size=9, signers=(signer,), taken=6,
            signature=ours,
            carried=tuple(carried),
        ),
    )  # fmt: skip
    assert isinstance(finding.signature, Graft)
    assert list(signature_lines(finding)) == [
        f"- signed by CN=\\x1b[2Jada, certificate sha256 {ours}, time stamp 2020-01-01T00:00:00Z",
        "- carries 6 bytes that no signature covers: structure 4, certificate 2",
    ]
    by_key = signer.model_copy(update={"certificate": "c" * 40, "stamped_on": None})
    graft = finding.signature.model_copy(update={"signers": (by_key,)})
    first, _ = signature_lines(finding.model_copy(update={"signature": graft}))
    assert first == f"- signed by CN=\\x1b[2Jada, key {'c' * 40}"


def test_the_order_of_members_is_shown() -> None:
    line, *_ = field_lines(look(tar("a", "b"), tar("b", "a")))
    assert line == "- `order of members` says a, b, the rebuild b, a (tar)"


def test_many_members_are_counted() -> None:
    names = [f"f{number}" for number in range(60)]
    time, checksum = field_lines(look(tar(*names, mtime=1), tar(*names, mtime=2)))
    assert time.endswith("00:00:01Z, the rebuild 1970-01-01T00:00:02Z (tar, f0 and 59 more)")
    assert checksum == "- 1 more field differs"


def test_an_explanation_of_before_fields_were_read_shows_what_it_has() -> None:
    found = look(tar("a", "b", mtime=1, uid=1), tar("a", "b", mtime=2, uid=2))
    old = found.model_copy(update={"fields": (), "fields_left_out": 0})
    assert list(field_lines(old)) == [
        "- `mtime` says 1970-01-01T00:00:01Z, the rebuild 1970-01-01T00:00:02Z (a and 1 more)",
        "- `owner` says 1:0, the rebuild 2:0 (a and 1 more)",
    ]


def test_a_time_that_no_calendar_has_is_shown_in_seconds() -> None:
    theirs, ours = tar("a", mtime=(1 << 62)), tar("a", mtime=1)
    shown = list(field_lines(look(theirs, ours)))
    assert any(f"mtime={1 << 62}" in line for line in shown)


def test_names_of_members_and_owners_are_escaped() -> None:
    theirs, ours = tar("a\x1b[2J", uname="root"), tar("a\x1b[2J", uname="ro\rot")
    line, *_ = field_lines(look(theirs, ours))
    assert line == r"- `name of the owner` says root, the rebuild ro\rot (tar, a\x1b[2J)"


def test_texts_that_are_no_archives_are_compared_by_their_lines() -> None:
    assert list(field_lines(look(b"one", b"two"))) == ["- `line 1` says one, the rebuild two"]
    assert list(field_lines(look(b"\x00\x01", b"\x00\x02"))) == ["- 1 byte differs"]
    assert list(field_lines(None)) == []


def test_compare_shows_them_too(tmp_path: Path) -> None:
    (tmp_path / "one.tar").write_bytes(tar("a", uid=1))
    (tmp_path / "two.tar").write_bytes(tar("a", uid=2))
    ended = samebits("compare", tmp_path / "one.tar", tmp_path / "two.tar", home=tmp_path)
    assert ended.code == 1
    assert ended.out.splitlines()[:2] == ["DIFFERENT", "  `owner` says 1, the rebuild 2 (tar, a)"]
