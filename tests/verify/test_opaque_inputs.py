"""Which inputs need not be searched whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Role
from builders.inputs.input_file import InputFile
from builders.rebuild.rebuild_result import RebuildResult
from pipelines.center.center import Center
from pipelines.evidence.report import Attempt
from pipelines.judge.copied import input_fault
from pipelines.verify.judging import scanned_inputs
from pipelines.verify.session import Session
from pipelines.verify.verify import job_for
from tests.fakes.jail import OpenJail
from tests.lab import write_recipe

BROKEN = (Path(__file__).parents[1] / "data" / "archives" / "encrypted.zip").read_bytes()
OURS, DSC = Digest.of(BROKEN), Digest.of(b"the .dsc that names it")
REASON = "test data that only the build can decrypt"


@pytest.mark.parametrize(
    ("declared", "role", "of", "searched"),
    [
        (None, Role.SOURCE, None, True),
        (OURS, Role.SOURCE, None, False),
        (OURS, Role.TOOLCHAIN, None, True),
        (OURS, Role.SOURCE, DSC, True),
        (DSC, Role.SOURCE, DSC, False),
    ],
)
def test_an_input_is_opaque_by_its_role_and_the_digest_that_is_pinned(
    tmp_path: Path, declared: Digest | None, role: Role, of: Digest | None, *, searched: bool
) -> None:
    named = {"role": "source", "locator": "file:s.zip", "sha256": str(declared or OURS)}
    reason = {"opaque": REASON} if declared else {}
    path = write_recipe(tmp_path / "x", [["true"]], inputs=[named | reason])
    center = Center(id="local", home=tmp_path / "home", store=tmp_path / "home/store")
    session = Session(center, jail=OpenJail())
    attempt = Attempt(
        number=1, purpose="judged", rebuild=RebuildResult(outcome=Outcome.BUILT, exit_code=0)
    )
    with job_for(session, path) as job:
        staged = job.attempt(1) / "inputs" / role / "s.zip"
        staged.parent.mkdir(parents=True)
        staged.write_bytes(BROKEN)
        item = InputFile(role=role, name="s.zip", sha256=OURS, of=of)
        fault = input_fault(scanned_inputs(session, job, (item,), attempt, {}), {})
    assert (fault is not None) == searched
