"""The search for a Debian source: few tries, each for a reason, and the nearest one is kept."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.methods.debian_binnmu import ChangelogEntry
from pipelines.infer.debian.comparison import DatedTool, PackagePair
from pipelines.infer.debian.hypothesis import DebianHypothesis, VersionMismatch
from pipelines.infer.debian.recorded import RecordedEnvironment
from pipelines.infer.debian.search import DebianStrategy
from pipelines.infer.debian.source import SourcePackage
from pipelines.infer.journal import SearchJournal
from pipelines.infer.search import SearchLimits, search
from pipelines.infer.trial import TrialResult
from pipelines.judge.finding import FileFact, Finding, ShippedFact
from pipelines.verify.session import LogSink
from tests.builders.methods.test_debian_methods import ENTRY
from tests.infer.test_debian_causes import DOC, ELF, FILES, TOOLS, compared, contrast, deb
from tests.infer.test_debian_source import PACKAGES, Lists, package

FIRST = DebianHypothesis(image="debian-trixie-build", options=("nocheck",))
PLAIN = Lists(packages=PACKAGES.replace("Version: 1:2.0-1+b2", "Version: 1:2.0-1"))
CUT = {f"{DOC}/NEWS.Debian.gz": None}


@dataclass(frozen=True, kw_only=True)
class Rebuilt(TrialResult):
    """A result with what is compared after it."""

    pairs: tuple[PackagePair, ...] = ()


class Search(DebianStrategy):
    """A search whose rebuilds are rules of a test."""

    def __init__(
        self, source: SourcePackage, first: DebianHypothesis, build: Callable[..., Rebuilt]
    ) -> None:
        nowhere: Any = None
        super().__init__(source, first, nowhere)
        self.build = build
        self.tried: list[tuple[str, ...]] = []

    def claim(self, hypothesis: DebianHypothesis) -> Digest:
        del hypothesis
        return Digest("7" * 64)

    def run(self, hypothesis: DebianHypothesis, *, seconds: int) -> TrialResult:
        assert seconds > 0
        self.tried.append(hypothesis.options)
        return self.build(hypothesis)

    def pairs(self, result: TrialResult) -> tuple[PackagePair, ...]:
        assert isinstance(result, Rebuilt)
        return result.pairs

    def tools(self, hypothesis: DebianHypothesis) -> tuple[DatedTool, ...]:
        del hypothesis
        return TOOLS


def searched(strategy: DebianStrategy, limits: SearchLimits | None = None) -> SearchJournal:
    return search(strategy, limits or SearchLimits(), LogSink())


def built(source: SourcePackage, *pairs: PackagePair, same: bool = False) -> Rebuilt:
    """Return a result in which every artefact is the shipped one, or none is."""
    findings = []
    for pin in source.target.artefacts:
        size = pin.size or 0
        own = pin.sha256 if same else Digest("5" * 64)
        findings.append(
            Finding(
                name=pin.name,
                verdict=Verdict.IDENTICAL if same else Verdict.DIFFERENT,
                reason="same SHA-256" if same else "the bytes differ",
                shipped=ShippedFact(published=pin.sha256, sha256=pin.sha256, size=size),
                rebuilt=FileFact(sha256=own, size=size),
            )
        )
    return Rebuilt(outcome=Outcome.BUILT, reason="", findings=tuple(findings), pairs=pairs)


def failed(log: str = "", outcome: Outcome = Outcome.BUILD_FAILED) -> Rebuilt:
    return Rebuilt(outcome=outcome, reason="exit code 2", log=log)


def test_the_first_identical_try_ends_the_search() -> None:
    source = package(PLAIN)
    tryout = Search(source, FIRST, lambda _: built(source, same=True))
    journal = searched(tryout)
    assert (journal.status, journal.causes, journal.bits) == ("identical", (), 0)
    assert tryout.tried == [("nocheck",)]
    assert "expect: {verdict: IDENTICAL}" in (journal.recipe or "")


def test_a_cut_changelog_is_recovered_and_not_masked() -> None:
    source = package(PLAIN)

    def build(attempt: DebianHypothesis) -> Rebuilt:
        if "notrimdch" in attempt.options:
            return built(source, same=True)
        return built(source, contrast(CUT))

    tryout = Search(source, FIRST, build)
    journal = searched(tryout)
    assert tryout.tried == [("nocheck",), ("nocheck", "notrimdch")]
    assert (journal.status, journal.bits) == ("identical", 1)
    (scalar,) = journal.scalars
    assert scalar.value == "nocheck notrimdch"
    assert "NEWS.Debian" in scalar.evidence
    assert "# inferred DEB_BUILD_OPTIONS nocheck notrimdch" in (journal.recipe or "")


def test_an_identical_try_ends_the_search_though_ideas_are_left() -> None:
    source = package(PLAIN)

    def build(attempt: DebianHypothesis) -> Rebuilt:
        if "notrimdch" in attempt.options:
            return built(source, same=True)
        return built(source, contrast({**CUT, "usr/bin/more": b"#!/bin/sh\n"}))

    tryout = Search(source, FIRST, build)
    journal = searched(tryout)
    assert tryout.tried == [("nocheck",), ("nocheck", "notrimdch")]
    assert journal.status == "identical"


def test_drift_is_not_tried_again() -> None:
    source = package(PLAIN)
    tryout = Search(
        source, FIRST, lambda _: built(source, contrast({"usr/bin/tool": ELF + b"other"}))
    )
    journal = searched(tryout)
    assert (journal.status, journal.finished) == ("different", True)
    assert [c.name for c in journal.causes] == ["toolchain-drift"]
    assert len(tryout.tried) == 1
    assert "expect: {verdict: DIFFERENT}" in (journal.recipe or "")
    assert "# remaining cause toolchain-drift: tool_2.0-1_amd64.deb" in (journal.recipe or "")


def test_what_nothing_explains_is_tried_with_its_tests_too() -> None:
    source = package(PLAIN)
    tryout = Search(
        source, FIRST, lambda _: built(source, contrast({"usr/bin/more": b"#!/bin/sh\n"}))
    )
    journal = searched(tryout)
    assert tryout.tried == [("nocheck",), ()]
    assert [c.name for c in journal.causes] == ["unexplained"]


def test_the_nearest_try_is_kept() -> None:
    source = package(PLAIN)
    near, far = contrast(CUT), contrast({**CUT, "usr/bin/tool": b"#!/bin/sh\n"})
    order = {("nocheck",): far, ("nocheck", "notrimdch"): near}
    tryout = Search(source, FIRST, lambda attempt: built(source, order.get(attempt.options, far)))
    journal = searched(tryout)
    assert '"nocheck notrimdch"' in (journal.recipe or "")
    assert len(journal.tries) == len(set(tryout.tried))


def test_the_recorded_options_are_tried_whole_before_anything_stays_unexplained() -> None:
    source = package(PLAIN)
    around = RecordedEnvironment(options=("parallel=4", "terse"), path="/build/elsewhere")
    stray = VersionMismatch(name="gcc-14", recorded="14.2.0-16", here="14.2.0-19")
    first = replace(FIRST, options=("nocheck", "terse"), environment=around, mismatches=(stray,))

    def build(attempt: DebianHypothesis) -> Rebuilt:
        assert attempt.environment == around
        whole = attempt.options == ("parallel=4", "terse")
        return built(source, *([] if whole else [contrast({"usr/bin/x": b"#!"})]), same=whole)

    tryout = Search(source, first, build)
    journal = searched(tryout)
    assert tryout.tried == [("nocheck", "terse"), ("parallel=4", "terse")]
    assert journal.status == "identical"
    assert journal.causes == ()
    assert journal.notes[-1].endswith("not serve (1): gcc-14 14.2.0-16 (14.2.0-19 here)")
    chosen = journal.scalars[0]
    assert (chosen.name, chosen.evidence) == ("DEB_BUILD_OPTIONS", "recorded in the .buildinfo")
    assert chosen.bits == pytest.approx(1 + 8 * 10)
    assert journal.tries[0].values["path"] == "/build/elsewhere"


def test_a_rebuild_with_its_entry_may_differ_by_what_an_older_debhelper_kept() -> None:
    around = RecordedEnvironment(entry=ChangelogEntry.model_validate(ENTRY))
    source = package()  # one of its packages was rebuilt alone
    name = f"{DOC}/changelog.Debian.amd64.gz"
    longer, shorter = ({**FILES, name: gzip.compress(b"entry\n" + end)} for end in (b"\n", b""))
    tried = built(source, compared(deb(longer), deb(shorter)))
    journal = searched(Search(source, replace(FIRST, environment=around), lambda _: tried))
    assert [c.name for c in journal.causes] == ["files-dropped-by-newer-debhelper"]
    assert "method: debian-binnmu" in (journal.recipe or "")


def test_recorded_versions_that_nobody_has_are_a_cause() -> None:
    source = package(PLAIN)
    strays = tuple(VersionMismatch(name=f"lib{n}", recorded="1", here=None) for n in range(5))
    tryout = Search(
        source,
        replace(FIRST, mismatches=strays),
        lambda _: built(source, contrast({"usr/bin/tool": ELF + b"other"})),
    )
    journal = searched(tryout)
    assert [c.name for c in journal.causes] == ["recorded-versions-not-in-image", "toolchain-drift"]
    assert journal.causes[0].detail == (
        "recorded versions that the suite does not serve (5): "
        "lib0 1 (none here), lib1 1 (none here), lib2 1 (none here) and 2 more"
    )
    assert "lib4 1 (none here)" in (journal.recipe or "").replace("\n#   ", " ")


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("error: unmet build dependencies: libfoo-dev\n", "unmet-build-dependency"),
        ("make: *** [Makefile:3: x.o] Error 1\n", "unexplained"),
    ],
)
def test_a_build_that_fails_is_not_tried_again(log: str, cause: str) -> None:
    source = package(PLAIN)
    tryout = Search(source, FIRST, lambda _: failed(log))
    journal = searched(tryout)
    assert (journal.status, len(tryout.tried)) == ("build failed", 1)
    assert [c.name for c in journal.causes] == [cause]


def test_a_build_that_ran_out_of_our_time_may_be_asked_again() -> None:
    source = package(PLAIN)
    tryout = Search(source, FIRST, lambda _: failed(outcome=Outcome.TIMED_OUT))
    journal = searched(tryout)
    assert (journal.status, journal.finished) == ("build failed", False)
    assert [c.name for c in journal.causes] == ["build-does-not-end"]


def test_tries_are_bounded() -> None:
    source = package(PLAIN)
    tryout = Search(
        source, FIRST, lambda _: built(source, contrast({"usr/bin/more": b"#!/bin/sh\n"}))
    )
    journal = searched(tryout, SearchLimits(tries=1))
    assert (len(journal.tries), journal.finished) == (1, False)


def test_a_binary_only_rebuild_is_named_and_its_twin_is_no_surprise() -> None:
    source = package()
    tried = built(source, same=True)
    lost = tried.findings[1]
    assert lost.name == "tool_2.0-1+b2_amd64.deb"
    missing = replace_finding(lost, Verdict.MISSING)
    twin = Finding(
        name="tool_2.0-1_amd64.deb",
        verdict=Verdict.UNEXPECTED,
        reason="no declaration covers it",
        rebuilt=FileFact(sha256=Digest("5" * 64), size=7),
    )
    findings = (tried.findings[0], missing, twin)
    tryout = Search(source, FIRST, lambda _: replace(tried, findings=findings))
    journal = searched(tryout)
    assert journal.status == "different"
    assert [c.name for c in journal.causes] == ["binary-only-rebuild"]
    assert "tool 1:2.0-1+b2" in journal.causes[0].detail


@pytest.mark.parametrize(
    ("verdict", "cause"),
    [(Verdict.MISSING, "package-not-built"), (Verdict.NOT_CHECKED, "unexplained")],
)
def test_a_package_without_a_match_is_a_cause(verdict: Verdict, cause: str) -> None:
    source = package(PLAIN)
    tried = built(source, same=True)
    findings = (tried.findings[0], replace_finding(tried.findings[1], verdict))
    journal = searched(Search(source, FIRST, lambda _: replace(tried, findings=findings)))
    assert [c.name for c in journal.causes] == [cause]


def replace_finding(finding: Finding, verdict: Verdict) -> Finding:
    return Finding(name=finding.name, verdict=verdict, reason="as it is", shipped=finding.shipped)
