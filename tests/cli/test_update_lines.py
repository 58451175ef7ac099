"""What an update rests on and says stands on the terminal, escaped, and cut where it is long."""

from __future__ import annotations

from datetime import UTC, datetime

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.recipe.update import DeltaJudged, DeltaName
from builders.recipe.update_manifest import ManifestName
from pipelines.cli.differences import update_lines
from pipelines.judge.finding import Finding, ShippedFact
from pipelines.judge.updates.checked_delta import CheckedBase, CheckedDelta, MadeFile
from pipelines.judge.updates.manifest_format import ManifestFact, VendorClaim
from tests.judge.updates.test_check_deltas import RUN

SHIPPED, BASE = Digest.of(b"shipped"), Digest.of(b"base")
MADE = MadeFile(sha256=Digest.of(b"target"), size=6)
DELTA = CheckedDelta(
    format=DeltaName.BSDIFF,
    judged=DeltaJudged.APPLIED,
    target="agent.bin",
    published=Digest.of(b"target"),
    base=CheckedBase(release="lab/agent@1.0", sha256=BASE, judged=RUN),
    applied=MADE,
    expected=MADE,
)


def finding(delta: CheckedDelta | None = None, manifest: ManifestFact | None = None) -> Finding:
    found = delta or manifest
    unjudged = delta is not None and delta.refused is not None
    return Finding(
        name="x",
        verdict=Verdict.NOT_CHECKED if unjudged else Verdict.EQUIVALENT,
        reason=str(found),
        shipped=ShippedFact(published=SHIPPED, sha256=SHIPPED, size=7),
        delta=delta,
        manifest=manifest,
    )


def test_a_delta_is_shown_with_its_base_and_what_it_gives() -> None:
    lines = list(update_lines(finding(DELTA)))
    assert lines[0] == f"- base: sha256 {BASE} of lab/agent@1.0, IDENTICAL in run {RUN.run}"
    assert lines[-1] == "- bsdiff, applied: our agent.bin"
    members = DELTA.model_copy(update={"members": True})
    assert list(update_lines(finding(members)))[-1].endswith("the members of our agent.bin")


def test_a_delta_is_shown_with_what_its_whole_chain_rests_on() -> None:
    lines = list(update_lines(finding(DELTA)))
    assert lines[1] == f"- chain: {RUN.chain}"
    assert lines[1].startswith("- chain: one update from acme/tool@1.0 on (run 2026")


def test_that_a_manifest_has_expired_since_is_reported_alone() -> None:
    seen, past = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    manifest = ManifestFact(
        format=ManifestName.TUF_TARGETS, recomputed=("length",), seen_on=seen, expires=past
    )
    expired = "- has expired since, on 2026-01-02T00:00:00Z (first seen on 2026-01-01T00:00:00Z)"
    assert expired in list(update_lines(finding(manifest=manifest)))
    later = manifest.model_copy(update={"expires": datetime(2126, 1, 1, tzinfo=UTC)})
    assert not any("expired" in line for line in update_lines(finding(manifest=later)))


def test_a_manifest_is_shown_with_the_one_that_it_replaces() -> None:
    fact = ManifestFact(format=ManifestName.TUF_TARGETS, previous=DELTA.base)
    finding = Finding(
        name="targets.json",
        verdict=Verdict.EQUIVALENT,
        reason="so it is",
        shipped=ShippedFact(published=SHIPPED, sha256=SHIPPED, size=1),
        manifest=fact,
    )
    (line,) = update_lines(finding)
    assert line == (f"- in place of: sha256 {BASE} of lab/agent@1.0, IDENTICAL in run {RUN.run}")


def test_a_base_that_was_not_judged_is_said_to_be_so() -> None:
    base = DELTA.base.model_copy(update={"judged": None})
    unjudged = DELTA.model_copy(update={"base": base, "refused": base.refused()})
    assert list(update_lines(finding(unjudged))) == [
        f"- base: sha256 {BASE} of lab/agent@1.0, not judged by this center"
    ]


def test_fields_of_a_manifest_are_shown_up_to_a_number() -> None:
    claims = tuple(VendorClaim(path=f"custom{n}", says="no\u202ew") for n in range(7))
    manifest = ManifestFact(
        format=ManifestName.TUF_TARGETS,
        version="3",
        recomputed=("agent.bin/sha256",),
        claims=claims,
    )
    lines = list(update_lines(finding(manifest=manifest)))
    assert lines[0] == "- recomputed: agent.bin/sha256"
    assert lines[1] == r"- the vendor's claim: custom0: no\u202ew"
    assert lines[-1] == "- the vendor's claim: and 2 more"
    assert len(lines) == 7
