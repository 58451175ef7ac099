"""The signer in this process: checks, then statements, then signatures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from builders.core.errors import UsageError
from builders.images.lock import ImageLock, load_lock
from builders.inputs.vault import ByteStore, Vault
from pipelines.center.center import Center
from pipelines.center.keys import center_key
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.redaction import redact_robustness, redact_run
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.runstatements import statements_for
from pipelines.evidence.salt import read_salt
from pipelines.evidence.statements import Statement, read_statement
from pipelines.evidence.statements.vsa import SummaryStatement
from pipelines.judge.copied import ContentsCache
from pipelines.log.signers import CheckpointSigner, LocalCheckpointSigner, LogSigner
from pipelines.signer.bytesource import ByteSource
from pipelines.signer.case import Case, Locks, opened
from pipelines.signer.checks import check_all
from pipelines.signer.evidence import Evidence
from pipelines.signer.orders import CheckpointOrder, StatusOrder, TreeHead
from pipelines.signer.statuschecks import check_status


class CenterSigner(Protocol):
    """Whoever signs for a center; every method raises `RefusedError` when it does not agree."""

    def sign(self, evidence: Evidence) -> list[Envelope]:
        """Return the signed statements of a run."""

    def sign_status(self, order: StatusOrder) -> Envelope:
        """Return a signed statement of what the center says of itself."""

    def newest_checkpoint(self) -> TreeHead | None:
        """Return the newest checkpoint of the center's log that was signed."""

    def sign_checkpoint(self, order: CheckpointOrder) -> bytes:
        """Return the signature of the next checkpoint of the center's log."""


CheckSummary = Callable[[SummaryStatement, datetime], None]
"""Recomputes the consensus of a summary; raises `RefusedError` when the result differs."""


def no_summaries(statement: SummaryStatement, now: datetime) -> None:
    """Refuse every summary: this signer cannot recompute a consensus."""
    del now
    raise RefusedError(
        "this signer signs no summaries", check="summary", got=statement.predicate.consensus.release
    )


def status_signer(signer: CenterSigner) -> Callable[[Statement], Envelope]:
    """Return the function that signs what a center states about itself; the signer may refuse."""

    def sign_statement(statement: Statement) -> Envelope:
        return signer.sign_status(StatusOrder(statement=statement.to_bytes()))

    return sign_statement


class LocalSigner:
    """Signs for one center, with the key in this process."""

    def __init__(
        self,
        center: Center,
        store: ByteStore,
        *,
        key: EnvelopeSigner,
        log: CheckpointSigner,
        locks: Locks,
        vault: Vault | None = None,
        cache: ContentsCache | None = None,
        summaries: CheckSummary = no_summaries,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read evidence in `store`, and inputs in `vault`, which is that of `store` by default.

        `key` signs statements, `log` checkpoints; `locks` gives the locks of builder images,
        `cache` what is inside of inputs, `summaries` checks a consensus, `clock` the time in UTC.
        """
        self._center = center
        self._store = store
        self._source = ByteSource(store, vault or Vault(store))
        self._key = key
        self._log = log
        self._locks = locks
        self._cache = cache
        self._summaries = summaries
        self._clock = clock

    def sign(self, evidence: Evidence) -> list[Envelope]:
        """Return the signed statements of a run; raises `RefusedError` when it does not agree."""
        with opened(
            evidence,
            center=self._center,
            source=self._source,
            locks=self._locks,
            cache=self._cache,
            now=self._clock(),
        ) as case:
            check_all(case)
            try:
                statements = self._statements(case)
            except ValidationError as error:
                raise RefusedError(
                    "what it says fits into no statement",
                    check="statement",
                    got=error.errors(include_url=False)[0]["msg"],
                ) from error
        return [sign(statement.to_bytes(), self._key) for statement in statements]

    def sign_status(self, order: StatusOrder) -> Envelope:
        """Return a signed statement of what the center says of itself."""
        statement, now = read_statement(order.statement), self._clock()
        check_status(statement, center=self._center.id, now=now)
        if isinstance(statement, SummaryStatement):
            self._summaries(statement, now)
        return sign(order.statement, self._key)

    def newest_checkpoint(self) -> TreeHead | None:
        """Return the newest checkpoint of the center's log that was signed."""
        newest = self._log.newest()
        return None if newest is None else TreeHead.of(newest)

    def sign_checkpoint(self, order: CheckpointOrder) -> bytes:
        """Return the signature of the next checkpoint; it must continue the newest one."""
        origin = self._log.key.name
        return self._log.sign(
            None if order.old is None else order.old.checkpoint(origin),
            order.new.checkpoint(origin),
            [bytes.fromhex(found.hex) for found in order.proof],
        )

    def _statements(self, case: Case) -> list[Statement]:
        """Return what is to be signed: of a private release, what the public may know."""
        if case.recipe.visibility == "public":
            return statements_for(case.run, sbom=case.evidence.sbom, robustness=case.evidence.moved)
        salt = read_salt(self._store, ReleaseName.parse(case.recipe.release))
        if salt is None:
            raise RefusedError(
                "the source is closed, and the store has no salt for its digests",
                check="salt",
                got="none",
                expected="the release's salt in the private prefix",
            )
        moved = case.evidence.moved
        return statements_for(
            redact_run(case.run, salt),
            sbom=salt.keyed(case.evidence.sbom),
            robustness=redact_robustness(moved, case.report, salt) if moved else None,
        )


def folder_locks(folder: Path) -> Locks:
    """Return the locks `<name>.lock.yaml` of a recipes folder's `images`."""

    def lock(image: str) -> ImageLock | None:
        if "@sha256:" in image:
            return None
        try:
            return load_lock(folder / f"{image}.lock.yaml")
        except UsageError as error:
            raise RefusedError(
                "the signer does not know that builder image", check="image", got=error
            ) from error

    return lock


def log_signer(center: Center) -> LocalCheckpointSigner:
    """Return the signer of a center's log; what it signed last is remembered beside its key.

    Raises `KeyFileError`.
    """
    signer = LogSigner(center.origin, center_key(center, "log"))
    return LocalCheckpointSigner(signer, center.key_folder / "log")
