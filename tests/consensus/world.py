"""A small world of centers: each with a store, a key and a log; made-up runs, really signed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Outcome
from infra.bench.madeup import EMPTY_POLICY, MadeUpFile, MadeUpKey, MadeUpRun, made_up_log
from pipelines.audit.logged_release import LoggedCommitment, LoggedRelease, run_tag
from pipelines.audit.source import OwnSource, Source
from pipelines.audit.statement_reader import StatementReader
from pipelines.audit.witnessed import Witnessed
from pipelines.consensus import ReleaseConsensus
from pipelines.consensus.release_consensus import ReleaseFindings, consensus_of, read_release
from pipelines.evidence.dsse import Envelope, sign_envelope
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.evidence.statements.seal_lines import SealLines, seal_lines_statement
from pipelines.evidence.statements.statement import Statement
from pipelines.log.leaf import FIRST, CommitmentLeaf
from pipelines.policy import ConsensusRules, Policy, PolicyCenter
from pipelines.policy.model import CenterKey, Operator, PolicyRules
from pipelines.storage.names import REPORT, Visibility, private_twin
from tests.fakes.store import MemoryStore

RELEASE = ReleaseName(vendor="acme", product="tool", version="1.0")
EARLIER, LATER = "20260101T030405Z-00000001", "20260103T030405Z-00000003"
FILE, CONTENT = "tool.deb", b"the shipped bytes"
FILES = {FILE: MadeUpFile.identical(CONTENT)}
PRODUCTS = {"tool-dbgsym.deb": b"symbols that nobody ships"}
OF_A_RUN = {*ComparisonStatement.PREDICATE_TYPES, *AttemptStatement.PREDICATE_TYPES}
LAWS = {"ada": "Ada AG", "bob": "Bob Ltd", "cyd": "Cyd Inc."}


@dataclass(kw_only=True)
class Site:
    """One center as others see it, and the key that it signs with."""

    id: str
    operator: str
    region: str
    key: MadeUpKey
    store: MemoryStore = field(default_factory=MemoryStore)
    log: list[Digest] = field(default_factory=list)
    """The PAE digests of statements, and the digests of commitments."""
    about: LoggedRelease = field(default_factory=LoggedRelease)
    """Of the log, what is about the release."""
    start: int = 0
    end: int | None = None
    witnessed: int = 1 << 40
    """How many leaves of its log are witnessed."""
    overdue: int = 0
    """How many of them for longer than a run may be open."""
    reported: set[int] = field(default_factory=set)
    """The leaves that witnesses have reported absent for too long."""
    committed: dict[int, CommitmentLeaf] = field(default_factory=dict)
    upgraded_at: int | None = None

    @property
    def builder(self) -> str:
        return f"https://samebits.example/centers/{self.id}/builder"

    def put(self, key: str, envelope: Envelope, *, logged: bool = True) -> None:
        self.store.put_record(key, envelope.to_bytes())
        if logged:
            kind = json.loads(envelope.payload)["predicateType"]
            if kind in OF_A_RUN:
                self.about.results.setdefault(envelope.digest(), len(self.log))
            if kind in OF_A_RUN and kind.endswith("/v2") and self.upgraded_at is None:
                self.upgraded_at = len(self.log)
            self.log.append(envelope.digest())

    def commit(self, run: MadeUpRun) -> None:
        """Log the commitment of a run."""
        entry = run.commitment()
        digest = entry.digest
        self.committed[len(self.log)] = entry.leaf(0, FIRST)
        found = self.about.commitments.setdefault(run_tag(run.run), [])
        found.append(LoggedCommitment(len(self.log), digest))
        self.log.append(digest)

    def lose(self, run: MadeUpRun, **changes: Any) -> None:
        """Publish the lines of a run's seal, or other ones with these `changes`, without more."""
        lines = SealLines(
            release=run.release,
            center=run.center,
            builder=run.builder,
            run=run.run,
            claim=run.claim,
            files=run.sealed_lines(),
            published_on=run.finished,
        ).model_copy(update=changes)
        self.put(f"{run.folder()}seal-1.dsse.json", self.sign(seal_lines_statement(lines)))

    def sign(self, statement: Statement) -> Envelope:
        return sign_envelope(statement.to_bytes(), self.key)

    def made(self, **changes: Any) -> MadeUpRun:
        """Return a run of this center in which all is as it should be, but for `changes`."""
        return MadeUpRun(
            **{
                "center": self.id,
                "builder": self.builder,
                "release": str(RELEASE),
                "run": "20260102T030405Z-0a1b2c3d",
                "files": FILES,
                "by_products": PRODUCTS,
                **changes,
            }
        )

    def publish(
        self,
        run: MadeUpRun,
        *,
        key: MadeUpKey | None = None,
        logged: bool = True,
        committed: bool = True,
    ) -> dict[str, str]:
        """Store the statements of a run, and what it left; returns their records by name."""
        names, folder = {}, replace(run, release=str(RELEASE)).folder()
        if run.outcome is Outcome.BUILT and logged and committed:
            self.commit(run)
        for name, envelope in run.envelopes(key or self.key).items():
            names[name] = folder + name
            self.put(names[name], envelope, logged=logged)
        for content in run.outputs.values():
            self.store.put_cas(Visibility.PRIVATE, content)
        whole = run.report().to_json()
        if run.outcome is Outcome.BUILT:
            self.store.put_record(private_twin(folder + REPORT), whole)
        self.store.put_record(folder + REPORT, b"{}")
        return names

    def run(self, *, committed: bool = True, **changes: Any) -> dict[str, str]:
        return self.publish(self.made(**changes), committed=committed)


@cache
def law(operator: str) -> PublicKey:
    """Return the key with which an operator signs policies."""
    return MadeUpKey(f"law {operator}").public


class World:
    """Centers that know each other by one policy, and where their logs have statements."""

    def __init__(self, *operators: str) -> None:
        self.sites = {
            f"{name}-1": Site(
                id=f"{name}-1", operator=name, region=f"{name}-land", key=MadeUpKey(name)
            )
            for name in operators or ("ada", "bob", "cyd")
        }
        self.rules = ConsensusRules(k=2)
        self.min_evidence: int | None = None

    def __getitem__(self, center: str) -> Site:
        return self.sites[center]

    @property
    def policy(self) -> Policy:
        operators = sorted({site.operator for site in self.sites.values()})
        return replace(
            EMPTY_POLICY,
            version=1,
            operators=tuple(Operator(name=n, legal=LAWS.get(n, n), key=law(n)) for n in operators),
            centers=tuple(
                PolicyCenter(
                    id=site.id,
                    operator=site.operator,
                    region=site.region,
                    builder=site.builder,
                    verifier=f"https://samebits.example/centers/{site.id}/verifier",
                    log=made_up_log(site.id),
                    keys=(CenterKey(key=site.key.public, start=site.start, end=site.end),),
                )
                for site in self.sites.values()
            ),
            min_evidence=self.min_evidence,
            consensus=PolicyRules(**vars(self.rules)),
        )

    def index_of(self, center: str, pae: Digest) -> int | None:
        log = self.sites[center].log
        return log.index(pae) if pae in log else None

    def about(self, center: str, release: str) -> LoggedRelease:
        return self.sites[center].about if release == str(RELEASE) else LoggedRelease()

    def witnessed(self, center: str) -> Witnessed:
        site = self.sites[center]
        return Witnessed(size=site.witnessed, required=True, witnesses=("w",), overdue=site.overdue)

    def upgraded_at(self, center: str) -> int | None:
        return self.sites[center].upgraded_at

    def reported(self, center: str, release: str) -> frozenset[int]:
        return frozenset(self.sites[center].reported)

    def commitment(self, center: str, index: int) -> CommitmentLeaf:
        return self.sites[center].committed[index]

    @property
    def reader(self) -> StatementReader:
        return StatementReader(policy=self.policy, logs=self)

    def read(self, own: str | None = "ada-1", *, also: tuple[Source, ...] = ()) -> ReleaseFindings:
        sources = [Source(center=site.id, store=site.store) for site in self.sites.values()]
        center = OwnSource(center=own, store=self.sites[own].store) if own else None
        return read_release(RELEASE, [*sources, *also], self.reader, center)

    def consensus(self, own: str | None = "ada-1", **changes: Any) -> ReleaseConsensus:
        return consensus_of(self.read(own), self.rules, own=own, **changes)

    def result(self, own: str | None = "ada-1") -> str:
        (found,) = self.consensus(own).artefacts
        return str(found.result)


def reasons(found: ReleaseConsensus) -> set[tuple[str, str]]:
    """Return the excluded centers and the reasons, before the join and in it."""
    every = [*found.excluded, *(e for one in found.artefacts for e in one.excluded)]
    return {(excluded.center, str(excluded.reason)) for excluded in every}
