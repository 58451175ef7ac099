"""The draft recipe of a Debian source package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from builders.core.enums import Verdict
from pipelines.infer.debian.hypothesis import DebianHypothesis
from pipelines.infer.debian.source import SourcePackage
from pipelines.infer.debian.versions import show_mismatches
from pipelines.infer.draft import explained, quoted, recipe_text, review_notes
from pipelines.infer.journal import RemainingCause

_LIMITS = "limits: {cpus: 2, memory: 3GiB, scratch: 4GiB, time: 30min}"


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
    globs = ["*-dbgsym_*.deb", *(["*.udeb"] if package.udebs else [])]
    return recipe_text(
        package.target,
        package.artefacts,
        head=[*head, *review_notes(draft_notes(package, hypothesis), verdict, remaining)],
        build=_build(hypothesis),
        rest=[
            f"by_products: [{', '.join(map(quoted, globs))}]",
            'ignore: ["*.buildinfo", "*.changes"]',
            _LIMITS,
        ],
        verdict=verdict,
    )


def draft_notes(package: SourcePackage, hypothesis: DebianHypothesis) -> tuple[str, ...]:
    """Return what a reviewer should know of the release, and of recorded versions."""
    found = show_mismatches(hypothesis.mismatches)
    return (*package.target.notes, *([found] if found else []))


def _build(hypothesis: DebianHypothesis) -> Iterator[str]:
    environment = hypothesis.environment
    yield f"  method: {'debian-binnmu' if environment.entry else 'debian'}"
    yield f"  image: {hypothesis.image}"
    for scalar in hypothesis.scalars():
        yield from explained(scalar)
    if entry := environment.entry:
        yield "  entry:"
        for name in ("version", "distribution", "urgency", "by", "date"):
            yield f"    {name}: {quoted(getattr(entry, name))}"
        yield f"    changes: [{', '.join(map(quoted, entry.changes))}]"
    epoch = environment.epoch
    variables = {
        "DEB_BUILD_OPTIONS": hypothesis.key,
        "SOURCE_DATE_EPOCH": "" if epoch is None else str(epoch),
    }
    if pairs := [f'{name}: "{value}"' for name, value in variables.items() if value]:
        yield f"  environment: {{{', '.join(pairs)}}}"
    if environment.profiles:
        yield f"  profiles: [{', '.join(environment.profiles)}]"
    for name in ("path", "locale"):
        if value := getattr(environment, name):
            yield f'  {name}: "{value}"'
