"""Bring the inputs of a recipe into the vault, and list them file by file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from builders.core.enums import Role
from builders.core.errors import RecipeError
from builders.core.frozen_model import duplicate
from builders.inputs.fetching import FetchProgress, fetch_missing, no_progress
from builders.inputs.input_file import InputFile, input_name
from builders.inputs.vault import Vault
from builders.jail.file_reader import Jail
from builders.locators.dsc import companions
from builders.locators.fetcher import CompanionLocator, Fetcher, FetchRequest
from builders.locators.locator import FileLocator, PurlLocator, VaultLocator
from builders.recipe.recipe import Input, LoadedRecipe


def collect_inputs(
    loaded: LoadedRecipe,
    vault: Vault,
    fetcher: Fetcher,
    workdir: Path,
    jail: Jail,
    progress: FetchProgress = no_progress,
) -> tuple[InputFile, ...]:
    """Fetch the inputs that the vault lacks, and list the files that the container will see.

    A .dsc, which is read in `jail`, is followed by the files that it names. Raises
    `InputUnavailableError`, `InputMismatchError` or `RecipeError`.
    """
    fetch = partial(fetch_missing, vault, fetcher, workdir=workdir, progress=progress)
    inputs = loaded.recipe.inputs
    request = partial(FetchRequest, folder=loaded.folder)
    fetch([request(locator=i.locator, name=input_name(i), sha256=i.sha256) for i in inputs])
    files: list[InputFile] = []
    for item in inputs:
        name = input_name(item)
        files.append(InputFile(role=item.role, name=name, sha256=item.sha256))
        if item.role is Role.SOURCE and name.endswith(".dsc"):
            with vault.open(item.sha256) as stream:
                found = companions(stream, jail, what=name)
            beside = _companion_locator(item, loaded)
            fetch([request(locator=beside(c.name), name=c.name, sha256=c.sha256) for c in found])
            files += [
                InputFile(role=item.role, name=c.name, sha256=c.sha256, of=item.sha256)
                for c in found
            ]
    if twice := duplicate((file.role, file.name) for file in files):
        raise RecipeError(
            "two inputs of one role have one file name",
            file=str(loaded.path),
            field="inputs",
            got=twice[1],
            todo="Give one of them another name",
        )
    return tuple(files)


def _companion_locator(
    dsc: Input, loaded: LoadedRecipe
) -> Callable[[str], CompanionLocator | FileLocator | VaultLocator]:
    """Return a function from the name of a file that a .dsc names to its locator."""
    match dsc.locator:
        case PurlLocator() as purl:
            return lambda name: CompanionLocator(source=purl, name=name)
        case FileLocator(path=path):
            return lambda name: FileLocator(path=path.with_name(name))
        case VaultLocator():
            return lambda name: VaultLocator(name=name)
        case _:
            raise RecipeError(
                "a .dsc comes from a purl, a file or the vault",
                file=str(loaded.path),
                field="inputs",
                got=dsc.locator,
            )
