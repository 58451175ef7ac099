"""What is known of a manifest of an update: what was computed anew, and the vendor's own claims.

Reports hold these values, so nothing here imports what reads manifests.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from pydantic import AwareDatetime, Field

from builders.core.escaping import escaped
from builders.core.frozen_model import FrozenModel
from builders.recipe.update_manifest import ManifestName
from pipelines.judge.signatures.signature_format import Signer
from pipelines.judge.updates.checked_delta import CheckedBase
from pipelines.judge.updates.update_fault import UpdateRefused, UpdateResult, update_result

MAX_LISTED = 10_000
"""Files that a manifest may list, and claims that it may make."""
MAX_SAID = 1000
"""Characters of one claim in a statement."""
_CUT = 900

FieldPath = Annotated[str, Field(min_length=1, max_length=MAX_SAID, pattern=r"^[^\x00-\x1f\x7f]+$")]


class VendorClaim(FrozenModel):
    """What a manifest says that no byte of the release can prove or refute."""

    path: FieldPath
    """The field, behind the file that it is about."""
    says: FieldPath


class ManifestFact(FrozenModel):
    """What was found of a manifest."""

    format: ManifestName
    version: Annotated[str, Field(max_length=128)] | None = None
    """None where it could not be read."""
    expires: AwareDatetime | None = None
    seen_on: AwareDatetime | None = None
    """When this center first fetched it, which decides whether it had expired."""
    recomputed: Annotated[tuple[FieldPath, ...], Field(max_length=4 * MAX_LISTED)] = ()
    """Fields that follow from our bytes, and are so."""
    kept: Annotated[int, Field(ge=0)] = 0
    """Files that it lists as the manifest before it does."""
    claims: Annotated[tuple[VendorClaim, ...], Field(max_length=4 * MAX_LISTED)] = ()
    signers: tuple[Signer, ...] = ()
    previous: CheckedBase | None = None
    """The manifest that it replaces, if the recipe names one."""
    refused: UpdateRefused | None = None

    def __str__(self) -> str:
        """Say what was recomputed."""
        claims = f"{len(self.claims)} are the vendor's claims"
        return f"{len(self.recomputed)} fields are so of our bytes, {claims}"

    @property
    def result(self) -> UpdateResult:
        """What it leaves of the verdict."""
        return update_result(self.refused.fault if self.refused else None, stands_in=True)


def vendor_claim(path: str, says: object) -> VendorClaim:
    """Return a claim in one line; of a longer one the beginning, and the SHA-256 of all of it."""
    text = says if isinstance(says, str) else json.dumps(says, sort_keys=True)
    return VendorClaim(path=_line(path), says=_line(text))


def _line(text: str) -> str:
    shown = escaped(text) or "(empty)"
    if len(shown) <= _CUT:
        return shown
    whole = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{shown[:_CUT]}... (sha256 {whole})"
