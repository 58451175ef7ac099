"""Which run of a center judged the base of an update, by the center's own logged statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import groupby, islice

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import StoreError
from builders.inputs.vault import ByteStore
from builders.recipe.recipe import Recipe
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.judge.updates.checked_delta import BaseRun, CheckedBase
from pipelines.storage.names import encode, release_prefix
from pipelines.storage.store import read_whole

_RUNS = 100
"""Runs that are looked through: the newest ones."""
_COMPARISON = f"{ComparisonStatement.KIND}-"


IsLogged = Callable[[Digest], bool]
"""Says whether the center's log has the statement with that digest (`Envelope.digest`)."""


def checked_bases(
    recipe: Recipe, store: ByteStore, center: str, is_logged: IsLogged
) -> dict[Digest, CheckedBase]:
    """Return the bases of a recipe by digest, each with the run of `center` that judged it."""
    return {
        digest: CheckedBase(
            release=release,
            sha256=digest,
            judged=own_base_run(store, center, ReleaseName.parse(release), digest, is_logged),
        )
        for digest, release in recipe.bases.items()
    }


def own_base_run(
    store: ByteStore, center: str, release: ReleaseName, digest: Digest, is_logged: IsLogged
) -> BaseRun | None:
    """Return the newest run of `center` that judged the file of that `digest` of a release.

    None where no logged comparison of it has another verdict than NOT_CHECKED.
    """
    folder = f"{release_prefix(*release.parts)}{encode(center)}/"
    runs = [
        list(names)
        for _, names in groupby(store.list(folder), key=lambda key: key.rpartition("/")[0])
    ]
    for names in islice(reversed(runs), _RUNS):
        for statement, envelope in _comparisons(store, names):
            about = statement.predicate
            if (
                statement.subject[0].digest.sha256 == digest
                and about.shipped is not None
                and about.verdict is not Verdict.NOT_CHECKED
                and (about.center, about.release) == (center, str(release))
                and is_logged(envelope.digest())
            ):
                return BaseRun(
                    run=about.run,
                    verdict=about.verdict,
                    comparison=Digest.of(envelope.payload),
                    is_delta=about.delta is not None,
                )
    return None


def _comparisons(
    store: ByteStore, names: list[str]
) -> Iterator[tuple[ComparisonStatement, Envelope]]:
    for name in names:
        record = name.rpartition("/")[2]
        if record.startswith(_COMPARISON) and record.endswith(SUFFIX):
            with suppress(StoreError, EvidenceError):
                with store.open(name) as stream:
                    envelope = Envelope.from_bytes(read_whole(name, stream, MAX_ENVELOPE))
                yield ComparisonStatement.from_bytes(envelope.payload), envelope
