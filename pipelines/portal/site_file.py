"""What a site consists of: files by their paths."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.portal.paths import check_path


@dataclass(frozen=True)
class SiteFile:
    """A file of the site; a path that could leave the site is refused (`UsageError`)."""

    path: str
    data: bytes

    def __post_init__(self) -> None:
        check_path(self.path)


@dataclass(frozen=True)
class KeptPath:
    """A file that is as in the generation before, and is not made again."""

    path: str
