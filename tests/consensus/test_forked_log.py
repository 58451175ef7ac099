"""A center forks its log to hide what it found: from the fork to what the operators decide."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.policy import PolicyError, load_policy, read_signed
from pipelines.policy.errors import Fault
from pipelines.policy.model import Policy
from pipelines.policy.resolution import ForkResolution, LogTree
from pipelines.policy.signed_policy import add_signature
from tests.command import Ended, samebits
from tests.consensus.test_file_check import DIFFERENT
from tests.consensus.two_centers import NAMES, TwoCenters, law
from tests.consensus.world import LATER

REASON = "it hid a mismatch"


@pytest.fixture
def forked(centers: TwoCenters) -> TwoCenters:
    """Asia states a match, then a mismatch; then it goes back and states another match instead."""
    for name in NAMES:
        centers.publish(name)
    asia, before = centers.root / "asia", centers.root / "before"
    shutil.copytree(asia, before)
    centers.publish("asia", run=LATER, files=DIFFERENT)
    assert result(centers)[0] == "SPLIT"
    asia.rename(centers.root / "hidden")
    before.rename(asia)
    file = centers.file("asia")  # an honest center would ask its peers what they have cosigned
    file.write_text("".join(x for x in file.read_text().splitlines(True) if "peers" not in x))
    centers.publish("asia", run=LATER)
    return centers


def result(centers: TwoCenters) -> tuple[str, set[tuple[str, str]]]:
    """Return the consensus, and what does not count for which reason."""
    _, told = centers.run()
    return told["artefacts"][0]["consensus"], {(o["center"], o["why"]) for o in told["counted_out"]}


def forks(centers: TwoCenters, *words: str) -> Ended:
    words = ("log", "forks", "--center", str(centers.file("europe")), *words)
    return samebits(*words, home=centers.root / "home")


def of_asia(centers: TwoCenters) -> Any:
    ended = forks(centers, "--peer", "asia", "--json")
    (found,) = ended.document()["logs"]
    return found | {"code": ended.code}


def tree(document: Any) -> LogTree:
    return LogTree(size=document["size"], root=document["root"])


def resolved(centers: TwoCenters) -> Policy:
    """Return the next policy, with what `log forks` proposes, and the end of the log."""
    found, path = of_asia(centers), centers.root / "policy.dsse.json"
    policy = read_signed(path.read_bytes()).policy
    end = found["proposed"]["size"]
    centers_after = tuple(
        c if c.id != "asia" else replace(c, keys=tuple(replace(k, end=end) for k in c.keys))
        for c in policy.centers
    )
    resolution = ForkResolution(
        log=found["origin"],
        accepted=tree(found["proposed"]),
        rejected=tuple(map(tree, found["conflicts"])),
        reason=REASON,
    )
    return replace(
        policy, version=policy.version + 1, centers=centers_after, resolutions=(resolution,)
    )


def test_a_forked_log_counts_for_nothing_and_people_are_told_what_to_decide(
    forked: TwoCenters,
) -> None:
    assert result(forked) == ("PENDING", {("asia", "log-forked")})
    found = of_asia(forked)
    assert (found["code"], found["size"]) == (1, 8)
    assert [c["size"] for c in found["conflicts"]] == [8]
    assert found["proposed"]["size"] == 4, "as far as the other witness has seen the same"
    shown = forks(forked)
    assert shown.code == 1
    assert found["refused"] == ["europe: forked"]
    assert "  not cosigned by the witness of europe: forked\n" in shown.out
    assert "europe: samebits.example/centers/europe, 4 leaves: no fork\n" in shown.out
    assert "8 leaves: FORKED, and not resolved\n" in shown.out
    assert f"    accepted: {{size: 4, root: {found['proposed']['root']}}}\n" in shown.out


def test_what_the_operators_accept_counts_again_and_what_they_reject_never_does(
    forked: TwoCenters,
) -> None:
    forked.put_in_force(resolved(forked))
    assert result(forked) == ("CONFIRMED", {("asia", "not-logged")})
    shown = forks(forked)
    assert (shown.code, "8 leaves: forked, and resolved\n" in shown.out) == (0, True)
    listed = samebits(
        *("alarm", "list", "--json", "--cause", "fork", "--center", str(forked.file("europe"))),
        home=forked.root / "home",
    )
    (alarm,) = listed.document()["alarms"]
    assert (listed.code, alarm["center"], alarm["state"]) == (3, "asia", "open")
    # Its owner puts the other history back: the mismatch in it is not what was accepted.
    shutil.rmtree(forked.root / "asia")
    (forked.root / "hidden").rename(forked.root / "asia")
    assert result(forked) == ("CONFIRMED", {("asia", "not-logged")})


def test_one_operator_alone_resolves_nothing(forked: TwoCenters) -> None:
    alone = add_signature(resolved(forked), "asia-body", law("asia"))
    path = forked.root / "policy.dsse.json"
    before = path.read_bytes()
    path.write_bytes(alone.envelope.to_bytes())
    with pytest.raises(PolicyError) as caught:
        load_policy(path, home=forked.root / "europe", now=datetime.now(UTC))
    assert caught.value.fault is Fault.NOT_ENOUGH_SIGNATURES
    path.write_bytes(before)
    assert result(forked) == ("PENDING", {("asia", "log-forked")})
