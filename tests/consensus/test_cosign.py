"""Statement D judged by others: Debian's cosign over the shipped file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from builders.core.digest import Digest
from infra.bench.madeup import MadeUpKey
from pipelines.consensus.consensus_result import ConsensusSubject
from pipelines.consensus.join import join
from pipelines.evidence.dsse import sign_envelope
from pipelines.evidence.statements.consensus_results import SummaryStatement
from pipelines.policy import ConsensusRules
from tests.consensus.findings import CLAIM, FILE, match
from tests.consensus.test_summaries import said
from tests.consensus.world import CONTENT


def cosign(folder: Path, artefact: bytes, key: MadeUpKey, trusted: MadeUpKey) -> int:
    """Return how cosign ends over a summary of the shipped file, and an artefact."""
    published = Digest.of(CONTENT)
    question = ConsensusSubject(artefact=FILE, published=published, claim=CLAIM)
    built = match("ada").rebuilt
    assert built is not None
    one = match(
        "ada",
        published=published,
        served=published,
        rebuilt=built.model_copy(update={"sha256": published}),
    )
    statement = said(join(question, [one], ConsensusRules(k=1)))
    (folder / "envelope").write_bytes(sign_envelope(statement.to_bytes(), key).to_bytes())
    (folder / "artefact").write_bytes(artefact)
    (folder / "key.pub").write_bytes(trusted.public.to_pem())
    tool = shutil.which("cosign")
    assert tool, "cosign is missing: infra/bootstrap.sh installs it"
    words = [
        *(tool, "verify-blob-attestation", "--key", "key.pub"),
        *("--type", SummaryStatement.PREDICATE_TYPE, "--insecure-ignore-tlog"),
        *("--signature", "envelope", "artefact"),
    ]
    done = subprocess.run(words, cwd=folder, capture_output=True, check=False, timeout=300)
    return done.returncode


@pytest.mark.parametrize(
    ("artefact", "trusted", "accepted"),
    [(CONTENT, "ada", True), (CONTENT, "bob", False), (b"another file", "ada", False)],
)
def test_a_summary_is_accepted_for_the_shipped_file_under_the_right_key_alone(
    tmp_path: Path, artefact: bytes, trusted: str, accepted: bool
) -> None:
    code = cosign(tmp_path, artefact, MadeUpKey("ada"), MadeUpKey(trusted))
    assert (code == 0) is accepted
