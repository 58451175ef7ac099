"""Three centers with evidence of every kind that a page can show.

Keys, stores, logs, witnesses, policy, signer and judge are real. Recent runs are real but for their
container: what a build would have left is given. Older runs are made up and signed, since a run is
never older than its signer allows.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.images.provide import ProvidedImage
from builders.inputs.input_file import InputFile
from builders.jail import ParserJail
from builders.rebuild.outputs import part_of
from builders.rebuild.rebuild import LOG
from builders.rebuild.rebuild_result import Output, RebuildResult
from builders.rebuild.staging import OUTPUTS
from infra.bench.madeup import MadeUpFile, MadeUpRun
from pipelines.alarms.cause import ALARM_EXIT
from pipelines.consensus.release_consensus import join_release
from pipelines.evidence.file_index import index_report
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Attempt, Purpose, Report
from pipelines.evidence.salt import Salt, keep_salt
from pipelines.evidence.statements.log_status import Work
from pipelines.explain.differ import DifferLimits, explain
from pipelines.judge.finding import Explanation, Finding
from pipelines.nightly.periodic import publish_joined, publish_own_heartbeat
from pipelines.storage.names import REPORT, Visibility
from pipelines.verify import explaining, steps
from pipelines.verify.current_run import Wrap
from pipelines.verify.readers import READERS
from pipelines.verify.session import Job, Session
from pipelines.verify.verify import job_for, verify
from tests.centers.three import NAMES, Three
from tests.command import samebits
from tests.explain.test_differ import Runner
from tests.lab import SMALL, SOURCE, replacing

_IMAGE = "debian-trixie-build"


def tar(files: Mapping[str, bytes]) -> bytes:
    """Return an archive whose members are all of one second."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_767_225_600
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Evidence:
    """Three centers, and what they have found of releases; a context manager."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.three = Three.made(root)
        jail = ParserJail(READERS)  # one for all: it takes long to start
        for name in NAMES:
            self.three._sessions[name] = Session(self.three.center(name), jail=jail)
        self._met = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.three.close()

    def ship(
        self,
        name: str,
        files: Mapping[str, bytes],
        *,
        beside: Mapping[str, bytes] | None = None,
        **fields: Any,
    ) -> None:
        """Write the recipe of a release for each center, with the shipped files beside it."""
        release = ReleaseName.parse(name)
        for center in NAMES:
            recipe = self._recipe(center, release)
            folder = recipe.parent / release.version
            folder.mkdir(parents=True)
            for file, content in {"source.c": SOURCE, **files, **(beside or {})}.items():
                (folder / file).write_bytes(content)
            recipe.write_text(json.dumps(_recipe(release, files, fields)))
            if fields.get("visibility") == "private":
                salt = Salt(secret=b"a salt that is carried to each: 0"[:32])
                keep_salt(self.three.store(center), release, salt)

    def build(
        self,
        name: str,
        center: str,
        outputs: Mapping[str, bytes],
        outcome: Outcome = Outcome.BUILT,
        log: bytes = b"cc -o agent agent.c\n",
        diffoscope: bytes = b"",
    ) -> Report:
        """Let a center verify a release whose build leaves `outputs`, or ends otherwise.

        `diffoscope` is the page that it writes, if the recipe asks for one.
        """
        session = self.three.session(center)
        with (
            job_for(session, self._recipe(center, ReleaseName.parse(name))) as job,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(explaining, "explain_difference", partial(_without_differ, diffoscope))
            return verify(session, job, _without_engine(session, outputs, outcome, log))

    def tell(
        self, name: str, center: str, run: str, files: Mapping[str, MadeUpFile], **changes: Any
    ) -> None:
        """Let a center state an earlier run, which was never made."""
        told = MadeUpRun(
            center=center,
            builder=self.three.center(center).builder_id,
            release=name,
            run=run,
            files=files,
            **changes,
        )
        store, report = self.three.store(center), told.report()
        for content in told.outputs.values():
            store.put_cas(Visibility.PRIVATE, content)
        self.three.say(told, center)
        store.put_record(told.folder() + REPORT, report.to_json())
        index_report(store, report.model_dump(mode="json", by_alias=True))

    def acknowledge(self, name: str, cause: str, reason: str) -> None:
        """Let the operator of the center in Europe acknowledge an alarm."""
        key = self.three.root / "europe" / "keys" / "operator.key"
        about = ("alarm", "acknowledge", name, "--cause", cause, "--reason", reason)
        words = (*about, "--key", key, "--yes", "--center", self.three.file("europe"))
        done = samebits(*words, home=self.three.root / "home")
        assert done.code == ALARM_EXIT, done.err  # until the witnesses have seen it

    def meet(self, work: Mapping[str, Work]) -> None:
        """Let every center beat, and witness the logs of the others.

        A center has one heartbeat of a second at most.
        """
        while int(time.time()) <= self._met:
            time.sleep(0.02)
        for name in NAMES:
            publish_own_heartbeat(self.three.session(name), work.get(name))
        self._met = int(time.time())
        self.three.witness()
        self.three.witness()

    def join(self, name: str) -> None:
        """Let each center say what comes of a release, and whether the peers have built it."""
        for center in NAMES:
            session, now = self.three.session(center), datetime.now(UTC)
            view = session.consensus_view(now)
            publish_joined(session, view, join_release(view, ReleaseName.parse(name)), now)

    def _recipe(self, center: str, release: ReleaseName) -> Path:
        folder = self.three.root / center / "recipes" / "releases"
        return folder / release.vendor / release.product / f"{release.version}.yaml"


def pinned_file(version: str, name: str, content: bytes) -> dict[str, str]:
    """Return what a recipe says of a file that was shipped, or is beside those."""
    return {"locator": f"file:{version}/{name}", "sha256": str(Digest.of(content))}


def _recipe(
    release: ReleaseName, files: Mapping[str, bytes], fields: Mapping[str, Any]
) -> dict[str, Any]:
    def pinned(name: str, content: bytes) -> dict[str, str]:
        return pinned_file(release.version, name, content)

    return {
        "schema": "samebits/recipe/v1",
        "vendor": release.vendor,
        "product": release.product,
        "version": release.version,
        "kind": "binary",
        "platform": "linux/amd64",
        "build": {"method": "script", "image": _IMAGE, "steps": [["make"]]},
        "inputs": [{"role": "source", **pinned("source.c", SOURCE)}],
        "artefacts": [{"name": n, "shipped": pinned(n, b)} for n, b in files.items()],
        "by_products": ["*.debug"],
        "limits": SMALL,
        **fields,
    }


def _without_differ(
    html: bytes, session: Session, job: Job, finding: Finding, _: Attempt, first: Explanation
) -> Explanation:
    """Explain a difference where diffoscope has left `html` in its container."""
    outputs = Path(tempfile.mkdtemp(dir=job.folder))
    explanation = explain(
        first,
        shipped=outputs,
        rebuilt=outputs / finding.name,
        outputs=outputs,
        runner=Runner(leaves={"diff.json": b"{}", "diff.html": html}),
        limits=DifferLimits(),
    )
    explaining.keep_reports(session.store, explanation, outputs, public=True)
    return explanation


def _without_engine(
    session: Session, outputs: Mapping[str, bytes], outcome: Outcome, log: bytes
) -> Wrap:
    """Return the steps of a verification whose container has left `outputs`."""

    def provide_image(_: Job) -> ProvidedImage:
        return ProvidedImage(reference=_IMAGE, config=session.images.lock(_IMAGE).image.config)

    def rebuild(
        job: Job,
        inputs: tuple[InputFile, ...],
        _: ProvidedImage,
        purpose: str = Purpose.JUDGED,
    ) -> Attempt:
        number = len(steps.attempts(job)) + 1
        folder = job.attempt(number)
        for item in inputs:
            staged = folder / "inputs" / item.role / item.name
            staged.parent.mkdir(parents=True, exist_ok=True)
            session.vault.stage(item.sha256, staged)
        (folder / OUTPUTS).mkdir(parents=True)
        (folder / LOG).write_bytes(log)
        built = outputs if outcome is Outcome.BUILT else {}
        for name, content in built.items():
            (folder / OUTPUTS / name).write_bytes(content)
        made = RebuildResult(
            outcome=outcome,
            reason=None if outcome is Outcome.BUILT else "exit code 2",
            exit_code=0 if outcome is Outcome.BUILT else 2,
            wall_seconds=0.001,
            log=Digest.of(log),
            outputs=tuple(
                Output(
                    name=name,
                    size=len(content),
                    sha256=Digest.of(content),
                    part=part_of(name, job.recipe),
                )
                for name, content in sorted(built.items())
            ),
        )
        return steps._record(job, Attempt(number=number, purpose=purpose, rebuild=made))

    return replacing(provide_image=provide_image, rebuild=rebuild)
