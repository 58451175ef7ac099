"""Methods of building, one module each, and the declared build environment that they share.

Imports locators, containers (their folder orders) and `builders.core`. `METHODS` lists them all.
"""

from typing import Annotated

from pydantic import Field

from builders.methods import debian, debian_binnmu, debian_parts, script, wheel
from builders.methods.method import Command, Method, StagedInput

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        debian.METHOD,
        debian_binnmu.METHOD,
        debian_parts.METHOD,
        wheel.METHOD,
        script.METHOD,
    )
}

BuildField = Annotated[
    debian.DebianBuild
    | debian_binnmu.DebianBinnmuBuild
    | debian_parts.DebianPartsBuild
    | wheel.WheelBuild
    | script.ScriptBuild,
    Field(discriminator="method"),
]

__all__ = ["METHODS", "BuildField", "Command", "Method", "StagedInput"]
