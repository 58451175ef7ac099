from __future__ import annotations

import pytest

from builders.core.digest import Digest
from builders.core.errors import InputMismatchError
from builders.locators.dsc import Companion, read_companions

ONE = Digest.of(b"one")
PLAIN = f"""Format: 3.0 (native)
Source: tool
Version: 1:2.0-1
Checksums-Sha256:
 {ONE} 3 tool_2.0.orig.tar.xz
 {ONE} 3 tool_2.0-1.debian.tar.xz
Files:
 00000000000000000000000000000000 3 tool_2.0.orig.tar.xz
"""
SIGNED = f"""-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

{PLAIN}
-----BEGIN PGP SIGNATURE-----

iQ==
-----END PGP SIGNATURE-----
"""


@pytest.mark.parametrize("text", [PLAIN, SIGNED], ids=["plain", "clear-signed"])
def test_the_files_of_a_dsc_are_listed_with_their_digests(text: str) -> None:
    assert read_companions(text.encode(), what="tool.dsc") == (
        Companion(name="tool_2.0.orig.tar.xz", size=3, sha256=ONE),
        Companion(name="tool_2.0-1.debian.tar.xz", size=3, sha256=ONE),
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tool_2.0-1.debian.tar.xz", "../tool.tar.xz"),
        ("tool_2.0-1.debian.tar.xz", "/tool.tar.xz"),
        ("tool_2.0-1.debian.tar.xz", ".."),
        ("tool_2.0-1.debian.tar.xz", "-o"),
        ("tool_2.0-1.debian.tar.xz", "tool_2.0.orig.tar.xz"),
        (f"{ONE} 3 tool_2.0.orig", f"{ONE} 99999999999999 tool_2.0.orig"),
        (f"{ONE} 3 tool_2.0.orig", f"{ONE} -3 tool_2.0.orig"),
        (f"{ONE} 3 tool_2.0.orig", f"{ONE.hex[:40]} 3 tool_2.0.orig"),
        (f"{ONE} 3 tool_2.0.orig", f"{ONE} tool_2.0.orig"),
        ("Checksums-Sha256:", "Checksums-Sha1:"),
        ("Source: tool", "Package: tool"),
        (PLAIN, "\x7fELF"),
        (PLAIN, ""),
        (PLAIN, "a" * (2 << 20)),
        (
            PLAIN,
            PLAIN.replace("Files:", "".join(f" {ONE} 3 f{n}\n" for n in range(101)) + "Files:"),
        ),
    ],
)
def test_a_dsc_that_pins_too_little_or_too_much_is_refused(old: str, new: str) -> None:
    assert old in PLAIN
    with pytest.raises(InputMismatchError, match=r"tool\.dsc is not a \.dsc"):
        read_companions(PLAIN.replace(old, new).encode(), what="tool.dsc")


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InputMismatchError):
        read_companions(b"Source: \xff\xfe", what="tool.dsc")
