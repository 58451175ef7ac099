"""A recipe made of the published records of a run, for who does not have the center's own.

Provenance names all that can change the outputs, so the recipe made of it has the claim of the run;
whoever uses it compares the two. What only decides a judgement is left out: nothing is judged.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from builders.core.enums import Role
from builders.locators.locator import vault_locator
from builders.methods.base import BASE_VARIABLES
from builders.rebuild.rebuild_result import OutputKind
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.provenance import DeclaredEnvironment, ProvenanceStatement
from pipelines.evidence.statements.statement import Resource

_MAX_PATTERN = 255


class NotRecordedError(EvidenceError):
    """Records that do not say all that a rebuild needs."""


def recorded_recipe(records: OpenedBundle) -> dict[str, Any]:
    """Return the recipe of a run as the document of its file, made of verified statements.

    Raises `NotRecordedError` where something that a rebuild needs is not published.
    """
    made = records.provenance
    if made is None:
        raise NotRecordedError(
            "the run left nothing, so no statement says how it was built", got=records.outcome
        )
    external = made.predicate.build_definition.external_parameters
    if external.environment is None:
        raise NotRecordedError("the source is closed, and how it is built is not published")
    if external.parameters.get("script"):
        raise NotRecordedError(
            "it was built with a script file, which is not published",
            got=external.parameters["script"],
        )
    release = ReleaseName.parse(external.release)
    return {
        "schema": "samebits/recipe/v1",
        **{name: getattr(release, name) for name in ("vendor", "product", "version")},
        "kind": str(external.kind),
        "platform": external.platform,
        "build": {
            "method": external.method,
            "image": external.image,
            **{name: value for name, value in external.parameters.items() if value is not None},
            **_environment(external.environment),
        },
        "inputs": [_input(item, records) for item in _inputs(made)],
        "artefacts": [
            {"name": name, **({"packing": packed} if packed else {})}
            for name in _artefacts(records)
            for packed in [(external.packing or {}).get(name)]
        ],
        "by_products": _patterns(item.name for item in made.by_products),
        "ignore": _patterns(_ignored(records)),
    }


def _environment(declared: DeclaredEnvironment) -> dict[str, Any]:
    """Return what is declared of the machine, as recipes write it."""
    fields = declared.declared()
    variables = fields.pop("variables")
    own = {name: text for name, text in variables.items() if BASE_VARIABLES.get(name) != text}
    return {**fields, "environment": own}


def _inputs(made: ProvenanceStatement) -> Iterator[Resource]:
    for item in made.predicate.build_definition.resolved_dependencies:
        if item.annotation("role") != "image":
            yield item


def _input(item: Resource, records: OpenedBundle) -> dict[str, Any]:
    """Return one input; a file of the center's own recipe folder is looked for in the vault."""
    role = item.annotation("role")
    found = {"role": role, "locator": _locator(item), "sha256": str(item.digest.sha256)}
    if role == Role.BASE:
        bases = (b.predicate.delta.base for b in records.comparisons if b.predicate.delta)
        found["release"] = next((b.release for b in bases if b.digest == item.digest), None)
        if found["release"] is None:
            raise NotRecordedError("of which release a base is, is not published", got=item.name)
    return found


def _locator(item: Resource) -> str:
    uri = item.uri or ""
    with suppress(ValueError):  # no name that the vault has a locator for
        return str(vault_locator(item.name)) if uri.startswith(("file:", "vault:")) else uri
    return uri


def _artefacts(records: OpenedBundle) -> list[str]:
    return [b.name for b in records.comparisons if b.predicate.shipped is not None]


def _ignored(records: OpenedBundle) -> Iterator[str]:
    """Yield what the center left out of its seal, which is in the report that it has signed."""
    judged = records.report.judged
    for output in judged.rebuild.outputs if judged else ():
        if output.part is OutputKind.IGNORED:
            yield output.name


def _patterns(names: Iterator[str]) -> list[str]:
    """Return patterns of exactly these names; one that no pattern can be is left out."""
    found = map(glob.escape, names)
    return [text for text in found if ".." not in text and len(text) <= _MAX_PATTERN]
