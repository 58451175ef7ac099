"""Signed packages and bundles that rpm and RAUC test themselves with, made of unsigned ones."""

from __future__ import annotations

import re
import tarfile
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
from tests.judge.signatures.pe_tricks import BOB
from tests.judge.signatures.rauc_signing import cms, sized

pytestmark = pytest.mark.network

SOURCES = {
    "rpm@4.20.1%2Bdfsg-3?arch=source&file_name=rpm_4.20.1%2Bdfsg.orig.tar.xz": (
        "f4ff67f20e4e56b2713ab24808b036aadaf11a62e2069d23e2846191e009af00"
    ),
    "rauc@1.13-3%2Bdeb13u1?arch=source&file_name=rauc_1.13.orig.tar.xz": (
        "1ddb218a5d713c8dbd6e04d5501d96629f1c8e2521576fbd9e7751edb7da113e"
    ),
}
RSA = "771b18d3d7baa28734333c424344591e1964c5fc"
ALICE = "43253a62850dfadcacd423f11f71177215217ee0"
"""A subkey."""
PACKAGES = {
    "hello-2.0-1.x86_64-signed": ("rpm.org-rsa-2048-test.pub", RSA),
    "hello-2.0-1.x86_64-signed-with-subkey": ("alice.asc", ALICE),
    "hello-2.0-1.x86_64-v3-signed": ("rpm.org-rsa-2048-test.pub", RSA),
}
REFUSED = {
    "hello-2.0-1.x86_64-corrupted": ("rpm.org-rsa-2048-test.pub", RSA, "layout"),
    "hello-2.0-1.x86_64-badima": ("rpm.org-rsa-2048-test.pub", RSA, "wrong-region"),
    "imatest-1.0-1.fc34.noarch": ("rpm.org-rsa-2048-test.pub", RSA, "file-signatures"),
    "hello-2.0-1.x86_64": ("rpm.org-rsa-2048-test.pub", RSA, "signature-missing"),
    "hello-2.0-1.x86_64-signed": ("rpm.org-ed25519-test.pub", RSA, "unexpected-signer"),
}
KEYS_OF_ATTACKS = [
    "CVE-2021-3521-badbind.asc",
    "CVE-2021-3521-nosubsig.asc",
    "CVE-2021-3521-nosubsig-last.asc",
]
"""Each has a subkey that its primary key did not sign."""
RAUC = "365e287f92959471bb47079daef38cb9baf40777d1731fa7c495f30604557ee3"
BUNDLES = {
    "good-bundle": None,
    "good-casync-bundle-1.5.1": None,
    "good-verity-bundle": None,
    "good-adaptive-meta-bundle": None,
    "good-casync-bundle-verity": None,
    "good-casync-bundle-1.4": "layout",
    "good-crypt-bundle-encrypted": "encrypted",
    "good-crypt-bundle-unencrypted": "encrypted",
    "invalid-sig-bundle": "signature-invalid",
}


@pytest.fixture(scope="module")
def root(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sources of both."""
    folder = tmp_path_factory.mktemp("sources")
    wanted = [
        FetchRequest(
            locator=parse_locator(f"pkg:deb/debian/{purl}"),
            name=purl.partition("file_name=")[2].replace("%2B", "+"),
            sha256=Digest(digest),
        )
        for purl, digest in SOURCES.items()
    ]
    for file, digest in zip(session.fetcher.fetch(wanted, folder), SOURCES.values(), strict=True):
        assert str(digest_file(file)) == digest
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
    return folder


def grafted(session: Session, signed: Path, ours: bytes, pins: PinnedSignature) -> Graft | Refused:
    with signed.open("rb") as theirs, TemporaryFile() as mine, TemporaryFile() as made:
        mine.write(ours)
        return graft(session.jail, theirs, mine, pins, made)


def judged(session: Session, root: Path, name: str, key: str, signer: str) -> Graft | Refused:
    data = next(root.glob("rpm-*")) / "tests/data"
    pins = PinnedSignature(
        format=SignedFormat.RPM,
        signers=(signer,),
        public_keys=((data / "keys" / key).read_text(),),
    )
    ours = (data / "RPMS/hello-2.0-1.x86_64.rpm").read_bytes()
    return grafted(session, data / f"RPMS/{name}.rpm", ours, pins)


@pytest.mark.parametrize("name", PACKAGES)
def test_an_unsigned_package_with_the_signature_is_the_signed_one(
    session: Session, root: Path, name: str
) -> None:
    found = judged(session, root, name, *PACKAGES[name])
    assert isinstance(found, Graft), found
    (file,) = root.glob(f"rpm-*/tests/data/RPMS/{name}.rpm")
    assert found.sha256 == digest_file(file)
    assert found.taken < 1000


def test_a_package_that_must_not_pass_is_a_difference(session: Session, root: Path) -> None:
    for name, (key, signer, fault) in REFUSED.items():
        found = judged(session, root, name, key, signer)
        assert isinstance(found, Refused), name
        assert found.fault == fault, (name, found)


def test_a_subkey_that_was_smuggled_into_a_key_signs_nothing(session: Session, root: Path) -> None:
    name = "hello-2.0-1.x86_64-signed-with-subkey"
    for key in KEYS_OF_ATTACKS:
        found = judged(session, root, name, key, ALICE)
        assert isinstance(found, Refused)
        assert found.fault == "unexpected-signer", found


def rebuilt(shipped: bytes) -> bytes:
    """Return a bundle as we would build it: its squashfs, or with a manifest of our own."""
    size = int.from_bytes(shipped[40:48], "little")
    image = shipped[: size + -size % 4096]
    manifest = re.search(rb"\[update\]\n.*?\n(?=\xa0\x82)", shipped[len(image) :], re.DOTALL)
    if not manifest:
        return image
    own = re.sub(rb"(verity-(?:hash|salt)=)[0-9a-f]{64}", rb"\g<1>" + b"0" * 64, manifest[0])
    tree = int(re.findall(rb"verity-size=([0-9]+)", own)[0])
    return sized(image + bytes(tree), cms(BOB, own))


@pytest.mark.parametrize("name", BUNDLES)
def test_a_squashfs_with_the_signature_is_the_signed_bundle(
    session: Session, root: Path, name: str
) -> None:
    (file,) = root.glob(f"rauc-*/test/{name}.raucb")
    pins = PinnedSignature(format=SignedFormat.RAUC, signers=(Digest(RAUC),))
    found = grafted(session, file, rebuilt(file.read_bytes()), pins)
    if fault := BUNDLES[name]:
        assert isinstance(found, Refused)
        assert found.fault == fault, found
    else:
        assert isinstance(found, Graft), found
        assert found.sha256 == digest_file(file)
