"""Which run of a center judged the base of an update, by the center's own logged statements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby, islice

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import StoreError
from builders.inputs.vault import ByteStore
from builders.recipe.recipe import Recipe
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope, verify_envelope
from pipelines.evidence.errors import EvidenceError, SignatureError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.statements.updates import ComparedDelta
from pipelines.judge.updates.checked_delta import BaseChain, BaseRun, CheckedBase
from pipelines.storage.names import encode, release_prefix
from pipelines.storage.store import read_whole

_RUNS = 100
"""Runs that are looked through: the newest ones, or the oldest."""
_COMPARISON = f"{ComparisonStatement.KIND}-"
_UNJUDGED = Verdict.NOT_CHECKED
_NEWEST, _OLDEST = "newest", "oldest"
_BETTER = tuple(Verdict).index
"""Where a verdict stands: the better, the higher."""
IsLogged = Callable[[Digest], bool]
"""Says whether the center's log has the statement with that digest (`Envelope.digest`)."""
IsOwn = Callable[[Envelope], bool]
"""Says whether a key of the center has signed a statement, and its log has it."""


def is_own_statement(envelope: Envelope, keys: Sequence[PublicKey], is_logged: IsLogged) -> bool:
    """Return whether one of the `keys` has signed a statement, and the log has it.

    The log alone proves nothing: who asks for signatures writes it.
    """
    with suppress(SignatureError):
        return bool(verify_envelope(envelope, keys)) and is_logged(envelope.digest())
    return False


def checked_bases(
    recipe: Recipe,
    store: ByteStore,
    center: str,
    is_own: IsOwn,
    named: Mapping[Digest, str | None] | None = None,
) -> dict[Digest, CheckedBase]:
    """Return the bases of a recipe by digest, each with the run of `center` that judged it.

    That is the newest one, or the one that is `named` for the digest, if it is one that did.
    """
    found = {}
    for digest, release in recipe.bases.items():
        run = named.get(digest) if named is not None else _NEWEST
        judged = own_base_run(store, center, release, digest, is_own, run=run) if run else None
        found[digest] = CheckedBase(release=release, sha256=digest, judged=judged)
    return found


def own_base_run(
    store: ByteStore,
    center: str,
    release: str,
    digest: Digest,
    is_own: IsOwn,
    *,
    run: str = _NEWEST,
) -> BaseRun | None:
    """Return the newest run of `center` that judged the file of that `digest` of a release.

    None where no comparison of its own has another verdict than NOT_CHECKED. Of a file that is
    there under two names the worst verdict counts. Of what it rests on no more is read than that
    run: its statements say what they rest on themselves.
    """
    for stated in _own_runs(store, center, release, is_own, run=run):
        judged = [one for one in stated if _judges(one, digest)]
        if judged:
            file = min(judged, key=lambda one: _BETTER(one.predicate.verdict))
            return BaseRun(
                run=file.predicate.run,
                verdict=file.predicate.verdict,
                comparison=file.digest(),
                chain=_chain(file, digest, stated),
                is_delta=any(one.predicate.delta for one in judged),
            )
    return None


def first_logged_sight(
    store: ByteStore, center: str, release: str, digest: Digest, is_own: IsOwn
) -> datetime | None:
    """Return when `center` first compared a file of that release, by its own logged statements.

    None where none of them is about it. What has a time limit is judged by that time, so that a
    later run of the same update finds the same. UTC.
    """
    for stated in _own_runs(store, center, release, is_own, run=_OLDEST):
        for statement in stated:
            shipped, manifest = statement.predicate.shipped, statement.predicate.manifest
            if shipped and shipped.compared and shipped.compared.digest.sha256 == digest:
                seen_on = manifest.seen_on if manifest else None
                return seen_on or statement.predicate.compared_on
    return None


def _own_runs(
    store: ByteStore, center: str, release: str, is_own: IsOwn, *, run: str
) -> Iterator[list[ComparisonStatement]]:
    """Yield the comparisons of each run of a center, the newest or the oldest first, or of one.

    A statement counts in the folder of its own run alone: whoever writes the store could else show
    an old one as the newest.
    """
    folder = f"{release_prefix(*ReleaseName.parse(release).parts)}{encode(center)}/"
    one = run not in {_NEWEST, _OLDEST}
    names = store.list(f"{folder}{encode(run)}/" if one else folder)
    runs = [list(of_run) for _, of_run in groupby(names, key=lambda name: name.rpartition("/")[0])]
    for of_run in islice(runs if run == _OLDEST else reversed(runs), _RUNS):
        name = of_run[0].rpartition("/")[0].rpartition("/")[2]
        yield [
            statement
            for statement, envelope in _comparisons(store, of_run)
            for about in (statement.predicate,)
            if (about.center, about.release, encode(about.run)) == (center, release, name)
            and is_own(envelope)
        ]


def _judges(statement: ComparisonStatement, digest: Digest) -> bool:
    """Return whether a comparison has a verdict on the file with that published digest."""
    shipped, verdict = statement.predicate.shipped, statement.predicate.verdict
    return bool(shipped and shipped.published.sha256 == digest) and verdict is not _UNJUDGED


def _chain(
    file: ComparisonStatement, digest: Digest, stated: Iterable[ComparisonStatement]
) -> BaseChain:
    """Return what a base rests on: the best of the deltas of its run that lead to it, if one does.

    Without one its release is a full one, for all that concerns the base.
    """
    about = file.predicate
    full = BaseChain(
        links=1,
        release=about.release,
        sha256=digest,
        run=about.run,
        worst=about.verdict,
        worst_release=about.release,
    )
    ways = [
        _through(one.predicate.delta, one.predicate.verdict, full)
        for one in stated
        if one.predicate.delta and one.predicate.delta.target.sha256 == digest
    ]
    return max(ways, key=lambda chain: (_BETTER(chain.worst), -chain.links), default=full)


def _through(delta: ComparedDelta, verdict: Verdict, full: BaseChain) -> BaseChain:
    """Return what a base rests on by way of a delta of its release, on which that has a verdict."""
    base, below = delta.base, delta.base.chain
    links = [(full.worst, full.release), (verdict, full.release)]
    links += [(below.worst, below.worst_release)] if below else []
    worst, worst_release = min(links, key=lambda link: _BETTER(link[0]))
    return BaseChain(
        links=(below.links if below else 1) + 1,
        release=below.release if below else base.release,
        sha256=(below.digest if below else base.digest).sha256 or full.sha256,
        run=below.run if below else None,
        worst=worst,
        worst_release=worst_release,
    )


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
