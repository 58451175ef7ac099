"""The steps of a verification: plain functions over small frozen values.

Each can be called without a scheduler; a Prefect task is a call of one of them. Whatever is larger
than a report lies in the folder of the run until `publish` has stored it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from builders.build.outputs import Part
from builders.build.plan import InputFile, make_plan
from builders.build.preload_library import provide_library
from builders.build.rebuild import LOG, OUTPUTS, Rebuild, rebuild
from builders.build.seal import Seal, seal_files
from builders.core.digest import Digest
from builders.core.errors import InfrastructureError, RebuildError, StoreError
from builders.core.words import Role
from builders.images.provide import ProvidedImage, provide
from builders.inputs.inputs import gather
from builders.inputs.source import source_digest
from builders.recipe.claim import recipe_script
from pipelines.center.logbook import Logbook
from pipelines.evidence.moved import MovedRebuild
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.report import Attempt, Report, SourceFact
from pipelines.evidence.salt import release_salt
from pipelines.storage.names import Visibility, cas
from pipelines.storage.outbox import OutboxStore
from pipelines.storage.store import Store
from pipelines.verify import progress
from pipelines.verify.job import Job
from pipelines.verify.publish import (
    make_salt,
    open_signer,
    run_folder,
    sign_and_store,
    store_report,
)

LIBRARY = "the declared clock"
JUDGED, RETRY, CONFIRMING = "judged", "retry", "confirming"
_ATTEMPTS = "attempts.jsonl"


def fetch_inputs(job: Job) -> tuple[InputFile, ...]:
    """Bring every input into the vault; raises `InputUnavailableError`, `InputMismatchError`."""
    shop = job.shop()
    progress.sink().step(job.release, "fetching inputs")
    return gather(job.loaded(), shop.vault, shop.fetcher, shop.workdir, _counter(job))


def source_facts(job: Job, inputs: tuple[InputFile, ...]) -> tuple[SourceFact, ...]:
    """Return the source digest of every source; raises `InputMismatchError` for a hostile one."""
    vault = job.shop().vault
    return tuple(
        SourceFact(
            locator=str(declared.locator),
            sha256=declared.sha256,
            source_digest=source_digest(
                [i for i in inputs if declared.sha256 in {i.sha256, i.of}],
                lambda file: vault.open(file.sha256),
            ),
        )
        for declared in job.loaded().recipe.inputs
        if declared.role is Role.SOURCE
    )


def provide_image(job: Job) -> ProvidedImage:
    """Make sure that the engine holds the builder image, and the vault the declared clock."""
    progress.sink().step(job.release, "providing the builder image")
    build, shop = job.loaded().recipe.build, job.shop()
    provided = provide_once(job, build.image)
    if build.clock is not None:
        with shop.image_lock(LIBRARY):
            provide_library(
                shop.images,
                shop.engine,
                shop.vault,
                shop.workdir,
                labels=job.labels(),
                cancelled=shop.cancelled,
            )
    return provided


def provide_once(job: Job, name: str) -> ProvidedImage:
    """Provide an image; of runs side by side one builds it, and the others wait."""
    shop = job.shop()
    with shop.image_lock(name):
        return provide(name, shop.images, shop.engine, shop.workdir, _counter(job))


def _counter(job: Job) -> Callable[[int, int, str], None]:
    """Return a counter that shows itself, and at which a cancelled run ends."""
    shown, shop = progress.counter(job.release), job.shop()

    def count(done: int, total: int, name: str) -> None:
        shop.go_on()
        shown(done, total, name)

    return count


def run_rebuild(
    job: Job, inputs: tuple[InputFile, ...], image: ProvidedImage, purpose: str = JUDGED
) -> Attempt:
    """Run one attempt in a container of its own and record it, however it ends.

    Raises `RebuildError` when there is no result; only an `InfrastructureError` is worth a retry.
    An attempt to confirm raises none of that: it can only add to a verdict, and is made once.
    """
    shop, loaded = job.shop(), job.loaded()
    number = len(attempts(job)) + 1
    if purpose == JUDGED and number > 1:
        purpose = RETRY
    plan = make_plan(loaded, inputs, script=recipe_script(loaded), cores=shop.engine.facts().cpus)
    progress.sink().step(
        job.release, "rebuilding" if purpose != CONFIRMING else "rebuilding once more to confirm"
    )
    try:
        with shop.budget.share(
            cpus=plan.limits.cpus, memory=plan.limits.memory, cancelled=shop.cancelled
        ):
            shop.go_on()
            result = rebuild(
                loaded,
                plan,
                inputs,
                image=image.reference,
                vault=shop.vault,
                engine=shop.engine,
                folder=attempt_folder(job, number),
                labels=job.labels(),
                cancelled=shop.cancelled,
            )
    except RebuildError as error:
        result = Rebuild(outcome=error.outcome, reason=str(error))
        _record(job, Attempt(number=number, purpose=purpose, rebuild=result))
        if purpose != CONFIRMING:
            raise
        return Attempt(number=number, purpose=purpose, rebuild=result)
    attempt = Attempt(number=number, purpose=purpose, rebuild=result)
    _record(job, attempt)
    return attempt


def seal_outputs(job: Job, attempt: Attempt) -> Seal:
    """Seal what an attempt left: the commitment, made before any shipped file is opened."""
    progress.sink().step(job.release, "sealing the outputs")
    folder = attempt_folder(job, attempt.number) / OUTPUTS
    sealed = [o.name for o in attempt.rebuild.outputs if o.part is not Part.IGNORED]
    return seal_files([folder / name for name in sealed], center=job.center.id, run=job.run)


def commit_seal(job: Job, claim: Digest, seal: Seal) -> int:
    """Log claim and seal, and return the index; nothing shipped may be opened before that.

    Of a private release the claim is logged keyed, as it is told everywhere. Raises
    `InfrastructureError` when the log cannot be reached.
    """
    shop = job.shop()
    progress.sink().step(job.release, "logging the commitment")
    if job.loaded().recipe.visibility == "private":
        salt = release_salt(shop.store, ReleaseName.parse(job.release))
        claim = salt.keyed(claim)
    try:
        book = shop.logbook()
        return book.commit(release=job.release, run=job.run, claim=claim, seal=seal.digest)
    except StoreError as error:
        raise InfrastructureError(
            "the commitment could not be logged, so nothing that was shipped was opened",
            got=error,
            todo="Verify again once the store of the center answers",
        ) from error


def publish(job: Job, report: Report) -> str:
    """Store logs and outputs, then signed statements, log them, then the report.

    Returns the report's name.
    """
    store = job.shop().store
    progress.sink().step(job.release, "storing evidence")
    for attempt in report.attempts:
        _keep(store, attempt.rebuild, attempt_folder(job, attempt.number))
    make_salt(job, store)
    book, records = job.shop().logbook(), run_folder(report)
    with book.storing(records):
        sign_and_store(job, report, open_signer(job.center, store, job.shop().vault), store)
    _settle(job, book, records)
    key = store_report(job, report, store)
    if (flushed := job.shop().flush()) and (note := flushed.note()):
        progress.sink().step(job.release, note)
    return key


def publish_moved(job: Job, report: Report, moved: MovedRebuild, folder: Path) -> None:
    """Store what a moved rebuild left in `folder`, and its statement beside those of the run."""
    store = job.shop().store
    _keep(store, moved.rebuild, folder)
    book, records = job.shop().logbook(), run_folder(report)
    signer = open_signer(job.center, store, job.shop().vault)
    with book.storing(records):
        sign_and_store(job, report, signer, store, moved=moved)
    _settle(job, book, records)


def _keep(store: Store, made: Rebuild, folder: Path) -> None:
    if made.log is not None:
        store.put_file(cas(Visibility.PRIVATE, made.log), folder / LOG)
    for output in made.outputs:
        store.put_file(cas(Visibility.PRIVATE, output.sha256), folder / OUTPUTS / output.name)


def _settle(job: Job, book: Logbook, records: str) -> None:
    """Log the run's statements; those that wait for a store far away are logged with later ones."""
    job.shop().flush()
    try:
        book.settle(records)
    except StoreError as error:
        if not isinstance(job.shop().store, OutboxStore):
            raise
        progress.sink().step(job.release, f"the statements are not logged yet: {error}")


def attempts(job: Job) -> tuple[Attempt, ...]:
    """Return every attempt of this run so far, those that ended in an error included."""
    path = job.folder / _ATTEMPTS
    if not path.is_file():
        return ()
    return tuple(Attempt.model_validate_json(line) for line in path.read_bytes().splitlines())


def attempt_folder(job: Job, number: int) -> Path:
    """Return the folder of one attempt."""
    return job.folder / f"attempt-{number}"


def _record(job: Job, attempt: Attempt) -> None:
    with (job.folder / _ATTEMPTS).open("ab") as stream:
        stream.write(attempt.model_dump_json().encode() + b"\n")
