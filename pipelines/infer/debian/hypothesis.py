"""A hypothesis for a Debian source: the image, and the environment of the build; its draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipelines.infer.debian.buildinfo import BuildRecord
from pipelines.infer.debian.image import VersionMismatch, show_mismatches, version_mismatches
from pipelines.infer.debian.recorded import (
    RECORDED_BY,
    RecordedEnvironment,
    option_bits,
    recorded_environment,
    text_bits,
    without_cores,
)
from pipelines.infer.debian.source import BinaryPackage, SourcePackage
from pipelines.infer.draft import render_draft
from pipelines.infer.journal import DraftReview, Scalar, Values, scalars_of


@dataclass(frozen=True, kw_only=True)
class DebianHypothesis:
    """One build to be tried: the image, and the words of DEB_BUILD_OPTIONS.

    - `added`: packages that the image has beyond the common one.
    - `evidence`: why the options are more than the usual ones; empty when they are not.
    - `environment`: what a .buildinfo recorded; its options are those of the record, tried or not.
    - `mismatches`: recorded packages that the image has in another version, or not at all.
    """

    image: str
    options: tuple[str, ...]
    added: tuple[str, ...] = ()
    evidence: str = ""
    environment: RecordedEnvironment = field(default_factory=RecordedEnvironment)
    mismatches: tuple[VersionMismatch, ...] = ()

    @property
    def key(self) -> str:
        """Return the options: within one search, nothing else changes."""
        return " ".join(self.options)

    def __str__(self) -> str:
        """Return the options."""
        return self.key or "no options"

    def with_record(
        self, record: BuildRecord, have: Mapping[str, str], suite: Sequence[BinaryPackage]
    ) -> DebianHypothesis:
        """Return the same with what a record says, in an image that has the packages `have`.

        `suite` is what is served under the recorded names. The number of cores and the tests are
        left to the search.
        """
        environment = recorded_environment(record)
        options = tuple(dict.fromkeys((*self.options, *without_cores(environment.options))))
        return replace(
            self,
            options=options,
            evidence=self.evidence if options == self.options else RECORDED_BY,
            environment=environment,
            mismatches=version_mismatches(record, have, suite),
        )

    def with_options(self, options: Sequence[str], evidence: str = "") -> DebianHypothesis:
        """Return the same with other options, and with `evidence` added to the present one."""
        reasons = dict.fromkeys(reason for reason in (self.evidence, evidence) if reason)
        return replace(self, options=tuple(options), evidence="; ".join(reasons))

    def values(self) -> Values:
        """Return what makes this one differ from others, as plain data."""
        recorded = {scalar.name: scalar.value for scalar in self.environment.scalars()}
        return {"image": self.image, "DEB_BUILD_OPTIONS": self.key or None, **recorded}

    def scalars(self) -> tuple[Scalar, ...]:
        """Return the values that were recorded, or chosen by looking at the shipped files."""
        options, pins = {*self.options} - {"nocheck"}, [w for w in self.added if "=" in w]
        versions = "".join(word.partition("=")[2] for word in pins)
        chosen = self.key if self.evidence else None
        rows = (
            ("DEB_BUILD_OPTIONS", chosen, sum(map(option_bits, options)), self.evidence),
            ("image", " ".join(pins) or None, text_bits(versions), RECORDED_BY),
        )
        return (*scalars_of(rows), *self.environment.scalars())


def debian_draft(
    package: SourcePackage, hypothesis: DebianHypothesis, review: DraftReview | None = None
) -> str:
    """Return the YAML of a draft; with a review, every value is explained."""
    head = ["draft: packages and digests are those of the suite's signed lists."]
    if hypothesis.added:
        names = " ".join(hypothesis.added)
        head.append(f"{hypothesis.image} holds {names} for the build dependencies.")
    declared, options = hypothesis.environment, hypothesis.key or None
    return render_draft(
        "debian.yaml.j2",
        package.target,
        review,
        head=head,
        variables={"DEB_BUILD_OPTIONS": options, "SOURCE_DATE_EPOCH": declared.epoch},
        image=hypothesis.image,
        declared=declared,
        by_products=["*-dbgsym_*.deb", *(["*.udeb"] if package.udebs else [])],
    )


def draft_notes(package: SourcePackage, hypothesis: DebianHypothesis) -> tuple[str, ...]:
    """Return what a reviewer should know of the release, and of recorded versions."""
    found = show_mismatches(hypothesis.mismatches)
    return (*package.target.notes, *([found] if found else []))
