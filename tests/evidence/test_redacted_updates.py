"""Of an update whose source is closed, nothing is published of bytes that are not shipped."""

from __future__ import annotations

from pathlib import Path

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.recipe.update import DeltaJudged, DeltaName
from pipelines.evidence.redaction import redact
from pipelines.evidence.salt import Salt
from pipelines.judge.finding import Finding, ShippedFact
from pipelines.judge.updates.checked_delta import CheckedBase, CheckedDelta, MadeFile
from pipelines.judge.updates.update_fault import UpdateFault, UpdateRefused
from tests.judge.updates.test_check_deltas import RUN
from tests.signer.scene import Scene

SALT = Salt(secret=b"s" * 32)
DELTA, OURS, GIVEN = (Digest.of(data) for data in (b"delta", b"our target", b"what it gives"))


def test_what_a_delta_gives_and_our_target_are_keyed(tmp_path: Path) -> None:
    detail = f"it gives sha256 {GIVEN}, and our target is {OURS}"
    delta = CheckedDelta(
        format=DeltaName.BSDIFF,
        judged=DeltaJudged.APPLIED,
        target="agent.bin",
        published=Digest.of(b"target"),
        base=CheckedBase(release="acme/agent@1.0", sha256=Digest.of(b"base"), judged=RUN),
        applied=MadeFile(sha256=GIVEN, size=9),
        expected=MadeFile(sha256=OURS, size=9),
        refused=UpdateRefused(fault=UpdateFault.APPLICATION_MISMATCH, detail=detail),
    )
    finding = Finding(
        name="agent.bsdiff",
        verdict=Verdict.DIFFERENT,
        reason=f"application-mismatch: {detail}",
        shipped=ShippedFact(published=DELTA, sha256=DELTA, size=5),
        delta=delta,
    )
    report = Scene(folder=tmp_path, visibility="private").make().report
    public = redact(report.model_copy(update={"artefacts": (finding,)}), SALT)
    text = public.to_json().decode()
    assert str(OURS) not in text
    assert str(GIVEN) not in text
    (shown,) = public.artefacts
    assert shown.reason == "update-refused"
    assert shown.delta
    assert shown.delta.applied == MadeFile(sha256=SALT.keyed(GIVEN), size=9)
    assert shown.delta.expected == MadeFile(sha256=SALT.keyed(OURS), size=9)
    assert shown.delta.base == delta.base
    assert shown.delta.refused
    assert shown.delta.refused.detail == "withheld"
