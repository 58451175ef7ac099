"""What a lie to a signer is: a change of honest evidence, and the check that finds it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.signer.scene import Scene

Document = dict[str, Any]
Change = Callable[[Document, Scene], None]
OTHER = "e" * 64


@dataclass(frozen=True)
class Lie:
    """What is changed in which scene, and who must notice."""

    check: str
    scene: str
    tell: Change


def finding_with(index: int = 0, **changes: Any) -> Change:
    return lambda e, _: e["report"]["artefacts"][index].update(changes)
