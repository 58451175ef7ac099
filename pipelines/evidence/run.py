"""One run, as the statements about it need it: the report, and what it is to be read with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import quote

from builders.core.digest import Digest
from builders.core.enums import Outcome, Role
from builders.core.runid import run_started
from builders.inputs.input_file import input_name
from builders.locators import FileLocator, GitLocator, Locator
from builders.methods.base import Build
from builders.rebuild.rebuild_result import RebuildResult
from builders.recipe.claim import claimed_packings
from builders.recipe.recipe import Input, LoadedRecipe
from pipelines.evidence.report import Report
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.statement import DigestSet, Resource


@dataclass(frozen=True, kw_only=True)
class Run:
    """A report with its recipe (parsed, and the digest of its file), image and center."""

    report: Report
    loaded: LoadedRecipe
    recipe: Digest
    image: Digest
    """Config digest of the builder image that the claim holds."""
    center: str
    """Id of the center that made the run."""
    builder: str
    """SLSA's `builder.id` of that center."""
    salt: Salt | None = None
    """Of a private release; its report is redacted then."""

    @property
    def built(self) -> bool:
        """Whether there is something to compare."""
        return self.report.outcome is Outcome.BUILT

    @property
    def judged(self) -> RebuildResult | None:
        """The rebuild whose outputs were judged."""
        return self.report.judged.rebuild if self.report.judged else None

    @property
    def started(self) -> datetime:
        """When the run began, which its id says: UTC, whole seconds."""
        return run_started(self.report.run)

    @property
    def finished(self) -> datetime:
        """When its report was complete, from the time that it took, rounded up."""
        return self.started + timedelta(seconds=math.ceil(self.report.timings.get("total", 0)))

    @property
    def image_name(self) -> str:
        """The builder image without the registry that may serve it: its name, or name@sha256:..."""
        image = self.loaded.recipe.build.image
        return image.rpartition("/")[2] if self.salt is None else public_image_name(image)

    @property
    def reference(self) -> dict[str, Any]:
        """The fields of a `RunReference`, with which the predicates about the run begin."""
        return {
            "release": self.report.release,
            "center": self.center,
            "builder": self.builder,
            "run": self.report.run,
            "claim": self.digest_set_or_none(self.report.claim),
        }

    def digest_set_or_none(self, digest: Digest | None) -> DigestSet | None:
        """Return a digest of the report, if there is one, as statements have it."""
        return None if digest is None else self.digest_set(digest)

    def digest_set(self, digest: Digest) -> DigestSet:
        """Return a digest of the report as statements have it: a keyed one is named as such."""
        if self.salt is None or digest in self._shipped:
            return DigestSet(sha256=digest)
        return DigestSet(hmac_sha256=digest)

    @cached_property
    def _shipped(self) -> frozenset[Digest]:
        return self.report.shipped_digests

    def environment(self) -> dict[str, Any] | None:
        """Return the environment that the recipe declares; nothing of a private release."""
        return None if self.salt else self.loaded.recipe.build.declared_environment()

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the build method alone; nothing of a private release."""
        if self.salt is not None:
            return {}
        build = self.loaded.recipe.build
        shared = {*Build.model_fields, "method"}
        return {k: v for k, v in build.model_dump(mode="json").items() if k not in shared}

    def packings(self) -> dict[str, Any]:
        """Return how outputs are packed again; nothing of a private release."""
        return {} if self.salt is not None else claimed_packings(self.loaded.recipe)

    def dependencies(self) -> tuple[Resource, ...]:
        """Return the inputs in the order of the recipe.

        Those of a private release have keyed digests, and are named by role and number.
        """
        sources = {s.sha256: s.source_digest for s in self.report.environment.sources}
        inputs = enumerate(self.loaded.recipe.inputs, start=1)
        if self.salt is not None:
            return tuple(_private(self.salt, item, number, sources) for number, item in inputs)
        return tuple(_public(item, sources) for _, item in inputs)


def public_image_name(image: str) -> str:
    """Return the image of a private recipe: a definition by name, any other by digest alone."""
    _, at, digest = image.partition("@")
    return f"image@{digest}" if at else image


def _public(item: Input, sources: Mapping[Digest, Digest | None]) -> Resource:
    commit = item.locator.commit if isinstance(item.locator, GitLocator) else None
    annotations = {"role": str(item.role)}
    if item.role is Role.SOURCE and (source := sources.get(item.sha256)):
        annotations["source-digest"] = str(source)
    return Resource(
        name=input_name(item),
        uri=uri_of(item.locator),
        digest=DigestSet(sha256=item.sha256, git_commit=commit),
        annotations=annotations,
    )


def _private(
    salt: Salt, item: Input, number: int, sources: Mapping[Digest, Digest | None]
) -> Resource:
    """Return an input by keyed digests; in the redacted report a source digest is keyed already."""
    keyed = salt.keyed(item.sha256)
    annotations = {"role": str(item.role)}
    if source := sources.get(keyed):
        annotations["keyed-source-digest"] = str(source)
    return Resource(
        name=f"{item.role}-{number}", digest=DigestSet(hmac_sha256=keyed), annotations=annotations
    )


def uri_of(locator: Locator) -> str:
    """Return a locator as a URI: what a recipe may spell plainly is percent-encoded."""
    if isinstance(locator, FileLocator):
        return f"file:{quote(str(locator.path))}"
    return quote(str(locator), safe=":/?#[]@!$&'()*+,;=%")
