"""What is told of signatures on programs and kernel modules, and of the tags of RPM packages."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

from pipelines.explain.format_fields import Content, FieldComparison, Told
from pipelines.explain.formats.rpm_fields import RPM
from pipelines.judge.difference import FieldKind
from tests.explain.executables.pairs import compared, pairs
from tests.judge.signatures.rpm_signing import Entry, Rpm
from tests.judge.signatures.signing import Signing, Vendor, program, signed

BUILT = (Entry.text(1007, "builder.example"), Entry.number(1006, 1764280000))


def test_a_signed_program_differs_by_its_certificate_table() -> None:
    ours = program()
    found = compared(signed(ours, Signing(by=Vendor.named("vendor"))), ours)
    table = found[0]
    assert (table.field.name, table.field.kind) == ("certificate table", FieldKind.PRODUCER)
    assert (table.shipped or "").startswith("1 signature, ")
    assert table.rebuilt == "not signed"
    assert {told.field.kind for told in found[1:]} == {FieldKind.DERIVED}


def test_a_signed_kernel_module_differs_by_its_signature() -> None:
    ours = pairs()["module"][0]
    one, other = (module(ours, bytes([n]) * 300) for n in (1, 2))
    (told,) = compared(one, ours)
    assert (told.field.name, told.shipped, told.rebuilt) == (
        "module signature", "340 bytes", "not signed"
    )  # fmt: skip
    assert (told.count, told.field.kind) == (340, FieldKind.PRODUCER)
    (told,) = compared(one, other)
    assert (told.field.name, told.count) == ("module signature", 300)


def test_tags_of_packages_are_told_by_their_names() -> None:
    shipped = replace(Rpm(), entries=(*Rpm().entries, *BUILT))
    other = (Entry.text(1007, "rebuild.example"), Entry.number(1006, 1764361817))
    found = of_packages(shipped, replace(shipped, entries=(*Rpm().entries, *other)))
    assert found["build host"].field.kind is FieldKind.PRODUCER
    assert found["build host"].shipped == "builder.example"
    assert found["build host"].rebuilt == "rebuild.example"
    assert found["build time"].shipped == "2025-11-27T21:46:40Z"
    assert found["SHA-256 of the header"].field.kind is FieldKind.DERIVED
    assert not {"name", "version", "payload"} & found.keys()


def test_the_compression_of_a_payload_is_told() -> None:
    def packed(flags: str, payload: bytes) -> Rpm:
        how = (Entry.text(1125, "xz"), Entry.text(1126, flags))
        return Rpm(payload=payload, entries=(*Rpm().entries, *how))

    found = of_packages(packed("2", b"one " * 100), packed("9", b"two " * 100))
    told = found["payload compression"]
    assert (told.shipped, told.rebuilt) == ("2", "9")
    assert found["payload"].shipped == "xz 2"
    assert found["payload"].count == 300


def module(elf: bytes, pkcs7: bytes) -> bytes:
    frame = struct.pack(">BBBBB3xI", 0, 0, 2, 0, 0, len(pkcs7))
    return elf + pkcs7 + frame + b"~Module signature appended~\n"


def of_packages(shipped: Rpm, rebuilt: Rpm) -> dict[str, Told]:
    one, other = (Content(io.BytesIO(package.file())) for package in (shipped, rebuilt))
    return {told.field.name: told for told in FieldComparison(one, other).told(RPM)}
