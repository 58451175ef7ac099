"""The signer in this process: checks, then statements, then signatures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from builders.core.errors import UsageError
from builders.images.lock import ImageLock, load_lock
from builders.inputs.vault import ByteStore, Vault
from pipelines.center.center import Center
from pipelines.center.keys import center_key
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign
from pipelines.evidence.errors import refused
from pipelines.evidence.redaction import redact_robustness, redact_run
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.runstatements import statements_for
from pipelines.evidence.salt import read_salt
from pipelines.evidence.statements import Statement, read_statement
from pipelines.evidence.statements.vsa import SummaryStatement
from pipelines.judge.copied import ContentsCache
from pipelines.log.signers import CheckpointSigner, LocalCheckpointSigner, LogSigner
from pipelines.signer.byte_source import ByteSource
from pipelines.signer.condition import enforce
from pipelines.signer.opened_evidence import Locks, OpenedEvidence, open_evidence
from pipelines.signer.orders import CheckpointOrder, Evidence, StatusOrder, TreeHead
from pipelines.signer.run_checks import run_conditions
from pipelines.signer.status_checks import status_conditions

CheckSummary = Callable[[SummaryStatement, datetime], None]
"""Recomputes the consensus of a summary; raises `RefusedError` when the result differs."""


def refuse_summaries(statement: SummaryStatement, now: datetime) -> None:
    """Refuse every summary: this signer cannot recompute a consensus."""
    del now
    release = statement.predicate.consensus.release
    raise refused("summary", "this signer signs no summaries", got=release, expected=None)


class LocalSigner:
    """Signs for one center, with the key in this process; a `CenterSigner`."""

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
        summaries: CheckSummary = refuse_summaries,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read evidence in `store`, and inputs in `vault`, which is that of `store` by default.

        `key` signs statements, `log` checkpoints; `locks` gives the locks of builder images,
        `cache` the contents of inputs, `summaries` checks a consensus, `clock` is the time in UTC.
        """
        self._center = center
        self._store = store
        self._source = ByteSource(store, vault, cache)
        self._key = key
        self._log = log
        self._locks = locks
        self._summaries = summaries
        self._clock = clock

    def sign(self, evidence: Evidence) -> list[Envelope]:
        """Return the signed statements of a run; raises `RefusedError` for false evidence."""
        with open_evidence(
            evidence, center=self._center, source=self._source, locks=self._locks, now=self._clock()
        ) as opened:
            enforce(run_conditions(opened))
            try:
                statements = self._statements(opened)
            except ValidationError as error:
                raise refused(
                    "statement",
                    "the report fits into no statement",
                    got=error.errors(include_url=False)[0]["msg"],
                    expected=None,
                ) from error
        return [sign(statement.to_bytes(), self._key) for statement in statements]

    def sign_status(self, order: StatusOrder) -> Envelope:
        """Return a signed statement of what the center states about itself."""
        statement, now = read_statement(order.statement), self._clock()
        enforce(status_conditions(statement, self._center.id, now))
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

    def _statements(self, opened: OpenedEvidence) -> list[Statement]:
        """Return the statements to sign; those of a private release are redacted."""
        run, sbom, robustness = opened.run, opened.evidence.sbom, opened.evidence.robustness
        if opened.recipe.visibility != "public":
            salt = read_salt(self._store, ReleaseName.parse(opened.recipe.release))
            if salt is None:
                raise refused(
                    "salt",
                    "the source is closed, and the store has no salt for its digests",
                    got="none",
                    expected="the release's salt in the private prefix",
                )
            run, sbom = redact_run(run, salt), salt.keyed(sbom)
            if robustness is not None:
                robustness = redact_robustness(robustness, opened.report, salt)
        return statements_for(run, sbom=sbom, robustness=robustness)


def folder_locks(folder: Path) -> Locks:
    """Return the locks `<name>.lock.yaml` of a recipes folder's `images`."""

    def lock(image: str) -> ImageLock | None:
        if "@sha256:" in image:
            return None
        try:
            return load_lock(folder / f"{image}.lock.yaml")
        except UsageError as error:
            raise refused(
                "image", "the signer does not know that builder image", got=error, expected=None
            ) from error

    return lock


def log_signer(center: Center) -> LocalCheckpointSigner:
    """Return the signer of a center's log; what it signed last is recorded beside its key.

    Raises `KeyFileError`.
    """
    signer = LogSigner(center.origin, center_key(center, "log"))
    return LocalCheckpointSigner(signer, center.key_folder / "log")
