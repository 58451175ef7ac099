"""From a finished report to signed statements in the store: evidence first, announcement after."""

from __future__ import annotations

from builders.core.digest import Digest
from builders.core.errors import StoreConflictError, UsageError
from builders.images.provide import claimed_digest
from builders.inputs.vault import Vault
from builders.recipe.claim import recipe_script
from pipelines.center.center import Center
from pipelines.evidence.artefacts import put_pointers
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.moved import MovedRebuild
from pipelines.evidence.redaction import public_form, redact
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.salt import release_salt
from pipelines.evidence.sbom import sbom
from pipelines.evidence.signed import named
from pipelines.signer import CenterSigner, Evidence, LocalSigner, SocketSigner
from pipelines.signer.evidence import MAX_RECIPE
from pipelines.signer.local import center_key, folder_locks, log_signer
from pipelines.storage.foldercache import FolderCache
from pipelines.storage.names import REPORT, Visibility, private_twin, release_run
from pipelines.storage.store import Store, TooLargeError
from pipelines.verify.job import Job
from pipelines.verify.session import recipes_folder


def open_signer(center: Center, store: Store, vault: Vault) -> CenterSigner:
    """Return the signer of a center: behind its socket if its file names one, else in process.

    Raises `KeyFileError`.
    """
    if center.signer is not None:
        return SocketSigner(center.signer)
    from pipelines.consensus.desk import check_summary  # noqa: PLC0415  # it opens signers itself

    return LocalSigner(
        center,
        store,
        key=center_key(center),
        log=log_signer(center),
        locks=folder_locks(recipes_folder() / "images"),
        vault=vault,
        cache=FolderCache(center.home / "cache" / "contents"),
        summaries=check_summary,
    )


def sign_and_store(
    job: Job,
    report: Report,
    signer: CenterSigner,
    store: Store,
    *,
    moved: MovedRebuild | None = None,
) -> tuple[str, ...]:
    """Sign what a run found and store it; returns the names of the records.

    What report and `moved` name by digest must be in the store already; what the store has of the
    run's statements is left as it is. Raises `RefusedError` when the signer does not agree,
    `SignerError` when it cannot be reached, `StoreError`.
    """
    evidence = gather_evidence(job, report, store).model_copy(update={"moved": moved})
    folder = run_folder(report)
    envelopes = named(signer.sign(evidence))
    for name, envelope in envelopes.items():
        _put(store, f"{folder}{name}", envelope)
    return tuple(f"{folder}{name}" for name in envelopes)


def run_folder(report: Report) -> str:
    """Return the folder of a run's records."""
    return release_run(report.vendor, report.product, report.version, report.center, report.run)


def make_salt(job: Job, store: Store) -> None:
    """Make sure that a private release has its salt, which the signer only reads."""
    if job.loaded().recipe.visibility == "private":
        release_salt(store, ReleaseName.parse(job.release))


def store_report(job: Job, report: Report, store: Store) -> str:
    """Store the public form of the report and return its name.

    Where that is not the whole report, the whole goes under the same name into the private prefix.
    """
    key = run_folder(report)
    if job.loaded().recipe.visibility == "private":
        public = redact(report, release_salt(store, ReleaseName.parse(job.release)))
    else:
        public = public_form(report)
    if public != report:
        store.put_record(private_twin(f"{key}{REPORT}"), report.to_json())
    put_pointers(store, public.model_dump(mode="json", by_alias=True))
    store.put_record(f"{key}{REPORT}", public.to_json())
    return f"{key}{REPORT}"


def gather_evidence(job: Job, report: Report, store: Store) -> Evidence:
    """Return what the signer needs, and store the SBOM."""
    loaded, images = job.loaded(), job.shop().images
    name = loaded.recipe.build.image
    digest = claimed_digest(name, images)
    lock = None if "@sha256:" in name else images.lock(name)
    bill = sbom(loaded.recipe, image=digest, lock=lock)
    store.put_cas(Visibility.PRIVATE, bill)
    try:
        with loaded.path.open("rb") as stream:
            recipe = stream.read(MAX_RECIPE)
    except OSError as error:
        raise UsageError(
            f"the recipe {loaded.path} cannot be read any more", got=error.strerror
        ) from error
    return Evidence(
        recipe=recipe,
        script=recipe_script(loaded),
        image=digest,
        sbom=Digest.of(bill),
        report=report,
    )


def _put(store: Store, key: str, envelope: Envelope) -> None:
    """Store an envelope; one of the same statement that is there from an earlier try is kept.

    Not every scheme signs the same bytes to the same signature.
    """
    try:
        store.put_record(key, envelope.to_bytes())
    except StoreConflictError:
        if _payload_at(store, key) != envelope.payload:
            raise


def _payload_at(store: Store, key: str) -> bytes | None:
    """Return the payload of a stored envelope; None of what is none."""
    try:
        return Envelope.from_bytes(store.get(key, MAX_ENVELOPE)).payload
    except (MalformedError, TooLargeError):
        return None
