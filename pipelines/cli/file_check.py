"""`samebits check`: what the centers of a policy have found about one file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import SamebitsError, UsageError
from builders.core.similar import did_you_mean, similar_path
from pipelines.cli import options
from pipelines.cli.findings import RESULT_COLORS, UNWITNESSED, answer, colored
from pipelines.cli.layout import shortened, started, table
from pipelines.cli.portal_check import check_portal
from pipelines.cli.terminal import VERDICT_COLORS, show

if TYPE_CHECKING:
    from pipelines.audit.center_finding import Excluded
    from pipelines.audit.source import Source
    from pipelines.consensus.file_check import FileCheck, FileFinding
    from pipelines.consensus.release_consensus import ConsensusView
    from pipelines.verify.session import Session


class UncheckedFileError(SamebitsError):
    """Nothing can be said about a file."""


@click.command()
@click.argument("file", type=options.PATH)
@options.file("--policy", help="A signed policy that you trust, in place of the center's.")
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="ID=STORE",
    help="Read the store of this center of the policy too. Can be given several times.",
)
@click.option(
    "--portal",
    metavar="PORTAL",
    help="Fetch the bundles about FILE from this address or folder, and check them here.",
)
@options.wide
@options.common
def check(
    session: Session, file: Path, policy: Path | None, peers: tuple[str, ...], portal: str | None
) -> None:
    """Look FILE up by its digest: what each center found, and what they found together.

    Only what a policy allows is believed: statements that a center's key has signed, that its log
    contains, and that the policy's witnesses have cosigned there. The policy is the center's, or
    that of --policy; --peer names the stores of its centers. With --portal no store is read: the
    portal says which bundles are about FILE, and they are checked as `samebits evidence check`
    does. Nothing that the portal says is believed.

    \b
    Examples:
      samebits check netbase_6.5_all.deb
      samebits check netbase_6.5_all.deb --policy policy.dsse.json \\
          --peer europe=s3://evidence/europe --peer asia=s3://evidence/asia
      samebits check netbase_6.5_all.deb --policy policy.dsse.json \\
          --portal https://samebits.example/portal/

    Exit codes: 0 the centers confirm the file; 1 they do not, or it was served or built in place of
    another one, or a bundle is wrong; 2 unknown, pending, or without a policy.
    """
    from builders.core.digest import digest_file
    from pipelines.center.keys import NoPolicyError
    from pipelines.consensus.file_check import check_file

    if portal is not None and peers:
        raise UsageError("--portal reads no store", todo="Leave out --peer, or --portal")
    with options.file_errors(file):
        digest = digest_file(file)
    try:
        if portal is not None:
            check_portal(file, _policy(session, policy), portal)
        view = _view(session, policy, peers)
    except NoPolicyError as error:  # that is an answer, and no wrong usage
        raise UncheckedFileError(
            "nothing can be believed of any file without a policy",
            got=error.got,
            expected="a policy that names the centers and their keys",
            todo="Name one with --policy, from a source that you trust",
        ) from error
    found = check_file(view, digest, file)
    show(
        {"file": file.name, "sha256": str(digest), **found.to_dict()},
        *_lines(file.name, str(digest), found, asked=[s.center for s in view.sources if s.center]),
        *_meant(file),
    )
    sys.exit(found.exit_code)


def _meant(file: Path) -> Iterator[str]:
    """Name the other command for a file that is a bundle."""
    from pipelines.bundle.layout import BLOCK, is_bundle

    with file.open("rb") as stream:
        if is_bundle(stream.read(2 * BLOCK)):
            yield f"  it is a bundle: `samebits evidence check {file}` checks what is in it"


def _policy(session: Session, policy: Path | None) -> bytes:
    """Return the signed policy that counts; raises `NoPolicyError`."""
    from builders.core.smallfile import read_small_file
    from pipelines.center.keys import NoPolicyError, is_unmade, policy_file
    from pipelines.policy.signed_policy import MAX_FILE

    if policy is None and is_unmade(session.center):
        raise NoPolicyError("no policy", got=f"no --policy, and no file {session.center.policy}")
    path = policy or policy_file(session.center)
    return read_small_file(path, limit=MAX_FILE, file=str(path))


def _view(session: Session, policy: Path | None, peers: tuple[str, ...]) -> ConsensusView:
    """Return what to look at; raises `UsageError`, and what a policy's reader raises."""
    from builders.core.smallfile import read_small_file
    from pipelines.center.consensus_view import view_under
    from pipelines.center.keys import NoPolicyError, is_unmade
    from pipelines.policy.signed_policy import MAX_FILE, open_policy

    now = datetime.now(UTC)
    unmade = is_unmade(session.center)
    if policy is not None:
        signed = open_policy(read_small_file(policy, limit=MAX_FILE, file=str(policy)), now=now)
        view = view_under(
            signed, session.center, session.store, session.peer_stores, session.kept_logs
        )
    elif unmade:  # to ask is no reason to make a center
        raise NoPolicyError("no policy", got=f"no --policy, and no file {session.center.policy}")
    else:
        view = session.consensus_view(now)
    sources = [_peer(peer, [center.id for center in view.policy.policy.centers]) for peer in peers]
    # A center that was never named is `local`: the customer's own is not the one of the policy.
    unused = unmade and session.center.store == session.center.home / "store"
    replaced = view.center in {source.center for source in sources}
    own = "" if unused or replaced else view.center
    return replace(view, center=own, peers=(*view.peers, *sources))


def _peer(given: str, known: list[str]) -> Source:
    """Return the store of a --peer; raises `UsageError`, also for a center not in `known`."""
    from pipelines.audit.source import Source
    from pipelines.storage.bounded import PeerBudget
    from pipelines.storage.opening import open_peer_store, store_address

    name, _, address = given.partition("=")
    if not (name and address):
        raise UsageError("not a --peer", got=ascii(given[:80]), expected="ID=STORE")
    if name not in known:
        raise UsageError(
            "the policy has no such center",
            got=f"--peer {given[:80]!a}",
            expected=f"one of {', '.join(known)}",
            todo=did_you_mean(name, known),
        )
    place = store_address(address)
    if isinstance(place, Path) and not place.is_dir():
        raise UsageError(
            f"the store of {name} is no folder",
            got=ascii(address[:200]),
            expected="a folder, or s3://bucket/prefix",
            todo=similar_path(place),
        )
    return Source(center=name, store=open_peer_store(place, PeerBudget()), peer=True)


def _lines(name: str, digest: str, found: FileCheck, *, asked: list[str]) -> Iterator[str]:
    undecided = "NOT CHECKED" if found.findings else "UNKNOWN"
    yield f"{answer(found.exit_code, undecided)}: {name}"
    yield shortened(f"  sha256 {digest}")
    if found.unwitnessed:
        yield f"  {UNWITNESSED}"
    if not (found.findings or found.consensus):
        yield f"  asked: {', '.join(asked) or 'no center; --peer ID=STORE names the store of one'}"
    for release, one in found.consensus:
        result = colored(one.result, RESULT_COLORS.get(one.result, "red"), found.exit_code)
        yield (
            f"  {result}  {release}: {len(one.matched)} of {one.rules.k} operators match, "
            f"in {len(one.regions)} of {one.rules.regions} regions"
        )
        if one.base is not None:
            yield f"    {one.base}"
    if found.findings:
        header = ("VERDICT", "STARTED (UTC)", "RELEASE", "CENTER", "LEAF", "WITNESSES")
        yield ""
        yield from table(header, [_row(one, name, found) for one in found.findings], flexible=2)
    for lost in found.sealed:
        said = "had built this file" if lost.matches else "had not built this file"
        yield f"  {lost.center} {said}, by the seal of its run {lost.run}, whose outputs are lost"
    reasons = [shortened(f"not counted: {one}") for one in _excluded(found)]
    reasons += [f"no answer: {center}" for center in found.silent]
    if reasons:
        yield ""
    yield from reasons


def _excluded(found: FileCheck) -> Iterator[Excluded]:
    """Yield each statement that does not count once."""
    joined = (one for _, consensus in found.consensus for one in consensus.excluded)
    yield from dict.fromkeys([*(one for _, one in found.excluded), *joined])


def _row(one: FileFinding, name: str, check: FileCheck) -> tuple[str, ...]:
    found = one.finding
    what = [str(one.release)]
    what += [found.artefact] if found.artefact != name else []
    what += [f"(as {one.role})"] if one.role != "published" else []
    return (
        colored(found.verdict, VERDICT_COLORS.get(found.verdict, "red"), check.exit_code),
        started(found.run),
        " ".join(what),
        found.center.id,
        str(found.index),
        ", ".join(one.witnessed.witnesses) or "nobody",
    )
