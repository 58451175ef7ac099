"""Build with a list of commands, or with one script file that stands beside the recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from builders.locators.locator import relative_path
from builders.methods.base import Build
from builders.methods.method import CONTROL, Command, Method, StagedInput

RECIPE_SCRIPT = f"{CONTROL}/recipe-script"
Argument = Annotated[str, StringConstraints(max_length=32768, pattern=r"^[^\x00]*$")]
ScriptStep = Annotated[tuple[Argument, ...], Field(min_length=1, max_length=1000)]
ScriptPath = Annotated[str, AfterValidator(lambda text: str(relative_path(text)))]


class ScriptBuild(Build):
    """Run commands one after another in the build path; their outputs are the files in /out."""

    method: Annotated[Literal["script"], Field(description="Commands of the recipe's own.")]
    steps: Annotated[
        tuple[ScriptStep, ...],
        Field(max_length=1000, description="Commands, each a list of words."),
    ] = ()
    script: Annotated[
        ScriptPath | None,
        Field(description="An executable file beside the recipe, in place of steps."),
    ] = None

    @model_validator(mode="after")
    def _steps_or_script(self) -> Self:
        if bool(self.steps) == bool(self.script):
            raise ValueError(
                "expected either steps (lists of arguments) or script (a file), not both"
            )
        return self


def _command(build: ScriptBuild, staged: Sequence[StagedInput], cores: int) -> Command:
    """Pass each step as its number of words and the words; nothing is quoted or joined."""
    del staged
    steps: Sequence[tuple[str, ...]] = build.steps or ((RECIPE_SCRIPT,),)
    flat = [str(len(steps))]
    for step in steps:
        flat += [str(len(step)), *step]
    return Command(arguments=tuple(flat), variables={"CORES": str(cores)})


METHOD = Method(name="script", script="script.sh", command=_command)
