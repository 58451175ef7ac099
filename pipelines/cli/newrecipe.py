"""`samebits recipe new`: the command behind it, and how it shows what it found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED, UsageError
from pipelines.cli.options import counted, open_session, print_json

if TYPE_CHECKING:
    from pipelines.infer import SearchJournal, SearchLimits
    from pipelines.infer.debian.buildinfo import BuildRecord
    from pipelines.verify.session import Session

_EXIT = {"identical": 0, "different": 1, "build failed": 1, "not available": EXIT_NOT_CHECKED}
_COLORS = {"identical": "green", "not available": "yellow"}


def write_recipe(
    purl: str | None,
    *,
    shipped: Path | None,
    source: Path | None,
    buildinfo: Path | None,
    out: Path | None,
    tries: int,
    time: str,
    as_json: bool,
    center_file: Path | None,
) -> int:
    """Infer, write or print, and return the exit code; raises `UsageError` before anything runs."""
    from builders.container.scratch import require_root
    from builders.core.units import parse_duration
    from pipelines.cli.terminal import screen
    from pipelines.infer import SearchLimits, read_record

    _require_one(purl, shipped, source)
    try:
        limits = SearchLimits(tries=tries, seconds=parse_duration(time))
    except ValueError as error:
        raise UsageError("--time cannot be read", got=time, expected="such as 5min") from error
    if out is not None and out.exists():
        raise UsageError(f"{out} exists", expected="a new file", todo="Choose another --out")
    record = read_record(purl, buildinfo) if buildinfo is not None else None
    session = open_session(center_file)
    require_root()
    session.engine.info()
    with screen() as sink:
        session.progress = sink
        journal = _infer(purl, shipped, source, out, session, limits, record)
        sink.done(journal.release, journal.status)
    if journal.recipe is not None and out is not None:
        _write(out, journal.recipe)
        _publish_image(out, session)
    show(journal, out, as_json=as_json)
    return _EXIT[journal.status]


def _require_one(purl: str | None, shipped: Path | None, source: Path | None) -> None:
    """Refuse neither, both or half of the two ways to say what was shipped."""
    options = {"--from-file": shipped, "--source": source}
    given = [f"{option} {path}" for option, path in options.items() if path is not None]
    expected = "a purl, or --from-file SHIPPED with --source SDIST"
    if purl is not None and given:
        raise UsageError(
            "a purl and files on disk were both given",
            got=" and ".join([purl, *given]),
            expected=expected,
            todo="Leave one of the two away",
        )
    if len(given) == 1:
        missing = next(option for option, path in options.items() if path is None)
        raise UsageError(f"{missing} is missing", got=f"{given[0]} alone", expected=expected)
    if purl is None and not given:
        raise UsageError("say what was shipped", expected=expected)


def _infer(
    purl: str | None,
    shipped: Path | None,
    source: Path | None,
    out: Path | None,
    session: Session,
    limits: SearchLimits,
    record: BuildRecord | None,
) -> SearchJournal:
    from builders.locators.package_index import IndexReader
    from pipelines.infer import files_on_disk, infer_release, infer_wheel

    index = IndexReader()
    if purl is not None:
        return infer_release(purl, session, index, limits, record)
    if shipped is None or source is None:
        message = "no files"
        raise ValueError(message)
    folder = (out.parent if out else Path()).absolute()
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
    return infer_wheel(target, session, index, limits)


def _write(out: Path, text: str) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(f"{out} cannot be written", got=error.strerror) from error


def _publish_image(out: Path, session: Session) -> None:
    """Put the image that was derived for a recipe beside the others, for review."""
    from builders.recipe.recipe import load_recipe

    if published := session.images.publish(load_recipe(out).recipe.build.image):
        _say(f"  image: {published}")


def show(journal: SearchJournal, out: Path | None, *, as_json: bool) -> None:
    """Print a journal: as one document, or the recipe on stdout and the rest on stderr."""
    if as_json:
        print_json(journal.model_dump(mode="json", by_alias=True))
        return
    if journal.recipe is not None and out is None:
        click.echo(journal.recipe, nl=False)
    color = _COLORS.get(journal.status, "red")
    _say(f"{journal.release}  {click.style(journal.status, fg=color)}  {journal.artefact}")
    tries, bits = counted(len(journal.tries), "try", "tries"), counted(journal.bits, "bit")
    _say(f"  {tries}, {journal.seconds:.1f} s, {bits} inferred")
    if journal.status != "identical":
        _say(f"  {journal.reason}")
    for scalar in journal.scalars:
        _say(f"  - {scalar.name} {scalar.value} ({counted(scalar.bits, 'bit')}): {scalar.evidence}")
    for cause in journal.causes:
        _say(f"  - {cause.name}: {cause.detail}")
    for note in journal.notes:
        _say(f"  note: {note}")
    if out is not None and journal.recipe is not None:
        _say(f"  recipe: {out}")


def _say(text: str) -> None:
    click.echo(text, err=True)
