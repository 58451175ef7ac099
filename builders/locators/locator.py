"""The four forms of a locator, as values that are always valid.

A purl is canonical (package-url specification) and has no host, checksum or download address. A git
locator names a full commit. A file locator stays below the recipe's own folder. A vault locator
names a file that is only in the center's vault and is never fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from packageurl import PackageURL
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

PURL_TYPES = ("deb", "pypi")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~:!@=,%-]{0,254}")
_HOST_QUALIFIERS = frozenset({"repository_url", "download_url", "vcs_url", "checksum"})


@dataclass(frozen=True, kw_only=True)
class PurlLocator:
    """A package in a registry that this machine is configured for."""

    purl: str
    type: Literal["deb", "pypi"]
    name: str
    version: str
    arch: str | None = None  # deb: `source`, `all`, `amd64`...
    distro: str = "trixie"  # deb: the suite
    file_name: str | None = None
    subpath: str | None = None
    """A file inside the package; of shipped files only."""

    def __str__(self) -> str:
        """Return the purl as the recipe wrote it."""
        return self.purl


@dataclass(frozen=True, kw_only=True)
class GitLocator:
    """The tree of one commit."""

    url: str
    commit: str

    def __str__(self) -> str:
        """Return `git+https://...@<commit>`."""
        return f"git+{self.url}@{self.commit}"


@dataclass(frozen=True, kw_only=True)
class FileLocator:
    """A file below the folder of the recipe."""

    path: PurePosixPath

    def __str__(self) -> str:
        """Return `file:<path>`."""
        return f"file:{self.path}"


@dataclass(frozen=True, kw_only=True)
class VaultLocator:
    """A file that is in the vault, where it is found by its digest."""

    name: str
    """The file name under which a build sees it."""

    def __str__(self) -> str:
        """Return `vault:<name>`."""
        return f"vault:{self.name}"


Locator = PurlLocator | GitLocator | FileLocator | VaultLocator


def parse_locator(text: str) -> Locator:
    """Read a locator; raises ValueError."""
    match text.partition(":")[0]:
        case "pkg":
            return _parse_purl(text)
        case "file":
            return FileLocator(path=relative_path(unquote(text.removeprefix("file:"))))
        case "git+https":
            return _parse_git(text)
        case "vault":
            return vault_locator(text.removeprefix("vault:"))
        case _:
            expected = "pkg:..., file:..., git+https:... or vault:..."
            raise ValueError(f"unknown locator {text[:80]!r}: expected {expected}")


def vault_locator(name: str) -> VaultLocator:
    """Return the locator of a file in the vault; raises ValueError for an invalid file name."""
    if not _FILE_NAME.fullmatch(name):
        raise ValueError(
            f"vault locator names no file: got {name[:80]!r}, expected vault:<file name>"
        )
    return VaultLocator(name=name)


def relative_path(text: str) -> PurePosixPath:
    """Return `text` as a relative path without `..`; raises ValueError."""
    path = PurePosixPath(text)
    if not text or text.startswith(("/", "//")) or path.is_absolute():
        raise ValueError(f"path {text[:80]!r} is not relative: put the file beside the recipe")
    if ".." in path.parts or "\0" in text or not path.parts:
        raise ValueError(f"path {text[:80]!r} leaves the folder of the recipe")
    return path


def _parse_purl(text: str) -> PurlLocator:
    try:
        purl = PackageURL.from_string(text)
    except ValueError as error:
        raise ValueError(f"not a package URL: {error}") from error
    shown = f"purl {text[:80]!r}"
    qualifiers = dict(purl.qualifiers or {})
    if hosts := _HOST_QUALIFIERS & qualifiers.keys():
        raise ValueError(
            f"purl qualifier {min(hosts)!r} is refused: the machine's own "
            "configuration says where packages come from"
        )
    if purl.type not in PURL_TYPES:
        raise ValueError(f"{shown}: expected one of pkg:{', pkg:'.join(PURL_TYPES)}")
    if not purl.version:
        raise ValueError(f"{shown} names no version: expected pkg:type/name@version")
    known = {"deb": {"arch", "distro", "file_name"}, "pypi": {"file_name"}}[purl.type]
    if unknown := qualifiers.keys() - known:
        expected = ", ".join(sorted(known))
        raise ValueError(f"purl qualifier {min(unknown)!r} is unknown: expected {expected}")
    if purl.type == "deb" and (purl.namespace != "debian" or "arch" not in qualifiers):
        raise ValueError(f"{shown}: expected pkg:deb/debian/<name>@<version>?arch=<arch>")
    for value in (purl.name, purl.version, *qualifiers.values()):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+~:!_-]*", value):
            raise ValueError(f"{shown}: {value[:40]!r} has characters that no package has")
    return PurlLocator(
        purl=text,
        type=purl.type,  # type: ignore[arg-type]  # one of PURL_TYPES, checked above
        name=purl.name,
        version=purl.version,
        subpath=str(relative_path(purl.subpath)) if purl.subpath else None,
        **qualifiers,
    )


def _parse_git(text: str) -> GitLocator:
    url, _, commit = text.removeprefix("git+").rpartition("@")
    if not _COMMIT.fullmatch(commit):
        expected = "expected 40 or 64 hex digits"
        raise ValueError(f"git locator pins no full commit: got {commit[:80]!r}, {expected}")
    parts = urlsplit(url)
    unwanted = parts.username or parts.query or parts.fragment
    if parts.scheme != "https" or not parts.hostname or unwanted:
        raise ValueError(
            "git locator: expected git+https://<host>/<path>@<commit>, no user or query"
        )
    return GitLocator(url=url, commit=commit)


def _validate(value: object) -> Locator:
    if isinstance(value, PurlLocator | GitLocator | FileLocator | VaultLocator):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a locator as text")  # noqa: TRY004  # for pydantic
    return parse_locator(value)


LocatorField = Annotated[
    Any,
    BeforeValidator(_validate),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "type": "string",
            "description": "A package URL, a git commit, a file beside the recipe or in the vault.",
            "pattern": r"^(pkg:(deb|pypi)/.+@|file:[^/]|"
            r"vault:[A-Za-z0-9_][A-Za-z0-9._+~:!@=,%-]*$|git\+https://[^@]+@[0-9a-f]{40,64}$)",
            "examples": [
                "pkg:deb/debian/netbase@6.5?arch=source",
                "git+https://git.example/team/tool.git@<commit>",
                "file:rules.tar",
                "vault:rules.tar",
            ],
        }
    ),
]
