"""The modules of the verifier by the names of their files, each after those that it imports."""

from __future__ import annotations

import re
from functools import cache
from graphlib import TopologicalSorter
from importlib.resources import files

from pipelines.portal.verifier.models import models_script

MODELS = "models.js"
_IMPORT = re.compile(
    r'^(?:import \{[^{}]*\}|export \{[^{}]*\}) from "\./([a-z_]+\.js)";$', re.MULTILINE
)


@cache
def modules() -> dict[str, str]:
    """Return the text of every module; that of the models is made of the models."""
    folder = files(__package__ or "")
    found = {
        one.name: one.read_text("utf-8") for one in folder.iterdir() if one.name.endswith(".js")
    }
    found[MODELS] = models_script()
    imports = {name: set(_IMPORT.findall(text)) for name, text in sorted(found.items())}
    return {name: found[name] for name in TopologicalSorter(imports).static_order()}
