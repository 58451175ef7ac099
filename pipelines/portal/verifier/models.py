"""The models of bundles and policies, as data for the verifier that runs in a browser.

What a field may hold comes from the JSON Schema that pydantic derives, in a small form of its own;
a keyword or a validator that the verifier does not know is an error here, so that none is passed
over. Rules between fields are named, and written once more in `*_rules.js`: the verifier refuses to
start where it lacks one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from inspect import isclass
from typing import Any, get_args

from pydantic import AfterValidator, BaseModel
from pydantic.json_schema import models_json_schema

from builders.core.enums import Outcome, Verdict
from builders.rebuild.robustness_factors import Factor
from builders.recipe.normalizers import MAX_MASKED, NormalizerName
from pipelines.bundle.layout import CenterCard, KeyEntry
from pipelines.evidence.report import Purpose, Report
from pipelines.evidence.statements import comparison
from pipelines.evidence.statements.reader import STATEMENT_TYPES
from pipelines.evidence.statements.statement import StatementPart
from pipelines.evidence.strictjson import printable
from pipelines.judge.finding import verdicts_exit_code
from pipelines.judge.updates.update_fault import UNJUDGED
from pipelines.policy.model import adapter

_HEADING = "// Made of the models by pipelines/portal/verifier/models.py.\n"
_DIGEST = "^(sha256:)?[0-9a-f]{64}$"
_PLAIN_DIGEST = "^[0-9a-f]{64}$"
_TEXT_LIMITS = {"minLength", "maxLength", "pattern"}
_NUMBER_LIMITS = {"minimum", "maximum", "exclusiveMaximum"}
_ITEM_LIMITS = {"minItems", "maxItems", "uniqueItems"}
_KEPT = {"type", "const", "enum"} | _TEXT_LIMITS | _NUMBER_LIMITS | _ITEM_LIMITS
_DROPPED = {"title", "description", "default", "examples", "$defs"}
_LEFT_OUT = ("work_proof", "user_namespace", "min_evidence", "resolutions", "max_open")
"""Fields of a policy that are not written where they are empty."""
Node = dict[str, Any]


def models_script() -> str:
    """Return the JavaScript module of the models."""
    models = json.dumps(verifier_models(), sort_keys=True, separators=(",", ":"))
    return f"{_HEADING}export const MODELS = {models};\n"


def verifier_models() -> dict[str, Any]:
    """Return the models by their names, the types of statements, and the words in rules."""
    kinds = list(dict.fromkeys(STATEMENT_TYPES.values()))
    tops: list[type[BaseModel]] = [*kinds, CenterCard, Report]
    _, schema = models_json_schema([(top, "validation") for top in tops])
    classes = {found.__name__: found for top in tops for found in _classes(top)}
    shapes = {
        name: _model(definition, classes.get(name)) for name, definition in schema["$defs"].items()
    }
    policy = adapter().json_schema()
    for name, definition in {**policy["$defs"], "Policy": policy}.items():
        shape = _policy_part(definition)
        if shapes.setdefault(name, shape) != shape:
            raise ValueError(f"two models are called {name}")
    return {
        "shapes": shapes,
        "statements": {
            predicate_type: {
                "model": kind.__name__,
                "kind": kind.KIND,
                "version": kind.PREDICATE_TYPES.index(predicate_type) + 1,
            }
            for predicate_type, kind in STATEMENT_TYPES.items()
        },
        "words": {
            "verdicts": list(Verdict),
            "failing": [one for one in Verdict if verdicts_exit_code([one]) == 1],
            "passing": [one for one in Verdict if verdicts_exit_code([one]) == 0],
            "built": Outcome.BUILT,
            "grounds": comparison.GROUNDS,
            "unjudged": list(comparison.UNJUDGED),
            "unjudgedFaults": sorted(UNJUDGED),
            "purposes": list(Purpose),
            "factors": list(Factor),
            "normalizers": list(NormalizerName),
            "maxMasked": MAX_MASKED,
        },
    }


def _classes(of: Any) -> Iterator[type[BaseModel]]:
    """Yield every model that values of a type can hold; a model is yielded once a field."""
    for part in get_args(of):
        yield from _classes(part)
    if isclass(of) and issubclass(of, BaseModel):
        yield of
        for field in of.model_fields.values():
            yield from _classes(field.annotation)


def _model(definition: Node, model: type[BaseModel] | None) -> Node:
    """Return the shape of a model; a part of a statement is in its canonical form."""
    if model is None:
        return _node(definition, exact=True)
    exact = issubclass(model, StatementPart | CenterCard | KeyEntry)
    shape = _object(definition, exact=exact)
    for validator in model.__pydantic_decorators__.model_validators:
        owner = next(c for c in model.__mro__ if validator in vars(c)).__name__
        shape.setdefault("rules", []).append(f"{owner}{validator}")
    for name, field in model.model_fields.items():
        added = [one.func for one in field.metadata if isinstance(one, AfterValidator)]
        if added not in ([], [printable]):
            raise ValueError(f"{model.__name__}.{name} has a validator that is not known")
        if added:
            shape["properties"][field.serialization_alias or name]["printable"] = True
    return shape


def _policy_part(definition: Node) -> Node:
    """Return the shape of a part of a signed policy, in which every default is written out."""
    if "properties" not in definition:
        return _node(definition, exact=True)
    shape = _object(definition, exact=False)
    shape["required"] = [name for name in shape["properties"] if name not in _LEFT_OUT]
    for name, part in shape["properties"].items():
        if name in _LEFT_OUT:
            part.pop("null", None)
        if "time" in part:
            part["time"] = "exact"
    if "resolutions" in shape["properties"]:
        shape["properties"]["resolutions"]["minItems"] = 1
    return shape


def _object(definition: Node, *, exact: bool) -> Node:
    """Return the shape of an object, of which no field is unknown.

    In an `exact` one, what has a default is there, and what is None is not.
    """
    properties = definition["properties"]
    required = list(definition.get("required", ()))
    if exact:
        required = [n for n, p in properties.items() if p.get("default", "") is not None]
    shapes = {name: _node(part, exact=exact) for name, part in properties.items()}
    for shape in shapes.values() if exact else ():
        shape.pop("null", None)
    return {"properties": shapes, "required": required}


def _node(schema: Node, *, exact: bool) -> Node:
    """Return one schema in the form of the verifier; raises ValueError for what is unknown."""
    node = {key: value for key, value in schema.items() if key in _KEPT}
    rest = {key: value for key, value in schema.items() if key not in _KEPT | _DROPPED}
    if node.get("pattern") == _DIGEST:
        node["pattern"] = _PLAIN_DIGEST  # as all digests are written; people may write a prefix
    if "\\s" in node.get("pattern", ""):
        node["pattern"] = node["pattern"].replace("\\s", "\\p{White_Space}")  # as Unicode has it
    if (reference := rest.pop("$ref", None)) is not None:
        node["ref"] = reference.rpartition("/")[2]
    if rest.pop("format", None) == "date-time":
        node["time"] = "exact" if exact else "aware"
    if (items := rest.pop("items", None)) is not None:
        node["items"] = _node(items, exact=exact)
    if (choices := rest.pop("anyOf", None)) is not None:
        node |= _choice([_node(choice, exact=exact) for choice in choices])
    if schema.get("type") == "object":
        node["keys"], node["values"] = _map(rest, exact=exact)
        node["most"] = rest.pop("maxProperties", None)
    if rest:
        raise ValueError(f"unknown in a schema: {', '.join(rest)}")
    return node


def _choice(choices: list[Node]) -> Node:
    """Return a choice of schemas; that of null is a mark beside the others."""
    null = {"type": "null"}
    others = [choice for choice in choices if choice != null]
    made = others[0] if len(others) == 1 else {"choices": others}
    return {**made, "null": True} if null in choices else made


def _map(rest: Node, *, exact: bool) -> tuple[Node, Node]:
    """Take what a map says of its keys and values."""
    keys, values = dict(rest.pop("propertyNames", {})), rest.pop("additionalProperties", {})
    for pattern, schema in rest.pop("patternProperties", {}).items():
        keys, values = {**keys, "pattern": pattern}, schema
    return _node(keys, exact=exact), _node({} if values is True else values, exact=exact)
