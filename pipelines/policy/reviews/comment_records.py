"""Comments and questions as records: signed, stored, and read with their contents.

Records are named `public/comments/<source digest>/<author>-<time>-<12 digits>.dsse.json`. Of closed
source the content is in the private twin of that name, which is compared with its keyed digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, UsageError
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign_envelope
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.comment import (
    Comment,
    CommentContent,
    CommentKind,
    CommentStatement,
)
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.statements.statement import DigestSet, value_of
from pipelines.evidence.strictjson import malformed, read_object, validate
from pipelines.policy.reviews.comments import ReadComment
from pipelines.policy.reviews.count import ReviewTarget
from pipelines.policy.reviews.review_records import (
    MAX_REVIEW,
    REVIEWS,
    StoredReview,
    keep_review,
    read_review,
    stored_records,
)
from pipelines.storage.names import check_key, check_prefix, encode, private_twin
from pipelines.storage.store import DamagedError, Store, TooLargeError

COMMENTS = "public/comments/"
"""The folder of all comments."""
_WHAT = "the comment"


def sign_comment(
    target: ReviewTarget,
    store: Store,
    *,
    key: EnvelopeSigner,
    author: str,
    kind: CommentKind,
    content: CommentContent | None,
    question: Digest | None,
    salt: Salt | None,
    now: datetime,
) -> str:
    """Sign and store a comment on the first source of `target`; returns the name of its record.

    `salt` is that of a private release, whose content is stored in private. Raises `UsageError` for
    what no comment can say, `KeyFileError`, `StoreError`.
    """
    if target.scope is None:
        raise UsageError("a comment names a scope", got="none", todo="Name the recipe")
    keyed = DigestSet(hmac_sha256=salt.keyed(content.digest())) if salt and content else None
    try:
        comment = Comment(
            author=author,
            kind=kind,
            content=None if salt else content,
            keyed=keyed,
            question=question,
            said_on=now,
        )
        statement = CommentStatement.of(
            comment, source=target.sources[0], claim=target.claim, scope=target.scope
        )
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise UsageError(
            "no comment can say that",
            got=f"{'.'.join(map(str, fault['loc']))}: {ascii(fault['msg'])[1:-1]}",
            expected="a reviewer's name, and 1 to 4000 printable characters",
        ) from error
    envelope = sign_envelope(statement.to_bytes(), key)
    name = comment_key(envelope)
    if salt is not None and content is not None:
        store.put_record(private_twin(name), content.to_bytes())
    store.put_record(name, envelope.to_bytes())
    return name


def read_comment(data: bytes) -> Envelope:
    """Read the envelope of a comment, verifying nothing; raises `MalformedError`."""
    envelope = Envelope.from_dict(read_object(data, what=_WHAT, limit=MAX_REVIEW))
    CommentStatement.from_bytes(envelope.payload)
    return envelope


def comment_key(envelope: Envelope) -> str:
    """Return the name of a comment's record; raises `MalformedError`."""
    statement = CommentStatement.from_bytes(envelope.payload)
    comment, short = statement.predicate, Digest.of(envelope.to_bytes()).hex[:12]
    name = f"{encode(comment.author)}-{comment.said_on:%Y%m%dT%H%M%SZ}-{short}{SUFFIX}"
    return check_key(f"{_folder(statement.source)}{name}")


def read_said(data: bytes) -> Envelope:
    """Read the envelope of a review or of a comment; raises `MalformedError`."""
    try:
        return read_comment(data)
    except MalformedError:
        return read_review(data)


def keep_said(store: Store, envelope: Envelope) -> str:
    """Store a review or a comment, unless it is there already; returns the name of its record."""
    try:
        name = comment_key(envelope)
    except MalformedError:
        return keep_review(store, envelope)
    store.put_record(name, envelope.to_bytes())
    return name


def stored_said(store: Store) -> Iterator[StoredReview]:
    """Yield all reviews and comments of a store, verifying nothing; raises `StoreError`."""
    yield from stored_records(store, REVIEWS, read_review)
    yield from stored_records(store, COMMENTS, read_comment)


def stored_comments(
    store: Store, source: DigestSet, salt: Salt | None = None
) -> Iterator[ReadComment]:
    """Yield the comments on one source, with their contents; no signature is verified.

    `salt` is that of a private release, whose contents are read where the store has them. What
    cannot be read is left out. Raises `StoreError`.
    """
    for record in stored_records(store, _folder(source), read_comment):
        if record.envelope is None:
            continue
        statement = CommentStatement.from_bytes(record.envelope.payload)
        content = statement.predicate.content
        if statement.predicate.keyed is not None and salt is not None:
            content = _private_content(store, record.name, statement.predicate.keyed, salt)
        yield ReadComment(
            name=record.name, envelope=record.envelope, statement=statement, content=content
        )


def _private_content(
    store: Store, name: str, keyed: DigestSet, salt: Salt
) -> CommentContent | None:
    """Return what the private twin of a record says; None where there is none, or another one."""
    try:
        data = store.get(private_twin(name), MAX_REVIEW)
        if salt.keyed(Digest.of(data)) != keyed.hmac_sha256:
            raise malformed(_WHAT, got="another content", expected=f"that of {name}")
        return validate(data, CommentContent, what=_WHAT)
    except (NotFoundError, MalformedError, DamagedError, TooLargeError):
        return None


def _folder(source: DigestSet) -> str:
    return check_prefix(f"{COMMENTS}{value_of(source)}/")
