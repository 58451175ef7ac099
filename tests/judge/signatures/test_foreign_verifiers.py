"""OpenSSL and gpgv look at the kernel modules and texts that we take, and at every trick."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from builders.archives.compressed import compression, decompressor
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.signature_format import Graft
from tests.judge.signatures import module_tricks, text_tricks, texts
from tests.judge.signatures.modules import MAGIC
from tests.judge.signatures.planted import Planted, grafted
from tests.judge.signatures.test_clearsigned import SIGNED
from tests.judge.signatures.test_kernel_module import GOOD

pytestmark = pytest.mark.host

KEYS = {one.fingerprint: one for one in (texts.ADA, texts.BOB, texts.EVE)}
MODULES = {
    **module_tricks.TRICKS,
    **{name: module_tricks.planted("", data, pins=pins) for name, (data, pins) in GOOD.items()},
}
TEXTS = {
    **text_tricks.TRICKS,
    **{
        name: Planted(fault="", shipped=made.whole, pins=texts.pinned(*made.by), ours=ours)
        for name, (made, ours) in SIGNED.items()
    },
}


def runs(*command: str | Path) -> bool:
    return not subprocess.run(command, capture_output=True, timeout=300, check=False).returncode


def openssl_takes(shipped: bytes, pins: PinnedSignature, folder: Path) -> bool:
    """Say whether OpenSSL verifies what Linux would give it of a module."""
    if name := compression(shipped[:16]):
        try:
            shipped = decompressor(name)().decompress(shipped, 1 << 20)
        except Exception:  # noqa: BLE001  # whatever is wrong with it, it is no module
            return False
    end = len(shipped) - len(MAGIC) - 12
    if not shipped.endswith(MAGIC) or end < 0:
        return False
    (length,) = struct.unpack_from(">I", shipped, end + 8)
    if length > end:
        return False
    (folder / "module").write_bytes(shipped[: end - length])
    (folder / "signature").write_bytes(shipped[end - length : end])
    (folder / "signers").write_text("".join(pins.public_keys))
    return runs(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-nointern", "-noverify",
        "-in", folder / "signature", "-content", folder / "module", "-certfile", folder / "signers",
        "-out", folder / "out",
    )  # fmt: skip


def gpgv_takes(shipped: bytes, pins: PinnedSignature, folder: Path) -> bool:
    (folder / "text").write_bytes(shipped)
    keys = b"".join(KEYS[str(one)].block() for one in pins.signers)
    (folder / "keys.gpg").write_bytes(keys)
    return runs("gpgv", "--keyring", folder / "keys.gpg", folder / "text")


def of_ours(files: dict[str, Planted]) -> set[str]:
    return {
        name
        for name, one in files.items()
        if isinstance(grafted(one.shipped(), one.pins, one.ours), Graft)
    }


def test_what_we_take_of_modules_openssl_takes_too(tmp_path: Path) -> None:
    theirs = {
        name for name, one in MODULES.items() if openssl_takes(one.shipped(), one.pins, tmp_path)
    }
    assert of_ours(MODULES) == GOOD.keys()
    assert GOOD.keys() <= theirs
    assert len(theirs - GOOD.keys()) > 15, "or it does not read these files"


def test_what_we_take_of_texts_gpgv_takes_too(tmp_path: Path) -> None:
    theirs = {name for name, one in TEXTS.items() if gpgv_takes(one.shipped(), one.pins, tmp_path)}
    assert of_ours(TEXTS) == SIGNED.keys()
    assert SIGNED.keys() <= theirs
    assert len(theirs - SIGNED.keys()) > 15, "or it does not read these files"
