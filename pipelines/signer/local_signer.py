"""The signer in this process: checks, then statements, then signatures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from builders.core.errors import UsageError
from builders.images.lock import ImageLock, load_lock
from builders.inputs.vault import ByteStore, Vault
from pipelines.center.center import Center
from pipelines.center.keys import center_key
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign_envelope
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.redaction import redact_robustness, redact_run
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.run_statements import statements_for
from pipelines.evidence.salt import read_salt
from pipelines.evidence.statements.consensus_results import SummaryStatement
from pipelines.evidence.statements.reader import read_statement
from pipelines.evidence.statements.statement import Statement
from pipelines.judge.copied import ContentsCache
from pipelines.log.note import NoteSigner
from pipelines.log.signers import CheckpointSigner, LocalCheckpointSigner
from pipelines.signer.byte_source import ByteSource
from pipelines.signer.opened_evidence import Locks, OpenedEvidence, enforce
from pipelines.signer.orders import CheckpointOrder, Evidence, StatusOrder, TreeHead
from pipelines.signer.run_checks import run_conditions, status_conditions

CheckSummary = Callable[[SummaryStatement, datetime], None]
"""Recomputes the consensus of a summary; raises `RefusedError` when the result differs."""


def refuse_summaries(statement: SummaryStatement, now: datetime) -> None:
    """Refuse every summary: this signer cannot recompute a consensus."""
    del now
    release = statement.predicate.consensus.release
    raise RefusedError("summary", "this signer signs no summaries", got=release, expected=None)


@dataclass
class LocalSigner:
    """Signs for one center, with the key in this process; a `CenterSigner`."""

    center: Center
    store: ByteStore
    """Of the evidence."""
    _: KW_ONLY
    key: EnvelopeSigner
    """Of statements."""
    log: CheckpointSigner
    locks: Locks
    """Of builder images."""
    vault: Vault | None = None
    """Of inputs and shipped files; by default that of `store`."""
    cache: ContentsCache | None = None
    """The contents of inputs."""
    summaries: CheckSummary = refuse_summaries
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def sign(self, evidence: Evidence) -> list[Envelope]:
        """Return the signed statements of a run; raises `RefusedError` for false evidence."""
        source = ByteSource(self.store, self.vault or Vault(self.store), self.cache)
        opened = OpenedEvidence(
            evidence=evidence,
            center=self.center,
            source=source,
            locks=self.locks,
            now=self.clock(),
        )
        enforce(run_conditions(opened))
        try:
            statements = self._statements(opened)
        except ValidationError as error:
            raise RefusedError(
                "statement",
                "the report fits into no statement",
                got=error.errors(include_url=False)[0]["msg"],
                expected=None,
            ) from error
        return [sign_envelope(statement.to_bytes(), self.key) for statement in statements]

    def sign_status(self, order: StatusOrder) -> Envelope:
        """Return a signed statement of what the center states about itself."""
        statement, now = read_statement(order.statement), self.clock()
        enforce(status_conditions(statement, self.center.id, now))
        if isinstance(statement, SummaryStatement):
            self.summaries(statement, now)
        return sign_envelope(order.statement, self.key)

    def newest_checkpoint(self) -> TreeHead | None:
        """Return the newest checkpoint of the center's log that was signed."""
        newest = self.log.newest()
        return None if newest is None else TreeHead.of(newest)

    def sign_checkpoint(self, order: CheckpointOrder) -> bytes:
        """Return the signature of the next checkpoint; it must continue the newest one."""
        origin = self.log.key.name
        return self.log.sign(
            None if order.old is None else order.old.checkpoint(origin),
            order.new.checkpoint(origin),
            [bytes.fromhex(found.hex) for found in order.proof],
        )

    def _statements(self, opened: OpenedEvidence) -> list[Statement]:
        """Return the statements to sign; those of a private release are redacted."""
        run, sbom, robustness = opened.run, opened.evidence.sbom, opened.evidence.robustness
        if opened.recipe.visibility != "public":
            salt = read_salt(self.store, ReleaseName.parse(opened.recipe.release))
            if salt is None:
                raise RefusedError(
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
            raise RefusedError(
                "image", "the signer does not know that builder image", got=error, expected=None
            ) from error

    return lock


def log_signer(center: Center) -> LocalCheckpointSigner:
    """Return the signer of a center's log; what it signed last is recorded beside its key.

    Raises `KeyFileError`.
    """
    signer = NoteSigner(center.origin, center_key(center, "log"))
    return LocalCheckpointSigner(signer, center.key_folder / "log")
