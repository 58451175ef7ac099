"""Runs as a center leaves them, without an engine: store, vault, recipe and an honest report."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from builders.container.idmap import IdRange
from builders.core.digest import Digest
from builders.core.enums import Outcome, Role
from builders.images.lock import ImageLock, load_lock
from builders.inputs.input_file import InputFile
from builders.inputs.source_digest import source_digest
from builders.inputs.vault import Vault
from builders.rebuild.outputs import part_of
from builders.rebuild.rebuild_result import Output, RebuildResult
from builders.rebuild.robustness_plan import plan_robustness
from builders.rebuild.seal import Seal, seal_files
from builders.recipe.claim import claim_of, recipe_script
from builders.recipe.recipe import LoadedRecipe
from builders.recipe.scope import scope_of
from pipelines.center.center import Center
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.privatekey import PrivateKey
from pipelines.evidence.redaction import redact_run
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Attempt, Environment, Report, RobustnessRebuild, SourceFact
from pipelines.evidence.run_explanation import ExplainedArtefact, RunExplanation
from pipelines.evidence.run_statements import statements_for
from pipelines.evidence.salt import read_salt
from pipelines.evidence.sbom import sbom
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.consensus_results import SummaryStatement
from pipelines.judge.compare import Declared, Facts, Unreachable, compare, confirm_difference
from pipelines.judge.difference import Cause, CauseName
from pipelines.judge.finding import Explanation, ExplanationStatus, FileFact, Finding, worst_verdict
from pipelines.judge.grafting import with_grafts
from pipelines.judge.masking import with_masks
from pipelines.log.note import NoteSigner
from pipelines.log.signers import LocalCheckpointSigner
from pipelines.signer.byte_source import ByteSource
from pipelines.signer.local_signer import LocalSigner
from pipelines.signer.opened_evidence import OpenedEvidence
from pipelines.signer.orders import Evidence
from pipelines.storage.names import Visibility
from tests.fakes.jail import OpenJail
from tests.fakes.store import MemoryStore
from tests.log.keys import FixedKey
from tests.signer.scene_recipe import written_recipe

IMAGES = Path(__file__).parents[2] / "recipes" / "images"
RUN = "20260102T030405Z-0a1b2c3d"
RELEASE = ReleaseName(vendor="acme", product="rules", version="1.10")
NOW = datetime(2026, 1, 2, 3, 30, tzinfo=UTC)
TESTED = datetime(2026, 1, 2, 3, 20, tzinfo=UTC)
OURS = b"the bytes of rules.bin, long enough to count as a member\n"
THEIRS = b"the bytes of rules.bin, short of what was shipped to all\n"
LOG = b"building\n"


def refuse_summaries(statement: SummaryStatement, now: datetime) -> None:
    """Refuse every summary: nobody here can recompute a consensus."""
    raise RefusedError("summary", "no summaries", got=statement.KIND, expected=now)


@dataclass(kw_only=True)
class Scene:
    """What goes into a run; `make` turns it into evidence."""

    folder: Path
    run: str = RUN
    shipped: dict[str, bytes] = field(
        default_factory=lambda: {"rules.bin": OURS, "rules.idx": b"index"}
    )
    served: dict[str, bytes | None] = field(default_factory=dict)
    """What is served instead of the published bytes; None: nothing."""
    outputs: dict[str, bytes] = field(
        default_factory=lambda: {
            "rules.bin": OURS,
            "rules.idx": b"index",
            "rules.debug": b"symbols",
            "rules.notes": b"noted",
        }
    )
    again: dict[str, bytes] | None = None
    """What a confirming rebuild leaves."""
    source: dict[str, bytes] = field(default_factory=lambda: {"src/rule": b"match everything\n"})
    archive: bytes | None = None
    """The source instead, if it is no archive of these files."""
    normalizers: tuple[dict[str, str], ...] = ()
    """What the recipe lets be masked of the first artefact."""
    signature: dict[str, Any] = field(default_factory=dict)
    """What the recipe pins of the first artefact."""
    packing: dict[str, Any] = field(default_factory=dict)
    """How the recipe packs each artefact again."""
    opaque: str | None = None
    """Why the source cannot be searched, if the recipe says so."""
    visibility: str = "public"
    image: str = "python-wheel"
    read: bool = True
    """Whether the source digest was found."""
    outcome: Outcome = Outcome.BUILT
    attempted: bool = True
    attempt: Outcome | None = None
    """How the attempt ended, if not as the run."""
    retried: bool = False
    """Whether a first attempt failed for the center's own machinery."""
    explained: bool = False
    html: bytes = b"<p>"
    """What diffoscope writes of a difference that is explained."""
    build: dict[str, Any] = field(default_factory=dict)
    """What the recipe declares of the environment."""
    moved: dict[str, bytes] | None = None
    """What a rebuild in a varied environment leaves."""
    cores: int = 4
    """Of the machine of that rebuild."""
    logged: bool = True
    """Whether the log has the comparisons."""
    store: MemoryStore = field(default_factory=MemoryStore)

    @property
    def center(self) -> Center:
        home, store = self.folder / "home", self.folder / "store"
        return Center(id="zurich", home=home, store=store, recipes=IMAGES.parent)

    def signer(self, key: PrivateKey) -> LocalSigner:
        return LocalSigner(
            self.center,
            self.store,
            key=key,
            log=LocalCheckpointSigner(
                NoteSigner(self.center.origin, FixedKey("log")), self.folder / "signed"
            ),
            jail=OpenJail(),
            summaries=refuse_summaries,
            is_logged=lambda _: self.logged,
            clock=lambda: NOW,
        )

    def opened(self, evidence: Evidence) -> OpenedEvidence:
        source = ByteSource(self.store, Vault(self.store), OpenJail())
        return OpenedEvidence(evidence, self.center, source, NOW, lambda _: True)

    def make(self) -> Evidence:
        loaded = written_recipe(self)
        lock, image = self._image()
        attempts = self._attempts(loaded)
        seal = self._seal(attempts[-1].rebuild) if self.outcome is Outcome.BUILT else None
        findings = self._judge(loaded, attempts)
        source = loaded.recipe.inputs[0]
        bill = sbom(loaded.recipe, image=image, lock=lock)
        report = Report(
            vendor="acme",
            product="rules",
            version="1.10",
            center=self.center.id,
            run=self.run,
            claim=claim_of(loaded, image).digest,
            scope=scope_of(loaded.recipe).digest,
            seal=seal.digest if seal else None,
            outcome=self.outcome,
            reason=None if self.outcome is Outcome.BUILT else "told in words",
            verdict=worst_verdict(finding.verdict for finding in findings),
            artefacts=findings,
            by_products=tuple(f for f in seal.files if f.name == "rules.debug") if seal else (),
            environment=Environment(
                declared=loaded.recipe.build.declared_environment(),
                method=loaded.recipe.build.method,
                image=loaded.recipe.build.image,
                image_config=image,
                sources=(
                    SourceFact(
                        locator=str(source.locator),
                        sha256=source.sha256,
                        source_digest=self._source_digest(source.sha256) if self.read else None,
                    ),
                ),
                samebits="0.1.0",
            ),
            timings={"rebuild": 1.5, "total": 2.25},
            attempts=attempts,
        )
        made = Evidence(
            recipe=loaded.path.read_bytes(),
            script=recipe_script(loaded),
            image=image,
            sbom=Digest.of(bill),
            report=report,
            moved=self.moved_rebuild(loaded) if self.moved is not None else None,
        )
        return made.model_copy(update={"explanation": self._explanation(loaded, made)})

    def stated(self) -> Evidence:
        """Return the evidence of the run as it was at the verdict."""
        return self.make().model_copy(update={"explanation": None})

    def _explanation(self, loaded: LoadedRecipe, made: Evidence) -> RunExplanation | None:
        """Return what explains the artefacts that differ, if that is told."""
        if not self.explained and self.again is None:
            return None
        opened, report = self.opened(made), made.report
        run, bill, salt = opened.run, made.sbom, opened.salt
        if salt is not None:
            run, bill = redact_run(run, salt), salt.keyed(bill)
        compared = {
            s.name: s.digest()
            for s in statements_for(run, sbom=bill)
            if isinstance(s, ComparisonStatement)
        }
        again = self._rebuild(loaded, self.again) if self.again is not None else None
        return RunExplanation(
            **report.only("vendor", "product", "version", "center", "run"),
            explained_on=TESTED,
            confirming=Attempt(number=len(report.attempts) + 1, purpose="confirming", rebuild=again)
            if again
            else None,
            artefacts=tuple(
                self._explained(finding, compared[finding.name], again)
                for finding in report.artefacts
                if finding.verdict == "DIFFERENT"
            ),
        )

    def _explained(
        self, finding: Finding, comparison: Digest, again: RebuildResult | None
    ) -> ExplainedArtefact:
        told, causes, found = Explanation(), list[Cause](), None
        if self.explained:
            told = Explanation(
                status=ExplanationStatus.COMPLETE,
                json_diff=self.store.put_cas(Visibility.PRIVATE, b"{}"),
                html_diff=self.store.put_cas(Visibility.PRIVATE, self.html),
            )
            causes.append(Cause(name=CauseName.CONTENT, detail="told in words"))
        if again is not None:
            found = confirm_difference(finding, again.artefacts.get(finding.name))
            if found.varies:
                causes.append(Cause(name=CauseName.NONDETERMINISTIC, detail="told in words"))
        return ExplainedArtefact(
            name=finding.name,
            comparison=comparison,
            confirmation=found,
            causes=tuple(causes),
            explanation=told,
        )

    def moved_rebuild(self, loaded: LoadedRecipe) -> RobustnessRebuild:
        """Return a moved rebuild that left `moved`."""
        moving = plan_robustness(loaded, [], cores=self.cores, run=self.run)
        return RobustnessRebuild(
            moved=moving.varied,
            kept=moving.kept,
            rebuild=self._rebuild(loaded, self.moved or {}),
            tested_on=TESTED,
        )

    def _image(self) -> tuple[ImageLock | None, Digest]:
        if "@" in self.image:
            return None, Digest(self.image.rpartition(":")[2])
        lock = load_lock(IMAGES / f"{self.image}.lock.yaml")
        return lock, lock.image.config

    def _attempts(self, loaded: LoadedRecipe) -> tuple[Attempt, ...]:
        if not self.attempted:
            return ()
        made = self._rebuild(loaded, self.outputs)
        if not self.retried:
            return (Attempt(number=1, purpose="judged", rebuild=made),)
        away = RebuildResult(outcome=Outcome.INFRASTRUCTURE_ERROR, reason="the engine is away")
        return (
            Attempt(number=1, purpose="judged", rebuild=away),
            Attempt(number=2, purpose="retry", rebuild=made),
        )

    def _rebuild(self, loaded: LoadedRecipe, outputs: dict[str, bytes]) -> RebuildResult:
        log = self.store.put_cas(Visibility.PRIVATE, LOG)
        outcome = self.attempt or self.outcome
        if outcome is not Outcome.BUILT:
            return RebuildResult(
                outcome=outcome, reason="exit code 3", exit_code=3, log=log, wall_seconds=1.25
            )
        return RebuildResult(
            outcome=outcome,
            exit_code=0,
            peak_memory=1 << 20,
            uid_map=(IdRange(inside=0, outside=100000, count=65536),),
            wall_seconds=1.25,
            log=log,
            outputs=tuple(
                Output(
                    name=name,
                    size=len(data),
                    sha256=self.store.put_cas(Visibility.PRIVATE, data),
                    part=part_of(name, loaded.recipe),
                )
                for name, data in sorted(outputs.items())
            ),
        )

    def _seal(self, rebuild: RebuildResult) -> Seal:
        folder = self.folder / "outputs"
        folder.mkdir(exist_ok=True)
        for name, data in self.outputs.items():
            (folder / name).write_bytes(data)
        names = [o.name for o in rebuild.outputs if o.part != "ignored"]
        secret = b""
        if self.visibility == "private" and (salt := read_salt(self.store, RELEASE)):
            secret = salt.secret
        paths = [folder / n for n in names]
        return seal_files(paths, center=self.center.id, run=self.run, secret=secret)

    def _judge(self, loaded: LoadedRecipe, attempts: tuple[Attempt, ...]) -> tuple[Finding, ...]:
        outputs = attempts[-1].rebuild.outputs if attempts else ()
        served: dict[str, FileFact | Unreachable] = {}
        for name, published in self.shipped.items() if self.outcome is Outcome.BUILT else ():
            data = self.served.get(name, published)
            if data is None:
                served[name] = Unreachable(reason="nobody serves it")
            else:
                served[name] = FileFact(sha256=self.vault(name, data), size=len(data))
        facts = Facts(
            outcome=self.outcome,
            outcome_reason="told in words",
            declared=tuple(
                Declared(name=a.name, published=a.published.sha256) for a in loaded.recipe.artefacts
            ),
            rebuilt=outputs,
            served=served,
            input_fault=None,
        )
        read: dict[str, Any] = {
            "shipped": lambda _, digest: Vault(self.store).open(digest),
            "rebuilt": lambda name, _: io.BytesIO(self.outputs[name]),
            "scanned": [],
        }
        recipe = loaded.recipe
        facts = with_grafts(facts, recipe.signatures, OpenJail(), **read)
        return compare(with_masks(facts, recipe.normalizers, {}, OpenJail(), **read))

    def vault(self, name: str, data: bytes) -> Digest:
        path = self.folder / f"vaulted-{name}"
        path.write_bytes(data)
        digest = Digest.of(data)
        Vault(self.store).add(path, digest, what=name)
        return digest

    def _source_digest(self, sha256: Digest) -> Digest:
        file = InputFile(role=Role.SOURCE, name="rules.tar", sha256=sha256)
        return source_digest([file], lambda f: Vault(self.store).open(f.sha256), OpenJail())
