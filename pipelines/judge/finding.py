"""What was found for one artefact: its verdict in the report, and what explains a difference.

A finding cannot be built with a verdict that its own digests contradict, so a pass never comes out
of a default or a slip. What explains it comes later, and never changes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Self

from pydantic import (
    AwareDatetime,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import EXIT_NOT_CHECKED
from builders.core.frozen_model import FrozenModel
from pipelines.judge.difference import Cause, QuickDiff
from pipelines.judge.normalizers.ledger import MaskLedger, NotMasked
from pipelines.judge.signatures.signature_format import Graft, Refused
from pipelines.judge.updates.checked_delta import CheckedDelta
from pipelines.judge.updates.manifest_format import ManifestFact
from pipelines.judge.updates.update_fault import UpdateResult

EXIT_FAILED = 1
_PASSING = frozenset({Verdict.IDENTICAL_SIGNED, Verdict.IDENTICAL})
_FAILING = frozenset(Verdict) - _PASSING - {Verdict.NOT_CHECKED}
_WORST_FIRST = tuple(Verdict)


class ExplanationStatus(StrEnum):
    """How far the explaining tool got."""

    NONE = "none"
    COMPLETE = "complete"
    TRUNCATED = "truncated"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"


class Carried(FrozenModel):
    """A member of the rebuilt artefact that is, unchanged, in an input that is no source."""

    member: str
    sha256: Digest
    size: int
    input: str
    input_member: str


class Confirmation(StrEnum):
    """What a second rebuild left of an artefact that differs from the shipped one."""

    SAME = "same"
    """The bytes of the first rebuild."""
    SHIPPED = "shipped"
    """The shipped bytes, which the first rebuild did not leave."""
    OTHER = "other"
    """A third set of bytes."""
    ABSENT = "absent"
    """No such file."""

    @property
    def varies(self) -> bool:
        """Whether the same build gave two sets of bytes."""
        return self in {Confirmation.SHIPPED, Confirmation.OTHER}


class Explanation(FrozenModel):
    """What is known of a difference. It stands beside a verdict and never changes one."""

    model_config = ConfigDict(
        serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
    )

    status: ExplanationStatus = ExplanationStatus.NONE
    note: str | None = None
    tool: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    json_diff: Digest | None = Field(default=None, alias="json")
    html_diff: Digest | None = Field(default=None, alias="html")
    first_look: QuickDiff | None = None
    carried: tuple[Carried, ...] = ()


class FileFact(FrozenModel):
    """Size in bytes and digest of a file."""

    sha256: Digest
    size: int


class VaultFile(FileFact):
    """A shipped file that was not fetched in this run: the copy in the vault, by its digest."""

    fetched_on: AwareDatetime | None = None
    """When that copy was fetched, in UTC; None where that is not known."""


class ShippedFact(FrozenModel):
    """The published digest, and what was really fetched; None where nothing was."""

    published: Digest
    sha256: Digest | None = None
    size: int | None = None
    from_vault: bool = False
    """Whether it is a copy of an earlier fetch: nothing was served in this run."""
    fetched_on: AwareDatetime | None = None
    """Of a copy, when it was fetched, if that is known."""

    @model_validator(mode="after")
    def _published_copy(self) -> Self:
        if self.from_vault and self.sha256 != self.published:
            raise ValueError("a copy from the vault is the published file")
        if self.fetched_on and not self.from_vault:
            raise ValueError("what was fetched in this run has the time of the run")
        return self


class Finding(FrozenModel):
    """One artefact, or one output that no declaration covers."""

    name: str
    verdict: Verdict
    reason: str = Field(min_length=1)
    shipped: ShippedFact | None = None
    rebuilt: FileFact | None = None
    signature: Graft | Refused | None = None
    """The vendor's signature on our bytes, or why it does not count; None where none is pinned."""
    normalizers: tuple[str, ...] = ()
    """Those that masked something."""
    ledger: MaskLedger | NotMasked | None = None
    """What was masked, or why that gives another file; None where nothing may be masked."""
    delta: CheckedDelta | None = None
    """Of a delta, what its base with it applied is."""
    manifest: ManifestFact | None = None
    """Of a manifest, which of its fields are so of our bytes."""
    causes: tuple[Cause, ...] = ()
    """Of reports from before explanations were statements of their own, as is the next field."""
    explanation: Explanation = Explanation()

    @model_serializer(mode="wrap")
    def _without_what_is_stored_beside_it(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        document: dict[str, Any] = serialize(self)
        if not self.is_explained:
            for field in ("causes", "explanation"):
                document.pop(field, None)
        return document

    @property
    def is_explained(self) -> bool:
        """Whether it holds an explanation itself, as findings of old reports do."""
        return bool(self.causes) or self.explanation != Explanation()

    @property
    def update(self) -> UpdateResult | None:
        """What the checks of an update leave of the verdict; None where there were none."""
        found = self.delta or self.manifest
        return found.result if found else None

    @property
    def differs(self) -> bool:
        """Whether it is DIFFERENT, and other bytes were rebuilt than were shipped."""
        shipped = self.shipped.sha256 if self.shipped else None
        return self.verdict is Verdict.DIFFERENT and bool(
            self.rebuilt and self.rebuilt.sha256 != shipped
        )

    @model_validator(mode="after")
    def _verdict_holds(self) -> Self:
        shipped, rebuilt = self.shipped, self.rebuilt
        known = shipped and (shipped.sha256, shipped.size)
        if not verdict_follows(
            self.verdict,
            published=shipped.published if shipped else None,
            served=shipped.sha256 if shipped else None,
            same=known == (rebuilt.sha256, rebuilt.size) if rebuilt else None,
            normalized=isinstance(self.ledger, MaskLedger)
            and (self.ledger.sha256, self.ledger.size) == known,
            grafted=isinstance(self.signature, Graft)
            and self.signature.sha256 == (shipped and shipped.sha256),
            update=self.update,
        ):
            raise ValueError(f"{self.verdict} is contradicted by the digests of {self.name!r}")
        names = self.ledger.bytes_by_normalizer if isinstance(self.ledger, MaskLedger) else ()
        if tuple(names) != self.normalizers:
            raise ValueError(f"other normalizers than those of the ledger of {self.name!r}")
        masked = {MaskLedger: Verdict.EQUIVALENT, NotMasked: Verdict.DIFFERENT}
        if self.ledger and self.verdict is not masked[type(self.ledger)]:
            raise ValueError(f"{self.verdict} is contradicted by the ledger of {self.name!r}")
        kept = {
            Graft: {Verdict.IDENTICAL_SIGNED, Verdict.EQUIVALENT},
            Refused: {Verdict.DIFFERENT},
        }
        if self.signature and self.verdict not in kept[type(self.signature)]:
            raise ValueError(f"{self.verdict} is contradicted by the signature of {self.name!r}")
        return self


def verdict_follows(
    verdict: Verdict,
    *,
    published: Digest | None,
    served: Digest | None,
    same: bool | None,
    normalized: bool,
    grafted: bool = False,
    update: UpdateResult | None = None,
) -> bool:
    """Return whether digests support a verdict on a file that was to be built.

    `published` is None for an output that nobody declared, `served` where no file was compared.
    `same` says whether the rebuilt file is that one, and is None where the build left none;
    `grafted`, whether it is with the vendor's signature attached. `update` is what the checks of an
    update leave of the verdict.
    """
    if published is None:
        return same is not None and verdict in {Verdict.UNEXPECTED, Verdict.NOT_CHECKED}
    genuine = served == published
    refused, stands_in = update is UpdateResult.REFUSED, update is UpdateResult.STANDS_IN
    holds = update is None or update is UpdateResult.BYTES_DECIDE or stands_in
    supported = {
        Verdict.SHIPPED_MISMATCH: served is not None and not genuine,
        Verdict.DIFFERENT: genuine and (refused or same is False),
        Verdict.UNEXPECTED: False,
        Verdict.MISSING: same is None
        and (served is None or genuine)
        and not (stands_in or refused),
        Verdict.NOT_CHECKED: True,
        Verdict.EQUIVALENT: genuine
        and holds
        and ((same is False and normalized) or (same is None and stands_in)),
        Verdict.IDENTICAL_SIGNED: genuine and holds and same is False and grafted,
        Verdict.IDENTICAL: genuine and holds and same is True,
    }
    return supported[verdict]


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of `verdicts`; NOT_CHECKED when there are none."""
    return min(verdicts, key=_WORST_FIRST.index, default=Verdict.NOT_CHECKED)


def verdicts_exit_code(verdicts: Iterable[Verdict]) -> int:
    """Return 1 if anything failed, else 2 if anything or everything was not checked, else 0."""
    found = set(verdicts)
    if found & _FAILING:
        return EXIT_FAILED
    return 0 if found and found <= _PASSING else EXIT_NOT_CHECKED
