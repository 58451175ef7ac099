"""What was masked stands on the terminal: a line for each normalizer, and its first fields."""

from __future__ import annotations

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.recipe.normalizers import NormalizerName
from pipelines.cli.differences import ledger_lines
from pipelines.judge.finding import FileFact, Finding, ShippedFact
from pipelines.judge.normalizers.ledger import LedgerLine, MaskLedger

SHIPPED, REBUILT = Digest.of(b"shipped"), Digest.of(b"rebuilt")


def line(number: int) -> LedgerLine:
    return LedgerLine(
        normalizer=NormalizerName.TAR_TIMES,
        version=1,
        members=("data.tar", f"\x1b[2Jf{number}"),
        field="modification-time",
        offset=136 + 512 * number,
        length=2,
        shipped=Digest.of(b"12"),
        rebuilt=Digest.of(b"13"),
        data=b"12".hex(),
        reason="its\u202eclock",
        signed=False,
    )


def test_a_normalizer_is_shown_with_its_reason_and_its_first_fields() -> None:
    ledger = MaskLedger(sha256=SHIPPED, size=9000, lines=tuple(map(line, range(5))))
    finding = Finding(
        name="a.deb",
        verdict=Verdict.EQUIVALENT,
        reason="masked",
        shipped=ShippedFact(published=SHIPPED, sha256=SHIPPED, size=9000),
        rebuilt=FileFact(sha256=REBUILT, size=9000),
        normalizers=("tar-times",),
        ledger=ledger,
    )
    where = r"modification-time of data.tar/\x1b[2Jf"
    assert list(ledger_lines(finding)) == [
        r"- tar-times masks 10 bytes: its\u202eclock",
        f"- tar-times: {where}0, 2 bytes at 136",
        f"- tar-times: {where}1, 2 bytes at 648",
        "- tar-times: and 3 fields more",
    ]
    unmasked = {"verdict": Verdict.NOT_CHECKED, "normalizers": (), "ledger": None}
    assert list(ledger_lines(finding.model_copy(update=unmasked))) == []
