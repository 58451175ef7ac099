"""The models of the verifier: nothing of the models in Python is left out of them."""

from __future__ import annotations

import json
import re
from typing import Annotated

import pytest
from pydantic import AfterValidator

from builders.core.frozen_model import FrozenModel
from pipelines.evidence.statements.reader import STATEMENT_TYPES
from pipelines.portal.verifier.models import _model, models_script, verifier_models
from pipelines.portal.verifier.modules import MODELS, modules

_IMPORT = re.compile(r"^import \{([^{}]*)\} from \"\./(\w+\.js)\";$", re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|class|const) (\w+)", re.MULTILINE)


def test_every_rule_of_the_models_is_written_in_javascript() -> None:
    text = modules()["statement_rules.js"] + modules()["report_rules.js"]
    written = set(re.findall(r"^  ([A-Z]\w+): ", text, re.MULTILINE))
    named = {
        rule for shape in verifier_models()["shapes"].values() for rule in shape.get("rules", ())
    }
    assert "Shipped_one_file" in named
    assert "Finding_verdict_holds" in named
    assert written == named


def test_what_may_be_left_out_is_as_narrow_as_anything_else() -> None:
    shapes = verifier_models()["shapes"]
    annotations = shapes["Resource"]["properties"]["annotations"]
    assert annotations["keys"] == {"maxLength": 64, "pattern": "^[a-z][a-z0-9-]*$"}
    assert annotations["values"]["maxLength"] == 1024
    free = {name: shape for name, shape in shapes.items() if shape == {}}
    assert free == {"JsonValue": {}}, "what may hold anything is checked by hand"


def test_every_type_of_statement_is_known() -> None:
    assert verifier_models()["statements"].keys() == STATEMENT_TYPES.keys()


def test_the_models_are_written_the_same_each_time() -> None:
    assert models_script() == models_script()
    assert json.loads(models_script().partition("MODELS = ")[2][:-2]) == json.loads(
        json.dumps(verifier_models())
    )


def test_a_validator_that_is_not_known_is_an_error() -> None:
    class Odd(FrozenModel):
        name: Annotated[str, AfterValidator(str.upper)]

    with pytest.raises(ValueError, match=r"Odd\.name has a validator"):
        _model(Odd.model_json_schema(), Odd)


def test_a_keyword_that_is_not_known_is_an_error() -> None:
    class Multiple(FrozenModel):
        size: int

    schema = Multiple.model_json_schema()
    schema["properties"]["size"]["multipleOf"] = 2
    with pytest.raises(ValueError, match="multipleOf"):
        _model(schema, Multiple)


def test_modules_import_only_what_stands_before_them() -> None:
    """And by names that are exported there, so that they can be joined without a parser."""
    exported: dict[str, set[str]] = {}
    for name, text in modules().items():
        imports = _IMPORT.findall(text)
        assert len(imports) == len(re.findall("^import", text, re.MULTILINE))
        for listed, source in imports:
            assert {part.strip() for part in listed.split(",") if part.strip()} <= exported[source]
        exported[name] = set(_EXPORT.findall(text))
        assert exported[name] or name == MODELS
