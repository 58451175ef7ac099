"""The signer in this process: checks, then statements, then signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from builders.inputs.vault import ByteStore, Vault
from builders.jail.file_reader import Jail
from pipelines.audit.base_runs import IsLogged, is_own_statement
from pipelines.center.center import Center
from pipelines.center.keys import center_key
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign_envelope
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.redaction import redact_explanation, redact_robustness, redact_run
from pipelines.evidence.run_statements import statements_for
from pipelines.evidence.statements.consensus_results import SummaryStatement
from pipelines.evidence.statements.reader import read_statement
from pipelines.evidence.statements.statement import Statement
from pipelines.judge.copied import ContentsCache
from pipelines.log.note import NoteSigner
from pipelines.log.notekey import NoteKey
from pipelines.log.signers import CheckpointSigner, LocalCheckpointSigner
from pipelines.signer.byte_source import ByteSource
from pipelines.signer.explanation_checks import stated_conditions
from pipelines.signer.opened_evidence import OpenedEvidence, enforce
from pipelines.signer.orders import Evidence, StatusOrder
from pipelines.signer.own_copies import own_copies
from pipelines.signer.run_checks import run_conditions, status_conditions

CheckSummary = Callable[[SummaryStatement, datetime], None]
"""Recomputes the consensus of a summary; raises `RefusedError` when the result differs."""


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
    jail: Jail
    """Where inputs are read: not in the process that holds the key."""
    summaries: CheckSummary
    is_logged: IsLogged
    former_keys: Callable[[], Sequence[PublicKey]] = tuple
    """Other keys of the center for statements, with which bases of updates may be signed."""
    vault: Vault | None = None
    """Of inputs and shipped files; by default that of `store`."""
    scratch: Path | None = None
    """The folder for own copies of inputs; by default that of temporary files."""
    cache: ContentsCache | None = None
    """The contents of inputs."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def sign(self, evidence: Evidence) -> list[Envelope]:
        """Return the signed statements of a run; raises `RefusedError` for false evidence."""
        with own_copies(self.vault or Vault(self.store), self.scratch) as vault:
            source = ByteSource(self.store, vault, self.jail, self.cache)
            opened = OpenedEvidence(evidence, self.center, source, self.clock(), self._is_own)
            return self._signed(opened)

    def _is_own(self, envelope: Envelope) -> bool:
        keys = (self.key.public, *self.former_keys())
        return is_own_statement(envelope, keys, self.is_logged)

    def _signed(self, opened: OpenedEvidence) -> list[Envelope]:
        enforce(run_conditions(opened))
        try:
            statements = self._statements(opened)
        except ValidationError as error:
            raise RefusedError(
                "statement",
                "the report fits into no statement",
                got=error.errors(include_url=False)[0]["msg"],
            ) from error
        enforce(stated_conditions(opened, statements, self.is_logged))
        return [sign_envelope(statement.to_bytes(), self.key) for statement in statements]

    def sign_status(self, order: StatusOrder) -> Envelope:
        """Return a signed statement of what the center states about itself."""
        statement, now = read_statement(order.statement), self.clock()
        enforce(status_conditions(statement, self.center.id, now))
        if isinstance(statement, SummaryStatement):
            self.summaries(statement, now)
        return sign_envelope(order.statement, self.key)

    def checkpoint_signer(self, key: NoteKey) -> CheckpointSigner:  # noqa: ARG002
        """Return the signer of the center's log, whose key it knows itself."""
        return self.log

    def _statements(self, opened: OpenedEvidence) -> list[Statement]:
        """Return the statements to sign; those of a private release are redacted."""
        run, sbom = opened.run, opened.evidence.sbom
        robustness, explanation = opened.evidence.robustness, opened.evidence.explanation
        if (salt := opened.salt) is not None:
            run, sbom = redact_run(run, salt), salt.keyed(sbom)
            if robustness is not None:
                robustness = redact_robustness(robustness, opened.report, salt)
            if explanation is not None:
                explanation = redact_explanation(explanation, opened.report, salt)
        return statements_for(run, sbom=sbom, robustness=robustness, explanation=explanation)


def log_signer(center: Center) -> LocalCheckpointSigner:
    """Return the signer of a center's log; what it signed last is recorded beside its key.

    Raises `KeyFileError`.
    """
    signer = NoteSigner(center.origin, center_key(center, "log"))
    return LocalCheckpointSigner(signer, center.key_folder / "log")
