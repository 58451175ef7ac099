"""What the vault holds is listed with what uses it."""

from __future__ import annotations

from pathlib import Path

from builders.core.digest import Digest
from tests.command import samebits
from tests.lab import SOURCE, write_recipe


def test_the_vault_names_what_recipes_use_and_what_nothing_uses(tmp_path: Path) -> None:
    recipes = tmp_path / "recipes" / "releases" / "lab" / "engine"
    write_recipe(recipes, [["true"]], shipped=b"shipped")
    (recipes / "broken.yaml").write_text("schema: rubbish\n")
    (tmp_path / "old.tar").write_bytes(b"of a recipe that is gone")
    home, env = tmp_path / "home", {"SAMEBITS_RECIPES": str(tmp_path / "recipes")}
    for file in (recipes / "source.c", recipes / "out.bin", tmp_path / "old.tar"):
        assert samebits("vault", "add", file, home=home, env=env).code == 0
    listed = samebits("vault", "list", "--json", home=home, env=env).document()
    assert [(i["name"], i["used_by"], i["sha256"]) for i in listed["inputs"]] == [
        ("out.bin", ["lab/engine@1 (shipped)"], str(Digest.of(b"shipped"))),
        ("source.c", ["lab/engine@1 (source)"], str(Digest.of(SOURCE))),
        (None, [], str(Digest.of(b"of a recipe that is gone"))),
    ]
    rows = samebits("vault", "list", home=home, env=env).out.splitlines()
    assert rows[0].split() == ["SHA-256", "FILE", "USED", "BY"]
    assert rows[2].split() == [Digest.of(SOURCE).hex[:12], "source.c", "lab/engine@1", "(source)"]
    assert rows[-1] == "3 files, 1 of them used by nothing here"
    wide = samebits("vault", "list", "--wide", home=home, env=env).out
    assert str(Digest.of(SOURCE)) in wide


def test_an_empty_vault_is_said_to_be_empty(tmp_path: Path) -> None:
    ended = samebits("vault", "list", home=tmp_path)
    assert (ended.code, ended.out) == (0, "0 files, 0 of them used by nothing here\n")
