"""`samebits review serve`: the review pages, for a browser on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import UsageError
from pipelines.cli import options
from pipelines.cli.terminal import show, tell, warn

if TYPE_CHECKING:
    from pipelines.center.center import Center


@click.command()
@click.argument("recipes", nargs=-1, type=options.RECIPE, metavar="[RECIPE]...")
@click.option("--reviewer", required=True, metavar="NAME", help="Your name in the policy.")
@options.file("--public", help="Your public key, where the policy has none of yours.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="By default one that is free."
)
@options.offline
@options.json
@options.stored
@options.center_file
def serve(
    center: Center, *, recipes: tuple[Path, ...], reviewer: str, public: Path | None, port: int
) -> None:
    """Serve the review pages on loopback: source, diff, recipe, build log, reviews and questions.

    Open the printed address in a browser on this machine: it holds a token that is new at each
    start. The pages hold no key. An approval is prepared there, and signed with the command that
    the page shows, which reads the source again. RECIPEs are listed beside those of the center.
    The key `?` lists the others. End it with Ctrl-C.

    \b
    Examples:
      samebits review serve --reviewer alice
      samebits review serve netbase/6.5.yaml --reviewer alice --public alice.pub
    """
    from builders.core.smallfile import read_small_file
    from builders.jail.parser_jail import ParserJail
    from pipelines.evidence.publickey import read_public_key
    from pipelines.evidence.statements.people import REVIEWER
    from pipelines.review.colors import COLORS
    from pipelines.review.loopback import serve_reviews
    from pipelines.review.reading_room import ReadingRoom
    from pipelines.verify.readers import READERS
    from pipelines.verify.session import Session

    if re.fullmatch(REVIEWER, reviewer) is None:
        raise UsageError(
            "not the name of a reviewer",
            got=ascii(reviewer)[:80],
            expected="small letters, digits, dot, dash and underscore",
        )
    keys = []
    if public is not None:
        keys.append(read_public_key(read_small_file(public, limit=16 << 10, file=str(public))))
    jail = ParserJail((*READERS, COLORS))
    jail.start()
    given = click.get_current_context().params["center_file"]
    words = ("--center", str(given.absolute())) if given else ()
    if store := options.noted("store"):
        words = (*words, "--store", store)
    with (
        Session(center, offline=bool(options.noted("offline")), jail=jail) as session,
        ReadingRoom(session, reviewer=reviewer, keys=keys, recipes=recipes) as room,
    ):
        if not room.known:
            what = f"the policy has no key of {reviewer}"
            warn(f"{what}: without --public FILE your own approvals are not found")
        if not room.releases():
            raise UsageError(
                "there is nothing to read",
                got=f"no recipe in {center.recipes}",
                todo="Name a RECIPE, or --center with the folder of your recipes",
            )

        def announce(address: str) -> None:
            show({"address": address}, address)
            tell("open this address in a browser of this machine; end with Ctrl-C")

        serve_reviews(room, port=port, words=words, announce=announce)
