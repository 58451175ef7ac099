"""Signed files of Debian and ClamAV, made of rebuilt ones, and what sigtool says of them."""

from __future__ import annotations

import lzma
import os
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from builders.core.digest import Digest, digest_file
from builders.locators import FetchRequest
from builders.locators.locator import parse_locator
from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.signature_format import Graft, Refused
from pipelines.verify.session import Session
from tests.judge.signatures.modules import MAGIC

pytestmark = [pytest.mark.network, pytest.mark.host]

KERNEL = (
    "pkg:deb/debian/linux-image-6.12.117%2Bdeb13-cloud-amd64@6.12.117-1?arch=amd64",
    "e9893e5295d0549b8852611f12a4b8b5f6cc4b8128dcc2086b9847793b904ab7",
)
CLAMAV = (
    (
        "pkg:deb/debian/clamav@1.4.6%2Bdfsg-1~deb13u1"
        "?arch=source&file_name=clamav_1.4.6%2Bdfsg.orig.tar.xz"
    ),
    "09823124e9bae5d602699c2a2fe5d4876298283cf3e7f8982973571843572468",
)
MODULES = "./usr/lib/modules/*/kernel/net/vmw_vsock/vsock_*"
DATABASES = "*/freshclam_testfiles/*.cvd"
KERNEL_KEY = """-----BEGIN CERTIFICATE-----
MIIB2jCCAV+gAwIBAgIUH0AC0XOG+QC739J0bMG2lZtqDI4wCgYIKoZIzj0EAwIw
LjEsMCoGA1UEAwwjQnVpbGQgdGltZSBhdXRvZ2VuZXJhdGVkIGtlcm5lbCBrZXkw
IBcNMjYxMTEyMTA0NzA1WhgPMjEyNjEwMTkxMDQ3MDVaMC4xLDAqBgNVBAMMI0J1
aWxkIHRpbWUgYXV0b2dlbmVyYXRlZCBrZXJuZWwga2V5MHYwEAYHKoZIzj0CAQYF
K4EEACIDYgAEwdoS2Q7PJKT7a1PLIZN8Qh9WbhsL86eKNgrjpNeXrJEM+jrXxDt1
rI9u7ucjGCgUbsKN20DpdDtt7ekuUvtsT/Ubm6NfrnE5/LliSYcRj16/6yVx/V94
Ia8yBhZGUjt3ozwwOjAMBgNVHRMBAf8EAjAAMAsGA1UdDwQEAwIHgDAdBgNVHQ4E
FgQUExv4t2w0I6SYHIgn/kX1nAyCNswwCgYIKoZIzj0EAwIDaQAwZgIxAMJhe1kN
eNJPdfJsPP7zJny/K/hiNUgkE0XBuw5n53NZb8o+vSCH+rAcKxu2QtO15QIxAOwS
Hp4YEt25/Xy5KG0BfVc+ajLwPBl1Gva8Z5EN959FTLk1hOEHcVtpEm7aPDUvpQ==
-----END CERTIFICATE-----
"""
"""In Debian's vmlinuz of that version."""
HEADER_KEY = """-----BEGIN PUBLIC KEY-----
MIGgMA0GCSqGSIb3DQEBAQUAA4GOADCBigKBgQCo80x7K66QLh5gjPzsRMAkN1Nw
wJzUYOGRephUbd/FOpDGCLtIuoy37tH/NCCF7N0UkUKMqKiVlyQDo9sqRS3YAXO7
B+HiOsvIT6suJYaTD2KQnVbS4lJWyYnTmfpyKrJatijfebz85DuGoOBJJjFxNSt1
BI8tR3i2ml5XSmEwrQIEBfXlAw==
-----END PUBLIC KEY-----
"""
"""Of libclamav/dsig.c."""
INFO_KEY = """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQBX10m359YRYEIaFK6tsmO7
rsRCLKvadulNs/qYzWO/4ypUxyswJvI1bfqVQ/kCAhnL3L2unmQsREHCOiUjz0+m
1ERyLsInuJ4E2tCXw47u+TtYi6q+zG/CAZn+pupHpmxzbU/sFbWo1EEeGug44qCl
W3OY9NSLNGp9dHE0xiv9+VpLzjgfoVGiEYtniMyzKJUSpsizqE1kDg/KAdD0YR19
0aR0UgJ93s/BVy0INw5jxR2b1HcxU8562VxP+y9KEUfjUwT4J/NKTV7ziLqwd/fK
4LL7u/6gmTa2VrTAx8TpkHxsbTkuAbBHdG0rhpS+3npeCGH42V74RKKbcef4uPDJ
AgQF9ekB
-----END PUBLIC KEY-----
"""
"""Of libclamav/readdb.c."""


def pinned(form: SignedFormat, *keys: str) -> PinnedSignature:
    return PinnedSignature(
        format=form, signers=tuple(Digest.of(_der(key)) for key in keys), public_keys=keys
    )


def _der(pem: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.replace("PUBLIC KEY", "CERTIFICATE"))


BY_CLAMAV = pinned(SignedFormat.CVD, INFO_KEY, HEADER_KEY)


def fetched(session: Session, folder: Path, source: tuple[str, str], name: str) -> Path:
    wanted = FetchRequest(locator=parse_locator(source[0]), name=name, sha256=Digest(source[1]))
    (file,) = session.fetcher.fetch([wanted], folder)
    return file


def grafted(session: Session, shipped: Path, ours: Path, pins: PinnedSignature) -> Graft | Refused:
    with shipped.open("rb") as theirs, ours.open("rb") as mine, TemporaryFile() as made:
        return graft(session.jail, theirs, mine, pins, made)


def test_modules_of_debians_kernel_in_xz(session: Session, tmp_path: Path) -> None:
    deb = fetched(session, tmp_path, KERNEL, "kernel.deb")
    unpack = ("tar", "x", "-C", tmp_path, "--wildcards", MODULES)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as tar:
        subprocess.run(unpack, stdin=tar.stdout, check=True)
    files = sorted(tmp_path.glob("usr/**/*.ko.xz"))
    assert len(files) == 2
    ours, pins = tmp_path / "ours.ko", pinned(SignedFormat.KERNEL_MODULE, KERNEL_KEY)
    for file in files:
        signed = lzma.decompress(file.read_bytes())
        assert signed.endswith(MAGIC)
        length = int.from_bytes(signed[-len(MAGIC) - 4 : -len(MAGIC)], "big")
        ours.write_bytes(signed[: -len(MAGIC) - 12 - length])
        found = grafted(session, file, ours, pins)
        assert isinstance(found, Graft), found
        assert found.sha256 == digest_file(file)
        assert (found.carried, found.taken) == ((), length)


@pytest.fixture(scope="module")
def databases(session: Session, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """ClamAV's databases of its own tests, versions 1 to 6."""
    folder = tmp_path_factory.mktemp("clamav")
    source = fetched(session, folder, CLAMAV, "clamav.tar.xz")
    words = ("tar", "xf", source, "-C", folder, "--strip-components=4", "--wildcards", DATABASES)
    subprocess.run(words, check=True)
    return [folder / f"test-{number}.cvd" for number in range(1, 7)]


def built(shipped: Path, folder: Path) -> Path:
    """Return what sigtool makes of the members of a database, without signatures."""
    folder.mkdir()
    _, _, version, _, level, *_ = shipped.read_bytes()[:512].decode().split(":")
    build = ("--build=test.cud", "--unsigned", f"--cvd-version={version}", f"--flevel={level}")
    for words in ((f"--unpack={shipped}",), (*build, "--datadir=/nonexistent")):
        subprocess.run(
            ["sigtool", *words],
            cwd=folder,
            env={**os.environ, "SIGNDUSER": "me"},
            check=True,
            timeout=300,
            capture_output=True,
        )
    return folder / "test.cud"


def test_databases_of_clamav_that_sigtool_has_built_anew(
    databases: list[Path], session: Session, tmp_path: Path
) -> None:
    for shipped in databases:
        found = grafted(session, shipped, built(shipped, tmp_path / shipped.stem), BY_CLAMAV)
        assert isinstance(found, Graft), found
        assert found.sha256 == digest_file(shipped)
        assert [one.why for one in found.carried] == [
            "header-time", "header-builder", "header-clock",
        ]  # fmt: skip


def _replaced(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(before, after, 1)


ALTERED: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda data: data,
    "another version": _replaced(b":6:14:81:", b":9:14:81:"),
    "another number of signatures": _replaced(b":6:14:81:", b":6:99:81:"),
    "another level": _replaced(b":6:14:81:", b":6:14:99:"),
    "another time": _replaced(b"22 Jun 2021", b"22 Jun 2029"),
    "another builder": _replaced(b"micasnyd", b"somebody"),
    "another clock": _replaced(b":1624412045", b":1999999999"),
    "data behind the header": lambda data: data[:500] + b":payload" + data[508:],
    "another signature": _replaced(b":Dou6", b":Dou7"),
    "another MD5": _replaced(b":3e249e", b":3e249f"),
    "another body": lambda data: data[:-9] + b"\1" + data[-8:],
    "a byte after the gzip": lambda data: data + b"\0",
}
BELIEVED = {"another time", "another builder", "data behind the header"}
"""What sigtool verifies all the same: nothing signs the header."""


def test_what_we_take_of_databases_sigtool_takes_too(
    databases: list[Path], session: Session, tmp_path: Path
) -> None:
    good, shipped = databases[5].read_bytes(), tmp_path / "test.cvd"
    own = built(databases[5], tmp_path / "own")
    ours, theirs = set(), set()
    for name, change in ALTERED.items():
        shipped.write_bytes(change(good))
        assert (shipped.read_bytes() == good) is (name == "nothing")
        if isinstance(grafted(session, shipped, own, BY_CLAMAV), Graft):
            ours.add(name)
        told = subprocess.run(["sigtool", f"--info={shipped}"], capture_output=True, check=False)
        if b"Verification OK" in told.stdout:
            theirs.add(name)
    assert ours == {"nothing"}
    assert theirs == {"nothing", *BELIEVED}
