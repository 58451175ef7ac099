"""The lines of a run's seal, kept in the store from before its commitment.

They outlive the folder of the run. If its outputs are lost, they are published: without them nobody
could tell a run whose disk failed from one that kept back what it found.
"""

from __future__ import annotations

import platform
from datetime import UTC, datetime

from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError, NotFoundError
from builders.core.frozen_model import FrozenModel
from builders.rebuild.seal import Seal, hide_names, seal_key
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.salt import read_salt
from pipelines.evidence.statements.seal_lines import SealLines, seal_lines_statement
from pipelines.evidence.statements.statement import DigestSet
from pipelines.signer.orders import status_signer
from pipelines.storage.names import private_twin, release_run
from pipelines.storage.store import Store
from pipelines.verify.session import Job, Session

_KEPT, _RECORD = "seal.json", "seal-1.dsse.json"
_MAX_KEPT = 64 << 20


class KeptSeal(FrozenModel):
    """What a run is about to commit to."""

    claim: Digest
    seal: Seal
    host: str
    """The machine that has the outputs."""
    private: bool
    """Whether the claim and the lines are keyed with the release's salt."""

    @property
    def is_here(self) -> bool:
        """Whether this machine began the run."""
        return self.host == platform.node()


def keep_seal(store: Store, job: Job, claim: Digest, seal: Seal) -> None:
    """Store what a run is about to commit to; raises `StoreError`."""
    private = job.recipe.visibility == "private"
    kept = KeptSeal(claim=claim, seal=seal, host=platform.node(), private=private)
    key = private_twin(_folder(job.release, job.center, job.run) + _KEPT)
    store.put_record(key, kept.model_dump_json().encode())


def read_kept_seal(store: Store, release: str, center: str, run: str) -> KeptSeal | None:
    """Return what a run committed to; None where nothing was kept. Raises `StoreError`."""
    key = private_twin(_folder(release, center, run) + _KEPT)
    try:
        return KeptSeal.model_validate_json(store.get(key, _MAX_KEPT))
    except NotFoundError:
        return None
    except ValidationError as error:
        raise InfrastructureError(f"{key} cannot be read", got=error) from error


def publish_seal_lines(session: Session, release: str, run: str) -> str | None:
    """Sign, store and log the lines of a run's seal; returns the name of the record.

    None for a run of which nothing was kept, and of a private release where its salt is gone. Its
    lines have keyed names, and tell nothing without the salt. Lines that are stored stay as they
    are. Raises `StoreError`, `LogError`, and what the signer raises.
    """
    center, store = session.center, session.store
    kept = read_kept_seal(store, release, center.id, run)
    if kept is None:
        return None
    claim, files = DigestSet(sha256=kept.claim), kept.seal.files
    if kept.private:
        if (salt := read_salt(store, ReleaseName.parse(release))) is None:
            return None
        claim = DigestSet(hmac_sha256=kept.claim)
        files = hide_names(files, seal_key(center.id, run, salt.secret))
    key = f"{_folder(release, center.id, run)}{_RECORD}"
    book = session.logbook()
    if not store.has(key):
        lines = SealLines(
            release=release,
            center=center.id,
            builder=center.builder_id,
            run=run,
            claim=claim,
            files=files,
            published_on=datetime.now(UTC).replace(microsecond=0),
        )
        with book.storing(key):
            envelope = status_signer(session.signer)(seal_lines_statement(lines))
            store.put_record(key, envelope.to_bytes())
    book.settle(key)
    return key


def _folder(release: str, center: str, run: str) -> str:
    return release_run(*ReleaseName.parse(release).parts, center, run)
