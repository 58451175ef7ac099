"""A world of centers and a product that is updated: a full release, and deltas on it."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.recipe.update import DeltaJudged
from infra.bench.madeup import MadeUpFile, MadeUpKey, MadeUpRun, made_up_delta
from pipelines.audit.delta_path import JudgedRun
from pipelines.audit.logged_release import LoggedRelease
from pipelines.audit.source import OwnSource, Source
from pipelines.consensus.base_chains import BaseChains, ReadRelease
from pipelines.consensus.consensus_result import Consensus
from pipelines.consensus.release_consensus import (
    ReleaseConsensus,
    consensus_of,
    opened_release,
    read_release,
)
from pipelines.consensus.subjects import subjects_of
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.statement import DigestSet
from pipelines.evidence.statements.updates import BaseReference, ChainSummary
from pipelines.storage.names import REPORT, Visibility, private_twin
from tests.consensus.world import Site, World

TARGET, DELTA = "tool.bin", "tool.bsdiff"


def content(version: str) -> bytes:
    """Return the file of a version."""
    return f"tool {version}".encode()


def delta_bytes(version: str) -> bytes:
    """Return the delta that leads to a version."""
    return f"delta to {version}".encode()


def release(version: str) -> str:
    return f"acme/tool@{version}"


@dataclass(kw_only=True)
class ChainSite(Site):
    """A center whose log has several releases."""

    releases: dict[str, LoggedRelease] = field(default_factory=lambda: defaultdict(LoggedRelease))
    judged: dict[tuple[str, Digest], JudgedRun] = field(default_factory=dict)
    """By release and published digest: the newest run that compared a file."""
    runs: int = 0

    def put(self, key: str, envelope: Envelope, *, logged: bool = True) -> None:
        self.about = self.releases[json.loads(envelope.payload)["predicate"].get("release", "")]
        super().put(key, envelope, logged=logged)

    def commit(self, run: MadeUpRun) -> None:
        self.about = self.releases[run.release]
        super().commit(run)

    def state(self, version: str, files: dict[str, MadeUpFile]) -> MadeUpRun:
        """Publish a run of a version; each begins one second after the last."""
        self.runs += 1
        run = self.made(
            release=release(version),
            run=f"20260102T0304{self.runs:02d}Z-0a1b2c{self.runs:02x}",
            files=files,
        )
        self.commit(run)
        for content in run.outputs.values():
            self.store.put_cas(Visibility.PRIVATE, content)
        self.store.put_record(private_twin(run.folder() + REPORT), run.report().to_json())
        for name, envelope in run.envelopes(self.key).items():
            self.put(run.folder() + name, envelope)
            if name.startswith("comparison-"):
                payload = json.loads(envelope.payload)
                digest = Digest(payload["subject"][0]["digest"]["sha256"])
                judged = JudgedRun(run=run.run, comparison=Digest.of(envelope.payload))
                self.judged[run.release, digest] = judged
        return run

    def full(self, version: str, **changes: Any) -> MadeUpRun:
        """State a run of a full release."""
        return self.state(version, {TARGET: replace(_identical(version), **changes)})

    def update(
        self,
        version: str,
        on: str,
        *,
        base: bytes | None = None,
        run: JudgedRun | None = None,
        name: str = DELTA,
        **changes: Any,
    ) -> MadeUpRun:
        """State a run of an update `on` another version; `base` and `run` are those of that."""
        file = replace(self.delta(version, on, base=base, run=run), **changes)
        return self.state(version, {TARGET: _identical(version), name: file})

    def delta(
        self,
        version: str,
        on: str,
        *,
        base: bytes | None = None,
        run: JudgedRun | None = None,
        judged: DeltaJudged = DeltaJudged.REBUILT,
    ) -> MadeUpFile:
        """Return a delta that holds, on a base that was judged."""
        digest = Digest.of(base if base is not None else content(on))
        named = run or self.judged[release(on), digest]
        reference = BaseReference(
            release=release(on),
            digest=DigestSet(sha256=digest),
            run=named.run,
            comparison=DigestSet(sha256=named.comparison),
            chain=ChainSummary(
                links=1,
                release=release(on),
                digest=DigestSet(sha256=digest),
                run=named.run,
                worst=Verdict.IDENTICAL,
                worst_release=release(on),
            ),
        )
        return made_up_delta(delta_bytes(version), content(version), reference, judged=judged)


def _identical(version: str) -> MadeUpFile:
    return MadeUpFile.identical(content(version))


class ChainWorld(World):
    """Centers that state runs of the versions of one product."""

    sites: dict[str, ChainSite]  # type: ignore[assignment]

    def __init__(self, *operators: str) -> None:
        super().__init__(*operators)
        self.sites = {
            f"{name}-1": ChainSite(
                id=f"{name}-1", operator=name, region=f"{name}-land", key=MadeUpKey(name)
            )
            for name in operators or ("ada", "bob")
        }
        self.reads: list[str] = []

    def __getitem__(self, center: str) -> ChainSite:
        return self.sites[center]

    def about(self, center: str, release: str) -> LoggedRelease:
        return self.sites[center].releases[release]

    def full(self, version: str, **changes: Any) -> None:
        """Let every center state a full release."""
        for site in self.sites.values():
            site.full(version, **changes)

    def update(self, version: str, on: str, **changes: Any) -> None:
        """Let every center state an update."""
        for site in self.sites.values():
            site.update(version, on, **changes)

    def chain(self, *versions: str) -> None:
        """Let every center state a full release, and each later version as an update on it."""
        self.full(versions[0])
        for on, version in pairwise(versions):
            self.update(version, on)

    def chains(self) -> BaseChains:
        """Return the chains of one round; `reads` tells what is read for them."""

        def read(name: str) -> ReadRelease | None:
            self.reads.append(name)
            found = self._found(name)
            subjects = subjects_of(found.findings)
            return opened_release(found, self.rules, subjects, own=None, unwitnessed=False)

        return BaseChains(read)

    def _found(self, name: str) -> Any:
        sources = [Source(center=site.id, store=site.store) for site in self.sites.values()]
        own = OwnSource(center="ada-1", store=self["ada-1"].store)
        return read_release(ReleaseName.parse(name), sources, self.reader, own)

    def joined(self, version: str, chains: BaseChains | None = None) -> ReleaseConsensus:
        """Join a version, in a round of its own unless `chains` are given."""
        return consensus_of(
            self._found(release(version)), self.rules, chains=chains or self.chains()
        )

    def of(self, version: str, name: str = DELTA, chains: BaseChains | None = None) -> Consensus:
        """Return the consensus on one file of a version."""
        found = self.joined(version, chains).artefacts
        return next(one for one in found if one.subject.artefact == name)

    def told(self, version: str) -> tuple[str, str | None]:
        """Return the result for the delta of a version, and the fault of its base."""
        found = self.of(version)
        assert found.base is not None
        return str(found.result), str(found.base.fault) if found.base.fault else None
