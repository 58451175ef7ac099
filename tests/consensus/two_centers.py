"""Two centers as they really are: files, keys, stores, logs, one signed policy; and the command."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.core.yamlfile import parse_document
from builders.recipe.recipe import parse_recipe
from builders.recipe.scope import scope_of
from infra.bench.madeup import MadeUpKey, MadeUpRun
from pipelines.center.center import Center, load_center
from pipelines.center.keys import center_key, log_key, public_keys
from pipelines.center.logs import witness_peers
from pipelines.cli.findings import consensus as command
from pipelines.evidence.dsse import EnvelopeSigner
from pipelines.evidence.file_index import index_report
from pipelines.evidence.privatekey import create_key
from pipelines.evidence.statements.statement import DigestSet
from pipelines.log.notekey import COSIGNATURE, NoteKey
from pipelines.policy import ConsensusRules, Policy, PolicyCenter, read_signed
from pipelines.policy.model import SCHEMA, CenterKey, Operator, PolicyLog, PolicyRules
from pipelines.policy.quorum import Quorum, QuorumWitness, WitnessGroup
from pipelines.policy.signed_policy import add_signature
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import REPORT, Visibility, private_twin
from pipelines.verify.session import Session
from tests.consensus.world import CONTENT, FILE, FILES, PRODUCTS, RELEASE

NAMES = ("europe", "asia")
RECIPE = """\
schema: samebits/recipe/v1
vendor: acme
product: tool
version: "1.0"
kind: binary
platform: linux/amd64
build: {{method: script, image: debian-trixie-build, steps: [["true"]]}}
inputs:
  - {{role: source, locator: "file:source.tar", sha256: {source}}}
artefacts:
  - name: {name}
    shipped: {{locator: "pkg:deb/debian/tool@1.0?arch=amd64", sha256: {shipped}}}
by_products: ["*-dbgsym.deb"]
"""

TEXT = RECIPE.format(source=Digest.of(b"source"), shipped=Digest.of(CONTENT), name=FILE)
SCOPE = scope_of(
    parse_recipe(parse_document(TEXT, file="1.0.yaml"), Path("1.0.yaml")).recipe
).digest


@dataclass(kw_only=True)
class TwoCenters:
    """Two centers of two operators that know each other."""

    root: Path

    def file(self, name: str) -> Path:
        return self.root / f"{name}.yaml"

    def center(self, name: str) -> Center:
        return load_center(self.file(name))

    def session(self, name: str) -> Session:
        """Return new services of a center."""
        return Session(self.center(name))

    def publish(self, name: str, *, key: EnvelopeSigner | None = None, **changes: Any) -> MadeUpRun:
        """Do what a run does at its end: store its outputs and statements, and log those.

        They are signed with the center's key, or with another `key`; the centers witness them.
        """
        center = self.center(name)
        run = MadeUpRun(
            **{
                "center": name,
                "builder": center.builder_id,
                "release": str(RELEASE),
                "run": "20260102T030405Z-0a1b2c3d",
                "files": FILES,
                "by_products": PRODUCTS,
                "scope": DigestSet(sha256=SCOPE),
                **changes,
            }
        )
        store = DirectoryStore(self.root / name / "store")
        for content in run.outputs.values():
            store.put_cas(Visibility.PRIVATE, content)
        book = self.session(name).logbook()
        if run.outcome is Outcome.BUILT:
            made = run.commitment()
            book.commit(release=made.release, run=made.run, claim=made.claim, seal=made.seal)
        with book.storing(run.folder()):
            for record, envelope in run.envelopes(key or center_key(center)).items():
                store.put_record(run.folder() + record, envelope.to_bytes())
        report = run.report()
        store.put_record(private_twin(run.folder() + REPORT), report.to_json())
        index_report(store, report.model_dump(mode="json", by_alias=True))
        book.settle()
        self.witness()
        return run

    def witness(self) -> None:
        """Let each center cosign the log of the other, as far as there is one."""
        for name in NAMES:
            store = DirectoryStore(self.root / name / "store")
            list(witness_peers(self.center(name), self.policy, store))

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return read_signed((self.root / "policy.dsse.json").read_bytes()).policy

    def sign_policy(self, *, version: int = 1, rules: ConsensusRules | None = None) -> None:
        centers = tuple(self.known(name) for name in NAMES)
        witnesses = tuple(QuorumWitness(name=c.id, key=c.witness) for c in centers if c.witness)
        policy = Policy(
            schema=SCHEMA,
            version=version,
            expires=datetime(2099, 1, 1, tzinfo=UTC),
            operators=tuple(
                Operator(name=f"{n}-body", legal=f"{n} Ltd", key=law(n).public) for n in NAMES
            ),
            threshold=2,
            centers=centers,
            quorum=Quorum(
                witnesses=witnesses,
                groups=(WitnessGroup(name="any", threshold=1, members=NAMES),),
                name="any",
            ),
            consensus=PolicyRules(**vars(rules or ConsensusRules(k=2, regions=2))),
        )
        self.put_in_force(policy)

    def put_in_force(self, policy: Policy) -> None:
        """Let both operators sign a policy, and both centers go by it."""
        signed = None
        for name in NAMES:
            signed = add_signature(policy, f"{name}-body", law(name), to=signed)
        assert signed is not None
        (self.root / "policy.dsse.json").write_bytes(signed.envelope.to_bytes())

    def known(self, name: str) -> PolicyCenter:
        center = self.center(name)
        keys = public_keys(center)
        return PolicyCenter(
            id=name,
            operator=f"{name}-body",
            region=name,
            builder=center.builder_id,
            verifier=center.verifier_id,
            log=PolicyLog(origin=center.origin, key=log_key(center)),
            witness=NoteKey.of(f"{center.origin}/witness", COSIGNATURE, keys["witness"]),
            keys=(CenterKey(key=keys["statements"]),),
        )

    def run(self, *words: str, center: str = "europe") -> tuple[int, Any]:
        done = CliRunner().invoke(
            command, [str(RELEASE), "--json", "--center", str(self.file(center)), *words]
        )
        assert isinstance(done.exception, SystemExit | None), done.exception
        if "--publish" in words:
            self.witness()
        return done.exit_code, json.loads(done.stdout)


def law(name: str) -> MadeUpKey:
    """Return the key of the operator of a center."""
    return MadeUpKey(f"law of {name}")


def set_up(root: Path) -> TwoCenters:
    """Set up both centers under `root`, and the recipe of the release in `root/recipes`."""
    made = TwoCenters(root=root)
    for name in NAMES:
        (other,) = [n for n in NAMES if n != name]
        made.file(name).write_text(
            f"schema: samebits/center/v1\nid: {name}\nhome: {name}\nstore: {name}/store\n"
            f"operator: {name}-body\nregion: {name}\npolicy: policy.dsse.json\n"
            f"peers: [{{id: {other}, store: {other}/store}}]\n"
        )
        for use in ("statements", "log", "witness"):
            create_key(root / name / "keys", use)
    made.sign_policy()
    recipe = root / "recipes/releases/acme/tool/1.0.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(TEXT)
    return made
