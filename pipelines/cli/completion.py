"""`samebits completion`, and what the shell proposes: recipes, releases and runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from builders.core.errors import SamebitsError
from builders.core.escaping import escaped
from pipelines.cli.console import write, write_text

_VARIABLE = "_SAMEBITS_COMPLETE"
"""The variable by which the shell asks the command for proposals; click reads it."""
_RECIPES = "recipes/releases"
_FOLDERS = 1000
"""Folders that are searched for recipes at most."""
_MOST = 1000
"""Proposals at most: a shell shows no more with comfort."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes commands, options, recipes, releases and runs in SHELL.

    \b
    Examples:
      samebits completion bash >> ~/.bashrc
      samebits completion zsh >> ~/.zshrc
      samebits completion fish > ~/.config/fish/completions/samebits.fish
    """
    found = get_completion_class(shell)
    if found is None:
        message = f"click has no completion for {shell}"
        raise LookupError(message)
    root = click.get_current_context().find_root()
    if shell == "bash":
        write('COMP_WORDBREAKS="${COMP_WORDBREAKS//@/}"  # a release is one word')
    write_text(found(root.command, {}, "samebits", _VARIABLE).source() + "\n")


def recipes(incomplete: str) -> list[CompletionItem]:
    """Propose the recipes below the folder that was typed, else any file."""
    folder = incomplete.rpartition("/")[0] or ("/" if incomplete.startswith("/") else _RECIPES)
    found = (
        str(Path(above, name))
        for above, _, names in islice(os.walk(folder), _FOLDERS)
        for name in names
        if name.endswith(".yaml")
    )
    return _items(sorted(found), incomplete) or [CompletionItem(incomplete, type="file")]


def releases(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Propose the releases of the center's recipes and of its store, if that is a folder."""
    return _items(sorted(set(_releases(ctx))), incomplete)


def runs(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Propose the runs of the release that was typed, the newest first."""
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.storage.names import release_prefix

    release, store = ctx.params.get("release"), _store(ctx)
    try:
        # An option without its value yet keeps click from reading the arguments before it.
        release = release or ReleaseName.parse(ctx.args[0] if ctx.args else "")
    except SamebitsError:
        return []
    if store is None:
        return []
    found = (store / release_prefix(*release.parts)).glob("*/*")
    return _items(sorted((run.name for run in found), reverse=True), incomplete)


def _releases(ctx: click.Context) -> Iterator[str]:
    from pipelines.center.file import recipes_folder
    from pipelines.storage.names import decode

    for path in (recipes_folder() / "releases").glob("*/*/*.yaml"):
        vendor, product = path.parts[-3:-1]
        yield f"{vendor}/{product}@{path.stem}"
    if (store := _store(ctx)) is not None:
        for path in (store / "public" / "releases").glob("*/*/*"):
            with suppress(SamebitsError):  # others may have made a folder that is no release
                vendor, product, version = map(decode, path.parts[-3:])
                yield f"{vendor}/{product}@{version}"


def _store(ctx: click.Context) -> Path | None:
    """Return the folder of the center's store; None for S3, or a center that cannot be read."""
    from pipelines.center.center import load_center

    try:
        store = load_center(
            ctx.params.get("center_file"), store=ctx.meta.get("samebits.store")
        ).store
    except SamebitsError:
        return None
    return store if isinstance(store, Path) else None


def _items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    fit = (name for name in names if name.startswith(incomplete) and name == escaped(name))
    return [CompletionItem(name) for name in islice(fit, _MOST)]
