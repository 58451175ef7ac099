"""A center that stands alone: what it answers is labelled, and it signs no summary of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipelines.center.keys import make_local_policy
from pipelines.consensus.release_consensus import join_release
from pipelines.consensus.summaries import check_summary, summarizer_of
from pipelines.evidence.errors import RefusedError
from tests.command import Ended, samebits
from tests.consensus.two_centers import TwoCenters
from tests.consensus.world import CONTENT, RELEASE

LABEL = "unwitnessed: the policy requires no witness"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def alone(centers: TwoCenters) -> TwoCenters:
    """A center `local` under the policy of one operator that it made for itself."""
    centers.file("local").write_text(
        "schema: samebits/center/v1\nid: local\nhome: local\nstore: local/store\n"
    )
    make_local_policy(centers.center("local"))
    centers.publish("local")
    return centers


def ask(centers: TwoCenters, *words: str) -> Ended:
    file = centers.root / "a-file"
    file.write_bytes(CONTENT)
    return samebits(*words, "--center", centers.file("local"), home=centers.root / "home")


def test_a_file_that_the_only_operator_built_is_confirmed_and_labelled(alone: TwoCenters) -> None:
    file = str(alone.root / "a-file")
    told = ask(alone, "check", file, "--json")
    found = told.document()
    assert (told.code, found["exit_code"], found["unwitnessed"]) == (0, 0, True)
    assert [(c["consensus"], c["unwitnessed"]) for c in found["consensus"]] == [("CONFIRMED", True)]
    shown = ask(alone, "check", file)
    assert (shown.code, shown.out.startswith("REPRODUCED: "), LABEL in shown.out) == (0, True, True)


def test_of_what_nobody_has_witnessed_no_summary_is_published(alone: TwoCenters) -> None:
    ended = ask(alone, "consensus", str(RELEASE), "--publish", "--json")
    told = ended.document()
    assert (ended.code, told["published"]) == (0, [])
    assert [(a["passed"], a["unwitnessed"]) for a in told["artefacts"]] == [(True, True)]
    assert LABEL in ask(alone, "consensus", str(RELEASE)).out


def test_the_signer_refuses_a_summary_of_what_nobody_has_witnessed(alone: TwoCenters) -> None:
    view = alone.session("local").consensus_view(NOW)
    joined = join_release(view, RELEASE)
    (found,) = joined.consensus.artefacts
    author = summarizer_of(view, joined, NOW)
    assert author.summary(found, 1, None, NOW) is None
    forged = author.summary(replace(found, unwitnessed=False), 1, None, NOW)
    assert forged is not None
    with pytest.raises(RefusedError, match="summary"):
        check_summary(view, forged, NOW)


def test_under_witnesses_nothing_is_labelled(centers: TwoCenters) -> None:
    centers.publish("europe")
    _, told = centers.run()
    assert [a["unwitnessed"] for a in told["artefacts"]] == [False]
