"""What a comparison can say of a signature that cannot be: each change is made to a predicate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
Change = Callable[[Document], object]

_ADA, _BEN = ({"certificate": {"sha256": letter * 64}} for letter in "ab")
_WEAK = {"weakDigest": "md5"}
_NOTHING: Document = {"signers": [], "taken": 0, "carried": []}
_MASKED = {"name": "ar-times", "reason": "its clock", "version": 1, "masked": 2}
_LEDGER = {"normalizers": [_MASKED], "maskLedger": {"sha256": "c" * 64}}


def signed(**changes: Any) -> Change:
    """Say that the rebuilt file is the shipped one with its signature, with `changes` to that."""

    def change(predicate: Document) -> None:
        grafted = {name: predicate["shipped"]["served"][name] for name in ("digest", "size")}
        signature = {**_NOTHING, "format": "pe", "signers": [_ADA], "grafted": grafted}
        told = {"verdict": "IDENTICAL_SIGNED", "ground": "signature-grafted"}
        predicate.update(told, signature=signature | changes)

    return change


def refused(**changes: Any) -> Change:
    """Say that the signature does not count, and `changes` beside that."""

    def change(predicate: Document) -> None:
        predicate.update(verdict="DIFFERENT", ground="signature-refused")
        predicate.update(signature={**_NOTHING, "fault": "signature-invalid", **changes})

    return change


def _but(change: Change, **changes: Any) -> Change:
    def both(predicate: Document) -> None:
        change(predicate)
        predicate.update(changes)

    return both


def _of_another_size(predicate: Document) -> None:
    signed()(predicate)
    predicate["signature"]["grafted"]["size"] += 1


def _refused_and_grafted(predicate: Document) -> None:
    signed(fault="signature-invalid")(predicate)
    predicate.update(ground="signature-refused")
    predicate["signature"]["signers"] = []
    del predicate["signature"]["format"]


def _carried(offset: int, length: int, **changes: Any) -> Document:
    digest = {"sha256": "d" * 64}
    place = {"offset": offset, "length": length, "inside": False, **changes}
    return {**place, "digest": digest, "why": "checksum"}


def _carried_at_the_end(predicate: Document) -> None:
    signed()(predicate)
    size = predicate["signature"]["grafted"]["size"]
    predicate["signature"]["carried"] = [_carried(size - 1, 2)]


def masked(**changes: Any) -> Change:
    """Say that the rebuilt file is the shipped one once a field is masked, with `changes`."""
    told = {"verdict": "EQUIVALENT", "ground": "normalized", **_LEDGER, **changes}
    return lambda predicate: predicate.update(told)


SOUND: dict[str, Change] = {
    "signed": signed(),
    "signed-over-a-weak-digest-too": signed(signers=[_ADA, {**_BEN, **_WEAK}]),
    "signed-within-a-compression": signed(
        packing="gzip level 9", taken=1 << 20, carried=[_carried(1 << 20, 4, inside=True)]
    ),
    "signed-and-partly-carried": signed(taken=1, carried=[_carried(0, 1)]),
}
"""All of them a match."""
REFUTED: dict[str, Change] = {
    "signed-and-refused": _but(signed(), ground="signature-refused"),
    "signed-on-the-ground-of-the-same-digest": _but(signed(), ground="same-digest"),
    "signed-beside-a-mask-fault": _but(signed(), maskFault="content"),
    "signed-of-the-same-digest-beside-a-mask-fault": _but(
        signed(), ground="same-digest", maskFault="content"
    ),
    "signed-of-another-size": _of_another_size,
    "masked-beside-a-mask-fault": masked(maskFault="content"),
    "masked-on-the-ground-of-a-difference": masked(ground="bytes-differ"),
}
"""Every part of it can be, and they contradict each other."""
IMPOSSIBLE: dict[str, Change] = {
    "refused-and-grafted": _refused_and_grafted,
    "refused-and-signed": refused(signers=[_ADA]),
    "refused-of-a-format": refused(format="pe"),
    "refused-and-packed": refused(packing="gzip level 9"),
    "of-an-unknown-format": signed(format="x"),
    "without-a-signer": signed(signers=[]),
    "by-one-signer-three-times": signed(signers=[_ADA] * 3),
    "by-one-signer-under-two-digests": signed(signers=[_ADA, {**_ADA, **_WEAK}]),
    "over-a-weak-digest-alone": signed(signers=[{**_ADA, **_WEAK}]),
    "taken-more-than-the-file": signed(taken=1 << 40),
    "carried-beyond-the-file": signed(carried=[_carried(1 << 50, 9)]),
    "carried-across-the-end": _carried_at_the_end,
    "masked-by-what-is-not-known": masked(normalizers=[{**_MASKED, "name": "any-byte"}]),
    "masked-by-one-normalizer-twice": masked(normalizers=[_MASKED] * 2),
    "masked-more-than-any-recipe-may": masked(normalizers=[{**_MASKED, "masked": 1 << 40}]),
    "carried-inside-of-nothing": signed(carried=[_carried(0, 1, inside=True)]),
}
"""No statement of a comparison can say it."""
