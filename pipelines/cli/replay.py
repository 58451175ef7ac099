"""`samebits replay`: repeat a center's rebuild here, and compare with what that center found."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED, UsageError
from pipelines.cli import options
from pipelines.cli.console import styled
from pipelines.cli.layout import short, shortened, table
from pipelines.cli.rebuild import copy_results
from pipelines.cli.terminal import counted, screen, show, tell

if TYPE_CHECKING:
    from pipelines.bundle.check import CheckResult, Trust
    from pipelines.verify.replay import RepeatedFile, Replay
    from pipelines.verify.session import Session

_WORDS = {"repeated": "REPEATED", "other": "NOT REPEATED", "not-compared": "NOT COMPARED"}
_COLORS = {"repeated": "green", "other": "red", "not-compared": "yellow"}


@click.command()
@click.argument("what", metavar="RELEASE|BUNDLE")
@options.run
@click.option(
    "--portal",
    metavar="ADDRESS",
    help="Take a run of RELEASE from this portal: http(s), a folder.",
)
@click.option("--of", metavar="CENTER", help="At a portal: the center whose run it is.")
@options.file("--policy", help="The signed policy that names the center, by default that here.")
@options.file("--recipe", help="A recipe to repeat it with, which must have the claim of the run.")
@options.file("--out", metavar="DIR", help="New folder for what was rebuilt.")
@options.offline
@options.wide
@options.common_reading
def replay(
    session: Session,
    what: str,
    run: str,
    portal: str | None,
    of: str | None,
    policy: Path | None,
    recipe: Path | None,
    out: Path | None,
) -> None:
    """Repeat the rebuild of a run here, and compare the bytes with those that its center found.

    The run is that of a bundle, or one of RELEASE (vendor/product@version): of this center, or of
    any that a portal shows. Its records are checked first as by `samebits evidence check`. Then the
    rebuild is repeated: with the recipe of the release in the center's recipes folder, or with one
    that is made of the records alone. Either must have the claim of the run, which is the digest of
    inputs, image, scripts and environment. No shipped file is read, and nothing is stored.

    \b
    Examples:
      samebits replay netbase.bundle.tar --policy policy.dsse.json
      samebits replay debian/netbase@6.5
      samebits replay debian/hostname@3.25 --run 1f2e3d4c --out hostname
      samebits replay debian/netbase@6.5 --policy policy.dsse.json --of europe \\
          --portal https://samebits.example/portal/

    Exit codes: 0 every file has the bytes that the center found, or the build fails as it did
    there; 1 it does not; 2 not compared, or the records are not proven; 64 usage.
    """
    from builders.container.scratch import require_root
    from pipelines.bundle.check import check_bundle
    from pipelines.bundle.check.opened import OpenedBundle
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.portal.remote_runs import require_run
    from pipelines.verify.replay import find_replay_recipe
    from pipelines.verify.replay import replay as repeat
    from pipelines.verify.verify import job_for

    if out is not None:
        options.require_new(out, "folder")
    require_root()
    session.engine.info()
    if of is not None and portal is None:
        raise UsageError("--of names a center at a portal", expected="--portal ADDRESS --of CENTER")
    data = _records(session, what, run) if portal is None else _fetched(portal, what, run, of)
    trust = _trust(session, data, policy)
    checked = check_bundle(data, trust=trust)
    _require_sound(checked)
    records = OpenedBundle(data=data, trust=trust)
    if portal is not None:
        require_run(records, ReleaseName.parse(what), run=run, center=of)
    session.workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=session.workdir, prefix="replay-") as folder:
        found = find_replay_recipe(session, records, recipe, Path(folder))
        with screen(session), job_for(session, found.path, unshipped=True) as job:
            result = repeat(session, job, records, found.origin)
            log = copy_results(job.attempt(1), out) if out is not None else None
    document = {**result.model_dump(mode="json"), "checks": checked.to_dict()}
    show(document, *_lines(result, checked))
    if log is not None:
        tell(f"  built   {out}, log {log}")
    sys.exit(_exit_code(result, checked))


def _fetched(address: str, what: str, run: str, center: str | None) -> bytes:
    """Return the bundle of a run from a portal."""
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.portal.remote_check import Portal
    from pipelines.portal.remote_runs import fetch_bundle

    release = ReleaseName.parse(what)
    with Portal(address) as portal:
        return fetch_bundle(portal, release, run=run, center=center)


def _records(session: Session, what: str, run: str) -> bytes:
    """Return the bundle of a run here; raises `UsageError` for what is no bundle and no release."""
    from builders.core.smallfile import read_small_file
    from pipelines.bundle import MAX_BUNDLE
    from pipelines.bundle.export import export
    from pipelines.center.export_source import export_source
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.evidence.stored_runs import find_run

    if Path(what).is_file() or "@" not in what:
        return read_small_file(Path(what), limit=MAX_BUNDLE, file=what)
    center, now = session.center, datetime.now(UTC)
    name = find_run(session.store, ReleaseName.parse(what), run, center.id)
    book = session.logbook()
    book.settle()
    source = export_source(center, book.log)
    return export(session.store, name, source, policy=session.policy(now), now=now).data


def _trust(session: Session, data: bytes, policy: Path | None) -> Trust:
    """Return what the records are checked with: the given policy, or that here if it names them."""
    from builders.core.smallfile import read_small_file
    from pipelines.bundle.check import Trust
    from pipelines.bundle.check.opened import OpenedBundle
    from pipelines.bundle.layout import MAX_POLICY
    from pipelines.center.keys import is_unmade, policy_file
    from pipelines.evidence.errors import EvidenceError

    card, now = None, datetime.now(UTC)
    if policy is None:
        if is_unmade(session.center):
            return Trust(now=now)
        with suppress(EvidenceError):  # the check of the bundle says what is wrong with it
            card = OpenedBundle(data=data, trust=Trust(now=now)).card
        if card is None or card.id not in {center.id for center in session.policy(now).centers}:
            return Trust(now=now)
        policy = policy_file(session.center)
    return Trust(policy=read_small_file(policy, limit=MAX_POLICY, file=str(policy)), now=now)


def _require_sound(checked: CheckResult) -> None:
    """Raise `NotRepeatableError` for records that contradict themselves or the policy."""
    from pipelines.verify.replay import NotRepeatableError

    for step in checked.steps:
        if step.status == "wrong":
            raise NotRepeatableError(
                "the records prove nothing, so nothing is repeated",
                got=f"{step.name}: {step.message}",
                todo="`samebits evidence check` shows every check",
            )


def _unproven(checked: CheckResult) -> str | None:
    """Return the first thing that could not be checked of the records."""
    return next((s.message for s in checked.steps if s.status == "unchecked"), None)


def _exit_code(result: Replay, checked: CheckResult) -> int:
    if result.answer == "other":
        return 1
    sure = result.answer == "repeated" and _unproven(checked) is None
    return 0 if sure else EXIT_NOT_CHECKED


def _lines(result: Replay, checked: CheckResult) -> Iterator[str]:
    word = styled(_WORDS[result.answer], _COLORS[result.answer], bold=True)
    yield f"{word}: {result.release}, run {result.run} of center {result.center}: {_what(result)}."
    files = [*result.artefacts, *result.by_products]
    if files:
        yield ""
        yield from table(("HERE", "THERE", "FILE"), map(_row, files))
    yield ""
    if result.seal is not None:
        is_ours = "is that of what was built here" if result.seal else "is of something else"
        yield f"  seal    of the center, logged before it looked at what was shipped: {is_ours}"
    yield f"  recipe  {result.recipe}, whose claim is that of the run"
    if result.reason:
        yield f"  note    {shortened(result.reason)}"
    if unproven := _unproven(checked):
        yield f"  NOT PROVEN that the center says so: {shortened(unproven)}"


def _what(result: Replay) -> str:
    if not result.artefacts:
        same = result.answer == "repeated"
        return (
            f"it ends as {result.here} here too"
            if same
            else f"{result.here} here, {result.there} there"
        )
    other = [file.name for file in result.artefacts if not file.same]
    many = counted(len(result.artefacts), "file")
    return (
        f"{', '.join(other)} came out otherwise"
        if other
        else f"{many} came out bit for bit the same"
    )


def _row(file: RepeatedFile) -> tuple[str, str, str]:
    verdict = f" ({file.verdict} from what was shipped)" if file.verdict else " (by-product)"
    here = "same" if file.same else short(file.here) if file.here else "not built"
    return here, short(file.there) if file.there else "", f"{file.name}{verdict}"
