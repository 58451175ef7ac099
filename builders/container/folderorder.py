"""The declared order in which folders list their files, written as one word.

`hashed` lists by a hash of the names, as ext4 and most Linux file systems do. The hash has a seed,
which differs between file systems: `hashed-1` to `hashed-999` select other seeds. `created` lists
files in the order in which they were made.
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
"""The number of valid words."""
_FORM = rf"{HASHED}(-[1-9][0-9]{{0,2}})?|{CREATED}"
_FIRST = uuid.UUID("5a3eb175-0000-4000-8000-000000000000")


def _order(text: str) -> str:
    if not re.fullmatch(_FORM, text):
        message = f"expected {HASHED}, {hashed(SEEDS[0])} to {hashed(SEEDS[-1])}, or {CREATED}"
        raise ValueError(message)
    return text


FolderOrder = Annotated[
    str, AfterValidator(_order), WithJsonSchema({"type": "string", "pattern": f"^({_FORM})$"})
]


def hashed(seed: int) -> str:
    """Return the word for the order under one of `SEEDS`."""
    return f"{HASHED}-{seed}"


def hash_seed(order: str) -> str:
    """Return the hash seed of an order, as a UUID whose last part is the seed's number."""
    return str(uuid.UUID(int=_FIRST.int + int(order.partition("-")[2] or 0)))


ORDER_SEED = hash_seed(HASHED)
"""The hash seed of the default order."""
