"""From a finished report to signed, logged statements: evidence is stored first.

A run's logs and outputs are stored, then its statements, which are logged, then its report.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import StoreConflictError, StoreError, UsageError
from builders.images.provide import claimed_digest
from builders.rebuild.rebuild import LOG
from builders.rebuild.rebuild_result import RebuildResult
from builders.rebuild.staging import OUTPUTS
from builders.recipe.claim import recipe_script
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.file_index import index_report
from pipelines.evidence.redaction import public_form, redact
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report, RobustnessRebuild
from pipelines.evidence.salt import Salt, release_salt
from pipelines.evidence.sbom import sbom
from pipelines.evidence.statements.reader import name_records
from pipelines.signer import Evidence
from pipelines.signer.orders import MAX_RECIPE
from pipelines.storage.names import REPORT, Visibility, cas, private_twin, release_run
from pipelines.storage.outbox import OutboxStore
from pipelines.storage.store import Store, TooLargeError
from pipelines.verify.session import Job, Session


def publish(session: Session, job: Job, report: Report) -> str:
    """Store logs and outputs, then signed statements, log them, then the report.

    Returns the name of the report's record. Raises `RefusedError` when the signer does not agree,
    `SignerError` when it cannot be reached, `StoreError`.
    """
    session.progress.step(job.release, "storing evidence")
    for attempt in report.attempts:
        _store_rebuild(session.store, attempt.rebuild, job.attempt(attempt.number))
    salt = None
    if job.recipe.visibility == "private":  # made now, since the signer only reads it
        salt = release_salt(session.store, ReleaseName.parse(job.release))
    _publish_statements(session, job, report)
    key = _store_report(session.store, report, salt)
    if (flushed := session.flush()) and (note := flushed.note()):
        session.progress.step(job.release, note)
    return key


def publish_robustness(
    session: Session, job: Job, report: Report, robustness: RobustnessRebuild, folder: Path
) -> None:
    """Store the robustness rebuild in `folder`, and its statement beside those of the run."""
    _store_rebuild(session.store, robustness.rebuild, folder)
    _publish_statements(session, job, report, robustness)


def sign_and_store(
    session: Session, job: Job, report: Report, robustness: RobustnessRebuild | None = None
) -> tuple[str, ...]:
    """Sign what a run found and store it; returns the names of the records.

    What report and `robustness` name by digest must be in the store already; statements of the run
    that are already stored are left as they are. Raises as `publish` does.
    """
    evidence = _evidence(session, job, report, robustness)
    envelopes = name_records(session.signer.sign(evidence))
    folder = run_folder(report)
    for name, envelope in envelopes.items():
        _put(session.store, f"{folder}{name}", envelope)
    return tuple(f"{folder}{name}" for name in envelopes)


def _evidence(
    session: Session, job: Job, report: Report, robustness: RobustnessRebuild | None
) -> Evidence:
    """Return what the signer needs, and store the SBOM."""
    name = job.recipe.build.image
    digest = claimed_digest(name, session.images)
    lock = None if "@sha256:" in name else session.images.lock(name)
    bill = sbom(job.recipe, image=digest, lock=lock)
    session.store.put_cas(Visibility.PRIVATE, bill)
    try:
        with job.loaded.path.open("rb") as stream:
            recipe = stream.read(MAX_RECIPE)
    except OSError as error:
        raise UsageError(
            f"the recipe {job.loaded.path} cannot be read any more", got=error.strerror
        ) from error
    return Evidence(
        recipe=recipe,
        script=recipe_script(job.loaded),
        image=digest,
        sbom=Digest.of(bill),
        report=report,
        moved=robustness,
    )


def _store_report(store: Store, report: Report, salt: Salt | None) -> str:
    """Store the public form of the report and return its name.

    Where that is not the whole report, the whole goes under the same name into the private prefix.
    """
    key = f"{run_folder(report)}{REPORT}"
    public = public_form(report) if salt is None else redact(report, salt)
    if public != report:
        store.put_record(private_twin(key), report.to_json())
    index_report(store, public.model_dump(mode="json", by_alias=True))
    store.put_record(key, public.to_json())
    return key


def run_folder(report: Report) -> str:
    """Return the folder of a run's records."""
    return release_run(report.vendor, report.product, report.version, report.center, report.run)


def _publish_statements(
    session: Session, job: Job, report: Report, robustness: RobustnessRebuild | None = None
) -> None:
    """Store and log statements; those that wait in the outbox are logged with later ones."""
    logbook, folder = session.logbook(), run_folder(report)
    with logbook.storing(folder):
        sign_and_store(session, job, report, robustness)
    session.flush()
    try:
        logbook.settle(folder)
    except StoreError as error:
        if not isinstance(session.store, OutboxStore):
            raise
        session.progress.step(job.release, f"the statements are not logged yet: {error}")


def _store_rebuild(store: Store, made: RebuildResult, folder: Path) -> None:
    if made.log is not None:
        store.put_file(cas(Visibility.PRIVATE, made.log), folder / LOG)
    for output in made.outputs:
        store.put_file(cas(Visibility.PRIVATE, output.sha256), folder / OUTPUTS / output.name)


def _put(store: Store, key: str, envelope: Envelope) -> None:
    """Store an envelope; one of the same statement that an earlier try stored is kept.

    Not every scheme gives the same signature for the same bytes.
    """
    try:
        store.put_record(key, envelope.to_bytes())
    except StoreConflictError:
        with suppress(MalformedError, TooLargeError):
            if Envelope.from_bytes(store.get(key, MAX_ENVELOPE)).payload == envelope.payload:
                return
        raise
