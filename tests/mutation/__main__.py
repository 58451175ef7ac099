"""Command line of the mutation tests: `python -m tests.mutation --help`."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from tests.mutation import accepted
from tests.mutation.campaign import Campaign, Limits
from tests.mutation.mutants import mutants_of
from tests.mutation.runner import KILLED

CORE = ("judge", "audit", "consensus", "policy", "log", "signer", "bundle/check")
"""The packages of `pipelines` that decide what may be believed."""
ACCEPTED = "tests/mutation/accepted.toml"
_HUNK = re.compile(r"^@@ .* \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


_FOLDER = click.Path(path_type=Path)


@click.command(context_settings={"show_default": True})
@click.option("--module", "paths", multiple=True, help="File or folder; or else the trust core.")
@click.option("--tests", multiple=True, help="Test files or folders; or else the core's.")
@click.option("--since", metavar="REV", help="Only lines changed since this commit.")
@click.option("--seconds", default=1500.0, help="Start no mutant after this time.")
@click.option(
    "--patience", default=10.0, help="Seconds that a test may take beyond ten times its duration."
)
@click.option("--budget", default=10.0, help="Seconds of processor time for tests of a mutant.")
@click.option("--jobs", default=2, help="Mutants at a time.")
@click.option("--seed", default=0, help="Of the order in which mutants run.")
@click.option("--state", default=".mutation", type=_FOLDER, help="Where results are kept.")
@click.option(
    "--accepted", "reasons_file", default=ACCEPTED, type=_FOLDER, help="List of accepted survivors."
)
def main(
    *,
    paths: tuple[str, ...],
    tests: tuple[str, ...],
    since: str | None,
    state: Path,
    reasons_file: Path,
    **limits: Any,
) -> None:
    """Change the code one place at a time, and require that a test fails.

    Exit codes: 0 if every mutant that ran was killed or is accepted; 1 if another one survived, or
    an entry of the list is stale; 2 if the tests fail without a mutant.
    """
    started, root = time.monotonic(), Path.cwd()
    modules = sorted(_modules(root, paths or [f"pipelines/{name}" for name in CORE]))
    mutants = [mutant for module in modules for mutant in mutants_of(root, module)]
    changed = {module: _changed(module, since) for module in modules} if since else None
    asked = [m for m in mutants if changed is None or m.line in changed[m.module]]
    campaign = Campaign(root, state, Limits(**limits))
    campaign.run(asked, tests or [f"tests/{name.partition('/')[0]}" for name in CORE])
    reasons = accepted.read(reasons_file)
    unknown = accepted.unknown(reasons, campaign.results)
    for mutant, outcome, _ in unknown:
        click.echo(f"{mutant.module}:{mutant.line}: {mutant.name}: {outcome}")
    stale = list(accepted.stale(reasons, mutants, campaign.results, root))
    for entry in stale:
        click.echo(f"{reasons_file}: {entry}")
    killed = sum(outcome in KILLED for _, outcome, _ in campaign.results)
    ran = len(campaign.results)
    click.echo(
        f"{len(asked)} mutants: {killed} killed, {ran - killed - len(unknown)} accepted, "
        f"{len(unknown)} survived, {len(asked) - ran} not run; {time.monotonic() - started:.0f} s"
    )
    if campaign.failed:
        click.echo("\n".join(["These fail without a mutant:", *campaign.failed]), err=True)
    sys.exit(2 if campaign.failed else bool(unknown or stale))


def _modules(root: Path, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        found = [root / path] if (root / path).is_file() else (root / path).rglob("*.py")
        yield from (str(file.relative_to(root)) for file in found)


def _changed(module: str, since: str) -> set[int]:
    """Return the lines of a file that are not as they were in a commit."""
    command = ["git", "diff", "--unified=0", since, "--", module]
    diff = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {
        line
        for start, count in _HUNK.findall(diff)
        for line in range(int(start), int(start) + int(count or 1))
    }


if __name__ == "__main__":
    main()
