"""The pure wheel and the source distribution of a release, on the package index or on disk.

Every way in which a release cannot be tried is one `InputUnavailableError` or
`InputMismatchError` that says which.
"""

from __future__ import annotations

from pathlib import Path

from packageurl import PackageURL
from packaging.version import InvalidVersion, Version

from builders.core.digest import digest_file
from builders.core.errors import InputMismatchError, InputUnavailableError, UsageError
from builders.locators import FileLocator, PurlLocator, parse_locator
from builders.locators.locator import relative_path
from builders.locators.package_index import IndexFile, ProjectReader
from pipelines.infer.target import Pin, Target, release_locator

# Files of a release that a message names.
_NAMED = 3
_PURE = "py3-none-any, py2.py3-none-any, py2-none-any"


def find_release(purl: str, index: ProjectReader) -> Target:
    """Find the pure wheel and the sdist of a `pkg:pypi/...` purl.

    Raises `UsageError` for another purl, `InputUnavailableError` for what is not served.
    """
    wanted = release_locator(purl, "pkg:pypi/NAME@VERSION, or a pkg:deb with ?arch=source")
    if wanted is None or wanted.type != "pypi":
        raise UsageError(
            "this kind of release cannot be inferred yet",
            got=purl,
            expected="pkg:pypi/NAME@VERSION",
        )
    project = index.project(wanted.name)
    try:
        version = Version(wanted.version)
    except InvalidVersion as error:
        raise UsageError(f"{purl} has no version of a Python package", got=error) from error
    files = project.of(version)
    if not files:
        got = f"no version {version} of {project.name}"
        raise InputUnavailableError(f"{purl} is not served", got=got, todo="Check the version")
    wheel = _wheel(files, wanted)
    sources = sorted((f for f in files if f.kind == "sdist"), key=lambda f: f.name.endswith(".zip"))
    if not sources:
        what, todo = "released without a source distribution", "Write a recipe from its repository"
        raise InputUnavailableError(f"{purl} was {what}", got=_some(files), todo=todo)
    why = f": {wheel.yanked}" if wheel.yanked else ""
    notes = () if wheel.yanked is None else (f"the vendor has yanked this release{why}",)
    return Target(
        vendor="pypi",
        product=project.name,
        version=str(wanted.version),
        artefacts=(index_pin(project.name, wheel),),
        digest=wheel.sha256,
        source=index_pin(project.name, sources[0]),
        uploaded=min((t for t in (wheel.uploaded, sources[0].uploaded) if t), default=None),
        notes=notes,
    )


def files_on_disk(shipped: Path, source: Path) -> tuple[Target, dict[str, Path]]:
    """Return the target of two local files, and their paths; raises `UsageError`."""
    parts = shipped.name.removesuffix(".whl").split("-")
    if not shipped.name.endswith(".whl") or len(parts) < 5:
        raise UsageError(
            f"{shipped} is not a wheel", got=shipped.name, expected="name-version-py3-none-any.whl"
        )
    for path in (shipped, source):
        if not path.is_file():
            raise UsageError(f"{path} cannot be read", got="no such file")
    pin = _file_pin(shipped)
    target = Target(
        vendor="local",
        product=parts[0].replace("_", "-").lower(),
        version=parts[1],
        artefacts=(pin,),
        digest=pin.sha256,
        source=_file_pin(source),
    )
    return target, {shipped.name: shipped, source.name: source}


def index_pin(project: str, file: IndexFile) -> Pin:
    """Return the pin of a file of the index."""
    purl = PackageURL("pypi", None, project, str(file.version), {"file_name": file.name})
    return Pin(name=file.name, locator=parse_locator(purl.to_string()), sha256=file.sha256)


def _wheel(files: tuple[IndexFile, ...], wanted: PurlLocator) -> IndexFile:
    wheels = [file for file in files if file.kind == "wheel"]
    if wanted.file_name:
        found = [file for file in wheels if file.name == wanted.file_name]
        what, expected = "is not served", wanted.file_name
        todo = "Check file_name: it must be a wheel of that version"
    else:
        pure = [file for file in wheels if file.name.endswith("-none-any.whl")]
        found = sorted(pure, key=lambda file: ("py3-none-any" not in file.tags, file.name))
        what, expected = "was released without a pure wheel", f"a file ending in one of {_PURE}"
        todo = "Only pure wheels are inferred"
    if not found:
        raise InputUnavailableError(
            f"{wanted} {what}", got=_some(files), expected=expected, todo=todo
        )
    return found[0]


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


def check_distinct(target: Target) -> None:
    """Refuse a source that is the shipped file itself; raises `InputMismatchError`."""
    if target.shipped.sha256 == target.source.sha256:
        raise InputMismatchError(
            "the source is the shipped file itself", got=target.source.name, expected="a source"
        )
