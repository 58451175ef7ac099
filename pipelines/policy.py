"""The policy of a center: who may review source, and how many of them it takes.

A policy that could not mean what it says is refused when it is read: a minimum that its reviewers
cannot reach, one key for two people, a name or key that cannot be used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from builders.build import Model
from builders.errors import RecipeError
from builders.smallfile import read_small_file
from builders.words import Kind
from builders.yamlfile import Document, load_document, parse_model
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.publickey import MAX_KEY_FILE, PublicKey, read_public_key
from pipelines.evidence.statements.review import Reviewer as ReviewerName

MAX_REVIEWERS = 1000
_PEM = "-----BEGIN "

Minimum = Annotated[int, Field(ge=0, le=100)]
KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
KeyText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY_FILE)]


class ReviewerEntry(Model):
    """A reviewer in the file; `key` is PEM text, or the path of a public key file beside it."""

    name: ReviewerName
    key: KeyText


class ReviewRules(Model):
    """How many reviewers a release needs; a kind that is named has a number of its own."""

    minimum: Minimum = 0
    kinds: dict[Kind, Minimum] = Field(default_factory=dict)


class PolicyFile(Model):
    """The file, as it is written."""

    schema_: Annotated[Literal["samebits/policy/v1"], Field(alias="schema")]
    reviewers: Annotated[tuple[ReviewerEntry, ...], Field(max_length=MAX_REVIEWERS)] = ()
    reviews: ReviewRules = ReviewRules()
    revoked: Annotated[tuple[KeyId, ...], Field(max_length=MAX_REVIEWERS)] = ()


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """A person by name, and a key of theirs; who changes keys has an entry for each."""

    name: str
    key: PublicKey


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Who may review, how many must, and which keys no longer count."""

    reviewers: tuple[Reviewer, ...] = ()
    minimum: int = 0
    kinds: Mapping[Kind, int] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()
    """Key ids."""

    def demand(self, kind: Kind, recipe: int = 0) -> int:
        """Return how many reviewers a release needs; its recipe can only ask for more."""
        return max(self.kinds.get(kind, self.minimum), recipe)

    def people(self) -> set[str]:
        """Return the names of those whose reviews can count."""
        return {r.name for r in self.reviewers if r.key.keyid not in self.revoked}


def load_policy(path: Path | None) -> Policy:
    """Read a policy file; without one, nothing is demanded and nobody known.

    Raises `RecipeError` with file, line and field.
    """
    return Policy() if path is None else policy_from(load_document(path), path.parent)


def policy_from(document: Document, folder: Path) -> Policy:
    """Validate a document that is already read; key files are looked for in `folder`."""
    written = parse_model(document, PolicyFile)
    policy = Policy(
        reviewers=tuple(
            Reviewer(name=entry.name, key=_key(entry, number, document, folder))
            for number, entry in enumerate(written.reviewers)
        ),
        minimum=written.reviews.minimum,
        kinds=written.reviews.kinds,
        revoked=frozenset(written.revoked),
    )
    _check_keys(policy, document)
    _check_reach(policy, document)
    return policy


def _key(entry: ReviewerEntry, number: int, document: Document, folder: Path) -> PublicKey:
    name = f"reviewers.{number}.key"
    line = document.line_of(("reviewers", number, "key"))
    if entry.key.lstrip().startswith(_PEM):
        data = entry.key.encode()
    else:
        if "\0" in entry.key:
            raise RecipeError("no path", file=document.file, line=line, field=name, got="NUL")
        data = read_small_file(
            folder / entry.key, limit=MAX_KEY_FILE, file=document.file, field=name
        )
    try:
        return read_public_key(data)
    except EvidenceError as error:
        raise RecipeError(
            f"the key of {entry.name} cannot be used",
            file=document.file,
            line=line,
            field=name,
            got=error.got,
            expected=error.expected,
            todo="`samebits review key` makes a key; its .pub file belongs here",
        ) from error


def _check_keys(policy: Policy, document: Document) -> None:
    """Refuse one key twice: one person would count as two."""
    seen = Counter(reviewer.key.material for reviewer in policy.reviewers)
    for number, reviewer in enumerate(policy.reviewers):
        if seen[reviewer.key.material] > 1:
            raise RecipeError(
                "one key stands twice",
                file=document.file,
                line=document.line_of(("reviewers", number)),
                field=f"reviewers.{number}.key",
                got=f"key {reviewer.key.keyid[:16]} of {reviewer.name}",
                expected="a key of its own for every reviewer",
            )


def _check_reach(policy: Policy, document: Document) -> None:
    """Refuse a minimum that the reviewers cannot reach: nothing would ever be built."""
    places: dict[tuple[str, ...], int] = {("reviews", "minimum"): policy.minimum}
    places |= {("reviews", "kinds", kind): minimum for kind, minimum in policy.kinds.items()}
    people = len(policy.people())
    for place, minimum in places.items():
        if minimum > people:
            raise RecipeError(
                "more reviewers are demanded than there are",
                file=document.file,
                line=document.line_of(place),
                field=".".join(place),
                got=minimum,
                expected=f"at most {people}, the reviewers whose keys are not revoked",
                todo="Add reviewers with their public keys, or ask for fewer",
            )
