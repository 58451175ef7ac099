"""A run of a release at a desk, which found a difference, and left a hostile log."""

from __future__ import annotations

import io
from pathlib import Path

from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.stored_runs import RunName
from pipelines.explain.quickdiff import quick_diff
from pipelines.judge.difference import Cause, CauseName
from pipelines.judge.finding import Explanation
from pipelines.storage.names import REPORT, Visibility
from pipelines.storage.store import Store
from tests.signer.scene import Scene

BIDI, BELL = "\u202e", "\a"
LOG = f"\x1b[2J<script>alert(1)</script> {BIDI}{BELL}\n".encode() * 6000
HTML = b"<script>alert(2)</script><p>deep"


def store_run(store: Store, folder: Path) -> Report:
    """Store a run of lab/tool@1 at the center `local`; `folder` is for files on the way."""
    outputs = {
        "rules.bin": b"ours!!",
        "rules.idx": b"index",
        "rules.debug": b"",
        "rules.notes": b"",
    }
    report = Scene(folder=folder, outputs=outputs).make().report
    look = quick_diff(io.BytesIO(b"theirs"), io.BytesIO(b"ours!!")).diff
    told = Explanation(first_look=look, html_diff=store.put_cas(Visibility.PRIVATE, HTML))
    finding = report.artefacts[0].model_copy(
        update={
            "name": f"<b>{BIDI}.bin",
            "explanation": told,
            "causes": (Cause(name=CauseName.NONDETERMINISTIC, detail=f"<i>{BELL}</i> at 12:00"),),
        }
    )
    judged = report.attempts[-1]
    rebuild = judged.rebuild.model_copy(update={"log": store.put_cas(Visibility.PRIVATE, LOG)})
    report = report.model_copy(
        update={
            "vendor": "lab", "product": "tool", "version": "1", "center": "local",
            "artefacts": (finding,),
            "attempts": (judged.model_copy(update={"rebuild": rebuild}),),
        }
    )  # fmt: skip
    name = RunName.of(ReleaseName.parse(report.release), "local", report.run)
    store.put_record(name.prefix + REPORT, report.to_json())
    return report
