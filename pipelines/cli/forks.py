"""`samebits log forks`: logs whose key has signed two histories, and what resolves that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import EXIT_NOT_CHECKED
from pipelines.cli import options
from pipelines.cli.terminal import counted, show

if TYPE_CHECKING:
    from pipelines.audit.forks import LogForks
    from pipelines.policy.resolution import LogTree
    from pipelines.verify.session import Session


@click.command()
@click.option("--peer", metavar="ID", help="Look at the log of this peer alone.")
@options.common
def forks(session: Session, peer: str | None) -> None:
    """Show what the keys of logs have signed that is not of these logs, and how to resolve it.

    The logs are the center's own and those of its peers. Whatever its key has signed and a witness
    has kept must be of the log that is shown. If it is not, the log counts for nothing until its
    operators sign a policy that says which history they accept. For each such log the entry for
    `resolutions` in that policy is printed; it accepts what the log shows now. Witnesses that have
    refused to cosign a log are named too; without two checkpoints a refusal proves nothing.

    \b
    Examples:
      samebits log forks --center europe.yaml
      samebits log forks --center europe.yaml --peer asia --json

    Exit codes: 0 no fork, or all are resolved; 1 a log has forked, or is not signed by its key;
    2 a log does not answer; 64 usage.
    """
    from pipelines.audit.forks import find_forks
    from pipelines.audit.source import UnreachableError
    from pipelines.center.logs import find_peer
    from pipelines.log.errors import LogError

    view = session.consensus_view(datetime.now(UTC))
    wanted = None if peer is None else find_peer(session.center, peer).id
    found, code = list[dict[str, Any]](), 0
    lines = list[str]()
    for source in view.sources:
        if wanted not in {None, source.center}:
            continue
        try:
            one = find_forks(view.policy.policy, source, view.sources)
        except (LogError, UnreachableError) as error:
            silent = isinstance(error, UnreachableError)
            code = code or EXIT_NOT_CHECKED if silent else 1
            found.append({"center": source.center, "error": error.to_dict()})
            lines.append(f"{source.center}: {error}")
            continue
        code = 1 if one.unresolved else code
        found.append(one.to_dict())
        lines += _fork_lines(one)
    show({"logs": found}, *lines)
    sys.exit(code)


def _fork_lines(found: LogForks) -> Iterator[str]:
    said = "no fork"
    if found.conflicts:
        said = "FORKED, and not resolved" if found.unresolved else "forked, and resolved"
    yield f"{found.center}: {found.origin}, {counted(found.size, 'leaf', 'leaves')}: {said}"
    for tree in found.conflicts:
        what = "signed, and not its own" if tree in found.unresolved else "rejected"
        yield f"  {counted(tree.size, 'leaf', 'leaves')} with root {tree.root}: {what}"
    yield from (f"  not cosigned by the witness of {refusal}" for refusal in found.refused)
    yield from (f"  {center} keeps more records of it than are read" for center in found.unread)
    if found.unresolved:
        yield "  Compare the histories. If that which the log shows now is the true one, its center"
        yield f"  gets a new log (`samebits center new-log --until {found.proposed.size}`), and the"
        yield "  next policy this entry:"
        yield "resolutions:"
        yield f"  - log: {found.origin}"
        yield f"    accepted: {_flow(found.proposed)}"
        yield f"    rejected: [{', '.join(map(_flow, found.conflicts))}]"
        yield "    reason: WHY"


def _flow(tree: LogTree) -> str:
    return f"{{size: {tree.size}, root: {tree.root}}}"
