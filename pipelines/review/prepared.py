"""What a page prepares for the terminal: a small file that says what is to be signed.

It is a request and no authority. Whoever signs computes sources, claim and scope again, from the
recipe that the person at the terminal names, and refuses a file that says anything else.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from builders.core.digest import Digest, canonical_json
from builders.core.errors import UsageError
from builders.core.frozen_model import FrozenModel
from builders.core.smallfile import read_small_file
from pipelines.center.center import Center
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.statements.comment import CommentContent, CommentKind
from pipelines.evidence.statements.people import Decision, RecipeRelease, Reviewer
from pipelines.evidence.strictjson import read_object
from pipelines.verify.review_subject import ReviewSubject

SCHEMA: Literal["samebits/prepared/v1"] = "samebits/prepared/v1"
MAX_PREPARED = 64 << 10
KEPT = timedelta(days=7)
"""How long a file is kept that nobody signs."""


class Prepared(FrozenModel):
    """A decision or a comment that was prepared, and what it is about."""

    schema_: Annotated[Literal["samebits/prepared/v1"], Field(alias="schema")] = SCHEMA
    release: RecipeRelease
    reviewer: Reviewer
    says: Decision | CommentKind
    sources: tuple[Digest, ...]
    claim: Digest
    scope: Digest
    content: CommentContent | None = None
    question: Digest | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        withdraws = self.says is CommentKind.WITHDRAWAL
        comments = isinstance(self.says, CommentKind)
        if (self.content is not None) != (comments and not withdraws):
            raise ValueError("expected a text with a comment, and only there")
        if (self.question is not None) != (withdraws or self.says is CommentKind.ANSWER):
            raise ValueError("expected the question that is answered or withdrawn")
        return self

    @classmethod
    def about(cls, subject: ReviewSubject, **fields: Any) -> Self:
        """Return what says `fields` about `subject`; raises ValueError for what cannot be said."""
        return cls.model_validate({
            "release": subject.release,
            "sources": [source.source_digest for source in subject.sources],
            "claim": subject.claim,
            "scope": subject.scope,
            **fields,
        })  # fmt: skip

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file; raises `UsageError`."""
        data = read_small_file(path, limit=MAX_PREPARED, file=str(path))
        try:
            return cls.model_validate(read_object(data, what=str(path), limit=MAX_PREPARED))
        except MalformedError as error:
            raise _not_prepared(path, error.got) from error
        except ValidationError as error:
            fault = error.errors()[0]
            got = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            raise _not_prepared(path, got) from error

    def to_bytes(self) -> bytes:
        """Return it as it is written."""
        return canonical_json(self.model_dump(mode="json", by_alias=True, exclude_none=True))

    def require(self, subject: ReviewSubject, reviewer: str) -> None:
        """Raise `UsageError` unless it is about exactly `subject`, by `reviewer`."""
        found = {
            "release": (self.release, subject.release),
            "reviewer": (self.reviewer, reviewer),
            "sources": (
                ", ".join(map(str, self.sources)),
                ", ".join(str(source.source_digest) for source in subject.sources),
            ),
            "claim": (str(self.claim), str(subject.claim)),
            "scope": (str(self.scope), str(subject.scope)),
        }
        for what, (said, computed) in found.items():
            if said != computed:
                raise UsageError(
                    f"the prepared file names another {what.removesuffix('s')}",
                    got=said,
                    expected=f"{computed}, as computed here",
                    todo="Do not sign. Read the release again, and prepare it anew",
                )


def prepared_folder(center: Center) -> Path:
    """Return where the pages of a center's reviewer write what they prepare."""
    return center.home / "prepared"


def remove_signed(path: Path, center: Center) -> None:
    """Remove a file that was signed, if a page wrote it there; a copy elsewhere stays."""
    if path.resolve().parent == prepared_folder(center).resolve():
        path.unlink(missing_ok=True)


def remove_old(center: Center, now: datetime) -> None:
    """Remove the files that nobody has signed for `KEPT`; `now` is UTC."""
    for path in prepared_folder(center).glob("*.json"):
        with suppress(FileNotFoundError):  # it was signed just now
            if path.stat().st_mtime < (now - KEPT).timestamp():
                path.unlink()


def _not_prepared(path: Path, got: object) -> UsageError:
    return UsageError(
        f"{path} is not what a review page prepares",
        got=got,
        expected=SCHEMA,
        todo="Prepare it again in the page",
    )
