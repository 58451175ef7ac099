"""Recipes: what good ones mean, and that each bad one gives one clear error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.errors import EXIT_USAGE, RecipeError
from builders.images.definition import json_schema as image_schema
from builders.methods.script import ScriptBuild
from builders.recipe import Recipe, json_schema, load_recipe
from builders.words import Kind
from builders.yamlfile import load_document, parse_document, parse_model

ROOT = Path(__file__).parents[2]
BAD = ROOT / "tests" / "data" / "recipes" / "bad"
EVERY_FIELD = ROOT / "tests" / "data" / "recipes" / "good" / "every-field.yaml"
RELEASES = sorted((ROOT / "recipes" / "releases").rglob("*.yaml"))

# Name of the file: line, field and words of its error.
EXPECTED: dict[str, tuple[int | None, str | None, str]] = {
    "absolute-path": (
        14,
        "inputs.0.locator",
        "path '/etc/passwd' is not relative: put the file beside",
    ),
    "absurd-cpus": (19, "limits.cpus", "expected less than or equal to 256"),
    "absurd-memory": (19, "limits.memory", "expected between 32MiB and 4TiB"),
    "absurd-pids": (19, "limits.pids", "expected less than or equal to 65536"),
    "absurd-scratch": (19, "limits.scratch", "expected between 16MiB and 4TiB"),
    "absurd-time": (19, "limits.time", "expected between 1s and 168h"),
    "alias-bomb": (1, None, "YAML anchors and aliases are refused"),
    "alias": (2, None, "YAML anchors and aliases are refused"),
    "anchor": (2, None, "YAML anchors and aliases are refused"),
    "artefact-name-with-a-folder": (15, "artefacts.0.name", "String should match pattern"),
    "bad-hostname": (8, "build.hostname", "String should match pattern"),
    "bad-profile": (9, "build.profiles.0", "String should match pattern '^[a-z0-9][a-z0-9.+-]*$'"),
    "bad-umask": (8, "build.umask", "String should match pattern '^0?[0-7]{3}$'"),
    "bad-variable-name": (
        8,
        "build.environment.1 A",
        "String should match pattern '^[A-Za-z_][A-Za-z0-9_]*$'",
    ),
    "bare-word": (1, None, "expected a mapping of fields"),
    "build-path-beside-an-allowed-one": (
        8,
        "build.path",
        "expected a clean absolute path below /build, /home, /srv,",
    ),
    "build-path-elsewhere": (
        8,
        "build.path",
        "expected a clean absolute path below /build, /home, /srv,",
    ),
    "control-character": (2, None, "not valid YAML"),
    "cpus-not-a-number": (19, "limits.cpus", "expected less than or equal to 256"),
    "dot-dot-build-path": (
        8,
        "build.path",
        "expected a clean absolute path below /build, /home, /srv,",
    ),
    "dot-dot-path": (14, "inputs.0.locator", "path '../rules.tar' leaves the folder of the recipe"),
    "duplicate-key": (5, "vendor", "duplicate key"),
    "duplicate-nested-key": (14, "inputs.0.role", "duplicate key"),
    "empty-digest": (13, "inputs.0.sha256", "expected a SHA-256 digest: 64 lower-case hex digits"),
    "empty-step": (11, "build.steps.0", "expected at least 1 item"),
    "empty": (None, None, "empty file"),
    "encoded-dot-dot-path": (
        14,
        "inputs.0.locator",
        "path '../rules.tar' leaves the folder of the recipe",
    ),
    "escape-beyond-unicode": (2, None, "not valid YAML"),
    "file-url-with-a-host": (
        14,
        "inputs.0.locator",
        "path '//host/rules.tar' is not relative: put the file",
    ),
    "git-branch": (
        14,
        "inputs.0.locator",
        "git locator pins no full commit: got 'main', expected 40",
    ),
    "git-over-http": (14, "inputs.0.locator", "unknown locator"),
    "git-short-commit": (
        14,
        "inputs.0.locator",
        "git locator pins no full commit: got '0123456', expected",
    ),
    "git-with-a-password": (14, "inputs.0.locator", "git locator"),
    "glob-of-everything": (
        19,
        "ignore.0",
        "expected a file name pattern such as *.buildinfo, without",
    ),
    "glob-with-a-folder": (
        19,
        "by_products.0",
        "expected a file name pattern such as *.buildinfo, without",
    ),
    "hidden-artefact-name": (15, "artefacts.0.name", "String should match pattern"),
    "image-digest-too-short": (9, "build.image", "expected name@sha256:<64 hex digits>"),
    "image-path": (9, "build.image", "an image tag can be moved to other bytes"),
    "image-tag-with-registry": (9, "build.image", "an image tag can be moved to other bytes"),
    "image-tag": (9, "build.image", "an image tag can be moved to other bytes"),
    "list-as-a-key": (5, None, "keys are plain text"),
    "lone-surrogate": (2, None, "not Unicode text"),
    "long-digest": (13, "inputs.0.sha256", "expected a SHA-256 digest: 64 lower-case hex digits"),
    "merge-key": (8, None, "keys are plain text"),
    "missing-digest": (11, "inputs.0.sha256", "missing field"),
    "missing-image": (7, "build.image", "missing field"),
    "missing-method": (7, "build.method", "missing field"),
    "missing-shipped-digest": (16, "artefacts.0.shipped.sha256", "missing field"),
    "negative-memory": (19, "limits.memory", "expected a size such as 512MiB or 4GiB"),
    "neither-script-nor-steps": (
        7,
        "build",
        "expected either steps (lists of arguments) or script (a",
    ),
    "negative-reviews": (21, "reviews.minimum", "expected greater than or equal to 0"),
    "no-artefacts": (14, "artefacts", "expected at least 1 item"),
    "no-cpus": (19, "limits.cpus", "expected greater than or equal to 0.1"),
    "no-inputs": (12, "inputs", "expected at least 1 item"),
    "no-scratch": (19, "limits.scratch", "expected between 16MiB and 4TiB"),
    "no-source": (10, "inputs", "expected at least one with role source"),
    "no-time": (19, "limits.time", "expected between 1s and 168h"),
    "not-a-mapping": (1, None, "expected a mapping of fields"),
    "not-utf8": (2, None, "not UTF-8 text"),
    "nul-in-a-variable": (8, "build.environment.A", "String should match pattern '^[^\\x00]*$'"),
    "nul-in-an-argument": (11, "build.steps.0.0", "String should match pattern '^[^\\x00]*$'"),
    "only-comments": (None, None, "empty file"),
    "pids-not-whole": (19, "limits.pids", "expected a valid integer, unable to parse string as an"),
    "plain-url": (14, "inputs.0.locator", "unknown locator 'https://mirror.example/rules.tar'"),
    "purl-of-an-odd-name": (
        12,
        "inputs.0.locator",
        "purl 'pkg:deb/debian/net%20base@6.5?arch=source': 'net",
    ),
    "purl-of-unknown-type": (12, "inputs.0.locator", "purl 'pkg:npm/netbase@6.5'"),
    "purl-with-repository-url": (
        12,
        "inputs.0.locator",
        "purl qualifier 'repository_url' is refused: the machine's",
    ),
    "purl-with-unknown-qualifier": (12, "inputs.0.locator", "purl qualifier 'mirror' is unknown"),
    "purl-without-architecture": (12, "inputs.0.locator", "purl 'pkg:deb/debian/netbase@6.5'"),
    "purl-without-version": (
        12,
        "inputs.0.locator",
        "purl 'pkg:deb/debian/netbase?arch=source' names no version",
    ),
    "reserved-variable": (
        8,
        "build.environment",
        "LC_ALL is set from its own field: use timezone, locale,",
    ),
    "script-and-steps": (
        10,
        "build.script",
        "expected either steps (lists of arguments) or script (a",
    ),
    "script-outside": (10, "build.script", "path '../build.sh' leaves the folder of the recipe"),
    "sha512-prefix": (13, "inputs.0.sha256", "expected a SHA-256 digest: 64 lower-case hex digits"),
    "reviews-by-name": (21, "reviews.reviewers", "unknown key"),
    "shipped-from-the-vault": (
        19,
        "artefacts.0.shipped.locator",
        "a shipped file is fetched from where customers get it",
    ),
    "short-digest": (13, "inputs.0.sha256", "expected a SHA-256 digest: 64 lower-case hex digits"),
    "size-in-other-digits": (19, "limits.memory", "expected a size such as 512MiB or 4GiB"),
    "size-in-unknown-unit": (19, "limits.memory", "expected a size such as 512MiB or 4GiB"),
    "size-without-unit": (19, "limits.memory", "expected a size such as 512MiB or 4GiB"),
    "step-as-one-line": (11, "build.steps.0", "expected a list"),
    "steps-for-another-method": (9, "build.steps", "unknown key"),
    "tab-as-indent": (8, None, "not valid YAML"),
    "tag-of-a-plain-type": (4, None, "YAML tags are refused"),
    "tag": (5, None, "YAML tags are refused"),
    "terminal-codes-in-a-key": (5, "\\x1b[2Jkind", "unknown key"),
    "time-without-unit": (19, "limits.time", "expected a time such as 90s, 30min or 2h"),
    "too-deep": (20, None, "nested too deep"),
    "too-little-memory": (19, "limits.memory", "expected between 32MiB and 4TiB"),
    "two-artefacts-of-one-name": (
        14,
        "artefacts",
        "expected each name once; 'netbase_6.5_all.deb' is",
    ),
    "two-documents": (20, None, "more than one document"),
    "unclosed-bracket": (19, None, "not valid YAML"),
    "unknown-key-of-an-input": (14, "inputs.0.optional", "unknown key"),
    "unknown-key": (14, "artifacts", "unknown key"),
    "unknown-kind": (5, "kind", "expected 'binary', 'update' or 'ruleset'"),
    "unknown-limit": (19, "limits.network", "unknown key"),
    "unknown-method": (8, "build.method", "expected one of 'debian', 'debian-binnmu', 'wheel', "),
    "unknown-visibility": (21, "visibility", "expected 'public' or 'private'"),
    "vault-locator-of-nothing": (14, "inputs.0.locator", "vault locator names no file"),
    "vault-locator-with-a-folder": (
        14,
        "inputs.0.locator",
        "vault locator names no file: got 'closed/rules.tar'",
    ),
    "unknown-nested-key": (9, "build.network", "unknown key"),
    "unknown-platform": (6, "platform", "expected 'linux/amd64'"),
    "unknown-role": (11, "inputs.0.role", "expected 'source', 'dependency', 'toolchain' or 'base'"),
    "unknown-schema": (1, "schema", "expected 'samebits/recipe/v1'"),
    "unknown-verdict": (
        19,
        "expect.verdict",
        "expected 'SHIPPED_MISMATCH', 'DIFFERENT', 'UNEXPECTED',",
    ),
    "upper-case-digest": (
        13,
        "inputs.0.sha256",
        "expected a SHA-256 digest: 64 lower-case hex digits",
    ),
    "utf16": (1, None, "not UTF-8 text"),
    "variables-as-a-list": (8, "build.environment", "expected a mapping of fields"),
    "vendor-dot-dot": (2, "vendor", "String should match pattern"),
    "version-as-a-list": (4, "version", "expected a valid string"),
    "version-as-nothing": (4, "version", "expected a valid string"),
    "version-with-a-slash": (4, "version", "String should match pattern"),
}

# What a schema cannot say: how the file is written, and what holds between two fields.
BEYOND_A_SCHEMA = {
    "anchor",
    "duplicate-key",
    "duplicate-nested-key",
    "encoded-dot-dot-path",
    "dot-dot-path",
    "merge-key",
    "shipped-from-the-vault",
    "git-with-a-password",
    "purl-of-an-odd-name",
    "purl-with-repository-url",
    "purl-with-unknown-qualifier",
    "purl-without-architecture",
    "reserved-variable",
    "script-outside",
    "script-and-steps",
    "neither-script-nor-steps",
    "two-artefacts-of-one-name",
    "no-source",
    "absurd-memory",
    "too-little-memory",
    "absurd-time",
    "no-time",
    "absurd-scratch",
    "no-scratch",
}


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The samebits command, with a home of its own."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            cwd=ROOT,
            env={**os.environ, "SAMEBITS_HOME": str(tmp_path_factory.mktemp("home"))},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


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
    assert done.returncode == EXIT_USAGE
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == len(files)
    for path, line in zip(files, lines, strict=True):
        assert line.startswith(f"samebits: {path}")


def test_programs_get_one_document(run: Run) -> None:
    done = run("recipe", "lint", "--json", BAD / "short-digest.yaml", EVERY_FIELD)
    assert done.returncode == EXIT_USAGE
    assert done.stderr == ""
    bad, _ = json.loads(done.stdout)["recipes"]
    assert bad["error"]["error"] == "RecipeError"
    assert bad["error"]["line"] == 13
    assert bad["error"]["field"] == "inputs.0.sha256"
    assert bad["error"]["expected"] or bad["error"]["todo"]


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_no_command_starts_with_a_bad_recipe(run: Run, command: str, tmp_path: Path) -> None:
    extra = ("--out", tmp_path / "out") if command == "rebuild" else ()
    done = run(command, BAD / "alias-bomb.yaml", *extra)
    assert done.returncode == EXIT_USAGE
    assert "Traceback" not in done.stderr
    assert "anchors and aliases are refused" in done.stderr
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


@pytest.mark.parametrize(
    ("name", "current"), [("recipe.json", json_schema()), ("image.json", image_schema())]
)
def test_the_schemas_for_editors_are_current(name: str, current: str) -> None:
    kept = (ROOT / "recipes" / "schema" / name).read_text()
    assert kept == current, f"write recipes/schema/{name} anew: `samebits recipe schema`"
    jsonschema.Draft202012Validator.check_schema(json.loads(current))


def as_an_editor_reads(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", RELEASES, ids=lambda p: p.parent.name)
def test_the_schema_accepts_every_release(path: Path) -> None:
    jsonschema.validate(as_an_editor_reads(path), json.loads(json_schema()))


@pytest.mark.parametrize("path", sorted((ROOT / "recipes" / "images").glob("*.yaml")))
def test_the_schema_accepts_every_image(path: Path) -> None:
    if not path.name.endswith(".lock.yaml"):
        jsonschema.validate(as_an_editor_reads(path), json.loads(image_schema()))


@pytest.mark.parametrize("name", [n for n in EXPECTED if n not in BEYOND_A_SCHEMA])
def test_the_schema_refuses_what_it_can_see(name: str) -> None:
    try:
        data = as_an_editor_reads(BAD / f"{name}.yaml")
    except (yaml.YAMLError, ValueError, TypeError, OverflowError):
        return  # an editor shows these without any schema
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json.loads(json_schema()))


def test_the_schema_explains_its_fields() -> None:
    schema = json.loads(json_schema())
    assert set(schema["required"]) >= {"schema", "build", "inputs", "artefacts"}
    assert schema["properties"]["schema"]["const"] == "samebits/recipe/v1"
    memory = schema["$defs"]["Limits"]["properties"]["memory"]
    assert memory["type"] == "string"
    assert memory["default"] == "4GiB"
    assert "512MiB" in memory["examples"]
    models = [schema, *schema["$defs"].values()]
    plain = [
        f"{model['title']}.{name}"
        for model in models
        for name, field in model.get("properties", {}).items()
        if "description" not in field and "$ref" not in field
    ]
    assert plain == []


def recipe_or_error(text: str) -> None:
    try:
        parse_model(parse_document(text, file="recipe.yaml"), Recipe)
    except RecipeError as error:
        assert str(error).startswith("recipe.yaml:")  # noqa: PT017  # the other case is fine too
        json.dumps(error.to_dict()).encode()


@settings(max_examples=250, deadline=2000)
@given(st.text())
def test_any_text_is_a_recipe_or_an_error(text: str) -> None:
    recipe_or_error(text)


@settings(max_examples=250, deadline=2000)
@given(st.text(alphabet="[]{}:,-?&*!|>'\"%@`# \n\t\\ab0~.<=ux", max_size=80))
def test_any_marks_are_a_recipe_or_an_error(text: str) -> None:
    recipe_or_error(text)


@settings(max_examples=250, deadline=2000)
@given(data=st.data())
def test_a_mutated_recipe_is_a_recipe_or_an_error(data: st.DataObject) -> None:
    text = EVERY_FIELD.read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 30))
        text = text[:at] + data.draw(st.text(max_size=5)) + text[at + cut :]
    recipe_or_error(text)


@settings(max_examples=150, deadline=2000)
@given(data=st.data())
def test_swapped_values_are_a_recipe_or_an_error(data: st.DataObject) -> None:
    tree = load_document(EVERY_FIELD).data
    node: Any = tree
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
            node = node[key]
            continue
        node[key] = data.draw(
            st.recursive(
                st.none() | st.text(max_size=9),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner),
                max_leaves=5,
            )
        )
        break
    recipe_or_error(yaml.safe_dump(tree, allow_unicode=True))
