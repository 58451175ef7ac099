"""Style sheets, scripts and images of the pages.

All are below one folder that is named after their digest: so they can be cached for ever, import
each other by relative paths, and belong to the page that names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from builders.core.digest import Digest
from pipelines.portal.site_file import SiteFile

_PACKAGE = Path(__file__).parent
FOLDERS = ("assets", "verifier")
_KINDS = frozenset({".css", ".js", ".svg"})


@cache
def _contents() -> dict[str, bytes]:
    """Return the files by their paths below the package."""
    paths = (path for folder in FOLDERS for path in (_PACKAGE / folder).rglob("*"))
    return {
        path.relative_to(_PACKAGE).as_posix(): path.read_bytes()
        for path in sorted(paths)
        if path.suffix in _KINDS
    }


@cache
def assets_folder() -> str:
    """Return the folder of the files in the site; it ends with a slash."""
    listed = "".join(f"{Digest.of(data)} {name}\n" for name, data in _contents().items())
    return f"assets/{Digest.of(listed.encode()).hex[:16]}/"


def asset_path(name: str) -> str:
    """Return the path in the site of a file, by its path below the package; raises KeyError."""
    if name not in _contents():
        raise KeyError(name)
    return f"{assets_folder()}{name}"


def asset_files() -> Iterator[SiteFile]:
    """Yield the files as they are in the site."""
    for name, data in _contents().items():
        yield SiteFile(asset_path(name), data)
