"""`samebits recipe new --script`: a vendor's own build, from files and options of the vendor."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import UsageError
from pipelines.cli import options

if TYPE_CHECKING:
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.infer.journal import SearchJournal
    from pipelines.infer.script.hypothesis import ScriptedBuild
    from pipelines.infer.search import SearchLimits
    from pipelines.infer.target import Pin, Target
    from pipelines.verify.session import Session

IMAGE = "debian-trixie-build"


@dataclass(frozen=True, kw_only=True)
class ScriptOptions:
    """The options of a build of the vendor's own."""

    script: Path | None
    steps: tuple[str, ...]
    release: ReleaseName | None
    image: str
    kind: str
    private: bool
    by_products: tuple[str, ...]
    source_sha256: str | None

    @property
    def given(self) -> bool:
        """Whether the recipe of such a build is asked for."""
        return self.script is not None or bool(self.steps)


def script_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options, and call the command with them as `own`."""

    @click.option("--step", "steps", multiple=True, metavar="COMMAND", help="One command of it.")
    @options.file("--script", help="The build script of your own build, beside the recipe.")
    @click.option(
        "--release", type=options.RELEASE, help="vendor/product@version of your own build."
    )
    @click.option("--image", default=IMAGE, show_default=True, help="Builder image of your build.")
    @click.option(
        "--kind",
        default="binary",
        show_default=True,
        type=click.Choice(["binary", "update", "ruleset"]),
        help="Kind of the release.",
    )
    @click.option("--private", is_flag=True, help="Closed source: publish no more than it ships.")
    @click.option("--by-product", "by_products", multiple=True, metavar="GLOB", help="Not shipped.")
    @click.option("--source-sha256", metavar="SHA256", help="Digest of a --source by locator.")
    @functools.wraps(function)
    def run(*args: Any, **given: Any) -> Any:
        names = ScriptOptions.__dataclass_fields__
        own = ScriptOptions(**{name: given.pop(name) for name in names})
        return function(*args, own=own, **given)

    return run


def infer_own_build(
    session: Session,
    own: ScriptOptions,
    *,
    shipped: Sequence[Path],
    source: str | None,
    folder: Path,
    limits: SearchLimits,
) -> SearchJournal:
    """Search the recipe of a vendor's own build, which will lie in `folder`; raises `UsageError`.

    Files that are not in `folder` are named by the vault, and shipped ones get no `shipped` yet.
    """
    from pipelines.infer.script.search import infer_script

    target = _target(session, own, shipped=shipped, source=source, folder=folder)
    return infer_script(target, _build(own, folder), session, limits)


def _target(
    session: Session,
    own: ScriptOptions,
    *,
    shipped: Sequence[Path],
    source: str | None,
    folder: Path,
) -> Target:
    from builders.core.digest import Digest, canonical_json
    from pipelines.infer.target import Target

    if not own.release or not source or not shipped:
        raise UsageError(
            "a build of your own is not described",
            got=_given({"--release": own.release, "--source": source, "--from-file": shipped}),
            expected="--release, --source and --from-file beside --script or --step",
        )
    vendor, product, version = own.release.parts
    pins = tuple(_local_pin(session, path, folder) for path in shipped)
    listed = sorted([pin.name, str(pin.sha256)] for pin in pins)
    return Target(
        vendor=vendor,
        product=product,
        version=version,
        artefacts=pins,
        digest=pins[0].sha256 if len(pins) == 1 else Digest.of(canonical_json(listed)),
        source=_source_pin(session, source, own.source_sha256, folder),
    )


def _given(values: dict[str, object]) -> str:
    return ", ".join(name for name, value in values.items() if value) or "none of them"


def _source_pin(session: Session, source: str, sha256: str | None, folder: Path) -> Pin:
    from builders.core.digest import Digest
    from builders.locators import parse_locator
    from pipelines.infer.target import Pin

    if Path(source).is_file():
        return _local_pin(session, Path(source), folder)
    try:
        locator = parse_locator(source)
        digest = Digest.parse(sha256 or "")
    except ValueError as error:
        raise UsageError(
            f"--source {source} is no file",
            got=error,
            expected="a file, or a locator with --source-sha256",
        ) from error
    return Pin(name=source, locator=locator, sha256=digest, folder=folder)


def _local_pin(session: Session, path: Path, folder: Path) -> Pin:
    """Add a file to the vault, and return it: by its name beside the recipe, else in the vault."""
    from builders.core.digest import digest_file
    from builders.locators import FileLocator
    from builders.locators.locator import relative_path, vault_locator
    from pipelines.infer.target import Pin

    beside = path.resolve().parent == folder
    try:
        with options.file_errors(path):
            digest = digest_file(path)
        name = path.name
        locator = FileLocator(path=relative_path(name)) if beside else vault_locator(name)
    except ValueError as error:
        raise UsageError(f"{path} cannot be named in a recipe", got=error) from error
    session.vault.add(path, digest, what=name)
    return Pin(name=name, locator=locator, sha256=digest, folder=folder)


def _build(own: ScriptOptions, folder: Path) -> ScriptedBuild:
    from builders.core.enums import Kind
    from pipelines.infer.script.hypothesis import ScriptedBuild

    if own.script is not None and own.steps:
        raise UsageError("--script and --step were both given", expected="one of them")
    script, content = None, None
    if own.script is not None:
        path = own.script.resolve()
        if not path.is_relative_to(folder):
            raise UsageError(
                f"{own.script} is not in the folder of the recipe",
                got=str(path.parent),
                expected=str(folder),
                todo="A recipe names its script relative to its own folder: put it there",
            )
        with options.file_errors(own.script):
            content = path.read_bytes()
        script = path.relative_to(folder)
    try:
        steps = tuple(tuple(shlex.split(step)) for step in own.steps)
    except ValueError as error:
        raise UsageError("--step cannot be read", got=error, expected="words and quotes") from error
    return ScriptedBuild(
        image=own.image,
        script=script,
        script_bytes=content,
        steps=steps,
        by_products=own.by_products,
        kind=Kind(own.kind),
        private=own.private,
    )
