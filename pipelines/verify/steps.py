"""The steps of a verification up to the commitment: inputs, image, rebuild, seal.

Plain functions over a session and small frozen values; a Prefect task is a call of one of them.
What is larger than a report stays in the folder of the run until it is published.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from builders.core.digest import Digest, canonical_json, digest_file
from builders.core.enums import Role
from builders.core.errors import InfrastructureError, RebuildError, StoreError
from builders.images.provide import ProvidedImage, ensure_image
from builders.inputs.collect import collect_inputs
from builders.inputs.input_file import InputFile
from builders.inputs.source_digest import source_digest
from builders.rebuild.clock_library import provide_library
from builders.rebuild.plan import Plan, make_plan
from builders.rebuild.rebuild import rebuild
from builders.rebuild.rebuild_result import OutputKind, RebuildResult
from builders.rebuild.seal import Seal, seal_files
from builders.rebuild.staging import OUTPUTS
from builders.rebuild.workspace import remove_folder
from builders.recipe.claim import recipe_script
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Attempt, Purpose, SourceFact
from pipelines.evidence.salt import release_salt
from pipelines.verify.kept_seal import keep_seal
from pipelines.verify.session import Job, Session

_PRELOAD = "the declared clock"
_ATTEMPTS = "attempts.jsonl"
_SOURCE_DIGEST = 1
"""Raised whenever the same files would have another source digest, so that kept ones expire."""


class LostOutputsError(InfrastructureError):
    """What a run built is gone, so that it cannot be completed."""


def fetch_inputs(session: Session, job: Job) -> tuple[InputFile, ...]:
    """Bring every input into the vault; raises `InputUnavailableError`, `InputMismatchError`."""
    session.progress.step(job.release, "fetching inputs")
    counter = session.counter(job.release, job.run)
    return collect_inputs(
        job.loaded, session.vault, session.fetcher, session.workdir, session.jail, counter
    )


def source_facts(
    session: Session, job: Job, inputs: tuple[InputFile, ...]
) -> tuple[SourceFact, ...]:
    """Return the source digest of every source; raises `InputMismatchError` for a hostile one."""
    return tuple(
        SourceFact(
            locator=str(declared.locator),
            sha256=declared.sha256,
            source_digest=_source_digest(
                session, [i for i in inputs if declared.sha256 in {i.sha256, i.of}]
            ),
        )
        for declared in job.recipe.inputs
        if declared.role is Role.SOURCE
    )


def _source_digest(session: Session, files: list[InputFile]) -> Digest:
    """Return the source digest of one source. What is known of files with these digests is kept."""
    named = sorted([file.name, file.sha256.hex] for file in files)
    key = Digest.of(canonical_json({"source-digest": _SOURCE_DIGEST, "files": named}))
    with suppress(ValueError):
        return Digest((session.contents.get(key) or b"").decode())
    found = source_digest(files, lambda file: session.vault.open(file.sha256), session.jail)
    session.contents.put(key, str(found).encode())
    return found


def provide_image(session: Session, job: Job) -> ProvidedImage:
    """Make sure that the engine holds the builder image, and the vault the declared clock."""
    session.progress.step(job.release, "providing the builder image")
    build = job.recipe.build
    provided = provide_once(session, job, build.image)
    if build.clock is not None:
        with session.image_lock(_PRELOAD):
            provide_library(
                session.images,
                session.engine,
                session.vault,
                session.workdir,
                labels=job.labels,
                cancelled=session.cancellation(job.run),
            )
    return provided


def provide_once(session: Session, job: Job, name: str) -> ProvidedImage:
    """Provide an image for a run; concurrent runs of the session build it once."""
    counter = session.counter(job.release, job.run)
    with session.image_lock(name):
        return ensure_image(
            name,
            session.images,
            session.engine,
            session.workdir,
            counter,
            offline=session.offline,
        )


def run_rebuild(
    session: Session,
    job: Job,
    inputs: tuple[InputFile, ...],
    image: ProvidedImage,
    purpose: str = Purpose.JUDGED,
) -> Attempt:
    """Run one attempt in a container of its own and record it, however it ends.

    Raises `RebuildError` when there is no result; only an `InfrastructureError` is worth a retry.
    A confirming attempt raises none of that: it can only add to a verdict, and is made once.
    """
    number = len(attempts(job)) + 1
    if purpose == Purpose.JUDGED and number > 1:
        purpose = Purpose.RETRY
    script, cores = recipe_script(job.loaded), session.engine.info().cpus
    plan = make_plan(job.loaded, inputs, script=script, cores=cores)
    confirming = purpose == Purpose.CONFIRMING
    session.progress.step(
        job.release, "rebuilding once more to confirm" if confirming else "rebuilding"
    )
    try:
        result = run_plan(session, job, plan, inputs, image, job.attempt(number))
    except RebuildError as error:
        failed = RebuildResult(outcome=error.outcome, reason=str(error))
        attempt = _record(job, Attempt(number=number, purpose=purpose, rebuild=failed))
        if not confirming:
            raise
        return attempt
    return _record(job, Attempt(number=number, purpose=purpose, rebuild=result))


def run_plan(
    session: Session,
    job: Job,
    plan: Plan,
    inputs: tuple[InputFile, ...],
    image: ProvidedImage,
    folder: Path,
) -> RebuildResult:
    """Run one rebuild in `folder`, within its share of the machine; raises `RebuildError`."""
    limits, cancelled = plan.limits, session.cancellation(job.run)
    with session.budget.share(cpus=limits.cpus, memory=limits.memory, cancelled=cancelled):
        session.raise_if_cancelled(job.run)
        return rebuild(
            job.loaded,
            plan,
            inputs,
            image=image.reference,
            vault=session.vault,
            engine=session.engine,
            jail=session.jail,
            folder=folder,
            labels=job.labels,
            cancelled=cancelled,
        )


def seal_outputs(session: Session, job: Job, attempt: Attempt) -> Seal:
    """Seal the outputs of an attempt: the commitment, made before a shipped file is opened.

    Of a private release the key is made with its salt.
    """
    session.progress.step(job.release, "sealing the outputs")
    folder = job.attempt(attempt.number) / OUTPUTS
    sealed = [o.name for o in attempt.rebuild.outputs if o.part is not OutputKind.IGNORED]
    secret = b""
    if job.recipe.visibility == "private":
        secret = release_salt(session.store, ReleaseName.parse(job.release)).secret
    paths = [folder / name for name in sealed]
    return seal_files(paths, center=job.center, run=job.run, secret=secret)


def commit_seal(session: Session, job: Job, claim: Digest, seal: Seal) -> int:
    """Log claim and seal, and return the index; nothing shipped may be opened before that.

    Of a private release the claim is keyed, as in every public record. Raises
    `InfrastructureError` when the log cannot be reached. The lines of the seal are stored before.
    """
    session.progress.step(job.release, "logging the commitment")
    if job.recipe.visibility == "private":
        claim = release_salt(session.store, ReleaseName.parse(job.release)).keyed(claim)
    try:
        keep_seal(session.store, job, claim, seal)
        return session.logbook().commit(
            release=job.release, run=job.run, claim=claim, seal=seal.digest
        )
    except StoreError as error:
        raise InfrastructureError(
            f"the commitment of {job.run} may not be logged, so nothing shipped was opened",
            got=error,
            todo="`samebits reap` completes the run once the store of the center answers",
        ) from error


def attempts(job: Job) -> tuple[Attempt, ...]:
    """Return every attempt of this run so far, those that ended in an error included."""
    path = job.folder / _ATTEMPTS
    if not path.is_file():
        return ()
    return tuple(Attempt.model_validate_json(line) for line in path.read_bytes().splitlines())


def return_to(
    session: Session, job: Job, made: tuple[Attempt, ...], inputs: tuple[InputFile, ...]
) -> None:
    """Bring the folder of a run back to where the last of the attempts `made` was sealed.

    Later attempts are removed, and inputs staged again, since neither was durable. Raises
    `LostOutputsError` for outputs that are not those of the attempt.
    """
    (job.folder / _ATTEMPTS).unlink(missing_ok=True)
    for attempt in made:
        _record(job, attempt)
    last = job.attempt(made[-1].number)
    for path in job.folder.glob("attempt-*"):
        if path not in {job.attempt(attempt.number) for attempt in made}:
            remove_folder(path)
    for output in made[-1].rebuild.outputs:
        path = last / OUTPUTS / output.name
        if not path.is_file() or digest_file(path) != output.sha256:
            raise LostOutputsError(
                f"the output {output.name} of a run that was cut off is not there any more",
                got=path,
                expected=f"sha256 {output.sha256}",
            )
    for item in inputs:
        staged = last / "inputs" / item.role / item.name
        staged.unlink(missing_ok=True)
        session.vault.stage(item.sha256, staged)


def _record(job: Job, attempt: Attempt) -> Attempt:
    with (job.folder / _ATTEMPTS).open("ab") as stream:
        stream.write(attempt.model_dump_json().encode() + b"\n")
    return attempt
