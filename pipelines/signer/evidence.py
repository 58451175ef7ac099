"""What the signer is given: a report, and the files of the recipe that it is about.

Outputs, logs, shipped files and inputs are not in it: the report names them by digest, and the
signer reads them in the center's store. No path, and no name that could become one, is followed.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from builders.core.digest import Digest, canonical_json
from pipelines.evidence.report import Report
from pipelines.evidence.robustness import RobustnessRebuild
from pipelines.evidence.strictjson import read_model

MAX_EVIDENCE = 64 << 20
MAX_VALUES = 5_000_000
MAX_RECIPE = 8 << 20
_WHAT = "the evidence"


def _unbase64(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        data = base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        message = "expected standard base64"
        raise ValueError(message) from error
    if base64.b64encode(data).decode() != value:
        message = "expected base64 in its one spelling"
        raise ValueError(message)
    return data


Bytes = Annotated[
    bytes,
    Field(max_length=MAX_RECIPE),
    BeforeValidator(_unbase64),
    PlainSerializer(lambda data: base64.b64encode(data).decode()),
]


class Evidence(BaseModel):
    """One run, to be judged again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Annotated[Literal["samebits/evidence/v1"], Field(alias="schema")] = (
        "samebits/evidence/v1"
    )
    recipe: Bytes
    """The recipe's file."""
    script: Bytes | None = None
    """The script file that the recipe brings along, if it does."""
    image: Digest
    """Config digest of the builder image that the claim holds."""
    sbom: Digest
    """SHA-256 of the SBOM."""
    report: Report
    moved: RobustnessRebuild | None = None
    """The rebuild in a moved environment, once one was made; it is told apart from the report."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Evidence:
        """Read evidence; raises `MalformedError`."""
        return read_model(data, cls, what=_WHAT, limit=MAX_EVIDENCE, nodes=MAX_VALUES, floats=True)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return self.model_dump(mode="json", by_alias=True)

    def to_bytes(self) -> bytes:
        """Return the message that `from_bytes` reads: canonical JSON."""
        return canonical_json(self.to_dict())
