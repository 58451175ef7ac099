"""Where the pages are: paths from the root of the site, of folders with a slash at the end.

A segment is encoded as in the names of a store, but for `+` and `~`, which versions of Debian have
and every file system and URL takes. In a URL a percent sign of a path is written `%25`.
"""

from __future__ import annotations

import re

from builders.core.digest import Digest
from builders.core.errors import UsageError
from pipelines.evidence.release_name import ReleaseName
from pipelines.storage.names import encode

_SEGMENT = re.compile(r"(?!\.\.?(/|$))[A-Za-z0-9%_.+~-]{1,255}")
_MAX = 900


def segment(text: str) -> str:
    """Return text as one segment of a path; raises `UsageError` as `encode` does."""
    return encode(text).replace("%2B", "+").replace("%7E", "~")


def check_path(path: str) -> str:
    """Return the path of a file of the site; raises `UsageError` for one that could leave it."""
    if len(path) > _MAX or not all(map(_SEGMENT.fullmatch, path.split("/"))):
        raise UsageError(
            "not the path of a file of the portal",
            got=ascii(path[:120]),
            expected="segments of letters, digits and % _ . + ~ -, encoded by `segment`",
        )
    return path


def product_path(vendor: str, product: str) -> str:
    """Return the folder of a product."""
    return f"releases/{segment(vendor)}/{segment(product)}/"


def release_path(release: ReleaseName) -> str:
    """Return the folder of a release."""
    return f"{product_path(release.vendor, release.product)}{segment(release.version)}/"


def difference_path(release: ReleaseName, artefact: str) -> str:
    """Return the folder of what differs in an artefact.

    A center can name an artefact as it likes: a name that is no folder is told by its digest.
    """
    try:
        name = segment(artefact)
    except UsageError:
        name = Digest.of(artefact.encode("utf-8", "backslashreplace")).hex
    return f"{release_path(release)}differences/{name}/"


def vendor_path(vendor: str) -> str:
    """Return the folder of a vendor."""
    return f"vendors/{segment(vendor)}/"


def center_path(center: str) -> str:
    """Return the folder of a center."""
    return f"centers/{segment(center)}/"


def log_path(center: str) -> str:
    """Return the folder of the log of a center."""
    return f"logs/{segment(center)}/"
