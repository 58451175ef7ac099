"""From which file a delta leads to which, and who says that its base was judged."""

from __future__ import annotations

from dataclasses import dataclass

from builders.core.digest import Digest


@dataclass(frozen=True, kw_only=True, order=True)
class BaseFile:
    """A file that was published in a release, and that a delta is applied to."""

    release: str
    """`vendor/product@version`, as a statement names it: it may be the name of no release."""
    digest: Digest

    def __str__(self) -> str:
        """Return it in a few words."""
        return f"sha256 {self.digest} of {self.release}"


@dataclass(frozen=True, kw_only=True, order=True)
class DeltaPath:
    """From which file a delta leads to which, by their published digests."""

    base: BaseFile
    target: Digest


@dataclass(frozen=True, kw_only=True)
class JudgedRun:
    """A run, and the payload of its comparison of one file."""

    run: str
    comparison: Digest
