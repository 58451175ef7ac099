"""A request: a known person asks one center to verify one release now; subject = the release.

Predicate type `https://samebits.example/request/v1`. The subject's digest is the SHA-256 of the
UTF-8 text `vendor/product@version`. A request names nothing but that: no path, command or address
fits into any of its fields, and a release's name cannot leave the folder that it is looked up in.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator

from builders.core.digest import Digest
from pipelines.evidence.statements.review import Reviewer
from pipelines.evidence.statements.statement import (
    Identifier,
    Part,
    Statement,
    Subject,
    Time,
    subject,
)
from pipelines.evidence.strictjson import malformed, read_model

RELEASE = "release"
MAX_PAYLOAD = 8 << 10
MAX_VALID = timedelta(days=30)
_WHAT = "the request"

ReleaseText = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}/[A-Za-z0-9][A-Za-z0-9._+-]{0,127}"
        r"@[A-Za-z0-9][A-Za-z0-9._+~:!-]{0,127}$"
    ),
]
"""`vendor/product@version`, each as recipes spell it."""
Nonce = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]


class Request(Part):
    """Who asks which center for what, and until when it is wanted."""

    center: Identifier
    release: ReleaseText
    nonce: Nonce
    requester: Reviewer
    requested_on: Time
    expires: Time

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not timedelta(0) < self.expires - self.requested_on <= MAX_VALID:
            message = f"expected an end after its time, within {MAX_VALID.days} days"
            raise ValueError(message)
        return self


class RequestStatement(Statement):
    """A request; its subject is the name of the release."""

    predicate_type: Literal["https://samebits.example/request/v1"] = (
        "https://samebits.example/request/v1"
    )
    predicate: Request

    @model_validator(mode="after")
    def _about_the_release(self) -> Self:
        if self.subject != (_subject(self.predicate.release),):
            message = "expected the digest of the release's name as its only subject"
            raise ValueError(message)
        return self


def request(
    *,
    center: str,
    release: str,
    nonce: str,
    requester: str,
    now: datetime,
    valid: timedelta,
) -> RequestStatement:
    """Return a request made at `now` (UTC); raises ValueError for what no request can say."""
    moment = now.replace(microsecond=0)
    return RequestStatement(
        subject=(_subject(release),),
        predicate=Request(
            center=center,
            release=release,
            nonce=nonce,
            requester=requester,
            requested_on=moment,
            expires=(moment + valid).replace(microsecond=0),
        ),
    )


def read_request(payload: bytes) -> RequestStatement:
    """Read a request and nothing else, in its one spelling; raises `MalformedError`."""
    statement = read_model(payload, RequestStatement, what=_WHAT, limit=MAX_PAYLOAD)
    if statement.to_bytes() != payload:
        raise malformed(_WHAT, got="another spelling", expected="canonical JSON (RFC 8785)")
    return statement


def _subject(release: str) -> Subject:
    return subject(RELEASE, Digest.of(release.encode()))
