"""The inputs of a recipe: into the vault, and then known file by file."""

from __future__ import annotations

from pathlib import Path

from builders.core.enums import Role
from builders.core.errors import RecipeError
from builders.inputs.fetching import FetchProgress, fetch_missing, no_progress
from builders.inputs.file import InputFile
from builders.inputs.vault import Vault
from builders.locators import FetchRequest, FileLocator, GitLocator, PurlLocator, VaultLocator
from builders.locators.dsc import MAX_DSC_BYTES, companions
from builders.locators.fetcher import CompanionLocator, Fetcher
from builders.recipe.recipe import Input, LoadedRecipe


def collect_inputs(
    loaded: LoadedRecipe,
    vault: Vault,
    fetcher: Fetcher,
    workdir: Path,
    progress: FetchProgress = no_progress,
) -> tuple[InputFile, ...]:
    """Make sure that the vault holds every input, and list the files that the container will see.

    A .dsc brings the files that it names. Raises `InputUnavailableError` or `InputMismatchError`.
    """
    inputs = loaded.recipe.inputs
    fetch_missing(vault, fetcher, [_want(i, loaded) for i in inputs], workdir, progress)
    files: list[InputFile] = []
    for item in inputs:
        name = input_name(item)
        files.append(InputFile(role=item.role, name=name, sha256=item.sha256))
        if item.role is Role.SOURCE and name.endswith(".dsc"):
            files += _companions(item, name, loaded, vault, fetcher, workdir, progress)
    _refuse_twins(files, loaded)
    return tuple(files)


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
            message = f"no locator: {item.locator!r}"
            raise TypeError(message)


def _purl_file_name(purl: PurlLocator) -> str:
    if purl.type == "pypi":
        return f"{purl.name}-{purl.version}.tar.gz"
    version = purl.version.partition(":")[2] or purl.version
    suffix = ".dsc" if purl.arch == "source" else f"_{purl.arch}.deb"
    return f"{purl.name}_{version}{suffix}"


def _want(item: Input, loaded: LoadedRecipe) -> FetchRequest:
    return FetchRequest(
        locator=item.locator, name=input_name(item), sha256=item.sha256, folder=loaded.folder
    )


def _companions(
    item: Input,
    name: str,
    loaded: LoadedRecipe,
    vault: Vault,
    fetcher: Fetcher,
    workdir: Path,
    progress: FetchProgress,
) -> list[InputFile]:
    with vault.open(item.sha256) as stream:
        found = companions(stream.read(MAX_DSC_BYTES + 1), what=name)
    wants = []
    for companion in found:
        match item.locator:
            case PurlLocator() as purl:
                locator: CompanionLocator | FileLocator | VaultLocator = CompanionLocator(
                    source=purl, name=companion.name
                )
            case FileLocator(path=path):
                locator = FileLocator(path=path.with_name(companion.name))
            case VaultLocator():
                locator = VaultLocator(name=companion.name)
            case _:
                raise RecipeError(
                    "a .dsc comes from a purl, a file or the vault",
                    file=str(loaded.path),
                    field="inputs",
                    got=item.locator,
                )
        wants.append(
            FetchRequest(
                locator=locator, name=companion.name, sha256=companion.sha256, folder=loaded.folder
            )
        )
    fetch_missing(vault, fetcher, wants, workdir, progress)
    return [InputFile(role=item.role, name=c.name, sha256=c.sha256, of=item.sha256) for c in found]


def _refuse_twins(files: list[InputFile], loaded: LoadedRecipe) -> None:
    seen: set[tuple[Role, str]] = set()
    for file in files:
        if (file.role, file.name) in seen:
            raise RecipeError(
                "two inputs of one role have one file name",
                file=str(loaded.path),
                field="inputs",
                got=file.name,
                todo="Give one of them another name",
            )
        seen.add((file.role, file.name))
