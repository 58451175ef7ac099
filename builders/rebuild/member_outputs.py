"""Artefacts that are files inside of other outputs, taken out in the parser jail.

They are outputs like any other from here on: sealed, kept and judged under the names of artefacts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builders.archives import ArchiveError
from builders.core.digest import digest_file
from builders.core.errors import BuildFailedError, InputMismatchError
from builders.inputs.archive_member import copy_member
from builders.jail import Jail, JailFailedError
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.recipe.recipe import Recipe


def take_members(
    outputs: Sequence[Output], folder: Path, recipe: Recipe, jail: Jail
) -> tuple[Output, ...]:
    """Return the outputs with those members, sorted by name; their files are left in `folder`.

    A member that is not there, or not to be read within the limits of the jail, is no output: its
    artefact is MISSING. They count towards the recipe's limit of scratch space. Raises
    `BuildFailedError` where the build left a file of that name, and `JailUnavailableError`.
    """
    names = {output.name for output in outputs}
    found, room = list(outputs), recipe.limits.scratch - sum(o.size for o in outputs)
    for artefact in recipe.artefacts:
        if artefact.member is None:
            continue
        if artefact.name in names:
            raise BuildFailedError(
                f"the build left an output {artefact.name}",
                expected=f"none beside {artefact.output}",
            )
        file, path = artefact.member
        if file not in names:
            continue
        target = folder / artefact.name
        try:
            with (folder / file).open("rb") as archive, target.open("xb") as out:
                copy_member(jail, archive, path, out, most=room)
        except (ArchiveError, InputMismatchError, JailFailedError):
            target.unlink()
            continue
        size, digest = target.stat().st_size, digest_file(target)
        room -= size
        part = OutputKind.ARTEFACT
        found.append(Output(name=artefact.name, size=size, sha256=digest, part=part))
    return tuple(sorted(found, key=lambda output: output.name))
