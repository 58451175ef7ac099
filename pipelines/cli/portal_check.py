"""`samebits check --portal`: what the bundles of a portal prove of a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pipelines.cli.findings import RESULT_COLORS, UNWITNESSED, answer, colored
from pipelines.cli.layout import short_run, shortened, table
from pipelines.cli.terminal import screen, show

if TYPE_CHECKING:
    from pipelines.portal.remote_check import CheckedBundle, PortalCheck

_COLORS = {"matches": "green", "differs": "red", "refused": "red"}
_NOTE = "a portal can leave bundles out: what other centers found is not known from it"


def check_portal(file: Path, policy: bytes, address: str) -> NoReturn:
    """Print what the bundles about a file at a portal prove under a signed policy, and exit."""
    from pipelines.portal.remote_check import Portal, check_at_portal

    with Portal(address) as portal, screen() as sink:
        found = check_at_portal(
            portal,
            file,
            policy=policy,
            now=datetime.now(UTC),
            count=lambda done, total: sink.step(file.name, f"bundle {done + 1} of {total}"),
        )
        sink.done(file.name, f"{len(found.bundles)} bundles checked")
    show({"file": file.name, **found.to_dict()}, *_lines(file.name, found))
    sys.exit(found.exit_code)


def _lines(name: str, found: PortalCheck) -> Iterator[str]:
    undecided = "NOT PROVEN" if found.bundles else "UNKNOWN"
    yield f"{answer(found.exit_code, undecided)}: {name}"
    yield shortened(f"  sha256 {found.sha256}")
    if not found.bundles:
        yield f"  {found.portal} lists no bundle about it"
        return
    for release, one in found.consensus:
        result = colored(one.result, RESULT_COLORS.get(one.result, "red"), found.exit_code)
        yield (
            f"  {result}  {release}: {len(one.matched)} of {one.rules.k} operators match, "
            f"in {len(one.regions)} of {one.rules.regions} regions"
        )
    if any(one.unwitnessed for _, one in found.consensus):
        yield f"  {UNWITNESSED}"
    yield ""
    header = ("ANSWER", "RELEASE", "CENTER", "RUN", "FOUND")
    yield from table(header, [_row(one, found) for one in found.bundles])
    for _, one in found.consensus:
        yield from (shortened(f"not counted: {excluded}") for excluded in one.excluded)
    if found.left_out:
        yield f"  {found.left_out} more bundles were not fetched"
    yield ""
    yield _NOTE


def _row(one: CheckedBundle, found: PortalCheck) -> tuple[str, ...]:
    result = one.result
    return (
        colored(one.answer, _COLORS.get(one.answer, "yellow"), found.exit_code),
        result.release or "",
        result.center or "",
        short_run(result.run) if result.run else "",
        shortened(_found(one)),
    )


def _found(one: CheckedBundle) -> str:
    """Return the step that decides, or the verdict on the file."""
    for status in ("wrong", "unchecked"):
        for step in one.result.steps:
            if step.status == status:
                return f"{step.name}: {step.message}"
    return str(one.result.files[0].verdict)
