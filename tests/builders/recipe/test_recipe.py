"""Recipes: what good ones mean, and that each bad one gives one clear error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from builders.core.enums import Kind
from builders.core.errors import EXIT_USAGE, RecipeError
from builders.core.yamlfile import load_document
from builders.methods.script import ScriptBuild
from builders.recipe.recipe import Recipe, load_recipe
from tests.builders.recipe.bad_recipes import BAD, EXPECTED
from tests.command import Ended, samebits

ROOT = Path(__file__).parents[3]
EVERY_FIELD = ROOT / "tests" / "data" / "recipes" / "good" / "every-field.yaml"
RELEASES = sorted((ROOT / "recipes" / "releases").rglob("*.yaml"))


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The samebits command, with a home of its own."""
    return lambda *words: samebits(*words, home=tmp_path_factory.mktemp("home"), seconds=60)


def test_every_bad_recipe_has_its_line_in_the_table() -> None:
    assert sorted(EXPECTED) == sorted(p.stem for p in BAD.iterdir())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bad_recipe_gives_one_clear_error(name: str) -> None:
    line, field, words = EXPECTED[name]
    path = BAD / f"{name}.yaml"
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    error = caught.value
    assert (error.line, error.field) == (line, field)
    assert words in error.what
    where = f"{path}:{line}: " if line else f"{path}: "
    assert str(error).startswith(where + (f"{field}: " if field else ""))
    assert error.got or error.expected or error.todo
    assert error.exit_code == EXIT_USAGE
    assert str(error).isprintable()
    two = name in {"unknown-key", "terminal-codes-in-a-key"}  # a slip leaves another one missing
    assert ("more)" in error.what) is two


def test_the_command_says_the_same_of_all_of_them_without_a_traceback(run: Run) -> None:
    files = [BAD / f"{name}.yaml" for name in EXPECTED]
    done = run("recipe", "lint", *files)
    assert done.code == EXIT_USAGE
    assert done.out == ""
    lines = done.err.splitlines()
    assert len(lines) == len(files)
    for path, line in zip(files, lines, strict=True):
        assert line.startswith(f"samebits: {path}")


def test_programs_get_one_document(run: Run) -> None:
    done = run("recipe", "lint", "--json", BAD / "short-digest.yaml", EVERY_FIELD)
    assert done.code == EXIT_USAGE
    assert done.err == ""
    bad, _ = done.document()["recipes"]
    assert bad["error"]["error"] == "RecipeError"
    assert bad["error"]["line"] == 13
    assert bad["error"]["field"] == "inputs.0.sha256"
    assert bad["error"]["expected"] or bad["error"]["todo"]


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_no_command_starts_with_a_bad_recipe(run: Run, command: str, tmp_path: Path) -> None:
    extra = ("--out", tmp_path / "out") if command == "rebuild" else ()
    done = run(command, BAD / "alias-bomb.yaml", *extra)
    assert done.code == EXIT_USAGE
    assert "Traceback" not in done.err
    assert "anchors and aliases are refused" in done.err
    assert list(tmp_path.iterdir()) == []


def test_text_stays_text() -> None:
    recipe = load_recipe(EVERY_FIELD).recipe
    assert recipe.version == "1.10"
    assert recipe.release == "acme/rules@1.10"
    assert recipe.kind is Kind.RULESET
    build = recipe.build
    assert isinstance(build, ScriptBuild)
    assert build.environment == {"LEVEL": "09", "EMPTY": "", "YES": "yes"}
    assert build.umask == "002"
    assert build.steps == (
        ("tar", "--create", "--file", "/out/rules.tar", "two words", ""),
        ("true",),
    )
    assert [i.sha256.hex[0] for i in recipe.inputs] == ["1", "2", "3"]
    assert recipe.limits.cpus == 1.5
    assert recipe.limits.memory == 512 << 20
    assert recipe.limits.time == 90
    assert recipe.visibility == "private"
    assert recipe.reviews
    assert recipe.reviews.minimum == 2


def test_a_recipe_says_little_and_gets_the_defaults() -> None:
    data = load_document(EVERY_FIELD).data
    for optional in ("by_products", "ignore", "limits", "expect"):
        del data[optional]
    data["build"] = {"method": "script", "image": "debian-trixie-build", "script": "build.sh"}
    recipe = Recipe.model_validate(data)
    assert recipe.build.umask == "022"
    assert recipe.build.path == "/build/reproducible-path"
    assert recipe.limits.time == 30 * 60
    assert recipe.expect is None


@pytest.mark.parametrize("path", RELEASES, ids=lambda p: p.parent.name)
def test_every_release_lies_where_its_name_says(path: Path) -> None:
    recipe = load_recipe(path).recipe
    assert path.match(f"{recipe.vendor}/{recipe.product}/{recipe.version}.yaml")
