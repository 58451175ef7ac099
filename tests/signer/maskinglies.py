"""Lies about what was masked of a rebuilt file."""

from __future__ import annotations

from typing import Any

from builders.core.digest import Digest
from tests.signer.lie import Change, Document, Lie, finding_with
from tests.signer.scene import Scene


def _equivalent(evidence: Document, _: Scene) -> None:
    finding = evidence["report"]["artefacts"][0]
    line = {
        "normalizer": "ar-times",
        "version": 1,
        "members": [],
        "field": "modification-time",
        "offset": 0,
        "length": 2,
        "shipped": str(Digest.of(b"12")),
        "rebuilt": str(Digest.of(b"13")),
        "data": b"12".hex(),
        "reason": "masked",
        "signed": False,
    }
    ledger = {**finding["shipped"], "lines": [line]}
    ledger = {name: ledger[name] for name in ("sha256", "size", "lines")}
    finding.update(verdict="EQUIVALENT", normalizers=["ar-times"], reason="masked", ledger=ledger)
    evidence["report"]["verdict"] = "EQUIVALENT"


def _ledger_line(**changes: Any) -> Change:
    return lambda e, _: e["report"]["artefacts"][0]["ledger"]["lines"][0].update(changes)


def _equivalent_without(evidence: Document, _: Scene) -> None:
    evidence["report"]["artefacts"][1].update(verdict="EQUIVALENT", reason="masked")


MASKING_LIES: dict[str, Lie] = {
    "masked": Lie("normalized", "different", _equivalent),
    "masked-identical": Lie("schema", "identical", finding_with(normalizers=["ar-times"])),
    "masked-by-what-is-not-there": Lie("schema", "equivalent", finding_with(normalizers=["x"])),
    "masked-for-another-reason": Lie("ledger", "equivalent", _ledger_line(reason="none")),
    "masked-and-signed": Lie("ledger", "equivalent", _ledger_line(signed=True)),
    "masked-elsewhere": Lie("ledger", "equivalent", _ledger_line(offset=0)),
    "masked-by-nobody": Lie("schema", "equivalent", finding_with(ledger=None)),
    "refused-and-nothing-declared": Lie(
        "ledger", "different", finding_with(ledger={"fault": "mode", "detail": "told in words"})
    ),
    "equivalent-called-different": Lie(
        "verdict", "equivalent", finding_with(verdict="DIFFERENT", normalizers=[], ledger=None)
    ),
    "not-checked-made-equivalent": Lie("schema", "unreachable", _equivalent_without),
}
