"""The in-toto Statement v1 without its envelope, and the parts that predicates share.

Field rules: in-toto attestation framework, specification v1 (statement, resource descriptor, digest
set). The only form of a statement is canonical JSON (RFC 8785), so that writing one that was read
gives the same bytes; unknown fields are refused, because they would not have been checked.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

from builders.core.digest import Digest, canonical_json, canonical_plain_json
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.strictjson import check_canonical, malformed, read_object, validate

NAMESPACE = "https://samebits.example/"
MAX_STATEMENT = 8 << 20
MAX_SUBJECTS = 20_000
MAX_LISTED = 20_000
"""Entries of one list in a predicate."""
WHAT = "the statement"

Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=1024)]
"""One line of text."""
Uri = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[\x21\x23-\x7e]+$", max_length=2048)
]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=64)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
ReleaseText = Annotated[
    str, StringConstraints(pattern=r"^[^\s/@]+/[^\s/@]+@[^\s/@]+$", max_length=400)
]
RunIdText = Annotated[str, StringConstraints(pattern=r"^\d{8}T\d{6}Z-[0-9a-f]{8}$")]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]


def parse_time(value: object) -> datetime:
    """Read `2026-01-02T03:04:05Z` (RFC 3339, UTC, whole seconds); raises ValueError.

    Of a `datetime`, which must be UTC, fractions of a second are dropped.
    """
    if isinstance(value, datetime):
        if value.tzinfo != UTC:
            raise ValueError("expected a time in UTC")
        return value.replace(microsecond=0)
    moment = None
    if isinstance(value, str):
        with suppress(ValueError):
            moment = datetime.fromisoformat(value)
    if moment is None or show_time(moment) != value:
        raise ValueError("expected a time such as 2026-01-02T03:04:05Z")
    return moment


def show_time(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, whole seconds."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


Time = Annotated[datetime, BeforeValidator(parse_time), PlainSerializer(show_time)]


class StatementPart(FrozenModel):
    """A frozen part of a statement; its fields are written in lowerCamelCase, as in-toto does."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; what is None is left out."""
        return self.model_dump(mode="json", exclude_none=True)


class DigestSet(StatementPart):
    """Digests of one thing, by algorithm; `hmac_sha256` is a keyed one."""

    sha256: Digest | None = None
    hmac_sha256: Annotated[Digest | None, Field(alias="hmac_sha256")] = None
    git_commit: Annotated[
        str | None, Field(alias="gitCommit", pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")
    ] = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if (self.sha256, self.hmac_sha256, self.git_commit) == (None, None, None):
            raise ValueError("expected at least one digest")
        return self


def value_of(digest: DigestSet | None) -> Digest | None:
    """Return the digest as a report has it: plain, or keyed where the source is closed."""
    return (digest.sha256 or digest.hmac_sha256) if digest else None


class Subject(StatementPart):
    """What a statement is about; in-toto makes the digest mandatory, we make the name so."""

    name: Line
    digest: DigestSet


class Resource(StatementPart):
    """Something that a statement mentions: an in-toto resource descriptor with a digest."""

    name: Line
    uri: Uri | None = None
    digest: DigestSet
    annotations: dict[Word, Line] | None = None

    def annotation(self, name: Word) -> str | None:
        """Return one annotation; None without it."""
        return (self.annotations or {}).get(name)


class RunReference(StatementPart):
    """The run and claim that a statement is about; `builder` is SLSA's builder.id."""

    release: ReleaseText
    center: Identifier | None
    """None where the statement names no center but by its builder."""
    builder: Uri
    run: RunIdText
    claim: DigestSet | None = None


class RunPredicate(RunReference):
    """A predicate about one run, which begins with the reference to it."""

    center: Identifier


class Statement(StatementPart):
    """An in-toto statement.

    A type of statement is a subclass with a `predicate` of its own, and class arguments:
    `predicate_type`, the URI in the statement, `kind`, the word that its records are named by, and
    `former`, the URIs of its earlier versions, which are read and no longer made.
    """

    KIND: ClassVar[str]
    PREDICATE_TYPE: ClassVar[str]
    PREDICATE_TYPES: ClassVar[tuple[str, ...]]
    """Those of all versions, oldest first."""
    MAX_BYTES: ClassVar[int] = MAX_STATEMENT

    type_: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")] = (
        "https://in-toto.io/Statement/v1"
    )
    subject: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=MAX_SUBJECTS)]
    predicate_type: str = ""
    predicate: StatementPart

    def __init_subclass__(
        cls, *, kind: str, predicate_type: str, former: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        """Register kind and predicate types; the newest is the default of its field."""
        super().__init_subclass__(**kwargs)
        cls.KIND, cls.PREDICATE_TYPE = kind, predicate_type
        cls.PREDICATE_TYPES = (*former, predicate_type)
        cls.predicate_type = predicate_type

    @classmethod
    def of(cls, predicate: StatementPart, **subjects: Digest | DigestSet) -> Self:
        """Return the statement with that predicate, about the digests of `subjects` by name."""
        return cls(
            subject=tuple(
                Subject(name=name, digest=d if isinstance(d, DigestSet) else DigestSet(sha256=d))
                for name, d in subjects.items()
            ),
            predicate=predicate,
        )

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """Read a statement of this type, in canonical form only; raises `MalformedError`."""
        named = read_object(payload, what=WHAT, limit=cls.MAX_BYTES).get("predicateType")
        if named not in cls.PREDICATE_TYPES:
            raise malformed(WHAT, got=f"predicateType {named!a:.120}", expected=cls.PREDICATE_TYPE)
        return cls.from_checked(payload)

    @classmethod
    def from_checked(cls, payload: bytes) -> Self:
        """Read a payload that names this type, and all of whose numbers are whole and below 2^53.

        Of a canonical one that is all that `read_object` checks, but for its depth and size.
        """
        statement = validate(payload, cls, what=WHAT)
        check_canonical(payload, canonical_plain_json(statement.to_dict()), what=WHAT)
        return statement

    @model_validator(mode="after")
    def _of_its_type(self) -> Self:
        if self.predicate_type not in self.PREDICATE_TYPES:
            raise ValueError(f"expected the predicate type {self.PREDICATE_TYPE}")
        return self

    @model_validator(mode="after")
    def _unique_subjects(self) -> Self:
        names = [subject.name for subject in self.subject]
        if len(set(names)) != len(names):
            raise ValueError("two subjects have the same name")
        return self

    @property
    def version(self) -> int:
        """The version of its format, from 1."""
        return self.PREDICATE_TYPES.index(self.predicate_type) + 1

    @property
    def run_reference(self) -> RunReference | None:
        """Return which run the statement is about; None for one about something else."""
        return self.predicate if isinstance(self.predicate, RunPredicate) else None

    def to_bytes(self) -> bytes:
        """Return the canonical JSON: the payload that is signed."""
        return canonical_json(self.to_dict())

    def digest(self) -> Digest:
        """Return the SHA-256 of the payload, by which other statements name this one."""
        return Digest.of(self.to_bytes())


def subject(name: str, sha256: Digest) -> Subject:
    """Return a subject with a plain digest."""
    return Subject(name=name, digest=DigestSet(sha256=sha256))
