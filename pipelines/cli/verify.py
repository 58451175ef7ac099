"""`samebits verify` and `samebits nightly`: what is verified now."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import CancelledError, InfrastructureError, SamebitsError, UsageError
from pipelines.cli import options
from pipelines.cli.differences import causes_of, explanation_of
from pipelines.cli.formats.printing import FORMATS, chosen_format, print_results
from pipelines.cli.terminal import screen, show, warn

if TYPE_CHECKING:
    from pipelines.cli.formats.results import Verified
    from pipelines.evidence.report import Report
    from pipelines.infer.journal import RemainingCause
    from pipelines.verify.session import Session

    Run = Callable[[Path], Verified]

_SIDE_BY_SIDE = 8  # runs; how many of them build at once is a matter of cores and memory


@click.command()
@click.argument("recipes", nargs=-1, required=True, type=options.RECIPE, metavar="RECIPE...")
@click.option("--fresh", is_flag=True, help="Fetch shipped files again, even those in the vault.")
@click.option("--flow", is_flag=True, help="Verify in runs of the Prefect flow `verify-release`.")
@options.file(
    "--candidate", metavar="DIR", help="Judge the files in DIR, by name, before they ship."
)
@click.option("--dry-run", is_flag=True, help="Judge what was shipped, and sign and log nothing.")
@click.option("--diffoscope", is_flag=True, help="Have diffoscope look into what differs, too.")
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    type=click.Choice(FORMATS),
    help="text, json, junit, sarif or github; --json is --format json.",
)
@options.offline
@options.wide
@options.common_reading
def verify(
    session: Session,
    recipes: tuple[Path, ...],
    *,
    fresh: bool,
    flow: bool,
    candidate: Path | None,
    dry_run: bool,
    diffoscope: bool,
    form: str | None,
) -> None:
    """Rebuild releases from source, in containers without network, and judge them bit for bit.

    Several releases are verified side by side, the bases of an update before it. All of it happens
    in this process, unless --flow is given or PREFECT_API_URL is set: then each RECIPE is verified
    by a flow run of Prefect, at that URL or on a server that ends with this command. The reports
    are the same.

    With --candidate nothing needs to have shipped yet: a recipe may lack `shipped`, and files in
    DIR are judged in the place of shipped ones. As with --dry-run, nothing is signed, stored or
    logged, and the report says so: it is no evidence. Both run in this process.

    Each verdict is published before anything is explained. What explains a difference stands below
    it, and with --json in `explanations`, beside `reports`: each names the run, and the comparisons
    that it explains. The fields that differ are named within seconds; diffoscope, which takes
    minutes, runs with --diffoscope, or where the recipe says `explain: diffoscope`. Where a file
    differs, or a Debian package or a wheel was not built, further causes are named as by
    `samebits recipe new`, with --json as `causes`.

    \b
    Examples:
      samebits verify recipes/releases/debian/netbase/6.5.yaml
      samebits verify --json recipes/releases/*/*/*.yaml > reports.json
      samebits verify --candidate dist/ --format junit acme/engine/4.2.yaml \\
          > candidate.xml
      samebits verify --offline recipes/releases/debian/netbase/6.5.yaml

    Exit codes: 0 everything reproduced; 1 something SHIPPED_MISMATCH, DIFFERENT, UNEXPECTED,
    MISSING or EQUIVALENT; 2 something not checked; 64 usage or bad recipe.
    """
    from builders.container.scratch import require_root
    from builders.rebuild.lint import check_recipes
    from pipelines.cli.formats.results import exit_code
    from pipelines.policy import expiry_warnings
    from pipelines.verify.lanes import cancelled_by_signals, in_lanes
    from pipelines.verify.unpublished import require_candidates
    from pipelines.verify.waves import waves

    form = chosen_format(form)
    unpublished = dry_run or candidate is not None
    _require_possible(
        session, flow=flow, fresh=fresh, unpublished=unpublished, diffoscope=diffoscope
    )
    session.diffoscope = diffoscope
    loaded = check_recipes(recipes, session.images, unshipped=candidate is not None)
    if candidate is not None and (others := require_candidates(loaded, candidate)):
        warn(f"not judged, since no artefact has the name: {', '.join(others[:5])}")
    now = datetime.now(UTC)
    require_root()  # like a missing engine: one message, before anything starts
    policy = session.made_policy(now) if unpublished else session.policy(now)
    for warning in expiry_warnings(policy, now) if policy else ():
        warn(warning)
    session.engine.info()
    if not unpublished:
        session.check_store()
    session.prepare(signs=not unpublished)
    if unpublished:
        runner = _unpublished(session, candidate, fresh=fresh)
    elif flow or os.environ.get("PREFECT_API_URL"):
        runner = _as_flows(session, fresh=fresh)
    else:
        runner = _in_process(session, fresh=fresh)
    found_by_number: dict[int, Verified] = {}
    with cancelled_by_signals(session), runner as run:
        named = [(one.recipe.release, one.recipe.bases.values()) for one in loaded]
        for wave in waves(named):
            lanes, paths = min(_SIDE_BY_SIDE, len(wave)), [recipes[number] for number in wave]
            made = in_lanes(session, partial(_try, run), paths, lanes=lanes)
            found_by_number |= zip(wave, made, strict=True)
        found = [found_by_number[number] for number in range(len(recipes))]
        results = [
            one
            if one.note or one.report is None
            else replace(
                one,
                causes=causes_of(session, one.report),
                stored=explanation_of(session.store, one.report),
            )
            for one in found
        ]
    print_results(results, form)
    sys.exit(exit_code(results))


def _require_possible(
    session: Session, *, flow: bool, fresh: bool, unpublished: bool, diffoscope: bool
) -> None:
    """Raise `UsageError` for options that contradict each other."""
    if diffoscope and (unpublished or flow):
        raise UsageError(
            "--diffoscope was given with --flow, --candidate or --dry-run",
            expected="one of them: its report is evidence, which this process keeps",
            todo="For flows, let the recipe say `explain: diffoscope`",
        )
    if flow and unpublished:
        raise UsageError(
            "--flow was given with --candidate or --dry-run",
            expected="one of them: flows leave evidence",
        )
    if fresh and session.offline:
        raise UsageError("--fresh was given with --offline", expected="one of them")


def _try(run: Run, recipe: Path) -> Verified:
    """Return the report of a recipe, or what went wrong: one costs no other its turn."""
    from pipelines.cli.formats.results import Verified

    try:
        return run(recipe)
    except CancelledError:
        raise
    except SamebitsError as error:
        return Verified(recipe=recipe, found=error)
    except Exception as error:  # noqa: BLE001  # a scheduler's faults come in many classes
        fault = InfrastructureError(
            f"the run of {recipe} failed",
            got=f"{type(error).__name__}: {error}"[:300],
            todo="Check free disk space; with Prefect, also PREFECT_API_URL and Prefect's log",
        )
        return Verified(recipe=recipe, found=fault)


@contextmanager
def _in_process(session: Session, *, fresh: bool) -> Iterator[Run]:
    """Yield what verifies a recipe in this process."""
    from pipelines.cli.formats.results import Verified
    from pipelines.verify.interrupted import complete_interrupted
    from pipelines.verify.retries import retrying
    from pipelines.verify.verify import verify_recipe

    wrap = retrying(session)
    with screen(session):
        for _ in complete_interrupted(session):
            pass  # what is shown of it is its progress
        yield lambda recipe: Verified(
            recipe=recipe, found=verify_recipe(session, recipe, wrap, fresh=fresh)
        )


@contextmanager
def _unpublished(session: Session, candidates: Path | None, *, fresh: bool) -> Iterator[Run]:
    """Yield what verifies a recipe in this process and leaves no evidence."""
    from pipelines.cli.formats.results import Verified
    from pipelines.verify.retries import retrying
    from pipelines.verify.verify import verify_unpublished

    def run(recipe: Path) -> Verified:
        causes: list[RemainingCause] = []

        def seen(report: Report, *folders: Path) -> None:
            causes.extend(causes_of(session, report, *folders))

        found = verify_unpublished(
            session, recipe, retrying(session), candidates=candidates, fresh=fresh, seen=seen
        )
        return Verified(recipe=recipe, found=found, causes=tuple(causes))

    with screen(session):
        yield run


@contextmanager
def _as_flows(session: Session, *, fresh: bool) -> Iterator[Run]:
    """Yield what verifies a recipe in a flow run of Prefect."""
    from pipelines.cli.formats.results import Verified

    with _prefect_ready(session):
        from pipelines.flows.verify_release import flow_in

        verify_release = flow_in(session)
        yield lambda recipe: Verified(recipe=recipe, found=verify_release(str(recipe), fresh=fresh))


@contextmanager
def _prefect_ready(session: Session) -> Iterator[None]:
    """Start Prefect, or use that at PREFECT_API_URL, and show the progress of what runs in it."""
    from pipelines.flows.server import EmbeddedServer

    with screen(session) as sink, EmbeddedServer(session.center.home / "prefect") as server:
        sink.step("samebits", "starting Prefect")
        import pipelines.flows.verify_release  # noqa: F401  # for seconds, as the server starts

        server.wait()
        sink.done("samebits", "Prefect answers")
        yield


@click.command()
@options.common
def nightly(session: Session) -> None:
    """Verify every shipped release that is due, as the center does every night.

    Where the services of the center run, its workers do it; otherwise it runs here, with an
    embedded Prefect server. The shipped files of unchanged releases are fetched and hashed again;
    these releases are rebuilt every few nights. Ctrl-C cancels the night, on workers too.

    \b
    Examples:
      samebits nightly
      samebits nightly --center center.yaml --json

    Exit codes: 0 everything reproduced; 1 something did not; 2 something was not checked; 3 there
    is an open alarm; 64 usage; 130 cancelled.
    """
    from pipelines.nightly.night import summarise
    from pipelines.nightly.record import last_night, read_night
    from pipelines.services.prefect_api import PrefectApi

    center, store = session.center, session.store
    remote = center.prefect is not None and PrefectApi(center).answers()
    night = _remote_night(session) if remote else _local_night(session)
    record = read_night(store, center.id, night)
    summary = summarise(record, last_night(store, center.id, before=night))
    show(summary.to_dict(), *summary.lines())
    sys.exit(record.exit_code())


def _remote_night(session: Session) -> str:
    """Start a night on the center's workers, and wait for it; returns its id."""
    from pipelines.services.cancelling import cancel_by_id
    from pipelines.services.prefect_api import ask_for_night, follow, night_of
    from pipelines.verify.lanes import cancelled_by_signals

    api, flow_run = ask_for_night(session.center)
    with cancelled_by_signals(session), screen() as sink:
        last, night = "", ""

        def away() -> None:
            nonlocal last
            last = ""  # and is told again when it answers
            sink.step("nightly", "Prefect does not answer, and is waited for")

        try:
            for run in follow(api, flow_run, away=away):
                night = night_of(run)
                if run["state_name"] != last:
                    last = run["state_name"]
                    sink.step("nightly", f"{last}, night {night}")
        except KeyboardInterrupt:
            night = night or night_of(api.get(f"/flow_runs/{flow_run}"))
            warn(cancel_by_id(session, night, seconds=300).line)
            raise
    if run["state_type"] == "CANCELLED":
        raise CancelledError(f"the night {night} was cancelled")
    if run["state_type"] != "COMPLETED":
        raise InfrastructureError(
            "the night was not completed",
            got=f"{run['state_name']}: {run['state'].get('message')}"[:300],
            todo="Look at its flow run in Prefect",
        )
    return night_of(run)


def _local_night(session: Session) -> str:
    """Run a night in this process; returns its id."""
    from builders.container.scratch import require_root
    from pipelines.verify.lanes import cancelled_by_signals

    require_root()
    session.engine.info()
    session.prepare()
    with cancelled_by_signals(session), _prefect_ready(session):
        from pipelines.flows.nightly import night_in

        return night_in(session)()
