"""A request that was prepared elsewhere, such as in a page of the portal, and is not signed yet.

It says what is to be asked and nothing else: nonce and times are made when it is signed, and where
the center's store is says whoever signs it.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from builders.core.errors import UsageError
from builders.core.frozen_model import FrozenModel
from builders.core.smallfile import read_small_file
from builders.core.units import Duration
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.statements.people import RecipeRelease, Reviewer
from pipelines.evidence.statements.statement import Identifier
from pipelines.evidence.strictjson import read_model

MAX_PREPARED = 16 << 10
"""Bytes of a prepared request."""


class PreparedRequest(FrozenModel):
    """What is to be asked of a center."""

    schema_: Annotated[Literal["samebits/prepared-request/v1"], Field(alias="schema")] = (
        "samebits/prepared-request/v1"
    )
    center: Identifier
    release: RecipeRelease
    requester: Reviewer
    valid: Duration = 24 * 3600
    """How long the request can be served, from when it is signed."""

    @property
    def validity(self) -> timedelta:
        """How long the request can be served."""
        return timedelta(seconds=self.valid)


def read_prepared(path: Path) -> PreparedRequest:
    """Read a prepared request; raises `UsageError` for a file that is none."""
    data = read_small_file(path, limit=MAX_PREPARED, file=str(path))
    try:
        return read_model(data, PreparedRequest, what=str(path), limit=MAX_PREPARED)
    except MalformedError as error:
        raise UsageError(
            f"{path} is no prepared request",
            got=error.got,
            expected=error.expected or "what the form of a portal's page has saved",
        ) from error
