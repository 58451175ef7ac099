"""In which order folders list their files, as a recipe declares it: one word.

`hashed` is by a hash of their names, as ext4 and most file systems of Linux do. Every such file
system hashes with a seed of its own, so each has another order: `hashed-1` to `hashed-999` are
those of other seeds. `created` is as the files were made: what was unpacked or copied in order of
names is listed so.
"""

from __future__ import annotations

import re
import uuid
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

HASHED, CREATED = "hashed", "created"
SEEDS = range(1, 1000)
"""The seeds that can be declared beside that of `hashed`, which is 0."""
CHOICES = len(SEEDS) + 2
"""How many words there are."""
_FORM = rf"{HASHED}(-[1-9][0-9]{{0,2}})?|{CREATED}"
_FIRST = uuid.UUID("5a3eb175-0000-4000-8000-000000000000")


def _word(text: str) -> str:
    if not re.fullmatch(_FORM, text):
        message = f"expected {HASHED}, {hashed(SEEDS[0])} to {hashed(SEEDS[-1])}, or {CREATED}"
        raise ValueError(message)
    return text


FolderOrder = Annotated[
    str, AfterValidator(_word), WithJsonSchema({"type": "string", "pattern": f"^({_FORM})$"})
]


def hashed(seed: int) -> str:
    """Return the word for the order under one of `SEEDS`."""
    return f"{HASHED}-{seed}"


def hash_seed(order: str) -> str:
    """Return what names are hashed with under an order, as a UUID: its last part is the number."""
    return str(uuid.UUID(int=_FIRST.int + int(order.partition("-")[2] or 0)))


ORDER_SEED = hash_seed(HASHED)
"""What names are hashed with, unless something else is declared or asked for."""
