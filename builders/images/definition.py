"""The definition of a builder image, which people write; its lock is made from it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, StringConstraints

from builders.core.digest import Digest, canonical_json
from builders.core.frozen_model import FrozenModel, schema_text
from builders.core.yamlfile import load_document, parse_model
from builders.methods.base import VariableName

USER_ID = 1000
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Suite = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
PackageName = Annotated[  # or `name=version`, for one that is not the newest
    str,
    StringConstraints(
        pattern=r"^[a-z0-9][a-z0-9+.-]{1,127}(=[A-Za-z0-9][A-Za-z0-9.+~:-]{0,127})?$"
    ),
]
UserName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
ImageVariable = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00\n]*$")]


class ImageDefinition(FrozenModel):
    """Debian's essential packages of one suite, and those named here with what they depend on."""

    schema_: Annotated[Literal["samebits/image/v1"], Field(alias="schema")]
    suite: Suite
    packages: Annotated[tuple[PackageName, ...], Field(max_length=1000)] = ()
    environment: dict[VariableName, ImageVariable] = Field(default_factory=dict, max_length=64)
    user: UserName = "builder"

    def variables(self) -> dict[str, str]:
        """Return the environment of the image, its own PATH first."""
        return {"PATH": PATH, **dict(sorted(self.environment.items()))}

    def digest(self) -> Digest:
        """Hash the definition; comments and the order of packages do not count."""
        value = self.model_dump(mode="json", by_alias=True)
        return Digest.of(canonical_json({**value, "packages": sorted(set(self.packages))}))


def load_definition(path: Path) -> ImageDefinition:
    """Read one definition; raises `RecipeError` with file, line and field."""
    return parse_model(load_document(path), ImageDefinition)


def dump_definition(definition: ImageDefinition, comment: str) -> str:
    """Return the text of a definition file, which depends on nothing else."""
    data = definition.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    data["packages"] = sorted(set(definition.packages))
    lines = textwrap.wrap(
        comment, 98, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
    text = yaml.safe_dump(data, sort_keys=False, indent=2)
    return "\n".join(lines) + "\n" + text


def definition_schema() -> str:
    """Return the JSON Schema of a definition, as `recipes/schema/image.json` contains it."""
    return schema_text(ImageDefinition)
