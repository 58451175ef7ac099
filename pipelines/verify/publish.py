"""From a finished report to signed, logged statements: evidence is stored first.

A run's logs and outputs are stored, then its statements, then one commit to the log states the run,
and then its report is stored. What is stated of the run later is stored and logged by itself.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
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
from pipelines.evidence.redaction import (
    public_explanation,
    public_form,
    redact,
    redact_explanation,
)
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report, RobustnessRebuild
from pipelines.evidence.run_explanation import RunExplanation
from pipelines.evidence.salt import Salt, release_salt
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.reader import name_records, read_statement
from pipelines.evidence.stored_runs import EXPLANATION, EXPLANATION_RECORD, ROBUSTNESS_RECORD
from pipelines.signer import Evidence
from pipelines.signer.orders import MAX_RECIPE
from pipelines.storage.names import REPORT, Visibility, cas, private_twin, release_run
from pipelines.storage.outbox import OutboxStore
from pipelines.storage.store import Store, TooLargeError
from pipelines.verify.session import Job, Session


@dataclass(frozen=True, kw_only=True)
class Published:
    """What became of the statements of a run."""

    comparisons: dict[str, Digest]
    """By artefact, the digest of the payload."""
    logged: bool
    """Whether the log has them; else they wait for it in the outbox."""


def publish(session: Session, job: Job, report: Report) -> Published:
    """Store logs and outputs, then signed statements, log them, then the report.

    Raises `RefusedError` when the signer does not agree, `SignerError` when it cannot be reached,
    `StoreError`.
    """
    session.progress.step(job.release, "storing evidence")
    for attempt in report.attempts:
        _store_rebuild(session.store, attempt.rebuild, job.attempt(attempt.number))
    salt = None
    if job.recipe.visibility == "private":  # made now, since the signer only reads it
        salt = release_salt(session.store, ReleaseName.parse(job.release))
    folder = run_folder(report)
    with session.logbook().storing(folder, whole=True):
        signed = sign_and_store(session, job, report)
    logged = _log(session, job, folder)
    _store_report(session.store, report, salt)
    if (flushed := session.flush()) and (note := flushed.note()):
        session.progress.step(job.release, note)
    statements = [read_statement(envelope.payload) for envelope in signed.values()]
    compared = [s for s in statements if isinstance(s, ComparisonStatement)]
    return Published(comparisons={s.name: s.digest() for s in compared}, logged=logged)


def publish_robustness(
    session: Session, job: Job, report: Report, robustness: RobustnessRebuild, folder: Path
) -> None:
    """Store the robustness rebuild in `folder`, and its statement beside those of the run."""
    _store_rebuild(session.store, robustness.rebuild, folder)
    key = f"{run_folder(report)}{ROBUSTNESS_RECORD}"
    with session.logbook().storing(key):
        sign_and_store(session, job, report, robustness=robustness)
    _log(session, job, key)


def publish_explanation(
    session: Session, job: Job, report: Report, explanation: RunExplanation
) -> None:
    """Store what explains a run that is logged, and its statement beside those of the run.

    The statement names the public form, which is in the store by its digest. Where that is not the
    whole, the whole is in the private prefix.
    """
    store, confirming = session.store, explanation.confirming
    if confirming is not None:
        _store_rebuild(store, confirming.rebuild, job.attempt(confirming.number))
    public = public_explanation(explanation)
    if job.recipe.visibility == "private":
        salt = release_salt(store, ReleaseName.parse(job.release))
        public = redact_explanation(explanation, report, salt)
    if public != explanation:
        key = f"{run_folder(report)}{EXPLANATION}"
        store.put_record(private_twin(key), explanation.to_json())
    store.put_cas(Visibility.PUBLIC, public.to_json())
    key = f"{run_folder(report)}{EXPLANATION_RECORD}"
    with session.logbook().storing(key):
        sign_and_store(session, job, report, explanation=explanation)
    _log(session, job, key)


def sign_and_store(
    session: Session,
    job: Job,
    report: Report,
    *,
    robustness: RobustnessRebuild | None = None,
    explanation: RunExplanation | None = None,
) -> dict[str, Envelope]:
    """Sign what a run found and store it; returns the envelopes by the names of their records.

    What all of it names by digest must be in the store already; statements of the run that are
    already stored are left as they are. Raises as `publish` does.
    """
    evidence = _evidence(session, job, report).model_copy(
        update={"robustness": robustness, "explanation": explanation}
    )
    folder = run_folder(report)
    envelopes = {f"{folder}{n}": e for n, e in name_records(session.signer.sign(evidence)).items()}
    for name, envelope in envelopes.items():
        _put(session.store, name, envelope)
    return envelopes


def _evidence(session: Session, job: Job, report: Report) -> Evidence:
    """Return what the signer needs, and store the SBOM."""
    digest, bill = bill_of_materials(session, job)
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
    )


def bill_of_materials(session: Session, job: Job) -> tuple[Digest, bytes]:
    """Return the digest of the builder image and the SBOM, which no output decides.

    The SBOM is cached: it may be made while the build runs.
    """
    from pipelines.evidence.sbom import sbom  # noqa: PLC0415  # importing CycloneDX is slow

    name = job.recipe.build.image
    digest = claimed_digest(name, session.images)
    lock = None if "@sha256:" in name else session.images.lock(name)
    return digest, sbom(job.recipe, image=digest, lock=lock)


def _store_report(store: Store, report: Report, salt: Salt | None) -> None:
    """Store the public form of the report.

    Where that is not the whole report, the whole goes under the same name into the private prefix.
    """
    key = f"{run_folder(report)}{REPORT}"
    public = public_form(report) if salt is None else redact(report, salt)
    if public != report:
        store.put_record(private_twin(key), report.to_json())
    index_report(store, public.model_dump(mode="json", by_alias=True))
    store.put_record(key, public.to_json())


def run_folder(report: Report) -> str:
    """Return the folder of a run's records."""
    return release_run(report.vendor, report.product, report.version, report.center, report.run)


def _log(session: Session, job: Job, place: str) -> bool:
    """Log statements and say so; those that wait in the outbox are logged with later ones."""
    session.flush()
    try:
        session.logbook().settle(place)
    except StoreError as error:
        if not isinstance(session.store, OutboxStore):
            raise
        session.progress.step(job.release, f"the statements are not logged yet: {error}")
        return False
    return True


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
