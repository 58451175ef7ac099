"""Signed EFI programs of Debian 13: each is its unsigned pair with the signature, byte for byte."""

from __future__ import annotations

import subprocess
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

pytestmark = pytest.mark.network

DEBS = {
    "fwupd-amd64-signed@1:1.7%2B1": (
        "490a5caca2a1994735f0774f3e351005da83fe3523f98a5bbd69f602d05cb719"
    ),
    "fwupd-unsigned@1:1.7-1": "97135b2e83170ec0d8da7b80b5786b21e648d52efa8357ed3d607e66e67010db",
    "grub-efi-amd64-signed@1%2B2.12%2B9%2Bdeb13u4": (
        "9090ac76b1bb4d009298583c6e5af1e7b2cae8bce96a40d42a271eb2f750b536"
    ),
    "grub-efi-amd64-unsigned@2.12-9%2Bdeb13u4": (
        "191c9f9d3470c01097cdd2ed8e1f46a42bcec6594961c1193299f88631139a80"
    ),
    "shim-helpers-amd64-signed@1%2B16.1%2B2~deb13u1": (
        "7e950d75d5a40ecc0a99f727452ce35780b47a04d9a2cc3b1ff7c2bb316c033e"
    ),
    "shim-signed@1.51~1%2Bdeb13u1%2B16.1-2~deb13u1": (
        "3c802fa303c0e6bf126adee74028d1042e3120360d159c2c05181dc9b2f61005"
    ),
    "shim-unsigned@16.1-2~deb13u1": (
        "4e9a0742fef5419879ccef6b612bfffd0e92bf7047bf23a51f04106d33628f35"
    ),
    "systemd-boot-efi-amd64-signed@257.13-1~deb13u1": (
        "8ecdb0b4af26105ff8c38986c3c8a261133d60ca342ff75351c1be9d1abf74cc"
    ),
    "systemd-boot-efi@257.13-1~deb13u1": (
        "390ecdcef9bbb753f51bb6d8f696bdae2f1dbedde7239c49ccb2512f137a8933"
    ),
}
FWUPD = "a84a932361ca073ccc186d4cd5a465194e4b38aba08e01f7f5c4624cac361c77"
GRUB = "71024100bf7718749440e65f9360f8df6f9a28d0842d3a493dfcbfcbc478991d"
SHIM = "bc75dc6b1bf285c2cf2e9c4e10aa24c1e3e152ca3a0e2bd1392c702968121a31"
SYSTEMD = "68495b49f7ea64b0467069b491e0676b229349f0670a1327184352e271649a22"
MICROSOFT_2011 = "9bb5d35801594fa0101e044fcc54c364d6e268daa0a07d9951f9eae5da7b6e79"
MICROSOFT_2023 = "a538829c015ee28bf0c9a4ed9d2bb346e245c6bbab85724bad1a3265228ac271"
CERTIFICATES = [
    "48e99b991f57fc52f76149599bff0a58c47154229b9f8d603ac40d3500248507",
    "f6124e34125bee3fe6d79a574eaa7b91c0e7bd9d929c1a321178efd611dad901",
    "0e185e3f25fe5c3ad6c646abd52df2c964786df7ae076912b1b55d76cee05b7c",
    "d9573eb215c2dcf88ac222276c27ea16c95c813cf2f64ef9b58c93d47640f465",
    "ebec1edd9e140d9c105cc62b15a915c5443ddc514a35e5773c09afb0274c7ba5",
]
AUTHORITIES = [
    "3678abef5b1e5b7288b8ddb44edfe12db50502bf2783d9d6d7cbfebed312bec7",
    "9913dc89b8e4c8b48c166844ba97318a2b55dc4a8cf5ca747368e573c7d7856a",
]
PAIRS = {
    "usr/libexec/fwupd/efi/fwupdx64.efi.signed": ("usr/libexec/fwupd/efi/fwupdx64.efi", FWUPD),
    **{
        f"usr/lib/grub/x86_64-efi-signed/{name}.efi.signed": (
            f"usr/lib/grub/x86_64-efi/monolithic/{name}.efi",
            GRUB,
        )
        for name in ("gcdx64", "grubx64", "grubnetx64", "grubnetx64-installer")
    },
    **{
        f"usr/lib/shim/{name}.efi.signed": (f"usr/lib/shim/{name}.efi", SHIM)
        for name in ("fbx64", "mmx64")
    },
    "usr/lib/systemd/boot/efi/systemd-bootx64.efi.signed": (
        "usr/lib/systemd/boot/efi/systemd-bootx64.efi",
        SYSTEMD,
    ),
}
BY_MICROSOFT = PinnedSignature(
    format=SignedFormat.PE,
    signers=(Digest(MICROSOFT_2011), Digest(MICROSOFT_2023)),
    certificates=tuple(map(Digest, CERTIFICATES)),
    time_stamps=tuple(map(Digest, AUTHORITIES)),
)


@pytest.fixture(scope="module")
def root(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of the packages unpacked."""
    folder = tmp_path_factory.mktemp("debs")
    wanted = [
        FetchRequest(
            locator=parse_locator(f"pkg:deb/debian/{name}?arch=amd64"),
            name=f"{number}.deb",
            sha256=Digest(digest),
        )
        for number, (name, digest) in enumerate(DEBS.items())
    ]
    for deb, digest in zip(session.fetcher.fetch(wanted, folder), DEBS.values(), strict=True):
        assert str(digest_file(deb)) == digest
        subprocess.run(["dpkg-deb", "-x", deb, folder / "root"], check=True)
    return folder / "root"


def grafted(session: Session, signed: Path, ours: Path, pins: PinnedSignature) -> Graft | Refused:
    with signed.open("rb") as theirs, ours.open("rb") as mine, TemporaryFile() as made:
        return graft(session.jail, theirs, mine, pins, made)


@pytest.mark.parametrize("name", PAIRS)
def test_our_bytes_with_debians_signature_are_the_shipped_program(
    session: Session, root: Path, name: str
) -> None:
    unsigned, signer = PAIRS[name]
    pins = PinnedSignature(format=SignedFormat.PE, signers=(Digest(signer),))
    found = grafted(session, root / name, root / unsigned, pins)
    assert isinstance(found, Graft), found
    assert found.sha256 == digest_file(root / name)


def test_a_program_with_two_signatures_of_microsoft_and_their_time_stamps(
    session: Session, root: Path
) -> None:
    folder = root / "usr/lib/shim"
    found = grafted(session, folder / "shimx64.efi.signed", folder / "shimx64.efi", BY_MICROSOFT)
    assert isinstance(found, Graft), found
    assert found.sha256 == digest_file(folder / "shimx64.efi.signed")
    assert [one.stamped_on and one.stamped_on.date().isoformat() for one in found.signers] == [
        "2026-05-13",
        "2026-05-13",
    ]
    for one in BY_MICROSOFT.signers:
        alone = BY_MICROSOFT.model_copy(update={"signers": (one,)})
        refused = grafted(session, folder / "shimx64.efi.signed", folder / "shimx64.efi", alone)
        assert isinstance(refused, Refused)
        assert refused.fault in {"unexpected-signer", "unknown-certificate"}
