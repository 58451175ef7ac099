"""One file that a rebuild reads, pinned by digest, and the name that it has there."""

from __future__ import annotations

from builders.core.digest import Digest
from builders.core.enums import Role
from builders.core.frozen_model import FrozenModel
from builders.locators.locator import FileLocator, GitLocator, PurlLocator, VaultLocator
from builders.methods import StagedInput
from builders.recipe.recipe import Input


class InputFile(FrozenModel):
    """One pinned file that the container will see; a .dsc is listed with the files it names."""

    role: Role
    name: str
    sha256: Digest
    of: Digest | None = None
    """The digest of the .dsc that names this file."""

    def staged(self) -> StagedInput:
        """Return the file as the container sees it."""
        return StagedInput(role=self.role, name=self.name)


def input_name(item: Input) -> str:
    """Return the file name under which the container sees an input."""
    match item.locator:
        case FileLocator(path=path):
            return path.name
        case GitLocator(commit=commit):
            return f"{commit}.tar"
        case VaultLocator(name=name):
            return name
        case PurlLocator() as purl:
            return purl.file_name or _purl_file_name(purl)
        case _:
            raise TypeError(f"no locator: {item.locator!r}")


def _purl_file_name(purl: PurlLocator) -> str:
    if purl.type == "pypi":
        return f"{purl.name}-{purl.version}.tar.gz"
    version = purl.version.partition(":")[2] or purl.version
    suffix = ".dsc" if purl.arch == "source" else f"_{purl.arch}.deb"
    return f"{purl.name}_{version}{suffix}"
