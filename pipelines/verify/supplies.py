"""All that rebuilding and judging a recipe reads, for a center that can fetch nothing.

That is more than its inputs: the packages of its image, those of the image in which a declared
clock is compiled, those of the image in which a difference is explained, and of rules their samples
and the image of their engines.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builders.core.digest import Digest
from builders.inputs.collect import collect_inputs
from builders.inputs.fetching import FetchProgress, fetch_missing, no_progress
from builders.methods.base import Build
from builders.preload.preload_lock import preload_lock
from builders.recipe.recipe import LoadedRecipe
from pipelines.verify.explaining import DIFFER_IMAGE
from pipelines.verify.judging import shipped_want
from pipelines.verify.rule_engines import ENGINES_IMAGE, samples_wants
from pipelines.verify.session import Session


@dataclass(frozen=True, kw_only=True)
class Supplies:
    """What the vault of another center must hold, and files that its recipes folder lacks."""

    digests: frozenset[Digest]
    files: tuple[Path, ...] = ()
    """Definitions and locks of derived images, which are only in the home of this center."""


def images_of(build: Build) -> tuple[str, ...]:
    """Return the names of the locked images that a rebuild and its judgement may need."""
    compiler = (preload_lock().image,) if build.clock is not None else ()
    named = () if "@sha256:" in build.image else (build.image,)
    return tuple(dict.fromkeys((*named, *compiler, DIFFER_IMAGE)))


def supplies_of(
    loaded: LoadedRecipe, session: Session, progress: FetchProgress = no_progress
) -> Supplies:
    """Fetch what the vault of `session` lacks of a recipe, and return all that it needs.

    Raises `InputUnavailableError` or `InputMismatchError`, and `UsageError` for an unknown image.
    """
    names, samples = images_of(loaded.recipe.build), samples_wants(loaded)
    if samples:
        names = tuple(dict.fromkeys((*names, ENGINES_IMAGE)))
    wants = [shipped_want(artefact, loaded.folder) for artefact in loaded.recipe.artefacts]
    wants += samples
    for name in names:
        wants += session.images.lock(name).fetch_requests()
    fetch_missing(session.vault, session.fetcher, wants, session.workdir, progress)
    inputs = collect_inputs(
        loaded, session.vault, session.fetcher, session.workdir, session.jail, progress
    )
    return Supplies(
        digests=frozenset({w.sha256 for w in wants} | {i.sha256 for i in inputs}),
        files=tuple(p for name in names for p in session.images.unpublished(name)),
    )
