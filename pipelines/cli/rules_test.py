"""`samebits rules test`: what the engines themselves catch with two rule sets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli import options
from pipelines.cli.console import styled
from pipelines.cli.layout import table
from pipelines.cli.terminal import counted, show, warn

if TYPE_CHECKING:
    from pipelines.rules.engines.engine_runs import EngineRun
    from pipelines.verify.session import Session

_SHOWN = 100
"""Samples that are listed; `--json` has all."""
_COLORS = {"missed": "red", "passed": "red", "caught": "green", "other-rules": "yellow"}


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.argument("samples", type=options.PATH, metavar="[SAMPLES]", required=False)
@options.wide
@options.offline
@options.common
def test(session: Session, old: str, new: str, samples: Path | None) -> None:
    """Run the engines of two rule sets over a folder of samples, and say what is missed now.

    OLD and NEW are files, folders, archives or shipped releases, as for `rules diff`. SAMPLES is
    a folder: any files for YARA and ClamAV, captures (pcap) for Suricata, HTTP requests as text for
    ModSecurity. Without it NEW is a release whose recipe names the archive of its `samples`.

    The engines run in a container of the image rule-engines, without network and rights; each is
    given the rules of its language alone. Languages without an engine there (capa, Semgrep, Sigma,
    Snort, osquery, SpamAssassin) are compared by `rules diff` only.

    \b
    Examples:
      samebits rules test rules-1.0/ rules-1.1/ samples/
      samebits rules test old.cvd new.cvd samples/ --json
      samebits rules test acme/rules@1 acme/rules@2

    Exit codes: 0 nothing that was caught is missed, 1 something is, 2 an engine did not run or
    refused rules, 64 usage.
    """
    from pipelines.cli.rule_sides import opened
    from pipelines.rules.engines.engine_runs import EngineStatus, lost, to_dict
    from pipelines.verify.rule_engines import folder_samples, recipe_samples, run_engines

    with ExitStack() as held:
        if samples is None:
            pack = held.enter_context(recipe_samples(session, new))
        else:
            pack = folder_samples(samples)
        sides = [list(held.enter_context(opened(session, one))) for one in (old, new)]
        with options.file_errors(samples or Path(new)):
            runs = run_engines(session, sides[0], sides[1], pack)
    missed = list(lost(runs))
    used = [run for run in runs if run.status is not EngineStatus.NO_RULES]
    complete = bool(used) and all(
        run.status is EngineStatus.RUN and not run.old_faults and not run.new_faults for run in used
    )
    show(
        {"old": old, "new": new, "complete": complete, "engines": to_dict(runs)},
        styled(_summary(len(missed), used), "red" if missed or not used else "green", bold=True),
        *_lines(runs),
    )
    if not complete:
        warn("not every engine ran with all rules: what those catch is not known")
    sys.exit(1 if missed else 0 if complete else 2)


def _summary(missed: int, used: list[EngineRun]) -> str:
    if not used:
        return "no rules that an engine here reads"
    if missed:
        return f"{counted(missed, 'sample')} caught before {'is' if missed == 1 else 'are'} not now"
    return "every sample that was caught still is"


def _lines(runs: tuple[EngineRun, ...]) -> Iterator[str]:
    from pipelines.rules.engines.engine_runs import EngineStatus

    texts = {
        EngineStatus.NO_RULES: "no rules for it",
        EngineStatus.NOT_INSTALLED: "not run, it is not installed in the image",
    }
    for run in runs:
        if run.status in texts:
            yield f"  {run.engine}: {texts[run.status]}"
            continue
        caught = f"{run.caught_before} caught before, {run.caught_after} now"
        yield f"  {run.engine}: {counted(run.samples, 'sample')}, {caught} ({run.version})"
        for side, faults in (("old", run.old_faults), ("new", run.new_faults)):
            yield from (f"    refused in {side}: {fault}" for fault in faults)
    rows = [
        (
            styled(str(change.outcome), _COLORS.get(change.outcome)),
            run.engine,
            change.sample,
            ", ".join(change.gone),
            ", ".join(change.come),
        )
        for run in runs
        for change in run.changes
    ]
    yield from table(("sample", "engine", "file", "gone", "new"), rows[:_SHOWN], flexible=2)
    if len(rows) > _SHOWN:
        yield f"  and {counted(len(rows) - _SHOWN, 'sample')} more: see --json"
