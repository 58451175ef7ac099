"""The card of a center in a bundle: who it says it is, and which keys it says are its own.

The card is not signed: it is compared with the statements, and with the key or policy that the
reader of the bundle trusts.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from builders.core.digest import canonical_json
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.statements.statement import Identifier, Line, Uri
from pipelines.evidence.strictjson import check_canonical, read_model

MAX_CARD = 64 << 10
STATEMENTS = "statements"
_WHAT = "the center's card"

KeyUse = Literal["statements", "log", "witness"]
KeyId = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=256)]


class KeyEntry(FrozenModel):
    """A key and what it is for; the key itself is the member `keys/<use>.pub`."""

    use: KeyUse
    keyid: KeyId


class CenterCard(FrozenModel):
    """Who rebuilt, who runs it, and where."""

    schema_: Annotated[Literal["samebits/center-card/v1"], Field(alias="schema")] = (
        "samebits/center-card/v1"
    )
    id: Identifier
    operator: Line
    region: Line
    builder_id: Uri
    verifier_id: Uri
    keys: Annotated[tuple[KeyEntry, ...], Field(min_length=1, max_length=3)]

    @model_validator(mode="after")
    def _a_key_a_use(self) -> Self:
        uses = [key.use for key in self.keys]
        if uses != sorted(set(uses)) or STATEMENTS not in uses:
            message = f"expected a key for {STATEMENTS}, and one at most a use, sorted by use"
            raise ValueError(message)
        if len({key.keyid for key in self.keys}) != len(self.keys):
            raise ValueError("expected another key for each use")
        return self

    @classmethod
    def from_bytes(cls, data: bytes) -> CenterCard:
        """Read a card in canonical form; raises `MalformedError`."""
        card = read_model(data, cls, what=_WHAT, limit=MAX_CARD)
        check_canonical(data, card.to_bytes(), what=_WHAT)
        return card

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return self.model_dump(mode="json", by_alias=True)

    def to_bytes(self) -> bytes:
        """Return the canonical JSON that `from_bytes` reads."""
        return canonical_json(self.to_dict())
