"""`samebits portal`: static pages of what the centers found."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED, NotFoundError, UsageError
from pipelines.cli import options
from pipelines.cli.terminal import screen, show, tell

if TYPE_CHECKING:
    from pipelines.verify.session import Session

_STEPS = 50
"""Times that progress is shown, and some more."""


@click.group(cls=options.Group)
def command() -> None:
    """Build the portal, static pages of what the centers found, and serve it."""


@command.command()
@click.option(
    "--out", metavar="PLACE", required=True, help="Folder of the portal, or s3://bucket/prefix."
)
@click.option("--anew", is_flag=True, help="Make every page again, also of what has not changed.")
@options.common
def build(session: Session, out: str, *, anew: bool) -> None:
    """Build the pages of all releases of the center's recipes and log, as the center sees them.

    Of a place that has a portal, only what has changed is made again. `PLACE/current` is what a web
    server serves; it is replaced last, so that visitors never see half of a build. Of the center's
    own store only its public part is read.

    \b
    Examples:
      samebits portal build --out /srv/portal
      samebits portal build --center europe.yaml --out s3://portal --json

    Exit codes: 0 built; 2 built, but a release or center could not be looked at; 64 usage.
    """
    from pipelines.portal.build import build_portal
    from pipelines.storage.opening import store_address

    with screen() as sink:

        def count(done: int, total: int) -> None:
            if done % max(total // _STEPS, 1) == 0:
                sink.step("portal", f"release {done + 1} of {total}")

        built = build_portal(session, store_address(out), anew=anew, count=count)
    show(built.to_dict(), str(built), *(f"NOT LOOKED AT  {fault}" for fault in built.faults))
    if built.faults:
        raise SystemExit(EXIT_NOT_CHECKED)


@command.command()
@click.argument("place")
@click.option("--port", default=8480, show_default=True, type=click.IntRange(0, 65535))
def serve(place: str, port: int) -> None:
    """Serve the portal in PLACE, a folder or s3://bucket/prefix, to this machine; Ctrl-C ends it.

    It listens on loopback alone. A web server for others serves the folder `current` in it, with
    the headers that this one sends.

    \b
    Examples:
      samebits portal serve /srv/portal
      samebits portal serve /srv/portal --port 8080
    """
    import uvicorn

    from pipelines.portal.serving import INDEX, served
    from pipelines.portal.site_folder import SiteFolder
    from pipelines.portal.site_store import SiteStore
    from pipelines.storage.opening import open_store, store_address

    address = store_address(place)
    site = SiteFolder(address) if isinstance(address, Path) else SiteStore(open_store(address))
    try:
        site.read(INDEX)
    except NotFoundError as error:
        raise UsageError(
            f"there is no portal in {place}",
            expected="a place that `samebits portal build --out` has written to",
            todo=f"Run `samebits portal build --out {place}` first",
        ) from error
    with socket.create_server(("127.0.0.1", port)) as listening:
        tell(f"the portal is at http://127.0.0.1:{listening.getsockname()[1]}/")
        settings = uvicorn.Config(served(site), log_config=None, access_log=False)
        uvicorn.Server(settings).run(sockets=[listening])


@command.command()
@options.file("--out", required=True, help="The new HTML file.")
@click.option(
    "--language",
    type=click.Choice(["en", "de"]),
    default="en",
    show_default=True,
    help="Of the page.",
)
@options.json
def verifier(out: Path, language: str) -> None:
    """Write the page that checks a file as one HTML file that needs no server.

    It hashes a file in the browser and verifies its evidence, from a copied portal in the same
    folder, or from bundles and a policy that are dropped on it. The same version of samebits writes
    the same bytes; those of a release are signed with it.

    \b
    Examples:
      samebits portal verifier --out samebits-verifier.html
      samebits portal verifier --out pruefer.html --language de
    """
    from builders.core.digest import Digest
    from pipelines.portal.verifier_file import verifier_file

    options.require_new(out)
    data = verifier_file(language)
    with options.file_errors(out, "written"):
        out.write_bytes(data)
    digest = Digest.of(data)
    show({"file": str(out), "sha256": str(digest), "size": len(data)}, f"{digest}  {out}")
