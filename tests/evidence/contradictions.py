"""What a comparison can say of a signature or a delta that cannot be.

Each change is made to a predicate.
"""

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


_TARGET = {"digest": {"sha256": "7" * 64}, "size": 7}
_BASE = {
    "release": "acme/tool@0.9",
    "digest": {"sha256": "8" * 64},
    "run": "20260101T030405Z-0a1b2c3d",
    "comparison": {"sha256": "9" * 64},
    "chain": {
        "links": 1,
        "release": "acme/tool@0.9",
        "digest": {"sha256": "8" * 64},
        "run": "20260101T030405Z-0a1b2c3d",
        "worst": "IDENTICAL",
        "worstRelease": "acme/tool@0.9",
    },
}
_UNJUDGED = {"release": "acme/tool@0.9", "digest": {"sha256": "8" * 64}}


def delta(base: Document = _BASE, told: Document | None = None, **changes: Any) -> Change:
    """Say that the file is a delta of the shipped bytes that holds, with `changes` to that."""

    def change(predicate: Document) -> None:
        rebuilt = {name: predicate["shipped"]["served"][name] for name in ("digest", "size")}
        predicate.update(verdict="IDENTICAL", ground="same-digest", rebuilt=rebuilt)
        predicate["delta"] = {
            "format": "bsdiff",
            "judged": "rebuilt",
            "target": _TARGET["digest"],
            "members": False,
            "applied": _TARGET,
            "expected": _TARGET,
            "base": base,
            **changes,
        }
        predicate.update(told or {})

    return change


def _only_applied(predicate: Document) -> None:
    delta(judged="applied", told={"verdict": "EQUIVALENT", "ground": "normalized"})(predicate)
    del predicate["rebuilt"], predicate["provenance"]


DELTAS_REFUTED: dict[str, Change] = {
    "delta-the-same-though-it-gives-another-file": delta(fault="application-mismatch"),
    "delta-the-same-though-its-base-was-not-judged": delta(_UNJUDGED, fault="base-not-judged"),
    "delta-the-same-though-its-base-was-not-reproduced": delta(fault="base-not-reproduced"),
    "delta-that-differs-though-it-is-the-same-and-holds": delta(
        told={"verdict": "DIFFERENT", "ground": "bytes-differ"}
    ),
    "delta-equivalent-though-its-bytes-were-to-be-ours": delta(
        told={"verdict": "EQUIVALENT", "ground": "delta-applied"}
    ),
    "delta-without-ours-on-the-ground-of-a-mask": _only_applied,
}
"""Every part of it can be, and the checks of the delta contradict its verdict."""
DELTAS_NOT_BUILT = {"delta-without-ours-on-the-ground-of-a-mask"}
"""Those of them of which no file was rebuilt."""
DELTAS_IMPOSSIBLE: dict[str, Change] = {
    "delta-that-gives-another-file-without-a-fault": delta(applied={**_TARGET, "size": 8}),
    "delta-on-what-nobody-judged-without-a-fault": delta(_UNJUDGED),
    "delta-of-a-run-without-its-comparison": delta(
        {name: value for name, value in _BASE.items() if name != "comparison"}
    ),
    "delta-of-a-run-without-what-it-rests-on": delta(
        {name: value for name, value in _BASE.items() if name != "chain"}
    ),
    "delta-of-no-format-that-is-known": delta(format="courgette"),
    "delta-with-a-fault-that-has-no-name": delta(fault="looks-odd"),
    "delta-on-the-release-of-nobody": delta({**_BASE, "release": "acme tool"}),
}
"""No statement of a comparison can say it."""

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
    **DELTAS_IMPOSSIBLE,
}
"""No statement of a comparison can say it."""
