"""Build Python wheels from source distributions with the PEP 517 hook of their backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from builders.core.enums import Role
from builders.methods.base import Build, OctalMode
from builders.methods.method import Command, Method, StagedInput, only_source
from builders.methods.tree_files import TreeFiles, tree_words

PythonTag = Annotated[
    str, StringConstraints(pattern=r"^(py|cp)[0-9]{1,4}(\.(py|cp)[0-9]{1,4}){0,7}$")
]


class WheelBuild(Build):
    """Build the wheel of a source distribution; its backend is pinned as toolchain inputs."""

    two_steps: ClassVar[bool] = True
    method: Annotated[Literal["wheel"], Field(description="The PEP 517 hook of the backend.")]
    source_umask: Annotated[
        OctalMode | None,
        Field(
            description="The umask under which the source is unpacked, in octal; 000 keeps the "
            "modes of the archive. By default that of the build."
        ),
    ] = None
    files: TreeFiles = ()
    python_tag: Annotated[
        PythonTag | None,
        Field(
            description="The Python tag that the vendor gave to setuptools, such as py2.py3; a "
            "setup.cfg in the source comes first."
        ),
    ] = None


def _command(build: WheelBuild, staged: Sequence[StagedInput], cores: int) -> Command:
    del cores
    source = only_source(staged, (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tar"))
    tools = [i for i in staged if i.role in {Role.TOOLCHAIN, Role.DEPENDENCY}]
    if wrong := [i.name for i in tools if not i.name.endswith(".whl")]:
        raise ValueError(f"expected wheels as toolchain and dependency inputs, got {wrong[0]!r}")
    variables = {"SOURCE_UMASK": build.source_umask} if build.source_umask else {}
    if build.clock is not None and build.clock.then is not None:
        variables["CLOCK_GOES_ON_BEFORE"] = build.clock.before
    words = tree_words(build.files)
    return Command(
        arguments=(source.path, build.python_tag or "-", *words, *(i.path for i in tools)),
        variables=variables,
    )


METHOD = Method(name="wheel", script="wheel.sh", command=_command)
