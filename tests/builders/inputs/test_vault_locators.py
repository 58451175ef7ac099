"""Inputs that only the vault has."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.errors import InputUnavailableError
from builders.inputs.collect import collect_inputs
from builders.inputs.input_file import input_name
from builders.inputs.vault import Vault
from builders.locators import FetchRequest, VaultLocator, parse_locator
from builders.locators.aptstate import AptStates
from builders.locators.machine import MachineFetcher
from builders.recipe.recipe import LoadedRecipe
from tests.builders.recipes import SCRIPT, recipe
from tests.fakes.jail import OpenJail
from tests.fakes.store import MemoryStore

DATA = b"closed source"


def private(name: str, data: bytes) -> LoadedRecipe:
    locator = {"role": "source", "locator": f"vault:{name}", "sha256": str(Digest.of(data))}
    return recipe(SCRIPT, inputs=[locator])


def stocked(folder: Path, *files: tuple[str, bytes]) -> Vault:
    vault = Vault(MemoryStore())
    for name, data in files:
        (folder / name).write_bytes(data)
        vault.add(folder / name, Digest.of(data), what=name)
    return vault


def test_it_reads_as_it_is_written() -> None:
    locator = parse_locator("vault:engine-4.2.tar")
    assert locator == VaultLocator(name="engine-4.2.tar")
    assert str(locator) == "vault:engine-4.2.tar"


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "/etc/passwd", "a\n"])
def test_what_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="vault locator names no file"):
        parse_locator(f"vault:{name}")


def test_what_the_vault_has_is_used_under_that_name(tmp_path: Path) -> None:
    loaded = private("engine.tar", DATA)
    assert input_name(loaded.recipe.inputs[0]) == "engine.tar"
    vault = stocked(tmp_path, ("engine.tar", DATA))
    (file,) = collect_inputs(
        loaded, vault, MachineFetcher(AptStates(tmp_path / "apt")), tmp_path / "work", OpenJail()
    )
    assert (file.name, file.sha256) == ("engine.tar", Digest.of(DATA))


def test_what_it_lacks_is_never_fetched(tmp_path: Path) -> None:
    fetcher = MachineFetcher(AptStates(tmp_path / "apt"))
    with pytest.raises(InputUnavailableError, match="cannot be fetched"):
        collect_inputs(
            private("engine.tar", DATA), stocked(tmp_path), fetcher, tmp_path / "work", OpenJail()
        )


def test_a_source_package_brings_its_files_from_the_vault(tmp_path: Path) -> None:
    tar = b"not unpacked here"
    dsc = (
        "Format: 3.0 (native)\nSource: engine\nChecksums-Sha256:\n"
        f" {Digest.of(tar)} {len(tar)} engine_4.2.tar.xz\n"
    ).encode()
    vault = stocked(tmp_path, ("engine_4.2.dsc", dsc), ("engine_4.2.tar.xz", tar))
    fetcher = MachineFetcher(AptStates(tmp_path / "apt"))
    files = collect_inputs(
        private("engine_4.2.dsc", dsc), vault, fetcher, tmp_path / "work", OpenJail()
    )
    assert [f.name for f in files] == ["engine_4.2.dsc", "engine_4.2.tar.xz"]


def test_nothing_wanted_is_nothing_fetched(tmp_path: Path) -> None:
    fetcher = MachineFetcher(AptStates(tmp_path / "apt"))
    want = FetchRequest(locator=VaultLocator(name="x"), name="x", sha256=Digest.of(DATA))
    assert fetcher.fetch([], tmp_path) == []
    with pytest.raises(InputUnavailableError, match="samebits vault add"):
        fetcher.fetch([want], tmp_path)
