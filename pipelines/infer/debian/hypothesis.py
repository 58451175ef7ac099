"""A hypothesis for a Debian source: the image, and the environment of the build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipelines.infer.debian.index import BinaryPackage
from pipelines.infer.debian.recorded import (
    RECORDED_BY,
    DeclaredEnvironment,
    RecordedBuild,
    option_bits,
    without_cores,
)
from pipelines.infer.debian.versions import VersionMismatch, version_mismatches
from pipelines.infer.journal import Scalar, Values


@dataclass(frozen=True, kw_only=True)
class DebianHypothesis:
    """One build to be tried: the image, and the words of DEB_BUILD_OPTIONS."""

    image: str
    options: tuple[str, ...]
    added: tuple[str, ...] = ()
    """Packages that the image has beyond the common one."""
    evidence: str = ""
    """Why the options are more than the usual ones; empty when they are not."""
    environment: DeclaredEnvironment = field(default_factory=DeclaredEnvironment)
    """What a .buildinfo recorded; its options are those of the record, tried or not."""
    mismatches: tuple[VersionMismatch, ...] = ()
    """Recorded packages that the image has in another version, or not at all."""

    @property
    def key(self) -> str:
        """Return the options: within one search, nothing else changes."""
        return " ".join(self.options)

    def __str__(self) -> str:
        """Return the options."""
        return self.key or "no options"

    def with_record(
        self, recorded: RecordedBuild, have: Mapping[str, str], suite: Sequence[BinaryPackage]
    ) -> DebianHypothesis:
        """Return the same with what a record says, in an image that has the packages `have`.

        `suite` is what is served under the recorded names. The number of cores and the tests are
        left to the search.
        """
        environment = recorded.environment
        options = tuple(dict.fromkeys((*self.options, *without_cores(environment.options))))
        return replace(
            self,
            options=options,
            evidence=self.evidence if options == self.options else RECORDED_BY,
            environment=environment,
            mismatches=version_mismatches(recorded.record, have, suite),
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
        pins = [word for word in self.added if "=" in word]
        rows = (
            (
                "DEB_BUILD_OPTIONS",
                self.key if self.evidence else None,
                sum(map(option_bits, {*self.options} - {"nocheck"})),
                self.evidence,
            ),
            (
                "image",
                " ".join(pins) or None,
                8.0 * sum(len(word.partition("=")[2]) for word in pins),
                RECORDED_BY,
            ),
        )
        chosen = tuple(
            Scalar(name=name, value=value, bits=bits, evidence=evidence)
            for name, value, bits, evidence in rows
            if value is not None
        )
        return (*chosen, *self.environment.scalars())
