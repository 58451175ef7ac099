"""Signed deltas of ClamAV databases that must not pass, and what each is called."""

from __future__ import annotations

from collections.abc import Callable

from builders.recipe.signature import PinnedSignature, SignedFormat
from tests.judge.signatures.databases import EVE, STRONG, Key
from tests.judge.signatures.planted import Planted
from tests.judge.updates.cdiffs import BASE, TARGET, cdiff, everything, script

SCRIPT = script(everything(BASE), everything(TARGET))
OURS, SHIPPED = cdiff(SCRIPT), cdiff(SCRIPT, by=STRONG)


def pinned(*keys: Key) -> PinnedSignature:
    return PinnedSignature(
        format=SignedFormat.CDIFF,
        signers=tuple(key.pin for key in keys),
        public_keys=tuple(key.pem for key in keys),
    )


BY_CLAMAV = pinned(STRONG)


def planted(
    fault: str,
    shipped: Callable[[], bytes],
    ours: bytes = OURS,
    pins: PinnedSignature = BY_CLAMAV,
) -> Planted:
    return Planted(fault=fault, shipped=shipped, pins=pins, ours=ours)


OTHER = b"ClamAV-Diff:7:1:" + bytes(99) + b":"


def _signed_by_another_delta() -> bytes:
    return OURS + b":" + cdiff(SCRIPT + b"#\n", by=STRONG).rpartition(b":")[2]


TRICKS: dict[str, Planted] = {
    "not signed": planted("signature-missing", lambda: OURS),
    "signed by another key": planted("signature-invalid", lambda: cdiff(SCRIPT, by=EVE)),
    "the signature of another delta": planted("signature-invalid", _signed_by_another_delta),
    "two signatures": planted("layout", lambda: SHIPPED + b":" + SHIPPED.rpartition(b":")[2]),
    "bytes after the signature": planted("signature-missing", lambda: SHIPPED + b"\0"),
    "a pinned key that did not sign": planted(
        "missing-signer", lambda: SHIPPED, pins=pinned(STRONG, EVE)
    ),
    "another version in the header": planted(
        "bytes-differ", lambda: SHIPPED.replace(b"ClamAV-Diff:7:", b"ClamAV-Diff:8:")
    ),
    "another version in the headers of both": planted(
        "signature-invalid",
        lambda: SHIPPED.replace(b"ClamAV-Diff:7:", b"ClamAV-Diff:8:"),
        cdiff(SCRIPT, version=8),
    ),
    "ours is signed": planted("rebuilt-is-signed", lambda: SHIPPED, SHIPPED),
    "ours is another": planted("layout", lambda: SHIPPED, cdiff(SCRIPT * 2)),
    "ours has another byte": planted("bytes-differ", lambda: SHIPPED, OURS[:-1] + b"\1"),
    "no cdiff": planted("signature-unreadable", lambda: b"PK\3\4" * 200),
    "a signature that is as long as there may be": planted("layout", lambda: OTHER + b"A" * 350),
    "a signature that is longer": planted("signature-missing", lambda: OTHER + b"A" * 351),
    "a small one that is not signed": planted("signature-missing", lambda: b"ClamAV-Diff:1:2: "),
    "an empty file": planted("signature-unreadable", lambda: b""),
}
