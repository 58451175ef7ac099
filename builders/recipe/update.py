"""What an update has beside its full files: deltas, and the releases that they start from."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from builders.core.digest import Digest
from builders.core.enums import Kind
from builders.core.frozen_model import FrozenModel
from builders.recipe.update_manifest import DeclaredManifest
from builders.recipe.version_order import VersionOrder, is_higher


class DeltaName(StrEnum):
    """Formats of deltas."""

    BSDIFF = "bsdiff"
    CDIFF = "cdiff"
    OSTREE = "ostree"
    PDIFF = "pdiff"
    RPM = "rpm"
    XDELTA3 = "xdelta3"
    ZSTD = "zstd"


class DeltaJudged(StrEnum):
    """What a delta is judged by."""

    REBUILT = "rebuilt"
    """The build makes the shipped delta, and that gives the target."""
    APPLIED = "applied"
    """The shipped delta gives the target; other deltas would do so too."""


class DeclaredDelta(FrozenModel):
    """A shipped file that makes the target of a base."""

    format: Annotated[DeltaName, Field(description="The format of the delta.")]
    judged: Annotated[
        DeltaJudged,
        Field(description="Whether the build makes the same delta, or its result alone counts."),
    ]
    base: Annotated[Digest, Field(description="The input of role base that it is applied to.")]
    target: Annotated[str, Field(description="The artefact that it gives.")]


def check_updates(
    kind: Kind,
    *,
    vendor: str,
    version: str,
    order: VersionOrder,
    bases: Mapping[Digest, str],
    deltas: Mapping[str, DeclaredDelta],
    manifests: Mapping[str, DeclaredManifest],
    targets: frozenset[str],
) -> None:
    """Refuse what no update can be: `bases` are releases by digest, `targets` names of full files.

    Raises ValueError, which begins with the word for the fault.
    """
    if deltas and kind is not Kind.UPDATE:
        raise ValueError(f"delta in a release of kind {kind}; expected kind update")
    _check_manifests(kind, bases, manifests)
    for name, delta in deltas.items():
        if delta.target in deltas:
            raise ValueError(f"delta-of-delta: the target of {name} is the delta {delta.target}")
        if delta.target not in targets:
            raise ValueError(f"the target of {name} is {delta.target!r}; expected an artefact")
        if delta.base not in bases:
            raise ValueError(f"wrong-base: the base of {name} is no input of role base")
    for release in sorted(set(bases.values())):
        theirs, _, lower = release.rpartition("@")
        if theirs.partition("/")[0] != vendor:
            raise ValueError(f"wrong-base: {release} is a release of another vendor than {vendor}")
        if kind is Kind.UPDATE and not is_higher(order, version, lower):
            raise ValueError(f"downgrade: expected a version higher than that of {release}")


def _check_manifests(
    kind: Kind, bases: Mapping[Digest, str], manifests: Mapping[str, DeclaredManifest]
) -> None:
    if manifests and kind is not Kind.UPDATE:
        raise ValueError(f"manifest in a release of kind {kind}; expected kind update")
    for name, manifest in manifests.items():
        if manifest.previous is not None and manifest.previous not in bases:
            raise ValueError(f"wrong-base: `previous` of {name} is no input of role base")
