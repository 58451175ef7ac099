"""A center's rebuild, repeated here from its published records, and compared with what it found.

The recipe is one that has the claim of the run, so it is the same rebuild: one at hand, or else the
one that the records make. Nothing of a replay is stored, and nothing is judged: it compares bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import SamebitsError
from builders.core.frozen_model import FrozenModel
from builders.images.provide import claimed_digest
from builders.rebuild.rebuild_result import OutputKind, RebuildResult
from builders.rebuild.seal import Seal, seal_files
from builders.rebuild.staging import OUTPUTS
from builders.recipe.claim import claim_of
from builders.recipe.recipe import LoadedRecipe, load_recipe
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.recorded_recipe import recorded_recipe
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.salt import Salt, read_salt
from pipelines.evidence.statements.statement import DigestSet, value_of
from pipelines.verify import steps
from pipelines.verify.session import Job, Session

RECORDS = "the records of the run"
"""Where a recipe comes from that is made of them."""


_OF_THE_BUILD = frozenset({Outcome.BUILD_FAILED, Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES})
"""Outcomes that a build itself has, and not the machine that it runs on."""


class NotRepeatableError(SamebitsError):
    """A run whose records do not say here how it was built."""


class ReplayAnswer(StrEnum):
    """What a replay has shown."""

    REPEATED = "repeated"
    """The same bytes, or the same failure."""
    OTHER = "other"
    NOT_COMPARED = "not-compared"
    """There is nothing to compare: nothing was built here, or the records say too little."""


class RepeatedFile(FrozenModel):
    """One file as the center has rebuilt it, and as it was rebuilt here."""

    name: str
    verdict: Verdict | None
    """Of the center; None for a by-product, which is not judged."""
    there: Digest | None
    """SHA-256; keyed by the salt of the release where the source is closed."""
    here: Digest | None

    @property
    def same(self) -> bool:
        """Whether both are the same file."""
        return self.there == self.here


class Replay(FrozenModel):
    """The result of a replay."""

    answer: ReplayAnswer
    release: str
    center: str
    run: str
    recipe: str
    """Where the recipe comes from."""
    reason: str | None = None
    """Why nothing was compared, or what else there is to say."""
    there: Outcome | None
    """The outcome of the center's run."""
    here: Outcome | None = None
    artefacts: tuple[RepeatedFile, ...] = ()
    by_products: tuple[RepeatedFile, ...] = ()
    """By keyed digests under the center's own key."""
    seal: bool | None = None
    """Whether the center's seal is that of what was built here; None where there is none."""


@dataclass(frozen=True, kw_only=True)
class ReplayRecipe:
    """A recipe of the release of a run, and where it comes from."""

    path: Path
    origin: str


def find_replay_recipe(
    session: Session, records: OpenedBundle, given: Path | None, folder: Path
) -> ReplayRecipe:
    """Return the recipe of a run: the `given` one, that of the center here, or that of its records.

    The last is written into `folder`. Raises `NotRepeatableError` where none has the claim of the
    run, and `RecipeError` for a given file that is no recipe.
    """
    if records.closed and _salt(session, records) is None:
        raise NotRepeatableError(
            f"the source of {records.about.release} is closed, so that its digests are keyed",
            got="a store without the salt of the release",
            expected="the salt, which its centers and its reviewers on site have",
        )
    faults = []
    for origin, recipe in _candidates(session, records, given, folder).items():
        try:
            path = recipe()
            fault = _other_claim(session, records, load_recipe(path, unshipped=True))
        except SamebitsError as error:
            fault = str(error)
        if fault is None:
            return ReplayRecipe(path=path, origin=origin)
        faults.append(f"{origin}: {fault}")
    raise NotRepeatableError(
        f"run {records.about.run} of {records.about.release} cannot be repeated",
        got="; ".join(faults),
        expected=f"a recipe with the claim {value_of(records.about.claim)}",
        todo="Give the center's recipe with --recipe, or --center with its recipes folder",
    )


def _candidates(
    session: Session, records: OpenedBundle, given: Path | None, folder: Path
) -> dict[str, Callable[[], Path]]:
    """Return where a recipe may come from, and what gives its path."""
    if given is not None:
        return {str(given): lambda: given}
    release = ReleaseName.parse(records.about.release)
    path = session.center.recipes / "releases" / release.vendor / release.product
    path /= f"{release.version}.yaml"
    here = {str(path): lambda: path} if path.is_file() else {}
    return {**here, RECORDS: partial(_write_recorded, records, folder / "recorded.yaml")}


def _write_recorded(records: OpenedBundle, path: Path) -> Path:
    path.write_text(json.dumps(recorded_recipe(records), indent=1))
    return path


def _other_claim(session: Session, records: OpenedBundle, loaded: LoadedRecipe) -> str | None:
    """Return why a recipe is not that of the run; None if it is."""
    expected, recipe = records.about.claim, loaded.recipe
    if expected is None:
        return "the run names no claim"
    if recipe.release != records.about.release:
        return f"it is the recipe of {recipe.release}"
    claim = claim_of(loaded, claimed_digest(recipe.build.image, session.images)).digest
    if _published(expected, claim, _salt(session, records)) == value_of(expected):
        return None
    return f"its claim here is {claim}; the image, a script of samebits or the recipe is another"


def _salt(session: Session, records: OpenedBundle) -> Salt | None:
    release = ReleaseName.parse(records.about.release)
    return read_salt(session.store, release) if records.closed else None


def _published(like: DigestSet, digest: Digest, salt: Salt | None) -> Digest | None:
    """Return a digest as statements have it: plain, or keyed; None without the salt for it."""
    if like.sha256 is not None:
        return digest
    return salt.keyed(digest) if salt else None


def replay(session: Session, job: Job, records: OpenedBundle, origin: str) -> Replay:
    """Rebuild with the recipe of `job`, and compare; a rebuild that fails is part of the result.

    Outputs stay in the folder of the job. Raises `RebuildError` where no build could run.
    """
    inputs = steps.fetch_inputs(session, job)
    image = steps.provide_image(session, job)
    attempt = steps.run_rebuild(session, job, inputs, image)
    session.progress.done(job.release, attempt.rebuild.outcome)
    outputs = job.attempt(attempt.number) / OUTPUTS
    return compare_with(records, attempt.rebuild, outputs, _salt(session, records), origin)


def compare_with(
    records: OpenedBundle, rebuilt: RebuildResult, outputs: Path, salt: Salt | None, origin: str
) -> Replay:
    """Compare a rebuild, which has left the folder `outputs`, with what the records of a run say.

    The digests of a closed source are keyed by `salt`.
    """
    about, there, here = records.about, records.outcome, rebuilt.outcome
    result = Replay(
        answer=ReplayAnswer.NOT_COMPARED,
        release=about.release,
        center=records.card.id,
        run=about.run,
        recipe=origin,
        there=there,
        here=here,
    )
    if there is not Outcome.BUILT or here is not Outcome.BUILT:
        return result.model_copy(update=_unbuilt(there, rebuilt))
    artefacts = tuple(_artefacts(records, rebuilt, salt))
    seal = _seal(records, rebuilt, outputs, salt)
    if not artefacts:
        reason = "the records name no file that was rebuilt"
        return result.model_copy(update={"reason": reason})
    same = all(file.same for file in artefacts)
    return result.model_copy(
        update={
            "answer": ReplayAnswer.REPEATED if same else ReplayAnswer.OTHER,
            "artefacts": artefacts,
            "by_products": () if records.closed else tuple(_by_products(records, seal)),
            "seal": seal.digest == records.seal if records.seal else None,
        }
    )


def _unbuilt(there: Outcome | None, rebuilt: RebuildResult) -> dict[str, object]:
    """Return what two runs show of which at least one left nothing."""
    if there is not Outcome.BUILT and there not in _OF_THE_BUILD:
        return {"reason": f"the run of the center says nothing of the build: {there}"}
    if there is rebuilt.outcome:
        return {"answer": ReplayAnswer.REPEATED, "reason": rebuilt.reason}
    if rebuilt.outcome is Outcome.BUILT:
        return {"answer": ReplayAnswer.OTHER, "reason": f"built here; there {there}"}
    return {"reason": f"not built here: {rebuilt.reason or rebuilt.outcome}"}


def _artefacts(
    records: OpenedBundle, rebuilt: RebuildResult, salt: Salt | None
) -> Iterator[RepeatedFile]:
    """Yield the files that the center has rebuilt, whatever it says of them."""
    built = {output.name: output.sha256 for output in rebuilt.outputs}
    for statement in records.comparisons:
        found = statement.predicate
        if found.rebuilt is None:
            continue
        own = built.get(statement.name)
        yield RepeatedFile(
            name=statement.name,
            verdict=found.verdict,
            there=value_of(found.rebuilt.digest),
            here=own and _published(found.rebuilt.digest, own, salt),
        )


def _seal(records: OpenedBundle, rebuilt: RebuildResult, folder: Path, salt: Salt | None) -> Seal:
    """Return the seal of what was built here, under the key of the center's run."""
    sealed = [output for output in rebuilt.outputs if output.part is not OutputKind.IGNORED]
    return seal_files(
        [folder / output.name for output in sealed],
        center=records.card.id,
        run=records.about.run,
        secret=salt.secret if salt else b"",
    )


def _by_products(records: OpenedBundle, seal: Seal) -> Iterator[RepeatedFile]:
    own = {file.name: file.hmac for file in seal.files}
    for item in records.provenance.by_products if records.provenance else ():
        yield RepeatedFile(
            name=item.name, verdict=None, there=value_of(item.digest), here=own.get(item.name)
        )
