"""rpm, rauc, gpgv and sqv look at what we take of packages and of OpenPGP, and at every trick."""

from __future__ import annotations

import re
import ssl
import subprocess
from pathlib import Path

import pytest

from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.openpgp_packets import dearmored
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft
from tests.judge.signatures import (
    planted,
    rauc_tricks,
    rpm_tricks,
    test_openpgp,
    test_rauc,
    test_rpm,
)
from tests.judge.signatures.pe_tricks import ADA, BOB, ROOT
from tests.judge.signatures.pgp_signing import Signature

pytestmark = pytest.mark.host

RPM = dict.fromkeys(
    ("in base64", "in base64, by two", "of version 6"),
    "before its version 6 it does not read signatures in tag 278",
)
OPENPGP = {("sqv", "RSA of version 3"): "it takes none of version 3, as rpm does"}
"""What we take and they do not, and why."""


_NO_IMAGE = "Can't find a valid SQUASHFS superblock"
"""What rauc ends with once a signature is right: there are no files in our images."""


def said(*command: str | Path) -> tuple[bool, str]:
    """Return whether a command succeeds, and what it prints."""
    done = subprocess.run(command, capture_output=True, timeout=300, check=False, text=True)
    return not done.returncode, done.stdout + done.stderr


def test_what_we_take_of_rpm_packages_rpm_takes_too(tmp_path: Path) -> None:
    database = ("--dbpath", tmp_path / "db")
    for key in (rpm_tricks.ADA, rpm_tricks.BOB):
        (tmp_path / "key").write_text(key.armored)
        assert said("rpmkeys", *database, "--import", tmp_path / "key")[0]
    tricks = {
        name: rpm_tricks.Trick(fault="", shipped=lambda s=shipped: s, pins=pins, ours=ours)  # type: ignore[misc]
        for name, (shipped, ours, pins) in test_rpm.GOOD.items()
    } | rpm_tricks.TRICKS
    for number, trick in enumerate(tricks.values()):
        (tmp_path / f"{number}.rpm").write_bytes(trick.shipped())
    files = [tmp_path / f"{number}.rpm" for number in range(len(tricks))]
    printed = said("rpmkeys", *database, "-K", *files)[1]
    good = set(re.findall("(?m)([0-9]+.rpm): digests signatures OK$", printed))
    theirs = {name for name, file in zip(tricks, files, strict=True) if file.name in good}
    ours = {
        name
        for name, one in tricks.items()
        if isinstance(planted.grafted(one.shipped(), one.pins, one.ours), Graft)
    }
    assert ours == test_rpm.GOOD.keys()
    assert ours - theirs == RPM.keys()
    assert len(theirs - ours) > 20, "or it does not read these files"


def test_what_we_take_of_rauc_bundles_rauc_takes_too(tmp_path: Path) -> None:
    trusted = [ssl.DER_cert_to_PEM_cert(one.der) for one in (ADA, BOB, ROOT)]
    (tmp_path / "keyring.pem").write_text("".join(trusted))
    tricks = {
        name: rauc_tricks.Trick(fault="", shipped=lambda s=shipped: s, pins=pins, ours=ours)  # type: ignore[misc]
        for name, (shipped, ours, pins) in test_rauc.BUNDLES.items()
    } | rauc_tricks.TRICKS
    theirs, ours = set(), set()
    for name, one in tricks.items():
        (tmp_path / "a.raucb").write_bytes(one.shipped())
        keyring = f"--keyring={tmp_path / 'keyring.pem'}"
        fine, printed = said("rauc", keyring, "info", tmp_path / "a.raucb")
        if fine or _NO_IMAGE in printed:
            theirs.add(name)
        if isinstance(planted.grafted(one.shipped(), one.pins, one.ours), Graft):
            ours.add(name)
    assert ours == test_rauc.BUNDLES.keys()
    assert ours <= theirs
    assert len(theirs - ours) > 5, "or it does not read these files"


@pytest.mark.parametrize("tool", ["gpgv", "sqv"])
def test_what_we_take_of_openpgp_another_tool_takes_too(tool: str, tmp_path: Path) -> None:
    keys = (test_openpgp.ADA, test_openpgp.RSA)
    (tmp_path / "keys").write_bytes(b"".join(dearmored(one.armored.encode()) for one in keys))
    (tmp_path / "data").write_bytes(test_openpgp.DATA)
    good = {
        "Ed25519": Signature(by=keys[0]).packet(test_openpgp.DATA),
        "RSA": Signature(by=keys[1]).packet(test_openpgp.DATA),
        "RSA of version 3": Signature(by=keys[1]).former(test_openpgp.DATA),
    }
    theirs, ours = set(), set()
    for name, made in {**good, **{n: m() for n, (_, m) in test_openpgp.TRICKS.items()}}.items():
        (tmp_path / "sig").write_bytes(made)
        if said(tool, "--keyring", tmp_path / "keys", tmp_path / "sig", tmp_path / "data")[0]:
            theirs.add(name)
        try:
            test_openpgp.verified(made, test_openpgp.pins(*keys))
            ours.add(name)
        except BadSignatureError:
            pass
    assert ours == good.keys()
    assert ours - theirs == {name for peer, name in OPENPGP if peer == tool}
    assert len(theirs - ours) > 5, "or it does not read these files"


def test_what_gpg_signs_verifies_with_what_it_exports(tmp_path: Path) -> None:
    home, user = tmp_path / "home", "release@example.com"
    home.mkdir(0o700)
    (tmp_path / "data").write_bytes(test_openpgp.DATA)
    gpg = ("gpg", "--homedir", home, "--batch", "--passphrase", "", "--quiet")
    try:
        assert said(*gpg, "--quick-gen-key", user, "ed25519", "cert", "never")[0]
        (primary,) = re.findall(r"fpr:+([0-9A-F]{40}):", said(*gpg, "--with-colons", "-k")[1])
        assert said(*gpg, "--quick-add-key", primary, "rsa2048", "sign", "2y")[0]
        assert said(*gpg, "--detach-sign", tmp_path / "data")[0]
        listed = said(*gpg, "--list-keys", "--with-subkey-fingerprint", user)[1]
        subkey = re.findall("[0-9A-F]{40}", listed)[-1].lower()
        block = said(*gpg, "--armor", "--export", user)[1]
    finally:
        said("gpgconf", "--homedir", home, "--kill", "all")
    pins = {"format": "rpm", "signers": [subkey], "public_keys": [block]}
    made = (tmp_path / "data.sig").read_bytes()
    (found,) = test_openpgp.verified(made, PinnedSignature.model_validate(pins))
    assert (found.signer.certificate, found.signer.subject) == (subkey, user)
    assert found.signer.not_after is not None
