"""A recorded build: what a .buildinfo says, and every way in which one cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.core.errors import UsageError
from pipelines.infer.debian.buildinfo import (
    MAX_BYTES,
    load_build_record,
    read_build_record,
)
from pipelines.judge.finding import FileFact

REAL = Path(__file__).parents[1] / "data" / "buildinfo" / "netbase_6.5_amd64.buildinfo"
"""As dpkg-genbuildinfo wrote it in a rebuild."""
ENTRY = """\
Binary-Only-Changes:
 tool (1:2.0-1+b2) sid; urgency=low, binary-only=yes
 .
   * Binary-only non-maintainer upload for amd64; no source changes.
   * Rebuild for libfoo 3
 .
  -- Build Daemon (one) <buildd@example.org>  Wed, 07 Aug 2019 06:15:10 +0000
"""
RECORD = f"""\
Format: 1.0
Source: tool (1:2.0-1)
Binary: libtool-x tool
Architecture: amd64
Version: 1:2.0-1+b2
{ENTRY}Checksums-Sha256:
 {"a" * 64} 70 libtool-x_2.0-1_amd64.deb
 {"b" * 64} 71 tool_2.0-1+b2_amd64.deb
 {"e" * 64} 72 tool-dbgsym_2.0-1+b2_amd64.deb
Build-Origin: Debian
Build-Architecture: amd64
Build-Date: Wed, 07 Aug 2019 06:20:00 +0000
Build-Path: /build/elsewhere/tool-2.0
Installed-Build-Depends:
 debhelper (= 13.22),
 gcc-14 (= 14.2.0-16),
 libc6:i386 (= 2.40-6),
 make (= 4.4.1-2)
Environment:
 CFLAGS="-DNAME=\\"x\\" -O1"
 DEB_BUILD_OPTIONS="parallel=4 terse"
 LANG="C.UTF-8"
 LC_CTYPE="C.UTF-8"
 SOURCE_DATE_EPOCH="1565158510"
"""
SIGNED = f"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

{RECORD}
-----BEGIN PGP SIGNATURE-----

iQIzBAEBCgAdFiEE
-----END PGP SIGNATURE-----
"""


def test_a_record_of_our_own_build_is_read_whole() -> None:
    record = load_build_record(REAL)
    assert (record.source, record.source_version, record.version) == ("netbase", "6.5", "6.5")
    assert (record.architectures, record.builder, record.signed) == (("all",), "amd64", False)
    assert record.path == "/build/reproducible-path/netbase-6.5"
    assert record.files["netbase_6.5_all.deb"].size == 12436
    assert record.installed["zlib1g"] == "1:1.3.dfsg+really1.3.1-1+deb13u1"
    assert record.variables == {
        "DEB_BUILD_OPTIONS": "parallel=1",
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": "1742081210",
    }
    assert record.entry == ()


def test_a_rebuild_without_new_source_has_an_entry_of_its_own() -> None:
    record = read_build_record(RECORD.encode(), what="it")
    assert (record.source_version, record.version) == ("1:2.0-1", "1:2.0-1+b2")
    assert record.entry[0] == "tool (1:2.0-1+b2) sid; urgency=low, binary-only=yes"
    assert record.entry[1:3] == (
        "",
        "  * Binary-only non-maintainer upload for amd64; no source changes.",
    )
    assert record.entry[-1].startswith(" -- Build Daemon (one)")
    assert record.installed["libc6:i386"] == "2.40-6"
    assert record.variables["CFLAGS"] == '-DNAME="x" -O1'
    size, digest = 71, Digest("b" * 64)
    assert record.files["tool_2.0-1+b2_amd64.deb"] == FileFact(size=size, sha256=digest)


def test_a_signed_record_says_the_same_and_that_it_is_signed() -> None:
    signed, plain = (read_build_record(t.encode(), what="it") for t in (SIGNED, RECORD))
    assert (signed.signed, plain.signed) == (True, False)
    assert signed.sha256 == Digest.of(SIGNED.encode())
    assert (signed.files, signed.entry, signed.path) == (plain.files, plain.entry, plain.path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Format: 1.0", "Format: 1.8", "got Format: 1.8; expected Format: 1.0"),
        ("Format: 1.0\n", "", "no field Format"),
        ("Source: tool (1:2.0-1)", "Source: tool evil", "'tool evil'"),
        ("Source: tool (1:2.0-1)", "Source: ../tool", "'../tool'"),
        ("Version: 1:2.0-1+b2\n", "Version: 2 3\n", "'2 3'"),
        ("Build-Architecture: amd64", "Build-Architecture:", "Build-Architecture"),
        ("Build-Origin: Debian", "Version: 3", "version twice"),
        ("Build-Origin: Debian", "build-path: /build/x", "build-path twice"),
        ("Build-Origin: Debian", "no field at all", "'no field at all' in line"),
        ("Build-Origin: Debian", "", "one paragraph of fields"),
        ("Build-Origin: Debian", "# a comment", "'# a comment'"),
        ("Build-Path: /build", "Build-Path: /build/../etc", "Build-Path: '/build/../etc"),
        ("Build-Path: /build", "Build-Path: build", "absolute path of plain names"),
        ("Build-Path: /build", "Build-Path: /build//x", "absolute path of plain names"),
        ("Build-Path: /build", "Build-Path: /b $(reboot)", "absolute path of plain names"),
        ("/tool-2.0\n", "/tool-2.0/\n", "absolute path of plain names"),
        ("/tool-2.0\n", "/tool-2.0\n second\n", "one line of text"),
        ("a" * 64, "A" * 64, "a SHA-256, a size and a plain file name"),
        (" 70 libtool-x", " 70 ../libtool-x", "a plain file name"),
        (" 70 libtool-x", " -70 libtool-x", "a plain file name"),
        (" 70 libtool-x", " \u0667 libtool-x", "a plain file name"),
        ("libtool-x_2.0-1_amd64.deb\n", "tool_2.0-1+b2_amd64.deb\n", "amd64.deb twice"),
        ("Checksums-Sha256:", "Checksums-Sha512:", "no Checksums-Sha256"),
        ("Installed-Build-Depends:", "Build-Depends:", "no Installed-Build-Depends"),
        ("(= 13.22)", "(>= 13.22)", "name (= version)"),
        ("make (= 4.4.1-2)", "make (= 4.4.1-2) | reboot", "name (= version)"),
        ("make (= 4.4.1-2)", "gcc-14 (= 15)", "gcc-14 twice"),
        (' LANG="C.UTF-8"', " LANG=C.UTF-8", 'NAME="value"'),
        (' LANG="C.UTF-8"', ' LA NG="C"', 'NAME="value"'),
        (' LANG="C.UTF-8"', ' LANG="a"b"', 'NAME="value"'),
        (' LANG="C.UTF-8"', ' LC_CTYPE="C"', "LC_CTYPE twice"),
        ("sid; urgency=low, binary-only=yes", "sid", "one changelog entry"),
        ("06:15:10 +0000", "noon", "one changelog entry"),
        (" <buildd@example.org>", "", "one changelog entry"),
        ("   * Rebuild", " tool (9-9) sid; urgency=low", "one changelog entry"),
        ("Debian", "\x1b[31mDebian", "the character '\\x1b'"),
        ("Debian\n", "Debian\r\n", "the character '\\r'"),
        ("Debian", "Deb\u2028ian", "the character '\\u2028'"),
    ],
)  # fmt: skip
def test_what_is_no_record_is_one_clear_line(old: str, new: str, said: str) -> None:
    assert old in RECORD
    with pytest.raises(UsageError, match=r"it is not a \.buildinfo that can be used") as caught:
        read_build_record(RECORD.replace(old, new, 1).encode(), what="it")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text",
    [
        SIGNED.replace("-----END PGP SIGNATURE-----\n", ""),
        SIGNED + "Build-Path: /added/afterwards\n",
        SIGNED.replace("iQIz", "-----BEGIN PGP SIGNATURE-----\niQIz"),
        SIGNED.replace("Hash: SHA512", "Hash: SHA512\nBuild-Path: /unsigned"),
        SIGNED.replace("Hash: SHA512\n\n", "Hash: SHA512\n").replace("\n\n", "\n"),
        RECORD + "\n" + RECORD,
        "",
        "\n",
    ],
    ids=[
        "no-end",
        "more-behind",
        "two-signatures",
        "more-above",
        "no-text",
        "two-records",
        "empty",
        "blank",
    ],
)
def test_a_frame_that_is_broken_is_no_record(text: str) -> None:
    with pytest.raises(UsageError, match=r"it is not a \.buildinfo that can be used"):
        read_build_record(text.encode(), what="it")


def test_bytes_that_are_no_text_and_megabytes_of_them_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not UTF-8 text"):
        read_build_record(b"\xff\xfe" + RECORD.encode(), what="it")
    large = tmp_path / "large.buildinfo"
    large.write_bytes(RECORD.encode() + b"x" * MAX_BYTES)
    with pytest.raises(UsageError, match="file too large"):
        load_build_record(large)
    with pytest.raises(UsageError, match="cannot be read"):
        load_build_record(tmp_path / "none")


def test_more_rows_than_a_build_can_have_are_refused() -> None:
    many = "".join(f' V{n}="x"\n' for n in range(10_001))
    with pytest.raises(UsageError, match=r"got 100\d\d lines of Environment; expected at most"):
        read_build_record(
            RECORD.replace("Environment:\n", f"Environment:\n{many}").encode(), what="it"
        )


@given(st.lists(st.sampled_from([*RECORD.splitlines(), *SIGNED.splitlines()[:3], " x", "A: b"])))
def test_any_lines_are_read_or_refused(lines: list[str]) -> None:
    try:
        record = read_build_record("\n".join(lines).encode(), what="it")
    except UsageError:
        return
    assert record.files
    assert record.installed
