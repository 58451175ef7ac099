"""What is to be rebuilt: the shipped wheel and its source, found by the name of the release.

Every way in which a release cannot be tried ends in one `InputUnavailableError` or
`InputMismatchError` that says which.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packageurl import PackageURL
from packaging.version import InvalidVersion, Version

from builders.core.digest import Digest, digest_file
from builders.core.errors import InputMismatchError, InputUnavailableError, UsageError
from builders.inputs.fetching import fetch_missing
from builders.inputs.vault import Vault
from builders.locators import FetchRequest, FileLocator, Locator, PurlLocator, parse_locator
from builders.locators.fetcher import Fetcher
from builders.locators.locator import relative_path
from builders.locators.packageindex import IndexFile, ProjectReader

_NAMED = 3
"""Files of a release that a message names."""
_PURE = ("py3-none-any", "py2.py3-none-any", "py2-none-any")


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A file by name, locator and digest."""

    name: str
    locator: Locator
    sha256: Digest


@dataclass(frozen=True, kw_only=True)
class Target:
    """A release to be rebuilt; `uploaded` in UTC, None where nobody knows."""

    vendor: str
    product: str
    version: str
    shipped: Pin
    source: Pin
    uploaded: datetime | None
    notes: tuple[str, ...] = ()

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return f"{self.vendor}/{self.product}@{self.version}"


def find_release(purl: str, index: ProjectReader) -> Target:
    """Find the pure wheel and the sdist of a `pkg:pypi/...` purl.

    Raises `UsageError` for what is no such purl, `InputUnavailableError` for what is not served.
    """
    wanted = _purl(purl)
    project = index.project(wanted.name)
    try:
        version = Version(wanted.version)
    except InvalidVersion as error:
        raise UsageError(f"{purl} has no version of a Python package", got=error) from error
    files = project.of(version)
    if not files:
        raise InputUnavailableError(
            f"{purl} is not served",
            got=f"no version {version} of {project.name}",
            todo="Check the version",
        )
    wheel = _wheel(files, wanted)
    sources = sorted((f for f in files if f.kind == "sdist"), key=lambda f: f.name.endswith(".zip"))
    if not sources:
        raise InputUnavailableError(
            f"{purl} was released without a source distribution",
            got=_some(files),
            todo="Write a recipe from its repository",
        )
    notes = []
    if wheel.yanked is not None:
        why = f": {wheel.yanked}" if wheel.yanked else ""
        notes.append(f"the vendor has yanked this release{why}")
    return Target(
        vendor="pypi",
        product=project.name,
        version=str(wanted.version),
        shipped=index_pin(project.name, wheel),
        source=index_pin(project.name, sources[0]),
        uploaded=min((t for t in (wheel.uploaded, sources[0].uploaded) if t), default=None),
        notes=tuple(notes),
    )


def files_on_disk(shipped: Path, source: Path) -> tuple[Target, dict[str, Path]]:
    """Return the target of two local files, and where they lie; raises `UsageError`."""
    parts = shipped.name.removesuffix(".whl").split("-")
    if not shipped.name.endswith(".whl") or len(parts) < 5:
        raise UsageError(
            f"{shipped} is no wheel", got=shipped.name, expected="name-version-py3-none-any.whl"
        )
    for path in (shipped, source):
        if not path.is_file():
            raise UsageError(f"{path} cannot be read", got="no such file")
    target = Target(
        vendor="local",
        product=parts[0].replace("_", "-").lower(),
        version=parts[1],
        shipped=_file_pin(shipped),
        source=_file_pin(source),
        uploaded=None,
    )
    return target, {shipped.name: shipped, source.name: source}


def fetch(pins: Iterable[Pin], vault: Vault, fetcher: Fetcher, workdir: Path) -> None:
    """Bring what the vault lacks; raises `InputUnavailableError`, `InputMismatchError`."""
    wants = [FetchRequest(locator=p.locator, name=p.name, sha256=p.sha256) for p in pins]
    fetch_missing(vault, fetcher, wants, workdir)


def index_pin(project: str, file: IndexFile) -> Pin:
    """Return the pin of a file of the index."""
    purl = PackageURL("pypi", None, project, str(file.version), {"file_name": file.name})
    return Pin(name=file.name, locator=parse_locator(purl.to_string()), sha256=file.sha256)


def dated(target: Target, newest: int) -> datetime:
    """Return when the release was made, at the latest: its upload, else its newest member."""
    return target.uploaded or datetime.fromtimestamp(newest, UTC)


def copy_out(vault: Vault, digest: Digest, folder: Path) -> Path:
    """Return a checked copy of a file of the vault, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=folder)) / digest.hex
    vault.stage(digest, path)
    return path


def _purl(text: str) -> PurlLocator:
    try:
        locator = parse_locator(text)
    except ValueError as error:
        raise no_release(error, "pkg:pypi/NAME@VERSION, or a pkg:deb with ?arch=source") from error
    if not isinstance(locator, PurlLocator) or locator.type != "pypi":
        raise UsageError(
            "this kind of release cannot be inferred yet",
            got=text,
            expected="pkg:pypi/NAME@VERSION",
        )
    return locator


def no_release(error: ValueError, expected: str, todo: str | None = None) -> UsageError:
    """Return the error for a locator that names no release; it tells one `expected`, not two."""
    return UsageError(
        "not a release", got=str(error).partition(": expected ")[0], expected=expected, todo=todo
    )


def _wheel(files: tuple[IndexFile, ...], wanted: PurlLocator) -> IndexFile:
    if wanted.file_name:
        for file in files:
            if file.name == wanted.file_name and file.kind == "wheel":
                return file
        raise InputUnavailableError(
            f"{wanted} is not served",
            got=_some(files),
            expected=wanted.file_name,
            todo="Check file_name: it must be a wheel of that version",
        )
    pure = [f for f in files if f.kind == "wheel" and f.name.endswith("-none-any.whl")]
    ranked = sorted(pure, key=lambda f: ("py3-none-any" not in f.tags, f.name))
    if not ranked:
        raise InputUnavailableError(
            f"{wanted} was released without a pure wheel",
            got=_some(files),
            expected=f"a file ending in one of {', '.join(_PURE)}",
            todo="Only pure wheels are inferred",
        )
    return ranked[0]


def _some(files: tuple[IndexFile, ...]) -> str:
    """Name the first files, and say how many there are where that is not all of them."""
    named = ", ".join(file.name for file in files[:_NAMED])
    return named if len(files) <= _NAMED else f"{len(files)} files, such as {named}"


def _file_pin(path: Path) -> Pin:
    try:
        locator = FileLocator(path=relative_path(path.name))
        return Pin(name=path.name, locator=locator, sha256=digest_file(path))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read", got=error) from error


def check_twins(target: Target) -> None:
    """Refuse a source that is the shipped file itself; raises `InputMismatchError`."""
    if target.shipped.sha256 == target.source.sha256:
        raise InputMismatchError(
            "the source is the shipped file itself", got=target.source.name, expected="a source"
        )
