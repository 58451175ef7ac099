"""The field tables of the reference, held against the models that read these formats.

A table is named by a comment above it, `<!-- fields: Model -->`. Each model that a format reaches
must have a table, with all its fields in the order of the model; of files that people write, the
defaults too, and of fields with fixed values every value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.dataclasses import dataclass as as_pydantic
from pydantic.fields import FieldInfo

from builders.core.yamlfile import parse_document, parse_model
from builders.images.definition import ImageDefinition
from builders.methods.base import Build
from builders.recipe.recipe import Recipe
from infra.bench.madeup import MadeUpKey
from pipelines.center.center import load_center
from pipelines.center.file import CenterFile
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.report import Report
from pipelines.evidence.statements.comment import CommentStatement
from pipelines.evidence.statements.people import CancellationStatement, RequestStatement
from pipelines.evidence.statements.reader import STATEMENT_TYPES
from pipelines.evidence.statements.statement import Statement, StatementPart
from pipelines.log.notekey import COSIGNATURE, ED25519, NoteKey
from pipelines.policy import ConsensusRules, Policy
from pipelines.policy.model import SCHEMA, ReviewRules
from pipelines.policy.quorum import Quorum
from pipelines.policy.validation import policy_from
from tests.docs.pages import DOCS, PAGES, REFERENCE, ROOT, Block, blocks, inline_code

RECIPE, CENTER = REFERENCE / "recipe.md", REFERENCE / "center.md"
POLICY, STATEMENTS = REFERENCE / "policy.md", REFERENCE / "statements.md"
GLOSSARY = DOCS / "explanation" / "glossary.md"
Model: TypeAlias = type[Any]
"""A model of pydantic, or a dataclass that pydantic reads."""
WRITTEN: dict[Path, tuple[Model, ...]] = {
    RECIPE: (Recipe, Build, ImageDefinition),
    CENTER: (CenterFile,),
    POLICY: (Policy,),
}
"""The formats that people write, and their models."""
FORMATS: dict[str, type[BaseModel]] = {
    "samebits/recipe/v1": Recipe,
    "samebits/center/v1": CenterFile,
}
ALL_STATEMENTS: tuple[type[BaseModel], ...] = (
    Statement,
    RequestStatement,
    CancellationStatement,
    CommentStatement,
    *STATEMENT_TYPES.values(),
)


def pydantic_fields(model: Model) -> dict[str, FieldInfo]:
    """Return the fields of a model as pydantic knows them, those of a dataclass too."""
    if not is_dataclass(model):
        found: dict[str, FieldInfo] = model.model_fields
        return found
    return as_pydantic(model, frozen=True, kw_only=True).__pydantic_fields__


SPELT_OUT = "see there"
"""The default of a field that is a table of its own."""
DERIVED = {
    ("Policy", "consensus"): SPELT_OUT,
    ("PolicyRules", "k"): "1 or 2",
    **{
        ("CenterFile", name): "none"
        for name in ("home", "operator", "builder_id", "verifier_id", "recipes", "pool")
    },
    ("CenterFile", "policy"): "`policy/policy.dsse.json`",
    **{("ConsensusRules", name): "as above" for name in pydantic_fields(ConsensusRules)},
}
"""Defaults that depend on other fields."""
_TABLE = re.compile(r"<!-- fields: (\w+) -->\n\|.+\|\n\|[-|]+\|\n((?:\|.+\|\n)+)")
_CELL = re.compile(r"(?<!\\)\|")


def tables(page: Path) -> dict[str, list[list[str]]]:
    """Return the rows of each table of fields, by the name of its model."""
    found = _TABLE.findall(page.read_text(encoding="utf-8") + "\n")
    assert len({name for name, _ in found}) == len(found), f"{page.name} has a table twice"
    return {name: [_cells(line) for line in rows.splitlines()] for name, rows in found}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _CELL.split(line)[1:-1]]


def models(roots: Iterable[Model]) -> dict[str, Model]:
    """Return every model that the roots reach through their fields, by name."""
    found: dict[str, Model] = {}
    waiting = list(roots)
    while waiting:
        model = waiting.pop()
        if found.setdefault(model.__name__, model) is not model:
            message = f"two models are called {model.__name__}"
            raise AssertionError(message)
        for field in pydantic_fields(model).values():
            inner = [m for m in _models_in(field.annotation) if m is not PublicKey]  # it is a PEM
            waiting += [m for m in inner if m.__name__ not in found]
    return found


def _models_in(annotation: Any) -> Iterator[Model]:
    if isinstance(annotation, type) and (
        issubclass(annotation, BaseModel) or hasattr(annotation, "__pydantic_config__")
    ):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def fields_of(model: Model) -> dict[str, FieldInfo]:
    """Return the fields that a table lists, by the names in files: its own, not those of Build."""
    shared = Build.model_fields if issubclass(model, Build) and model is not Build else {}
    return {
        field.serialization_alias or field.alias or name: field
        for name, field in pydantic_fields(model).items()
        if name not in shared
    }


def default_of(model: Model, name: str, field: FieldInfo) -> str:
    """Return a default as a table writes it."""
    if (model.__name__, name) in DERIVED:
        return DERIVED[model.__name__, name]
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, BaseModel | ReviewRules):
        return SPELT_OUT
    if default is None or default in ((), {}, frozenset()):
        return "none"
    plain = default.to_text() if isinstance(default, Quorum) else default
    if issubclass(model, BaseModel):
        attribute = next(n for n, f in model.model_fields.items() if f is field)
        plain = model.model_construct(**{"id": "x", attribute: default}).model_dump(
            mode="json", include={attribute}, by_alias=True, warnings=False
        )[name]
    if isinstance(plain, bool):
        return f"`{str(plain).lower()}`"
    shown = plain.strip() if isinstance(plain, str) else f"{plain:g}"
    return f"`{shown}`"


def values_of(annotation: Any) -> set[str]:
    """Return the fixed values of a field."""
    if get_origin(annotation) is Literal:
        return {str(value) for value in get_args(annotation)}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {str(value) for value in annotation}
    return {value for inner in get_args(annotation) for value in values_of(inner)}


def explained(page: Path) -> set[str]:
    """Return what a page, or the page of results that it leads to, has in backticks."""
    return {*inline_code(page), *inline_code(REFERENCE / "results.md")}


def names_in(rows: list[list[str]]) -> list[str]:
    """Return the fields of a table; a cell may name several."""
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row[0])]


def statement_parts() -> dict[str, Model]:
    """Return the models with tables of their own: what all statements share, and each part."""
    found = models(ALL_STATEMENTS)
    return {
        name: model
        for name, model in found.items()
        if model is Statement or (model is not StatementPart and not issubclass(model, Statement))
    }


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_every_field_that_people_write_is_documented_with_its_default(page: Path) -> None:
    shown, known = tables(page), models(WRITTEN[page])
    assert shown.keys() == known.keys()
    for name, model in known.items():
        rows, fields = shown[name], fields_of(model)
        assert names_in(rows) == list(fields), name
        for row, (field, info) in zip(rows, fields.items(), strict=True):
            assert row[1] == default_of(model, field, info), f"{name}.{field}"
            assert row[2], f"{name}.{field} is not explained"
            assert values_of(info.annotation) <= explained(page), f"{name}.{field}"


def test_every_field_of_a_statement_is_documented() -> None:
    shown, known = tables(STATEMENTS), statement_parts()
    assert shown.keys() == known.keys()
    for name, model in known.items():
        rows, fields = shown[name], fields_of(model)
        assert names_in(rows) == list(fields), name
        for row, (field, info) in zip(rows, fields.items(), strict=True):
            optional = "optional" if _may_be_left_out(info) else ""
            assert row[1] == optional, f"{name}.{field}"
            assert values_of(info.annotation) <= explained(STATEMENTS), f"{name}.{field}"


def _may_be_left_out(field: FieldInfo) -> bool:
    return not field.is_required() and field.default is None


def test_every_kind_of_statement_is_in_the_table_of_kinds() -> None:
    text = STATEMENTS.read_text(encoding="utf-8")
    shown = re.findall(r"^\| `([a-z-]+)` \| `(https://[^`]+)` \|", text, re.MULTILINE)
    assert dict(shown) == {model.KIND: uri for uri, model in STATEMENT_TYPES.items()}


def examples() -> list[Block]:
    """Return every YAML document on the pages."""
    return [block for page in PAGES for block in blocks(page) if block.language == "yaml"]


@pytest.mark.parametrize("block", examples(), ids=lambda block: block.page.name)
def test_every_example_is_one_that_its_format_takes(block: Block, tmp_path: Path) -> None:
    document = parse_document(_with_keys(block.text, tmp_path) + "\n", file=block.page.name)
    if document.data["schema"] == SCHEMA:
        assert isinstance(policy_from(document, tmp_path), Policy)
    else:
        parse_model(document, FORMATS[document.data["schema"]])


def test_the_center_of_the_readme_is_loaded(tmp_path: Path) -> None:
    (shown,) = (block for block in examples() if block.page == ROOT / "README.md")
    file = tmp_path / "europe.yaml"
    file.write_text(shown.text)
    center = load_center(file)
    assert (center.id, center.operator) == ("europe", "europe-trust")


def test_the_example_of_a_center_has_every_field(tmp_path: Path) -> None:
    page = REFERENCE / "center.md"
    (shown,) = (block for block in examples() if block.page == page)
    (tmp_path / "center.yaml").write_text(shown.text)
    load_center(tmp_path / "center.yaml")
    written = parse_document(f"{shown.text}\n", file=page.name).data
    fields = {name for model in models(WRITTEN[page]).values() for name in fields_of(model)}
    assert fields - set(_keys_in(written)) == {"api", "database", "url"}, "what excludes others"


def _keys_in(value: Any) -> Iterator[str]:
    """Yield the keys of a document and of all that is in it."""
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _keys_in(inner)


def test_the_bounds_of_a_number_are_documented_with_its_field() -> None:
    page = REFERENCE / "center.md"
    for name, model in models(WRITTEN[page]).items():
        meanings = {row[0].strip("`"): row[2] for row in tables(page)[name]}
        for field, info in fields_of(model).items():
            for bound in re.findall(r"[gl]e=(\d+)", repr(info)):
                assert re.search(rf"\b{bound}\b", meanings[field]), f"{name}.{field}: {bound}"


def _with_keys(text: str, folder: Path) -> str:
    """Make the key files that a policy names, and whole keys of those that are cut short."""
    for name in re.findall(r"key: ([\w-]+\.pub)", text):
        (folder / name).write_bytes(MadeUpKey(name).public.to_pem())

    def whole(short: re.Match[str]) -> str:
        key = bytes.fromhex(MadeUpKey(short[1]).public.value)
        algorithm = COSIGNATURE if short[1].endswith("/witness") else ED25519
        return str(NoteKey(name=short[1], algorithm=algorithm, key=key))

    return re.sub(r"(\S+)\+\.\.\.", whole, text)


def test_the_tutorial_shows_the_recipe_that_it_runs() -> None:
    page = DOCS / "tutorial" / "1-first-verification.md"
    (shown,) = (block for block in examples() if block.page == page)
    recipe = ROOT / "recipes" / "releases" / "debian" / "netbase" / "6.5.yaml"
    assert f"{shown.text}\n" == recipe.read_text(encoding="utf-8")


def test_every_field_of_a_report_is_in_the_glossary() -> None:
    shown = tables(GLOSSARY)
    known = models([Report])
    assert shown.keys() == {"Report", "Finding"}
    for name, rows in shown.items():
        assert sorted(names_in(rows)) == sorted(fields_of(known[name])), name
