"""The source of a release: found by name or recipe, read from the vault or fetched; unpacked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builders.core.enums import Role
from builders.core.errors import UsageError
from builders.core.similar import did_you_mean, with_suggestion
from builders.inputs.collect import collect_inputs
from builders.inputs.source_files import SourceFiles
from builders.locators import Fetcher
from builders.recipe.recipe import Input, LoadedRecipe, find_recipe, load_recipe
from pipelines.evidence.release_name import ReleaseName
from pipelines.verify.session import Session


@dataclass(frozen=True, kw_only=True)
class ReleaseSource:
    """One source input of a release, unpacked."""

    declared: Input
    files: SourceFiles
    folder: str
    """Where its tree is below that of the release; empty for the only source."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "locator": str(self.declared.locator),
            "sha256": str(self.declared.sha256),
            "source_digest": str(self.files.digest),
            "folder": self.folder,
            "files": len(self.files.tree),
            "bytes": self.files.size(),
            "links_out": list(self.files.links_out()),
        }


def is_recipe_path(what: str) -> bool:
    """Say whether an argument is the path of a recipe, and not `vendor/product@version`."""
    return what.endswith((".yaml", ".yml")) or Path(what).is_file()


def recipe_of(what: str, session: Session) -> LoadedRecipe:
    """Return the recipe of `vendor/product@version`, or at a path.

    Raises `UsageError`, also for a release without a recipe in the center's folder.
    """
    if is_recipe_path(what):
        return load_recipe(Path(what))
    if "@" not in what:
        raise UsageError(
            "not the name of a release, and no recipe",
            got=ascii(what[:120]),
            expected="vendor/product@version, as in debian/netbase@6.5, or the path of a recipe",
        )
    release, folder = ReleaseName.parse(what), session.center.recipes / "releases"
    found = find_recipe(folder, *release.parts)
    if found is None:
        recipes = (path.relative_to(folder) for path in folder.glob("*/*/*.yaml"))
        known = (f"{path.parent.as_posix()}@{path.stem}" for path in recipes)
        todo = "Give the path of its recipe, or --center with the folder of your recipes"
        raise UsageError(
            f"there is no recipe of {release}",
            got=f"none in {folder}",
            todo=with_suggestion(todo, did_you_mean(str(release), known)),
        )
    return found


@contextmanager
def unpacked_sources(
    loaded: LoadedRecipe, session: Session, fetcher: Fetcher | None = None
) -> Iterator[tuple[ReleaseSource, ...]]:
    """Unpack the sources of a recipe while the block lasts.

    What the vault lacks is fetched, by default as the session does; every file is compared with its
    pin. Raises `UsageError` for a recipe without sources, `InputUnavailableError`, and
    `InputMismatchError` for other bytes or a hostile archive.
    """
    declared = [item for item in loaded.recipe.inputs if item.role is Role.SOURCE]
    if not declared:
        raise UsageError(f"{loaded.recipe.release} has no source", got="inputs of other roles")
    alone = loaded.model_copy(
        update={"recipe": loaded.recipe.model_copy(update={"inputs": tuple(declared)})}
    )
    release = loaded.recipe.release
    session.progress.step(release, "fetching the source")
    counter = session.counter(release)
    files = collect_inputs(
        alone, session.vault, fetcher or session.fetcher, session.workdir, session.jail, counter
    )
    for file in files:
        session.vault.verify(file.sha256)
    session.progress.step(release, "unpacking the source")
    with tempfile.TemporaryDirectory(dir=session.workdir, prefix="source-") as folder:
        sources = tuple(
            ReleaseSource(
                declared=item,
                files=SourceFiles.read(
                    [file for file in files if item.sha256 in {file.sha256, file.of}],
                    lambda file: session.vault.open(file.sha256),
                    Path(folder, str(number)),
                    session.jail,
                ),
                folder="" if len(declared) == 1 else f"source-{number}",
            )
            for number, item in enumerate(declared, start=1)
        )
        session.progress.done(release, "the source is unpacked")
        yield sources


def write_sources(sources: tuple[ReleaseSource, ...], folder: Path) -> None:
    """Write the trees into the new `folder`, which is there complete or not at all.

    Raises `UsageError`, and `InputMismatchError` for a tree that no folder can hold.
    """
    try:
        with tempfile.TemporaryDirectory(dir=folder.absolute().parent, prefix=".source-") as made:
            tree = Path(made, "tree")
            if len(sources) > 1:
                tree.mkdir()
            for source in sources:
                source.files.write(tree / source.folder if source.folder else tree)
            tree.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written", got=error.strerror) from error
