"""`samebits recipe`: infer recipes, check them before anything runs, print their schema."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import EXIT_NOT_CHECKED, EXIT_USAGE, UsageError
from pipelines.cli import options
from pipelines.cli.console import styled, write_text
from pipelines.cli.recipe_script import ScriptOptions, infer_own_build, script_options
from pipelines.cli.terminal import counted, screen, show, tell, wants_json, warn

if TYPE_CHECKING:
    from pipelines.infer.journal import SearchJournal
    from pipelines.infer.target import Target
    from pipelines.verify.session import Session

_EXIT = {"identical": 0, "different": 1, "build failed": 1, "not available": EXIT_NOT_CHECKED}
_COLORS = {"identical": "green", "not available": "yellow"}


@click.group(cls=options.Group)
def command() -> None:
    """Infer and check recipes, and print their schema."""


@command.command()
@click.argument("recipes", nargs=-1, required=True, type=options.RECIPE, metavar="RECIPE...")
@options.common
def lint(session: Session, recipes: tuple[Path, ...]) -> None:
    """Check recipes without fetching or building anything, and show the inferred values of drafts.

    \b
    Example:
      samebits recipe lint recipes/releases/*/*/*.yaml

    Exit codes: 0 all can be used, 64 some cannot.
    """
    from builders.core.yamlfile import read_text
    from builders.rebuild.lint import check_recipe, recipe_warnings
    from pipelines.infer.trial import explanations, head_notes

    rows: list[dict[str, Any]] = []
    for path in recipes:
        row: dict[str, Any] = {"file": str(path), "error": None}
        row |= {"warnings": [], "draft": [], "inferred": []}
        rows.append(row)
        try:
            loaded = check_recipe(path, session.images, unshipped=True)
        except UsageError as error:
            row["error"] = error.to_dict()
            if not wants_json():
                warn(error)
            continue
        text = read_text(path)
        row |= {"warnings": recipe_warnings(loaded), "draft": head_notes(text)}
        row["inferred"] = explanations(text)
        if not wants_json():
            inferred = [f"inferred: {line}" for line in row["inferred"]]
            notes = [f"note: {warning}" for warning in row["warnings"]]
            lines = (f"  {line}" for line in [*notes, *row["draft"], *inferred])
            show(row, f"{path}: {loaded.recipe.release} can be used", *lines)
    if wants_json():
        show({"recipes": rows})
    sys.exit(EXIT_USAGE if any(row["error"] for row in rows) else 0)


@command.command()
@click.argument("purl", required=False)
@options.file("--out", help="Write the recipe to FILE, not to stdout.")
@click.option("--force", is_flag=True, help="Replace FILE if there is one.")
@options.file(
    "--from-file", "shipped", metavar="SHIPPED", multiple=True, help="A shipped file on disk."
)
@click.option("--source", metavar="SOURCE", help="Its source, on disk; or a locator of yours.")
@options.file("--buildinfo", help="The .buildinfo of a Debian build.")
@script_options
@click.option("--max-tries", default=16, show_default=True, type=click.IntRange(1, 200))
@options.duration("--time", default="5min", show_default=True, help="For all tries.")
@options.common
def new(
    session: Session,
    purl: str | None,
    *,
    out: Path | None,
    force: bool,
    shipped: tuple[Path, ...],
    source: str | None,
    buildinfo: Path | None,
    own: ScriptOptions,
    max_tries: int,
    time: timedelta,
) -> None:
    """Find the build that makes shipped files from their source, and write it as a draft recipe.

    The environment is inferred from the shipped file and tried in real rebuilds, the likeliest
    first, until the bytes are identical; the draft gives the evidence of each inferred value.
    Otherwise the nearest recipe is written, with the causes that remain. A journal of all tries is
    kept, so that a second call returns at once or resumes. For Debian, a whole source package is
    rebuilt to all its binary packages; the environment that a .buildinfo records is tried first.

    With --script or --step it is your own build, in an image of yours: the script finds the source
    in /inputs/source and leaves what ships in /out. Tried are clock, umask, path, host name, time
    zone, locale and folder order. Files beside the recipe are named in it; a source elsewhere is
    added to the vault, and what has not shipped gets no `shipped` yet.

    \b
    Examples:
      samebits recipe new pkg:pypi/six@1.17.0 \\
          --out recipes/releases/pypi/six/1.17.0.yaml
      samebits recipe new "pkg:deb/debian/netbase@6.5?arch=source"
      samebits recipe new "pkg:deb/debian/netbase@6.5?arch=source" \\
          --buildinfo netbase.buildinfo
      samebits recipe new --from-file six-1.17.0-py2.py3-none-any.whl \\
          --source six-1.17.0.tar.gz
      samebits recipe new --script build.sh --release acme/engine@4.2 \\
          --source engine-4.2.tar --from-file dist/engine.tar.gz --out 4.2.yaml

    Exit codes: 0 identical, 1 not identical, 2 not tried, 64 usage.
    """
    from builders.container.scratch import require_root
    from builders.locators.package_index import IndexReader
    from builders.recipe.recipe import load_recipe
    from pipelines.infer.inference import infer_release, read_record
    from pipelines.infer.search import SearchLimits
    from pipelines.infer.wheel.search import infer_wheel

    _require_one(purl, shipped, source, own)
    if out is not None and not force:
        options.require_new(out)
    seconds = int(time.total_seconds())
    limits = SearchLimits(tries=max_tries, seconds=seconds)
    record = read_record(purl, buildinfo) if buildinfo is not None else None
    require_root()
    session.engine.info()
    index = IndexReader()
    with screen(session) as sink:
        folder = (out.parent if out else Path()).absolute()
        if own.given:
            own_limits = SearchLimits(tries=max_tries, seconds=seconds, one=seconds)
            journal = infer_own_build(
                session,
                own,
                shipped=shipped,
                source=source,
                folder=folder.resolve(),
                limits=own_limits,
            )
        elif shipped and source is not None:
            target = _wheel_on_disk(shipped[0], Path(source), folder, session)
            journal = infer_wheel(target, session, index, limits)
        else:
            journal = infer_release(purl or "", session, index, limits, record)
        sink.done(journal.release, journal.status)
    if journal.recipe is not None and out is not None:
        write_draft(journal.recipe, out, force=force)
        # The image that was derived for the recipe goes beside the others, for review.
        if published := session.images.publish(load_recipe(out, unshipped=True).recipe.build.image):
            tell(f"  image: {published}")
    show_journal(journal, out)
    sys.exit(_EXIT[journal.status])


def write_draft(text: str, out: Path, *, force: bool) -> None:
    """Write a recipe into a new file, or with `force` in place of another; raises `UsageError`."""
    with options.file_errors(out, "written"):
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)


def _require_one(
    purl: str | None, shipped: Sequence[Path], source: str | None, own: ScriptOptions
) -> None:
    """Require a purl, or files, not both and not one file alone; raises `UsageError`."""
    given = [f"--from-file {path}" for path in shipped]
    given += [f"--source {source}"] if source is not None else []
    expected = "a purl, or --from-file SHIPPED with --source SDIST"
    if purl is not None and (given or own.given):
        raise UsageError(
            "a purl and files on disk were both given",
            got=" and ".join([purl, *given]),
            expected=expected,
            todo="Remove one of the two",
        )
    if own.given or purl is not None:
        return
    if own.release is not None:
        raise UsageError("--release is for a build of your own", expected="--script or --step")
    if len(shipped) > 1:
        raise UsageError("several files were given", got=" and ".join(given), expected=expected)
    if len(given) == 1:
        missing = "--source" if shipped else "--from-file"
        raise UsageError(f"{missing} is missing", got=f"{given[0]} alone", expected=expected)
    if not given:
        todo = "For a build of your own give --script, --release, --source and --from-file"
        raise UsageError("no shipped release was given", expected=expected, todo=todo)


def _wheel_on_disk(shipped: Path, source: Path, folder: Path, session: Session) -> Target:
    """Return a wheel on disk to infer; both files must be in `folder`, beside the recipe."""
    from pipelines.infer.wheel.distributions import files_on_disk

    for path in (shipped, source):
        if path.absolute().parent != folder:
            raise UsageError(
                f"{path} is not in the folder of the recipe",
                got=str(path.absolute().parent),
                expected=str(folder),
                todo="A recipe names local files relative to its own folder: put them there",
            )
    target, files = files_on_disk(shipped, source)
    for pin in (target.shipped, target.source):
        session.vault.add(files[pin.name], pin.sha256, what=pin.name)
    return target


def show_journal(journal: SearchJournal, out: Path | None) -> None:
    """Print a journal: as one document, or the recipe on stdout and the rest on stderr."""
    if wants_json():
        show(journal.model_dump(mode="json", by_alias=True))
        return
    if journal.recipe is not None and out is None:
        write_text(journal.recipe)
    tell(*_journal_lines(journal))
    if out is not None and journal.recipe is not None:
        tell(f"  recipe: {out}")


def _journal_lines(journal: SearchJournal) -> Iterator[str]:
    status = styled(journal.status, _COLORS.get(journal.status, "red"))
    yield f"{journal.release}  {status}  {journal.artefact}"
    tries, bits = counted(len(journal.tries), "try", "tries"), counted(journal.bits, "bit")
    yield f"  {tries}, {journal.seconds:.1f} s"
    if journal.scalars:
        yield f"  the inferred values can carry at most {bits} of the shipped file"
    if journal.status != "identical":
        yield f"  {journal.reason}"
    for scalar in journal.scalars:
        carried = counted(scalar.bits, "bit")
        yield f"  - {scalar.name} {scalar.value} ({carried}): {scalar.evidence}"
    yield from (f"  - {cause.name}: {cause.detail}" for cause in journal.causes)
    yield from (f"  note: {note}" for note in journal.notes)


@command.command()
def schema() -> None:
    """Print the JSON Schema of a recipe, for editors.

    \b
    Example:
      samebits recipe schema > recipes/schema/recipe.json
    """
    from builders.recipe.recipe import recipe_schema

    write_text(recipe_schema())
