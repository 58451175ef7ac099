"""Files that only the vault has: they are there, or nobody brings them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builders.core.errors import InputUnavailableError
from builders.locators.fetcher import FetchRequest


class VaultOnlyFetcher:
    """Stands where `vault:` locators would be fetched, and says that they never are."""

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Raise `InputUnavailableError`: whoever asks has not found the file in the vault."""
        del into
        for want in wants:
            raise InputUnavailableError(
                f"{want.locator} is not in the vault, and comes from nowhere else",
                got="no such input",
                expected=f"sha256 {want.sha256}",
                todo="Bring it with `samebits vault add` or `samebits vault import`",
            )
        return []
