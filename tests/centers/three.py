"""Three centers of three operators in three regions: real rebuilds, stores, logs, one policy."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from builders.core.enums import Outcome
from builders.core.errors import SamebitsError
from builders.images.provide import ProvidedImage
from builders.inputs.input_file import InputFile
from builders.rebuild.seal import SealedFile
from builders.recipe.recipe import load_recipe
from infra.bench.madeup import MadeUpFile, MadeUpRun
from pipelines.bundle.check import CheckResult, Trust, check_bundle
from pipelines.bundle.export import export
from pipelines.center.center import Center, load_center
from pipelines.center.export_source import export_source
from pipelines.center.file import recipes_folder
from pipelines.center.keys import center_key, make_local_policy
from pipelines.consensus import Consensus, ReleaseConsensus
from pipelines.consensus.release_consensus import join_release
from pipelines.evidence.dsse import EnvelopeSigner
from pipelines.evidence.privatekey import create_key, load_key
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Attempt, Purpose, Report
from pipelines.evidence.statements.statement import DigestSet
from pipelines.evidence.stored_runs import RunName
from pipelines.nightly.periodic import publish_joined, witness_round
from pipelines.policy import Policy, SignedPolicy, load_policy, read_policy
from pipelines.policy.joint import JoinOptions, join_policies
from pipelines.policy.model import PolicyRules
from pipelines.policy.signed_policy import add_signature
from pipelines.storage.directory import DirectoryStore
from pipelines.verify import steps
from pipelines.verify.current_run import Wrap
from pipelines.verify.session import Job, Session
from pipelines.verify.verify import job_for, verify
from tests.lab import replacing, write_recipe

NAMES = ("europe", "asia", "americas")
FILE, PRODUCT = "out.bin", "out.dbg"
SHIPPED = b"what the vendor ships\n"
SYMBOLS = b"symbols that nobody ships\n"
_PRODUCE = "echo symbols that nobody ships > /out/out.dbg"
STEPS = [["sh", "-c", f"echo what the vendor ships > /out/out.bin; {_PRODUCE}"]]
TAMPERED = [["sh", "-c", f"echo something else > /out/out.bin; {_PRODUCE}"]]


class Three:
    """Three centers below one folder, which can be copied as a whole."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sessions: dict[str, Session] = {}

    @classmethod
    def made(cls, root: Path) -> Three:
        """Set three centers up: keys, a policy of each, and a joint one in the place of it."""
        three = cls(root)
        for name in NAMES:
            peers = ", ".join(f"{{id: {n}, store: {n}/store}}" for n in NAMES if n != name)
            three.file(name).write_text(
                f"schema: samebits/center/v1\nid: {name}\noperator: {name}-trust\nregion: {name}\n"
                f"home: {name}\nrecipes: {name}/recipes\npolicy: {name}/policy/policy.dsse.json\n"
                f"peers: [{peers}]\n"
            )
            for use in ("statements", "log", "witness"):
                create_key(root / name / "keys", use)
            make_local_policy(three.center(name))
            (root / name / "recipes").mkdir()
            (root / name / "recipes" / "images").symlink_to(recipes_folder() / "images")
        joint = join_policies(
            [read_policy(root / name / "policy" / "policy.yaml") for name in NAMES],
            JoinOptions(k=2),
        )
        three.sign(joint)
        return three

    def copied(self, root: Path) -> Three:
        """Return the same centers in another folder."""
        shutil.copytree(self.root, root, symlinks=True)
        return Three(root)

    def close(self) -> None:
        """Let go of the engine."""
        for session in self._sessions.values():
            session.__exit__()
        self._sessions.clear()

    def session(self, name: str) -> Session:
        """Return the services of a center."""
        return self._sessions.setdefault(name, Session(self.center(name)))

    def file(self, name: str) -> Path:
        return self.root / f"{name}.yaml"

    def center(self, name: str) -> Center:
        return load_center(self.file(name))

    def store(self, name: str) -> DirectoryStore:
        return DirectoryStore(self.root / name / "store")

    def sign(self, policy: Policy) -> None:
        """Let all operators sign a policy, and every center go by it."""
        signed: SignedPolicy | None = None
        for name in NAMES:
            key = load_key(self.root / name / "keys", "operator")
            signed = add_signature(policy, f"{name}-trust", key, to=signed)
        assert signed is not None
        for name in NAMES:
            self.policy_file(name).write_bytes(signed.envelope.to_bytes())

    def policy_file(self, name: str) -> Path:
        return self.root / name / "policy" / "policy.dsse.json"

    def policy(self) -> Policy:
        home = self.root / "customer"
        home.mkdir(exist_ok=True)
        return load_policy(self.policy_file("europe"), home=home, now=datetime.now(UTC))

    def rule(self, **rules: Any) -> None:
        """Let the operators agree on other rules."""
        now = self.policy()
        consensus = PolicyRules(**{"k": 2, "regions": 2, **rules})
        self.sign(replace(now, version=now.version + 1, consensus=consensus))

    def release(self, product: str, served: Mapping[str, bytes] | None = None) -> str:
        """Write the recipe of a release for each center; `served` is what a region is served."""
        for name in NAMES:
            folder = self.root / name / "recipes" / "releases" / "lab" / product
            write_recipe(folder, STEPS, shipped=SHIPPED, by_products=["*.dbg"])
            if served and name in served:
                (folder / FILE).write_bytes(served[name])
        return f"lab/{product}@1"

    def recipe(self, name: str, product: str) -> Path:
        return self.root / name / "recipes" / "releases" / "lab" / product / "1.yaml"

    def verify(self, name: str, product: str, wrap: Wrap | None = None) -> Report:
        session = self.session(name)
        with job_for(session, self.recipe(name, product)) as job:
            return verify(session, job, wrap or replacing())

    def tampered(self, name: str, product: str) -> Wrap:
        """Return the steps of a center whose machine builds other bytes from the same recipe."""
        folder = self.root / name / "tampered" / product
        other = write_recipe(folder, TAMPERED, shipped=SHIPPED, by_products=["*.dbg"])

        def rebuild(
            job: Job,
            inputs: tuple[InputFile, ...],
            image: ProvidedImage,
            purpose: str = Purpose.JUDGED,
        ) -> Attempt:
            mine = replace(job, loaded=load_recipe(other))
            return steps.run_rebuild(self.session(name), mine, inputs, image, purpose)

        return replacing(rebuild=rebuild, explain=lambda *given: given[-1])

    def join(self, name: str, product: str, *, publish: bool = False) -> ReleaseConsensus:
        """Let a center join a release, once all have witnessed, and sign what came of it."""
        self.witness()
        now = datetime.now(UTC)
        session = self.session(name)
        view = session.consensus_view(now)
        joined = join_release(view, ReleaseName.parse(f"lab/{product}@1"))
        if publish:
            publish_joined(session, view, joined, now)
        return joined.consensus

    def witness(self) -> None:
        """Let every center that can witness the logs of its peers."""
        for name in NAMES:
            with suppress(SamebitsError):
                witness_round(self.session(name))

    def said(self, name: str, product: str) -> Consensus:
        (one,) = self.join(name, product).artefacts
        return one

    def say(self, run: MadeUpRun, name: str, key: EnvelopeSigner | None = None) -> None:
        """Log the commitment and statements of a made-up run as center `name` would."""
        center = self.center(name)
        book = self.session(name).logbook()
        if run.outcome is Outcome.BUILT:
            made = run.commitment()
            book.commit(release=made.release, run=made.run, claim=made.claim, seal=made.seal)
        with book.storing(run.folder()):
            for record, envelope in run.envelopes(key or center_key(center)).items():
                self.store(name).put_record(run.folder() + record, envelope.to_bytes())
        book.settle()

    def echo(self, name: str, product: str, **changes: Any) -> MadeUpRun:
        """Return a run of a center that hashed the public file and built nothing."""
        other = next(n for n in NAMES if n != name)
        (position,) = self.said(other, product).operators[0].newest
        return MadeUpRun(
            **{
                "center": name,
                "builder": self.center(name).builder_id,
                "release": f"lab/{product}@1",
                "run": "20260102T030405Z-0a1b2c3d",
                "files": {FILE: MadeUpFile.identical(SHIPPED)},
                "claim": DigestSet(sha256=position.claim.sha256),
                "scope": position.scope,
                **changes,
            }
        )

    def bundle(self, name: str, report: RunName) -> bytes:
        """Export a run of a center."""
        center, now = self.center(name), datetime.now(UTC)
        session = self.session(name)
        policy = load_policy(center.policy, home=center.home, now=now)
        book = session.logbook()
        return export(
            session.store, report, export_source(center, book.log), policy=policy, now=now
        ).data

    def checked(self, bundle: bytes, max_age: timedelta | None = None) -> CheckResult:
        """Check a bundle as a customer does who has nothing but the policy."""
        policy = self.policy_file("europe").read_bytes()
        trust = Trust(policy=policy, now=datetime.now(UTC), max_age=max_age)
        return check_bundle(bundle, trust=trust)


def run_name(report: Report) -> RunName:
    return RunName.of(ReleaseName.parse(report.release), report.center, report.run)


@dataclass(frozen=True, kw_only=True)
class CopiedRun(MadeUpRun):
    """An echo that shows the keyed digests of another center as its own."""

    lines: Mapping[str, SealedFile]

    def line(self, name: str) -> SealedFile:
        return self.lines.get(name) or super().line(name)


class Ahead(datetime):
    """The clock of a machine that is an hour ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + timedelta(hours=1)


def outs(found: ReleaseConsensus | Consensus) -> set[tuple[str, str]]:
    """Return the excluded centers, and the reasons."""
    return {(excluded.center, str(excluded.reason)) for excluded in found.excluded}
