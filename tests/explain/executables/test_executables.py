"""What is told of two executables that differ for a known reason, and of altered ones."""

from __future__ import annotations

import random
import struct

import pytest

from pipelines.explain.format_fields import Told
from pipelines.judge.difference import FieldKind
from tests.explain.executables.pairs import compared, pairs

DERIVED = FieldKind.DERIVED
UNNAMED = ("data in", "code in", "bytes outside")
"""What is told of bytes of which only the place is known."""
CAUSES: dict[str, tuple[str, str | None, str | None]] = {
    "base": ("addresses in", None, None),
    "build-id": ("build ID", "0123456789", "fedcba9876"),
    "build-id-none": ("section .note.gnu.build-id", ".note.gnu.build-id", None),
    "code": ("code of work", None, None),
    "code-longer": ("code of work", None, None),
    "code-longer-stripped": ("code of functions without names", None, None),
    "code-stripped": ("code of functions without names", None, None),
    "comment": (".comment", "GCC: (Debian 12.4.0-5) 12.4.0", "GCC: (Debian 12.2.0-16) 12.2.0"),
    "compiler": (".comment", "GCC: (Debian 12.4.0-5) 12.4.0", "GCC: (Debian 14.2.0-19) 14.2.0"),
    "debug-link": ("debug link", "t.debug", "t.debug"),
    "debug-path": ("path in .debug_line_str", "build/vendor", "build/rebuild"),
    "debug-path-longer": ("path in .debug_line_str", "build/vendor", "build/a-much-longer-folder"),
    "epoch": ("time in .rodata", "1764280000", "1764361817"),
    "go": ("Go setting -trimpath", "true", None),
    "hash-style": ("section .hash", None, ".hash"),
    "module": ("modinfo vermagic", "6.12.57 SMP", "6.12.63 SMP"),
    "needed": ("needed libraries", "libc.so.6", "libm.so.6, libc.so.6"),
    "object": ("path in .debug_line_str", "build/vendor", "build/rebuild"),
    "object-code": ("code of work", None, None),
    "optimised": ("code of", None, None),
    "order": ("order of functions", "one", "another"),
    "order-stripped": ("order of functions", "one", "another"),
    "package-note": ("package note", '{"name":"tool"}', '{"name":"fool"}'),
    "path": ("path in .rodata", "build/vendor/main.c", "build/rebuild/main.c"),
    "path-longer": ("path in .rodata", "build/vendor/main.c", "a-much-longer-folder/main.c"),
    "pe-build-id": ("debug id", "33221100554477668899aabbccddeeff", "ccddeeffaabb8899"),
    "pe-code": ("code of functions without names", None, None),
    "pe-function": ("functions", None, "added"),
    "pe-function-stripped": ("functions", None, "0x"),
    "pe-ident": ("string in .rdata", None, "GCC: (GNU) 14-win32"),
    "pe-image-base": ("image base", None, "0x140000000"),
    "pe-path": ("path in .rdata", "/build/vendor/shim-16.1", "/home/rebuild/x/shim-16.1"),
    "pe-path-stripped": ("path in .rdata", "/build/vendor/shim-16.1", "/home/rebuild/x/shim-16.1"),
    "pe-sbat": (".sbat shim.debian", "1,Debian,shim,16.1-1", "1,Debian,shim,16.1-2"),
    "pe-sbat-longer": (".sbat shim.debian", "1,Debian,shim,16.1-1", "2,Debian,shim,16.1-3"),
    "pe-stripped": ("section symbols", None, "symbols"),
    "pe-time": ("time stamp", "2025-11-27T21:46:40Z", "2025-11-28T20:30:17Z"),
    "pe-version": ("version in .rdata", "16.1", "16.2"),
    "property": ("code of main", None, None),
    "rpath": ("RUNPATH", "/opt/vendor/lib", "/opt/rebuild/lib"),
    "separate-code": ("padding between sections", None, None),
    "shift": ("addresses in", None, None),
    "soname": ("library name", "libtool.so.1", "libtool.so.2"),
    "string": ("string in .rodata", "hello, world of rebuilds", "HELLO,_WORLD_OF_REBUILDS"),
    "string-longer": ("string in .rodata", "hello, world", "of_many_more_things"),
    "string-longer-stripped": ("string in .rodata", "hello, world", "of_many_more_things"),
    "stripped": ("symbols and debug information", None, ".symtab, .strtab"),
    "stripped-of-debug": ("symbols and debug information", None, ".debug_info"),
    "symbol-added": ("functions", None, "added"),
    "symbol-added-stripped": ("functions", None, "0x"),
    "symbol-exported": ("symbols in .dynsym", None, "added"),
    "time": ("time in .rodata", "Nov 27 2025", "Nov 28 2025"),
    "version": ("version in .rodata", "1.4.2", "1.4.3-rc1"),
}
IN_PLACE = (
    "build-id", "code", "code-stripped", "debug-link", "epoch", "package-note", "pe-build-id",
    "pe-code", "pe-image-base", "pe-sbat", "pe-time", "pe-version", "soname", "string", "time",
)  # fmt: skip
"""Pairs in which nothing moves."""


def test_there_is_an_expectation_for_each_pair() -> None:
    assert CAUSES.keys() == pairs().keys()


@pytest.mark.parametrize("name", CAUSES)
def test_the_reason_is_told(name: str) -> None:
    field, shipped, rebuilt = CAUSES[name]
    found = [told for told in compared(*pairs()[name]) if told.field.name.startswith(field)]
    assert found
    assert shipped is None or any(shipped in (told.shipped or "") for told in found)
    assert rebuilt is None or any(rebuilt in (told.rebuilt or "") for told in found)


def test_at_least_95_percent_of_the_bytes_have_a_named_reason() -> None:
    counts = {name: total(compared(*pair)) for name, pair in pairs().items()}
    named = {name: part for name, (part, _) in counts.items()}
    assert sum(named.values()) >= 0.99 * sum(whole for _, whole in counts.values())
    shares = sorted((part / whole, name) for name, (part, whole) in counts.items())
    assert [name for share, name in shares if share < 0.95] == ["order-stripped", "order"]
    assert shares[0][0] > 0.75


@pytest.mark.parametrize("name", IN_PLACE)
def test_each_byte_that_differs_is_counted_once(name: str) -> None:
    shipped, rebuilt = pairs()[name]
    differing = sum(a != b for a, b in zip(shipped, rebuilt, strict=True))
    assert sum(told.count for told in compared(shipped, rebuilt)) == differing


@pytest.mark.parametrize("name", ["code", "pe-version"])
def test_without_detail_sections_are_counted(name: str) -> None:
    found = [(told.field.name, told.count) for told in compared(*pairs()[name], detail=False)]
    assert (
        found
        == {
            "code": [("build ID", 20), (".text", 2)],
            "pe-version": [("checksum", 1), (".rdata", 1)],
        }[name]
    )


def test_a_call_of_another_function_is_no_moved_address() -> None:
    """An attacker who calls another function must not pass for a linker that moved one."""
    shipped, _ = pairs()["code"]
    begin, end = section(shipped, b".text")
    rebuilt = bytearray(shipped)
    at = next(
        n for n in range(begin, end) if shipped[n] == 0xE8 and begin < target(shipped, n) < end
    )
    struct.pack_into("<i", rebuilt, at + 1, struct.unpack_from("<i", shipped, at + 1)[0] + 0x20)
    found = compared(shipped, bytes(rebuilt))
    assert [told.field.name.partition(" ")[0] for told in found] == ["code"]
    assert found[0].field.kind is FieldKind.CONTENT


def test_sections_in_another_order_are_told_before_what_follows_from_it() -> None:
    """Two sections change their names: the headers are in another order then."""
    shipped = pairs()["stripped"][0]
    at, end = section(shipped, b".shstrtab")
    names = shipped[at:end].replace(b".data\0", b"\1").replace(b".text\0", b".data\0")
    found = compared(shipped, shipped[:at] + names.replace(b"\1", b".text\0") + shipped[end:])
    told = {one.field.name: one.field.kind for one in found}
    assert told["order of sections"] is FieldKind.SETTING
    assert told["names of sections"] is DERIVED


def test_code_that_no_symbol_covers_is_told() -> None:
    shipped, _ = pairs()["code"]
    begin, end = section(shipped, b".text")
    gap = shipped.index(b"\x66\x2e\x0f\x1f\x84", begin, end)
    rebuilt = shipped[:gap] + b"\xeb\xfe\xcc\xcc\xcc" + shipped[gap + 5 :]
    told = compared(shipped, rebuilt)[0]
    assert told.field.name.startswith("code in .text")
    assert told.field.kind is FieldKind.CONTENT


@pytest.mark.parametrize("name", ["code", "debug-path-longer", "object", "pe-function"])
def test_damaged_files_end_the_reader_soon_or_tell_something(name: str) -> None:
    shipped, rebuilt = pairs()[name]
    chance = random.Random(name)  # noqa: S311
    for _ in range(12):
        damaged = bytearray(rebuilt)
        for _ in range(chance.randint(1, 6)):
            at = chance.choice((chance.randrange(64), chance.randrange(len(damaged) - 8)))
            damaged[at : at + 4] = chance.choice((b"\xff" * 4, b"\0" * 4, chance.randbytes(4)))
        try:
            found = compared(shipped, bytes(damaged))
        except Exception:  # noqa: BLE001, S112  # hostile bytes may end a reader in any way
            continue
        assert found or bytes(damaged) == shipped


def total(found: list[Told]) -> tuple[int, int]:
    """Return how many bytes have a named reason, and how many there are."""
    named = [told.count for told in found if not told.field.name.startswith(UNNAMED)]
    return sum(named), sum(told.count for told in found)


def section(file: bytes, name: bytes) -> tuple[int, int]:
    """Return where a section of an ELF file of 64 bits is."""
    (table,) = struct.unpack_from("<Q", file, 0x28)
    count, names = struct.unpack_from("<HH", file, 0x3C)
    rows = [struct.unpack_from("<IIQQQQ", file, table + 64 * n) for n in range(count)]
    for row in rows:
        at = rows[names][4] + row[0]
        if file[at : file.index(b"\0", at)] == name:
            return row[4], row[4] + row[5]
    raise KeyError(name)


def target(file: bytes, at: int) -> int:
    distance: int = struct.unpack_from("<i", file, at + 1)[0]
    return at + 5 + distance
