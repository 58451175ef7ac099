"""Other tools that verify signatures of PE files and cabinets look at what we take, and more."""

from __future__ import annotations

import ssl
import subprocess
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.signature_format import Graft
from tests.judge.signatures import cab_tricks, page_hash_tricks, pe_tricks, test_cab
from tests.judge.signatures.pe_tricks import ADA, BY_ADA, OURS, TRICKS, Trick
from tests.judge.signatures.signing import Vendor, program
from tests.judge.signatures.test_pe import GOOD, grafted

pytestmark = pytest.mark.host

VENDORS = {one.pin: one for one in vars(pe_tricks).values() if isinstance(one, Vendor)}
REFUSED = {
    ("sbverify", "SHA-512"): "it reads SHA-256 alone",
    ("osslsigncode", "two signatures"): "it reads the first entry of a table alone",
    ("osslsigncode", "a certificate that has expired"): "without a time stamp, the clock decides",
}
"""What we take and they do not, and why."""


@cache
def files() -> dict[str, tuple[bytes, bytes, PinnedSignature]]:
    """Each shipped file, ours, and who has to sign."""
    return {
        **{name: (shipped, OURS, pins) for name, (shipped, pins) in GOOD.items()},
        **{name: (trick.shipped(), trick.ours, trick.pins) for name, trick in TRICKS.items()},
    }


def runs(*command: str | Path) -> bool:
    return not subprocess.run(command, capture_output=True, timeout=300, check=False).returncode


def accepts(tool: str, shipped: bytes, pins: PinnedSignature, folder: Path) -> bool:
    """Say whether a tool verifies a file that it may trust all pinned certificates of."""
    (folder / "signed.efi").write_bytes(shipped)
    trusted = [*pins.signers, *pins.time_stamps, *pins.certificates]
    pems = [ssl.DER_cert_to_PEM_cert(VENDORS[Digest(str(one))].der) for one in trusted]
    for number, pem in enumerate(["".join(pems), *pems]):
        (folder / f"{number}.pem").write_text(pem)
    signed, bundle = folder / "signed.efi", folder / "0.pem"
    if tool == "osslsigncode":
        trust = ("-CAfile", bundle, "-TSA-CAfile", bundle)
        return runs(tool, "verify", "-in", signed, *trust)
    return any(runs(tool, "--cert", folder / f"{n + 1}.pem", signed) for n in range(len(pems)))


CABINETS = {"a certificate that has expired": "without a time stamp, the clock decides"}
"""What we take and osslsigncode does not."""


def test_what_we_take_of_cabinets_another_tool_takes_too(tmp_path: Path) -> None:
    good = {
        name: Trick(fault="", shipped=lambda s=shipped: s, pins=pins, ours=cab_tricks.OURS)  # type: ignore[misc]
        for name, (shipped, pins) in test_cab.GOOD.items()
    }
    ours, theirs = _judged({**good, **cab_tricks.TRICKS}, tmp_path)
    assert ours == good.keys()
    assert ours - theirs == CABINETS.keys()
    assert len(theirs - ours) > 10, "or it does not read these files"


def test_what_we_take_of_page_hashes_another_tool_takes_too(tmp_path: Path) -> None:
    sound = page_hash_tricks.listed(b"".join(page_hash_tricks.pages(page_hash_tricks.OURS)))
    good = page_hash_tricks.trick("", sound)
    ours, theirs = _judged({"sound": good, **page_hash_tricks.TRICKS}, tmp_path)
    assert ours == {"sound"} <= theirs


def _judged(tricks: dict[str, Trick], folder: Path) -> tuple[set[str], set[str]]:
    """Return the names of what we take, and of what osslsigncode takes."""
    ours = {n for n, t in tricks.items() if isinstance(grafted(t.shipped(), t.pins, t.ours), Graft)}
    theirs = {n for n, t in tricks.items() if accepts("osslsigncode", t.shipped(), t.pins, folder)}
    return ours, theirs


def test_what_another_tool_signs_is_our_file_with_its_signature(tmp_path: Path) -> None:
    key = ADA.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "ada.pem").write_text(ssl.DER_cert_to_PEM_cert(ADA.der))
    for name, own, pins, options in (
        ("a.cab", cab_tricks.OURS, cab_tricks.BY_ADA, ()),
        ("a.exe", program(bytes(9001)), BY_ADA, ("-ph",)),
    ):
        unsigned, signed = tmp_path / name, tmp_path / f"signed-{name}"
        unsigned.write_bytes(own)
        words = ("-certs", tmp_path / "ada.pem", "-key", tmp_path / "key.pem", "-h", "sha256")
        assert runs("osslsigncode", "sign", *options, *words, "-in", unsigned, "-out", signed)
        assert isinstance(grafted(signed.read_bytes(), pins, own), Graft)


@pytest.mark.parametrize("tool", ["sbverify", "osslsigncode"])
def test_what_we_take_another_tool_takes_too(tool: str, tmp_path: Path) -> None:
    theirs = {n for n, (file, _, pins) in files().items() if accepts(tool, file, pins, tmp_path)}
    ours = {
        n for n, (file, own, pins) in files().items() if isinstance(grafted(file, pins, own), Graft)
    }
    assert ours - theirs == {name for peer, name in REFUSED if peer == tool}
    assert len(theirs - ours) > 25, "or it does not read these files"


def test_another_tool_that_attaches_a_signature_makes_the_same_file(tmp_path: Path) -> None:
    made = {}
    signed, own, signature = (tmp_path / name for name in ("signed", "own", "signature"))
    for name, (shipped, _) in GOOD.items():
        signed.write_bytes(shipped)
        own.write_bytes(OURS)
        assert runs("sbattach", "--detach", signature, signed)
        assert runs("sbattach", "--attach", signature, own)
        signature.unlink()
        made[name] = own.read_bytes() == shipped
    assert [name for name, same in made.items() if not same] == ["two signatures"]
