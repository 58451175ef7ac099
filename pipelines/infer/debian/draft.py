"""The draft recipe of a Debian source package."""

from __future__ import annotations

from collections.abc import Iterable

from builders.core.enums import Verdict
from pipelines.infer.debian.hypothesis import DebianHypothesis
from pipelines.infer.debian.source import SourcePackage
from pipelines.infer.debian.versions import show_mismatches
from pipelines.infer.draft import render_draft, review_notes
from pipelines.infer.journal import RemainingCause


def debian_draft(
    package: SourcePackage,
    hypothesis: DebianHypothesis,
    *,
    verdict: Verdict = Verdict.IDENTICAL,
    remaining: Iterable[RemainingCause] = (),
) -> str:
    """Return the YAML of a draft, with every inferred value explained.

    `verdict` is the one that the trial had; `remaining` are the causes of a difference.
    """
    head = ["draft: packages and digests are those of the suite's signed lists."]
    if hypothesis.added:
        names = " ".join(hypothesis.added)
        head.append(f"{hypothesis.image} holds {names} for the build dependencies.")
    declared = hypothesis.environment
    variables = {"DEB_BUILD_OPTIONS": hypothesis.key or None, "SOURCE_DATE_EPOCH": declared.epoch}
    return render_draft(
        "debian.yaml.j2",
        package.target,
        head=[*head, *review_notes(draft_notes(package, hypothesis), verdict, remaining)],
        scalars=hypothesis.scalars(),
        verdict=verdict,
        image=hypothesis.image,
        declared=declared,
        variables={name: value for name, value in variables.items() if value is not None},
        by_products=["*-dbgsym_*.deb", *(["*.udeb"] if package.udebs else [])],
    )


def draft_notes(package: SourcePackage, hypothesis: DebianHypothesis) -> tuple[str, ...]:
    """Return what a reviewer should know of the release, and of recorded versions."""
    found = show_mismatches(hypothesis.mismatches)
    return (*package.target.notes, *([found] if found else []))
