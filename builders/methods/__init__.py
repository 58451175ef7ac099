"""Ways of building, one module each; this table is the only list of them."""

from typing import Annotated

from pydantic import Field

from builders.methods import debian, debianbinnmu, script, wheel
from builders.methods.method import Command, Method, StagedInput

METHODS: dict[str, Method] = {
    method.name: method
    for method in (debian.METHOD, debianbinnmu.METHOD, wheel.METHOD, script.METHOD)
}

BuildField = Annotated[
    debian.DebianBuild | debianbinnmu.DebianBinnmuBuild | wheel.WheelBuild | script.ScriptBuild,
    Field(discriminator="method"),
]

__all__ = ["METHODS", "BuildField", "Command", "Method", "StagedInput"]
