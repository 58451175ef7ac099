"""One run, as all its statements see it: the report, and what it is to be read with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol, overload
from urllib.parse import quote

from builders.build.rebuild_result import RebuildResult
from builders.core.digest import Digest
from builders.core.enums import Outcome, Role
from builders.inputs.collect import input_name
from builders.locators import FileLocator, GitLocator, Locator
from builders.methods.base import Build
from builders.recipe.recipe import LoadedRecipe
from pipelines.evidence.report import Attempt, Report
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.statement import DigestSet

CONFIRMING = "confirming"
_RUN_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """One input of a rebuild, as a statement mentions it."""

    name: str
    uri: str | None
    sha256: Digest
    role: Role
    commit: str | None
    """Of a git source."""
    source_digest: Digest | None
    """What a reviewer of a source read."""
    keyed: bool = False
    """Whether the digests are keyed ones."""


class Rebuilder(Protocol):
    """The center that made a run, as its statements name it."""

    @property
    def id(self) -> str:
        """Return the center's id."""

    @property
    def builder_id(self) -> str:
        """Return SLSA's `builder.id` of the center."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A report with its recipe (parsed, and the digest of its file), image and center."""

    report: Report
    loaded: LoadedRecipe
    recipe: Digest
    image: Digest
    """Config digest of the builder image that the claim holds."""
    center: Rebuilder
    salt: Salt | None = None
    """Of a private release; its report is redacted then."""

    @property
    def built(self) -> bool:
        """Whether there is something to compare."""
        return self.report.outcome is Outcome.BUILT

    @property
    def judged(self) -> RebuildResult | None:
        """The attempt whose outputs were judged: the last that was not made to confirm."""
        found = judged_attempt(self.report)
        return found.rebuild if found else None

    @property
    def started(self) -> datetime:
        """When the run began: its id says so. UTC, whole seconds."""
        return datetime.strptime(self.report.run[:16], _RUN_TIME).replace(tzinfo=UTC)

    @property
    def finished(self) -> datetime:
        """When its report was complete, from the time that it took, rounded up."""
        return self.started + timedelta(seconds=math.ceil(self.report.timings.get("total", 0)))

    @property
    def image_name(self) -> str:
        """The builder image without the registry that may serve it: its name, or name@sha256:..."""
        image = self.loaded.recipe.build.image
        return image.rpartition("/")[2] if self.salt is None else public_image_name(image)

    @overload
    def told(self, digest: Digest) -> DigestSet: ...
    @overload
    def told(self, digest: None) -> None: ...
    @overload
    def told(self, digest: Digest | None) -> DigestSet | None: ...
    def told(self, digest: Digest | None) -> DigestSet | None:
        """Return a digest of the report as statements have it: a keyed one is named as such."""
        if digest is None:
            return None
        if self.salt is None or digest in self._shipped:
            return DigestSet(sha256=digest)
        return DigestSet(hmac_sha256=digest)

    @cached_property
    def _shipped(self) -> frozenset[Digest]:
        return shipped_digests(self.report)

    def environment(self) -> dict[str, Any] | None:
        """Return what the recipe declares of the machine that a build sees; private: nothing."""
        return None if self.salt else self.loaded.recipe.build.declared_environment()

    def parameters(self) -> dict[str, Any]:
        """Return what the recipe says to its method alone; of a private release nothing."""
        if self.salt is not None:
            return {}
        build = self.loaded.recipe.build
        shared = {*Build.model_fields, "method"}
        return {k: v for k, v in build.model_dump(mode="json").items() if k not in shared}

    def dependencies(self) -> tuple[Dependency, ...]:
        """Return the inputs in the order of the recipe; of a private release by role and number."""
        if self.salt is not None:
            return self._veiled(self.salt)
        read = {s.sha256: s.source_digest for s in self.report.environment.sources}
        return tuple(
            Dependency(
                name=input_name(item),
                uri=_uri(item.locator),
                sha256=item.sha256,
                role=item.role,
                commit=item.locator.commit if isinstance(item.locator, GitLocator) else None,
                source_digest=read.get(item.sha256) if item.role is Role.SOURCE else None,
            )
            for item in self.loaded.recipe.inputs
        )

    def _veiled(self, salt: Salt) -> tuple[Dependency, ...]:
        """Return inputs by keyed digests; the report holds those of the source trees."""
        read = {s.sha256: s.source_digest for s in self.report.environment.sources}
        return tuple(
            Dependency(
                name=f"{item.role}-{number}",
                uri=None,
                sha256=salt.keyed(item.sha256),
                role=item.role,
                commit=None,
                source_digest=read.get(salt.keyed(item.sha256)),
                keyed=True,
            )
            for number, item in enumerate(self.loaded.recipe.inputs, start=1)
        )


def shipped_digests(report: Report) -> frozenset[Digest]:
    """Return the digests of what is shipped, as published and as served: they are public."""
    facts = [finding.shipped for finding in report.artefacts if finding.shipped]
    served = (fact.sha256 for fact in facts if fact.sha256)
    return frozenset([*(fact.published for fact in facts), *served])


def public_image_name(image: str) -> str:
    """Return the image of a private recipe: a definition by name, any other by digest alone."""
    _, at, digest = image.partition("@")
    return f"image@{digest}" if at else image


def judged_attempt(report: Report) -> Attempt | None:
    """Return the last attempt that was not made to confirm, if any was made."""
    found = [a for a in report.attempts if a.purpose != CONFIRMING]
    return found[-1] if found else None


def confirming_attempt(report: Report) -> Attempt | None:
    """Return the attempt that was made to confirm a difference, if one was."""
    found = [a for a in report.attempts if a.purpose == CONFIRMING]
    return found[-1] if found else None


def _uri(locator: Locator) -> str:
    """Return a locator as a URI: what a recipe may spell plainly is percent-encoded."""
    if isinstance(locator, FileLocator):
        return f"file:{quote(str(locator.path))}"
    return quote(str(locator), safe=":/?#[]@!$&'()*+,;=%")
