"""One release with manifests, as the judge sees it; the defaults are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from io import BytesIO
from typing import BinaryIO

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import SamebitsError
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.recipe.signature import PinnedSignature
from builders.recipe.update_manifest import DeclaredManifest, ManifestName
from pipelines.judge.compare import Declared, Facts, Unread
from pipelines.judge.finding import FileFact
from pipelines.judge.grafting import with_grafts
from pipelines.judge.updates.checked_delta import BaseChain, BaseRun, CheckedBase
from pipelines.judge.updates.manifest_format import ManifestFact
from pipelines.judge.updates.recomputing import ManifestFiles, with_manifests
from tests.fakes.jail import OpenJail
from tests.judge.updates.tuf_repository import (
    APP,
    RELEASES,
    SEEN,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    pinned,
)

_PUBLISHED = RELEASES[2].published()
_BEFORE = RELEASES[1].published()


def _previous(name: str) -> Digest:
    return Digest.of(_BEFORE[name])


def base_run(verdict: Verdict = Verdict.EQUIVALENT, *, is_delta: bool = False) -> BaseRun:
    """Return what this center has found of a manifest before."""
    chain = BaseChain(
        links=1,
        release="lab/app@2",
        sha256=Digest.of(b"app"),
        run="20260102T030405Z-0a1b2c3d",
        worst=verdict,
        worst_release="lab/app@2",
    )
    return BaseRun(
        run="20260102T030405Z-0a1b2c3d",
        verdict=verdict,
        comparison=Digest.of(b"comparison"),
        chain=chain,
        is_delta=is_delta,
    )


@dataclass(frozen=True, kw_only=True)
class ManifestScene:
    """What was shipped and rebuilt, and what the recipe says of it."""

    shipped: Mapping[str, bytes] = field(
        default_factory=lambda: {**_PUBLISHED, "app-3.bin": APP["app-3.bin"]}
    )
    rebuilt: Mapping[str, bytes] = field(default_factory=lambda: {"app-3.bin": APP["app-3.bin"]})
    manifests: Mapping[str, DeclaredManifest] = field(
        default_factory=lambda: {
            name: DeclaredManifest(format=format_, previous=_previous(name))
            for name, format_ in (
                ("targets.json", ManifestName.TUF_TARGETS),
                ("snapshot.json", ManifestName.TUF_SNAPSHOT),
                ("timestamp.json", ManifestName.TUF_TIMESTAMP),
            )
        }
    )
    pins: Mapping[str, PinnedSignature] = field(
        default_factory=lambda: {
            "targets.json": pinned(TARGETS),
            "snapshot.json": pinned(SNAPSHOT),
            "timestamp.json": pinned(TIMESTAMP),
        }
    )
    bases: tuple[bytes, ...] = tuple(_BEFORE.values())
    judged: BaseRun | None = field(default_factory=base_run)
    """What this center has found of each manifest before."""
    version: str = "3"
    seen_on: datetime = SEEN
    failing: SamebitsError | None = None
    jail: OpenJail | None = None
    """In place of one that reads, or fails."""
    changed: Callable[[Facts], Facts] = lambda facts: facts
    """What becomes of the facts before the manifests are looked at."""

    def but(self, **changes: object) -> ManifestScene:
        return replace(self, **changes)  # type: ignore[arg-type]

    def served(self, **files: bytes) -> ManifestScene:
        """Ship others; names have _ for a dot."""
        more = {name.replace("_", "."): data for name, data in files.items()}
        return self.but(shipped={**self.shipped, **more})

    def facts(self) -> Facts:
        """Return the facts on the release, with its grafts and manifests."""
        served = {n: FileFact(sha256=Digest.of(d), size=len(d)) for n, d in self.shipped.items()}
        facts = Facts(
            outcome=Outcome.BUILT,
            outcome_reason=None,
            declared=tuple(Declared(name=n, published=f.sha256) for n, f in served.items()),
            rebuilt=tuple(
                Output(name=n, sha256=Digest.of(d), size=len(d), part=OutputKind.ARTEFACT)
                for n, d in self.rebuilt.items()
            ),
            served=served,
            input_fault=None,
        )
        jail = self.jail or OpenJail(self.failing)
        facts = with_grafts(
            facts, self.pins, jail, shipped=self._shipped, rebuilt=self._rebuilt, scanned=[]
        )
        return with_manifests(
            self.changed(facts),
            self.manifests,
            self.pins,
            {
                one.previous: CheckedBase(
                    release="lab/app@2", sha256=one.previous, judged=self.judged
                )
                for one in self.manifests.values()
                if one.previous
            },
            jail,
            ManifestFiles(shipped=self._shipped, rebuilt=self._rebuilt, base=self._base),
            version=self.version,
            first_seen=dict.fromkeys(self.manifests, self.seen_on),
        )

    def found(self) -> dict[str, ManifestFact | Unread]:
        """Return the facts on the manifests, by name."""
        return dict(self.facts().manifests)

    def _shipped(self, name: str, _: Digest) -> AbstractContextManager[BinaryIO]:
        return _opened(self.shipped[name])

    def _rebuilt(self, name: str, _: Digest) -> AbstractContextManager[BinaryIO]:
        return _opened(self.rebuilt[name])

    def _base(self, digest: Digest) -> AbstractContextManager[BinaryIO]:
        return _opened({Digest.of(data): data for data in self.bases}[digest])


def _opened(data: bytes) -> BytesIO:
    """Open a file that stands anywhere."""
    file = BytesIO(data)
    file.seek(len(data) // 2)
    return file
