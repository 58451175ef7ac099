"""The outputs that this center has built itself, by which it checks others' proofs of work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from builders.build.rebuild_result import OutputKind
from builders.core.enums import Outcome
from builders.core.errors import NotFoundError
from builders.core.runid import RunId
from pipelines.evidence.records import RunName, read_report
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.salt import Salt, read_salt
from pipelines.evidence.statements.run import judged_attempt
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import DamagedError, Store


@dataclass(frozen=True, kw_only=True)
class OwnOutput:
    """A file that this center built; its size is in bytes."""

    name: str
    size: int
    by_product: bool
    open: Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, kw_only=True)
class OwnBuild:
    """The outputs of one run of this center, and the salt of a private release."""

    run: str
    outputs: tuple[OwnOutput, ...]
    salt: Salt | None = None

    @property
    def provable(self) -> bool:
        """Whether there is a by-product that proves anything: an empty file does not."""
        return any(output.by_product and output.size for output in self.outputs)


def read_own_build(store: Store, release: ReleaseName, center: str, run: str) -> OwnBuild | None:
    """Return what a run of this center built, from its store.

    None for a run that built nothing, or whose full report or bytes are no longer there. Raises
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
        outputs=tuple(
            OwnOutput(
                name=output.name,
                size=output.size,
                by_product=output.part is OutputKind.BY_PRODUCT,
                open=partial(store.open, cas(Visibility.PRIVATE, output.sha256)),
            )
            for output in outputs
        ),
        salt=read_salt(store, release) if report.environment.visibility == "private" else None,
    )
