"""Three centers that know each other, with logs of many releases, to measure a night's work."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from builders.core.digest import Digest
from infra.bench.madeup import MadeUpFile, MadeUpKey, MadeUpRun
from pipelines.center.center import Center, load_center
from pipelines.center.keys import center_key, log_key, public_keys
from pipelines.center.logs import witness_peers
from pipelines.consensus.release_consensus import read_logs
from pipelines.consensus.work_proofs import crosscheck_key
from pipelines.evidence.dsse import sign_envelope
from pipelines.evidence.privatekey import create_key
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.consensus_results import (
    CheckedFile,
    CheckedRun,
    Crosscheck,
    CrosscheckStatement,
    Proof,
)
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.log.leaf import CommitmentEntry, Entry, StatementEntry
from pipelines.log.notekey import COSIGNATURE, NoteKey
from pipelines.nightly.periodic import join_round
from pipelines.nightly.settled import SettledReleases
from pipelines.policy import Policy, PolicyCenter
from pipelines.policy.model import SCHEMA, CenterKey, Operator, PolicyLog, PolicyRules
from pipelines.policy.quorum import Quorum, QuorumWitness, WitnessGroup
from pipelines.policy.signed_policy import add_signature
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import REPORT, Visibility, private_twin
from pipelines.verify.session import Session

CENTERS = ("europe", "asia", "americas")
FIRST, SECOND = "20260102T030405Z", "20260103T030405Z"
"""The beginnings of the ids of runs."""
VERSIONS = 50
"""Of one product."""
_RECIPE = """\
schema: samebits/recipe/v1
vendor: acme
product: {product}
version: "{version}"
kind: binary
platform: linux/amd64
build: {{method: script, image: debian-trixie-build, steps: [["true"]]}}
inputs:
  - {{role: source, locator: "file:source.tar", sha256: {digest}}}
artefacts:
  - name: tool.deb
    shipped: {{locator: "pkg:deb/debian/tool@1.0?arch=amd64", sha256: {digest}}}
by_products: ["*-dbgsym.deb"]
"""
_KINDS = (ProvenanceStatement, ComparisonStatement, AttemptStatement)


class ThreeCenters:
    """Three centers of three operators that know each other."""

    def __init__(self, root: Path) -> None:
        """Set them up below `root`."""
        self.root = root
        for name in CENTERS:
            peers = ", ".join(
                f"{{id: {peer}, store: {peer}/store, time: 1h, traffic: 1TiB}}"
                for peer in CENTERS
                if peer != name
            )
            self.file(name).write_text(
                f"schema: samebits/center/v1\nid: {name}\nhome: {name}\nregion: {name}\n"
                f"policy: policy.dsse.json\nrecipes: recipes\npeers: [{peers}]\n"
            )
            for use in ("statements", "log", "witness"):
                create_key(root / name / "keys", use)
        signed = None
        self.policy = self._policy()
        for name in CENTERS:
            signed = add_signature(self.policy, name, MadeUpKey(f"law {name}"), to=signed)
        if signed is not None:
            (root / "policy.dsse.json").write_bytes(signed.envelope.to_bytes())

    def file(self, name: str) -> Path:
        """Return the file of a center."""
        return self.root / f"{name}.yaml"

    def center(self, name: str) -> Center:
        """Return a center."""
        return load_center(self.file(name))

    def log(self, name: str, run: str, real: Iterable[int], leaves: Iterable[int]) -> None:
        """Log runs of releases: `real` ones with their records, and of others the leaves alone."""
        center = self.center(name)
        key, store = center_key(center), DirectoryStore(center.home / "store")

        def entries() -> Iterator[Entry]:
            for number in real:
                made = _run(center, number, run)
                commitment = made.commitment()
                yield commitment
                for content in made.outputs.values():
                    store.put_cas(Visibility.PRIVATE, content)
                report = made.report().to_json()
                store.put_record(private_twin(made.folder() + REPORT), report)
                store.put_record(made.folder() + REPORT, report)
                kinds = dict(zip(("p", "c", "a"), _KINDS, strict=True))
                for record, envelope in made.envelopes(key).items():
                    store.put_record(made.folder() + record, envelope.to_bytes())
                    kind = kinds[record[0]].PREDICATE_TYPES[-1]
                    yield _entry(center, made.release, envelope.digest(), key.public.keyid, kind)
            for number in leaves:
                release = str(release_name(number))
                yield CommitmentEntry(
                    center=name,
                    release=release,
                    run=f"{run}-{number:08x}",
                    claim=Digest.of(b"claim"),
                    seal=Digest.of(b"%d" % number),
                )
                for one in _KINDS:
                    pae = Digest.of(f"{name} {number} {one.__name__}".encode())
                    last = one.PREDICATE_TYPES[-1]
                    yield _entry(center, release, pae, key.public.keyid, last)

        with Session(center) as session:
            session.logbook().log.append(list(entries()))

    def crosscheck(self, name: str, run: str, releases: Iterable[int]) -> None:
        """Log what a center has found of the work of the others in their runs of releases."""
        center = self.center(name)
        key, store = center_key(center), DirectoryStore(center.home / "store")
        others = [self.center(other) for other in CENTERS if other != name]

        def entries() -> Iterator[Entry]:
            for made in (_run(other, number, run) for number in releases for other in others):
                release = ReleaseName.parse(made.release)
                record = crosscheck_key(release, made.center, made.run, name)
                statement = _crosscheck(name, made)
                envelope = sign_envelope(statement.to_bytes(), key)
                store.put_record(record, envelope.to_bytes())
                kind = CrosscheckStatement.PREDICATE_TYPES[-1]
                yield _entry(center, made.release, envelope.digest(), key.public.keyid, kind)

        with Session(center) as session:
            session.logbook().log.append(list(entries()))

    def witness(self) -> None:
        """Let each center cosign the logs of the others."""
        for name in CENTERS:
            center = self.center(name)
            list(witness_peers(center, self.policy, DirectoryStore(center.home / "store")))

    def write_recipes(self, releases: int) -> None:
        """Write the recipes of so many releases."""
        for number in range(releases):
            name = release_name(number)
            path = self.root.joinpath("recipes/releases", *name.parts[:2], f"{name.version}.yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = Digest.of(_content(number))
            path.write_text(
                _RECIPE.format(product=name.product, version=name.version, digest=digest)
            )

    def join_before(self, releases: int, real: int) -> None:
        """Join the `real` releases as the first center, and note that the others are settled."""
        self.write_recipes(releases)
        with Session(self.center(CENTERS[0])) as session:
            join_round(session, [str(release_name(number)) for number in range(real)])
            view = session.consensus_view(datetime.now(UTC))
            others = [release_name(number) for number in range(real, releases)]
            path = session.center.home / "cache" / "settled.sqlite"
            with closing(SettledReleases(path, view, read_logs(view, others))) as settled:
                rows = [
                    (str(release), base, json.dumps(marks), "none", time.time(), "[]")
                    for release, (base, marks) in settled.due(others)
                ]
            with closing(sqlite3.connect(path)) as database, database:
                database.executemany("INSERT INTO settled VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _policy(self) -> Policy:
        centers = tuple(self._known(name) for name in CENTERS)
        witnesses = tuple(QuorumWitness(name=c.id, key=c.witness) for c in centers if c.witness)
        return Policy(
            schema=SCHEMA,
            version=1,
            expires=datetime(2099, 1, 1, tzinfo=UTC),
            operators=tuple(
                Operator(name=n, legal=f"{n} Ltd", key=MadeUpKey(f"law {n}").public)
                for n in CENTERS
            ),
            threshold=3,
            centers=centers,
            quorum=Quorum(
                witnesses=witnesses,
                groups=(WitnessGroup(name="any", threshold=1, members=CENTERS),),
                name="any",
            ),
            consensus=PolicyRules(k=2, regions=2),
        )

    def _known(self, name: str) -> PolicyCenter:
        center = self.center(name)
        keys = public_keys(center)
        return PolicyCenter(
            id=name,
            operator=name,
            region=name,
            builder=center.builder_id,
            verifier=center.verifier_id,
            log=PolicyLog(origin=center.origin, key=log_key(center)),
            witness=NoteKey.of(f"{center.origin}/witness", COSIGNATURE, keys["witness"]),
            keys=(CenterKey(key=keys["statements"]),),
        )


def release_name(number: int) -> ReleaseName:
    """Return the name of a release, counted from 0."""
    product, version = divmod(number, VERSIONS)
    return ReleaseName(vendor="acme", product=f"tool{product}", version=f"1.{version}")


def _content(number: int) -> bytes:
    return b"release %d" % number


def _run(center: Center, number: int, run: str) -> MadeUpRun:
    return MadeUpRun(
        center=center.id,
        builder=center.builder_id,
        release=str(release_name(number)),
        run=f"{run}-{number:08x}",
        files={"tool.deb": MadeUpFile.identical(_content(number))},
        by_products={"tool-dbgsym.deb": b"symbols %d" % number},
    )


def _crosscheck(name: str, made: MadeUpRun) -> CrosscheckStatement:
    """Return what a center says of the run of another one of the same release and time."""
    predicate = Crosscheck(
        release=made.release,
        center=name,
        run=made.run,
        claim=made.claim,
        checked=CheckedRun(center=made.center, run=made.run),
        proof=Proof.PROVED,
        seal=Proof.PROVED,
        files=tuple(CheckedFile(name=one, proof=Proof.PROVED) for one in made.by_products),
        checked_on=made.finished,
    )
    return CrosscheckStatement.of(predicate, seal=made.seal())


def _entry(center: Center, release: str, pae: Digest, keyid: str, kind: str) -> StatementEntry:
    return StatementEntry(
        center=center.id, release=release, pae=pae, keyid=keyid, predicate_type=kind
    )
