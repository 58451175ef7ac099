"""The report of one run: what a program reads of a verification."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from builders.build.rebuild_result import RebuildResult
from builders.build.seal import SealedFile
from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.judge.finding import Finding


class Record(BaseModel):
    """A frozen part of a report."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class SourceFact(Record):
    """A source input: where it came from, its pin, and the digest of the tree inside it."""

    locator: str
    sha256: Digest
    source_digest: Digest | None = None


class ReviewFact(Record):
    """A reviewer of exactly this source and claim who counted; `key` is the id of their key."""

    name: str
    key: str


class Environment(Record):
    """What the rebuild was told to be, and what it happened to run on."""

    declared: dict[str, str | dict[str, str]]
    method: str
    image: str | None = None
    image_config: Digest | None = None
    sources: tuple[SourceFact, ...] = ()
    engine: str | None = None
    kernel: str | None = None
    cgroup: str | None = None
    samebits: str | None = None
    visibility: Literal["public", "private"] = "public"
    """Of a private release, the public form of a report holds keyed digests and no text."""
    reviews: tuple[ReviewFact, ...] = ()


class Attempt(Record):
    """One try at the rebuild; `purpose` is `judged`, `retry` or `confirming`."""

    number: int
    purpose: str
    rebuild: RebuildResult


class Report(Record):
    """One run of one release."""

    vendor: str
    product: str
    version: str
    center: str
    run: str
    claim: Digest | None = None
    seal: Digest | None = None
    outcome: Outcome
    reason: str | None = None
    verdict: Verdict
    artefacts: tuple[Finding, ...]
    by_products: tuple[SealedFile, ...] = ()
    environment: Environment
    timings: dict[str, float]
    attempts: tuple[Attempt, ...] = ()

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return f"{self.vendor}/{self.product}@{self.version}"

    def to_json(self) -> bytes:
        """Return the report as the JSON document that is stored and printed."""
        return self.model_dump_json(by_alias=True, indent=2).encode() + b"\n"
