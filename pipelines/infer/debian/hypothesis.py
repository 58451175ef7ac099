"""What is tried for a Debian source: a builder image and the environment of the build; its draft.

The image is the common one, or one derived for the Build-Depends, which is locked from the same
suite and rebuilt like any other. Its name is made from the common image and the added packages, so
that another source with the same needs uses it too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from builders.core.errors import ImageUnavailableError, InputUnavailableError
from builders.images import ImageCatalogue
from builders.images.provide import load_image
from pipelines.infer.debian.builddepends import BuildDepends, Relation, as_text
from pipelines.infer.debian.buildinfo import BuildRecord
from pipelines.infer.debian.recorded import (
    NAMED,
    RECORDED_BY,
    RecordedEnvironment,
    option_bits,
    recorded_environment,
    text_bits,
    without_cores,
)
from pipelines.infer.debian.source import BinaryPackage, PackageIndex, SourcePackage
from pipelines.infer.journal import DraftReview, Scalar, Values, scalars_of
from pipelines.infer.trial import listed, render_draft
from pipelines.verify.session import Session


@dataclass(frozen=True, kw_only=True)
class VersionMismatch:
    """A package that was recorded in one version; `here` is that of the image, if it is there.

    - `served`: whether the suite serves the recorded version.
    """

    name: str
    recorded: str
    here: str | None
    served: bool = False

    def __str__(self) -> str:
        """Return the package and both versions."""
        return f"{self.name} {self.recorded} ({self.here or 'none'} here)"


def version_mismatches(
    record: BuildRecord, have: Mapping[str, str], suite: Iterable[BinaryPackage] = ()
) -> tuple[VersionMismatch, ...]:
    """Return the recorded packages that an image has in another version, or not at all.

    `have` are the versions of the image, `suite` what is served under the recorded names.
    """
    served = {(binary.name, binary.version) for binary in suite}
    return tuple(
        VersionMismatch(
            name=name, recorded=version, here=have.get(name), served=(name, version) in served
        )
        for name, version in sorted(record.installed.items())
        if have.get(name) != version
    )


def show_mismatches(found: Sequence[VersionMismatch], *, named: int = NAMED) -> str:
    """Return the mismatches in words: those not served any more, and those only not in the image.

    Of each kind at most `named` are named, and the others counted. Empty without any.
    """
    kinds = (
        ("that the suite does not serve", [each for each in found if not each.served]),
        ("that are served, but not in the image", [each for each in found if each.served]),
    )
    return "; ".join(
        f"recorded versions {kind} ({len(rows)}): {listed(rows, named)}"
        for kind, rows in kinds
        if rows
    )


@dataclass(frozen=True, kw_only=True)
class MissingPackages:
    """What an image lacks for a source.

    - `packages`: names to be added, sorted.
    - `unmet`: dependencies that the suite cannot meet, as Debian writes them.
    - `conflicts`: installed packages that the source refuses.
    """

    packages: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


def base_image(suite: str) -> str:
    """Return the name of the common image for sources of a suite."""
    return f"debian-{suite}-build"


def installed(name: str, images: ImageCatalogue) -> dict[str, str]:
    """Return the versions of all packages of an image, by name."""
    return {package.name: package.version for package in images.lock(name).every()}


def missing_packages(
    depends: BuildDepends, have: Mapping[str, str], index: PackageIndex
) -> MissingPackages:
    """Compare the build dependencies of a source with an image that has the packages `have`.

    Of alternatives, the first one that the suite can meet counts, as on Debian's own builders.
    """
    names = sorted({r.name for each in depends.wanted for r in each})
    served: dict[str, list[str]] = {}
    for binary in index.binaries(names):
        served.setdefault(binary.name, []).append(binary.version)

    chosen = []
    for each in depends.wanted:
        found = (_choice(r, have, served.get(r.name, ()), index) for r in each)
        chosen.append((each, next((name for name in found if name is not None), None)))
    return MissingPackages(
        packages=tuple(sorted({name for _, name in chosen if name})),
        unmet=tuple(as_text(each) for each, name in chosen if name is None),
        conflicts=tuple(
            f"{r.name} {have[r.name]}"
            for r in depends.conflicts
            if r.name in have and r.admits(have[r.name])
        ),
    )


def _choice(
    relation: Relation, have: Mapping[str, str], served: Sequence[str], index: PackageIndex
) -> str | None:
    """Return the package to add, "" when the image meets the relation, None when nothing can."""
    name = relation.name
    if name in have and relation.admits(have[name]):
        return ""
    if ":" in name:
        return None
    providers = [
        provider.package
        for provider in index.providers(name)
        if not relation.operator or (provider.version and relation.admits(provider.version))
    ]
    if any(package in have for package in providers):
        return ""
    if any(map(relation.admits, served)):
        return name  # may be installed in an older version: a derived image is locked anew
    return providers[0] if providers else None


def pinned_packages(
    packages: Sequence[str], mismatches: Sequence[VersionMismatch]
) -> tuple[str, ...]:
    """Return `packages`, and those that an image has in another version than was recorded.

    Each of them is `name=version` where the suite serves the recorded version.
    """
    pins = {
        each.name: f"{each.name}={each.recorded}"
        for each in mismatches
        if each.served and (each.here or each.name in packages)
    }
    return tuple(sorted({*pins.values(), *(p for p in packages if p not in pins)}))


def first_image(
    base: str, choices: Sequence[Sequence[str]], session: Session, release: str
) -> tuple[str, tuple[str, ...]]:
    """Return the first image that can be made with one of `choices` of packages, and the choice.

    Raises for the last of them as `image_with` does.
    """
    for packages in choices[:-1]:
        with suppress(ImageUnavailableError, InputUnavailableError):
            return image_with(base, packages, session, release), tuple(packages)
    return image_with(base, choices[-1], session, release), tuple(choices[-1])


def image_with(base: str, packages: Sequence[str], session: Session, release: str) -> str:
    """Return the name of an image that has `base` and `packages`; make it if it is not there.

    A package is a name, or `name=version`.

    Raises `InputUnavailableError`, `ImageUnavailableError`, `InfrastructureError`.
    """
    if not packages:
        return base
    images, workdir = session.images, session.workdir
    name = images.derived_name(base, packages)
    with session.image_lock(name):
        if images.has_lock(name):
            return name
        session.progress.step(release, f"deriving {name}: {' '.join(packages)}")
        workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=workdir, prefix="derive-") as folder:
            new = images.derive(base, packages, Path(folder), session.counter(release))
            load_image(name, new.image, session.engine)
    return name


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
        published=["*-dbgsym_*.deb", *(["*.udeb"] if package.udebs else [])],
    )


def draft_notes(package: SourcePackage, hypothesis: DebianHypothesis) -> tuple[str, ...]:
    """Return what a reviewer should know of the release, and of recorded versions."""
    found = show_mismatches(hypothesis.mismatches)
    return (*package.target.notes, *([found] if found else []))
