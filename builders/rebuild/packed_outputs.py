"""Artefacts that are packed again after the build, by the parameters that the recipe declares.

The process that packs sees what the build left and the parameters, and nothing of what was shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builders.archives import ArchiveError
from builders.core.digest import digest_file
from builders.core.errors import BuildFailedError
from builders.jail import Jail, JailFailedError
from builders.rebuild.rebuild_result import Output
from builders.recipe.recipe import Recipe

_PACKED = ".packed"


def pack_outputs(
    outputs: Sequence[Output], folder: Path, recipe: Recipe, jail: Jail
) -> tuple[Output, ...]:
    """Return the outputs, with those packed again for which the recipe declares it.

    They replace what the build left in `folder`. Raises `BuildFailedError` for a file that cannot
    be packed as declared within the recipe's limit of scratch space, and `JailUnavailableError`.
    """
    packings = {a.name: a.packing for a in recipe.artefacts if a.packing}
    if not packings:
        return tuple(outputs)
    # The encoders are loaded where something is packed.
    from builders.packing.compress import PackingError  # noqa: PLC0415
    from builders.packing.repack import REPACK, Repacking  # noqa: PLC0415

    found, room = [], recipe.limits.scratch - sum(output.size for output in outputs)
    for output in outputs:
        packing = packings.get(output.name)
        if packing is None:
            found.append(output)
            continue
        built = folder / output.name
        # No output has this name: it would begin with a dot.
        packed = folder / f".{output.name[:200]}{_PACKED}"
        try:
            with built.open("rb") as file, packed.open("xb") as out:
                jail.run(REPACK, [file], Repacking(packing=packing, most=room), outputs=[out])
        except (ArchiveError, PackingError, JailFailedError) as error:
            packed.unlink()
            what = f"{output.name} cannot be packed as the recipe declares"
            raise BuildFailedError(what, got=error, expected=str(packing)) from error
        packed.replace(built)
        size = built.stat().st_size
        room += output.size - size
        found.append(output.model_copy(update={"size": size, "sha256": digest_file(built)}))
    return tuple(found)
