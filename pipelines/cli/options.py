"""What commands share: their options, and the files that users name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import UsageError
from builders.core.similar import similar_path, with_suggestion

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from pipelines.center.center import Center
    from pipelines.evidence.privatekey import PrivateKey
    from pipelines.evidence.release_name import ReleaseName

Function = Callable[..., Any]


class Group(click.Group):
    """A group of commands, whose help has the whole first sentence of each."""

    group_class = type

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands; click itself would cut what is longer than a line."""
        rows = [
            (name, command.get_short_help_str(limit=300))
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class _Recipe(click.ParamType[Path]):
    """The path of a recipe."""

    name = "recipe"

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """Return the path; raises `UsageError` for the name of a release."""
        path = Path(value)
        vendor_product, at, version = str(value).partition("@")
        recipe = Path("recipes", "releases", vendor_product, f"{version}.yaml")
        if at and not path.exists() and recipe.is_file():
            raise UsageError(
                "a recipe is a file", got=f"the release {value}", todo=f"Did you mean '{recipe}'?"
            )
        return path

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Propose recipes."""
        from pipelines.cli.completion import recipes

        return recipes(incomplete)


class _Release(click.ParamType["ReleaseName"]):
    """A release, `vendor/product@version`."""

    name = "release"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> ReleaseName:
        """Parse the name; raises `UsageError`."""
        from pipelines.evidence.release_name import ReleaseName

        if isinstance(value, ReleaseName):
            return value
        vendor, product, name = ("", "", *Path(value).parts)[-3:]
        if vendor and product and name.endswith(".yaml"):
            meant = f"Did you mean '{vendor}/{product}@{name.removesuffix('.yaml')}'?"
            raise UsageError("a recipe in place of a release", got=ascii(value), todo=meant)
        return ReleaseName.parse(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Propose releases."""
        from pipelines.cli.completion import releases

        return releases(ctx, incomplete)


PATH = click.Path(path_type=Path)
RECIPE, RELEASE = _Recipe(), _Release()
_META = "samebits."
"""Prefix of the options in the metadata of a command's context."""


def _note(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    """Keep an option in the metadata of the context."""
    ctx.meta[f"{_META}{parameter.name}"] = value


def noted(name: str) -> Any:
    """Return the value of an option that the command does not take itself; None outside of one."""
    ctx = click.get_current_context(silent=True)
    return None if ctx is None else ctx.meta.get(f"{_META}{name}")


def _flag(name: str, text: str) -> Callable[[Function], Function]:
    """Return a flag that is kept in the metadata of the context, for `noted`."""
    return click.option(name, is_flag=True, expose_value=False, callback=_note, help=text)


json = _flag("--json", "Print one JSON document on stdout.")
"""Adds `--json`, which `show` obeys."""

wide = _flag("--wide", "Print whole digests, and do not wrap lines.")
"""Adds `--wide`, which `layout` obeys: for commands that print tables or digests."""


raw = click.option(
    "--raw", is_flag=True, help="Escape nothing: for files and programs, not for a terminal."
)
"""Adds `--raw`, of a command that prints bytes of others."""

offline = _flag("--offline", "Fetch nothing: use the vault and files of this machine alone.")
"""Adds `--offline` to a command with a `Session`."""


def _complete_run(
    ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from pipelines.cli.completion import runs

    return runs(ctx, incomplete)


run = click.option(
    "--run",
    default="latest",
    show_default=True,
    help="Id of the run, or the eight digits that it ends with.",
    shell_complete=_complete_run,
)
"""Adds `--run`, of a release that the command takes."""


def center_file(function: Function) -> Function:
    """Add `--center FILE`, and call the command with the `Center` as its first argument."""

    @functools.wraps(function)
    def run(*, center_file: Path | None, **given: Any) -> Any:
        from pipelines.center.center import load_center

        return function(load_center(center_file, store=noted("store")), **given)

    text = "The center's file; by default the center `local` below SAMEBITS_HOME."
    return file("--center", "center_file", help=text)(run)


def stored(function: Function) -> Function:
    """Add `--store`, which `center_file` obeys."""
    return click.option(
        "--store",
        metavar="ADDRESS",
        expose_value=False,
        callback=_note,
        help="Evidence store in place of the center's: a folder, or s3://bucket/prefix.",
    )(function)


def center(function: Function, *, reads: bool = False, inputs: bool = False) -> Function:
    """Add `--center` and `--store`, and call the command with a `Session` as its first argument.

    With `reads`, its parser jail starts at once: it imports what it needs while we do. With
    `inputs`, that reads inputs alone.
    """

    @functools.wraps(function)
    def run(center: Center, **given: Any) -> Any:
        from builders.jail.parser_jail import ParserJail
        from pipelines.verify.readers import INPUT_READERS, READERS

        jail = ParserJail(INPUT_READERS if inputs else READERS)
        if reads:
            jail.start()
        from pipelines.verify.session import Session  # heavy

        with Session(center, offline=bool(noted("offline")), jail=jail) as session:
            return function(session, **given)

    return center_file(stored(run))


def common(function: Function) -> Function:
    """Add `--json`, `--center` and `--store`; see `json` and `center`."""
    return json(center(function))


def common_reading(function: Function) -> Function:
    """Add what `common` adds to a command that reads foreign files."""
    return json(center(function, reads=True))


def common_of_inputs(function: Function) -> Function:
    """Add what `common` adds to a command that reads inputs, and no other foreign files."""
    return json(center(function, inputs=True))


def file(*names: str, metavar: str = "FILE", **settings: Any) -> Callable[[Function], Function]:
    """Return an option whose value is a path."""
    return click.option(*names, type=PATH, metavar=metavar, **settings)


def prepared(function: Function) -> Function:
    """Add `--prepared`, a file that a review page has prepared."""
    text = "What a review page prepared; refused unless it says what is found here."
    return file("--prepared", help=text)(function)


def key(owner: str) -> Callable[[Function], Function]:
    """Return the required option `--key`, a private key file for `open_key`."""
    return file("--key", "key_file", required=True, help=f"The {owner}'s private key.")


def duration(name: str, **settings: Any) -> Callable[[Function], Function]:
    """Return an option whose value is a time such as `30min`, given to the command as timedelta."""
    return click.option(name, metavar="DURATION", callback=_parse_duration, **settings)


def _parse_duration(
    _ctx: click.Context, parameter: click.Parameter, text: str | None
) -> timedelta | None:
    from builders.core.units import parse_duration

    try:
        return None if text is None else timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise UsageError(
            f"{parameter.opts[0]} is no time",
            got=ascii(text),
            expected=str(error).removeprefix("expected "),
        ) from error


@contextmanager
def file_errors(path: Path, verb: str = "read") -> Iterator[None]:
    """Raise `UsageError` for an `OSError` of the file that the user named."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path} cannot be {verb}", got=error.strerror, todo=similar_path(path)
        ) from error


def require_new(path: Path, what: str = "file") -> None:
    """Raise `UsageError` when there is something at a path that is to be written."""
    if path.exists():
        todo = "Remove it, or choose another path"
        raise UsageError(f"{path} exists", expected=f"a new {what}", todo=todo)


def key_path(path: Path) -> Path:
    """Return a path that a private key can have; raises `UsageError`."""
    if path.suffix != ".key":
        raise UsageError(
            "the name of a private key file ends in .key", got=path, expected="such as alice.key"
        )
    return path


def open_key(path: Path) -> PrivateKey:
    """Read a private key; raises `UsageError` for another name, `KeyFileError` for no key."""
    from pipelines.evidence.errors import KeyFileError
    from pipelines.evidence.privatekey import load_key

    key_path(path)
    try:
        return load_key(path.parent, path.stem)
    except KeyFileError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        todo = "Make one with `samebits review key NAME`"
        raise KeyFileError(
            error.what, got=error.got, todo=with_suggestion(todo, similar_path(path))
        ) from error
