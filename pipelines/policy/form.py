"""The form of a policy: the same in the YAML that people write and in the JSON that is signed.

In YAML a key may be the path of a public key file; in what is signed every key stands inline and
every default is written out.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from builders.core.enums import Kind
from builders.methods.base import FrozenModel
from pipelines.evidence.publickey import MAX_KEY_FILE
from pipelines.evidence.statements.review import Reviewer as ReviewerName
from pipelines.evidence.statements.statement import Time, Uri

SCHEMA = "samebits/policy/v1"
MAX_REVIEWERS = 1000
MAX_OPERATORS = 24
"""Two sets of them, the old and the new, have to fit into one envelope."""
MAX_CENTERS = 200
MAX_CENTER_KEYS = 200
MAX_LOG_SIZE = (1 << 53) - 1


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        message = "expected one line of printable text"
        raise ValueError(message)
    return text


Minimum = Annotated[int, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=1, le=MAX_CENTERS)]
LogSize = Annotated[int, Field(ge=0, le=MAX_LOG_SIZE)]
KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
KeyText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY_FILE)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_printable)]


class OperatorEntry(FrozenModel):
    """Who signs policies; `key` is PEM text, key JSON, or the path of a file beside the policy."""

    name: Name
    legal: Line
    key: KeyText


class LogEntry(FrozenModel):
    """The log of a center: its origin, and the vkey under that name."""

    origin: Line
    key: Line


class CenterKeyEntry(FrozenModel):
    """A key that signs statements, for which sizes of the center's log."""

    key: KeyText
    from_: Annotated[LogSize, Field(alias="from")] = 0
    until: LogSize | None = None


class CenterEntry(FrozenModel):
    """A center, and who runs it where."""

    id: Name
    operator: Name
    region: Name
    builder: Uri | None = None
    verifier: Uri | None = None
    log: LogEntry
    witness: Line | None = None
    keys: Annotated[tuple[CenterKeyEntry, ...], Field(min_length=1, max_length=MAX_CENTER_KEYS)]


class ReviewerEntry(FrozenModel):
    """A reviewer, with a key as operators have it."""

    name: ReviewerName
    key: KeyText


class ReviewRules(FrozenModel):
    """How many reviewers a release needs; a kind that is named has a number of its own."""

    minimum: Minimum = 0
    kinds: dict[Kind, Minimum] = Field(default_factory=dict)


class KindRules(FrozenModel):
    """What it takes to confirm a release; what is not said is as for every kind."""

    k: Count | None = None
    regions: Count | None = None
    max_dissent: Minimum | None = None
    normalizers: Annotated[tuple[Name, ...], Field(max_length=100)] | None = None


class Rules(KindRules):
    """The same for every kind, and for some kinds in particular."""

    kinds: dict[Kind, KindRules] = Field(default_factory=dict)


class PolicyFile(FrozenModel):
    """A policy, as it is written."""

    schema_: Annotated[Literal["samebits/policy/v1"], Field(alias="schema")]
    version: Annotated[int, Field(ge=1, le=MAX_LOG_SIZE)]
    expires: Time
    operators: Annotated[tuple[OperatorEntry, ...], Field(min_length=1, max_length=MAX_OPERATORS)]
    threshold: Annotated[int, Field(ge=1, le=MAX_OPERATORS)]
    centers: Annotated[tuple[CenterEntry, ...], Field(min_length=1, max_length=MAX_CENTERS)]
    witnesses: str = "quorum none\n"
    reviewers: Annotated[tuple[ReviewerEntry, ...], Field(max_length=MAX_REVIEWERS)] = ()
    reviews: ReviewRules = ReviewRules()
    revoked: Annotated[tuple[KeyId, ...], Field(max_length=MAX_REVIEWERS)] = ()
    consensus: Rules = Rules()
