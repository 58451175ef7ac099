"""What this center has built itself: the bytes that others' proofs of work are checked with."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from builders.build.result import Output, OutputKind
from builders.core.digest import Digest, chunks
from builders.core.enums import Outcome
from builders.core.errors import NotFoundError
from builders.core.runid import RunId
from pipelines.consensus.work import OwnFile
from pipelines.evidence.records import RunName, read_report
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.salt import Salt, read_salt
from pipelines.evidence.statements.run import judged_attempt
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import DamagedError, Store


@dataclass(frozen=True, kw_only=True)
class OwnBuild:
    """The outputs of one run of our own, and the salt of a private release."""

    run: str
    files: tuple[OwnFile, ...]
    salt: Salt | None = None

    @property
    def provable(self) -> bool:
        """Whether there is a by-product that proves anything."""
        return any(file.by_product and file.size for file in self.files)


def own_build(store: Store, release: ReleaseName, center: str, run: str) -> OwnBuild | None:
    """Return what a run of this center has left in its store.

    None for a run that built nothing, or whose whole report or bytes are not there any more. Raises
    `StoreError`.
    """
    name = RunName(release=release, center=center, run=RunId(run))
    try:
        report = Report.model_validate(read_report(store, name, whole=True))
    except (NotFoundError, DamagedError, ValueError):
        return None
    judged = judged_attempt(report)
    if report.outcome is not Outcome.BUILT or judged is None:
        return None
    outputs = [o for o in judged.rebuild.outputs if o.part is not OutputKind.IGNORED]
    if not all(store.has(cas(Visibility.PRIVATE, output.sha256)) for output in outputs):
        return None
    return OwnBuild(
        run=run,
        files=tuple(
            OwnFile(
                name=output.name,
                size=output.size,
                by_product=output.part is OutputKind.BY_PRODUCT,
                keyed=_keyed(store, output),
            )
            for output in outputs
        ),
        salt=read_salt(store, release) if report.environment.visibility == "private" else None,
    )


def _keyed(store: Store, output: Output) -> Callable[[bytes], Digest]:
    def keyed(key: bytes) -> Digest:
        mac = hmac.new(key, digestmod=hashlib.sha256)
        with store.open(cas(Visibility.PRIVATE, output.sha256)) as stream:
            for piece in chunks(stream):
                mac.update(piece)
        return Digest(mac.hexdigest())

    return keyed
