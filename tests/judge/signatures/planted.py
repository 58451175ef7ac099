"""Shipped files that must not pass, and what each is called then."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.signature_format import Graft, Refused
from tests.fakes.jail import OpenJail


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A shipped file, or bytes of ours, that must not pass."""

    fault: str
    shipped: Callable[[], bytes]
    pins: PinnedSignature
    ours: bytes


def grafted(shipped: bytes, pins: PinnedSignature, ours: bytes) -> Graft | Refused:
    return graft(OpenJail(), io.BytesIO(shipped), io.BytesIO(ours), pins, io.BytesIO())


def check(planted: Planted) -> None:
    """Require that a file is refused, by its name."""
    found = grafted(planted.shipped(), planted.pins, planted.ours)
    assert isinstance(found, Refused), found
    assert found.fault == planted.fault, found.detail
    assert 0 < len(found.detail) < 600
    assert found.detail.isprintable()
