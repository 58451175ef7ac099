"""What lists and indexes of the portal say of a release; kept from one generation to the next."""

from __future__ import annotations

from builders.core.digest import Digest
from builders.core.enums import Kind
from builders.core.frozen_model import FrozenModel
from pipelines.consensus.joined_result import Result
from pipelines.consensus.release_consensus import JoinedRelease
from pipelines.evidence.release_name import ReleaseName
from pipelines.portal.standing import Standing, standing_of


class ArtefactLine(FrozenModel):
    """One artefact in short."""

    name: str
    sha256: Digest
    result: Result


class ReleaseLine(FrozenModel):
    """One release in short."""

    vendor: str
    product: str
    version: str
    kind: Kind | None
    standing: Standing
    artefacts: tuple[ArtefactLine, ...]

    @property
    def release(self) -> ReleaseName:
        """Its name."""
        return ReleaseName(vendor=self.vendor, product=self.product, version=self.version)


def release_line(joined: JoinedRelease) -> ReleaseLine:
    """Return a joined release in short."""
    release, artefacts = joined.read.release, joined.consensus.artefacts
    return ReleaseLine(
        vendor=release.vendor,
        product=release.product,
        version=release.version,
        kind=joined.recipe.recipe.kind if joined.recipe else None,
        standing=standing_of(artefacts),
        artefacts=tuple(
            ArtefactLine(name=one.subject.artefact, sha256=one.subject.published, result=one.result)
            for one in artefacts
        ),
    )
