"""Keys of a center in a joint policy change: what its peers and the consensus make of it."""

from __future__ import annotations

from pathlib import Path

from builders.core.digest import Digest
from pipelines.center.keys import center_key, log_key, public_keys
from pipelines.center.logs import collect_cosignatures, witness_peers
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.log_reader import LogReader
from pipelines.policy import Policy, read_policy
from tests.centers.three import NAMES, Three
from tests.command import samebits
from tests.consensus.two_centers import TwoCenters, set_up
from tests.consensus.world import EARLIER, LATER

MIDDLE = "20260102T030405Z-0a1b2c3d"


def rotated(file: Path, use: str, home: Path) -> Policy:
    """Rotate a key, and return the policy that is proposed."""
    ended = samebits("center", "rotate-key", use, "--json", "--center", file, home=home)
    assert ended.code == 0, ended.err
    told = ended.document()["policy"]
    assert not told["in_force"]
    return read_policy(Path(told["file"]))


def counted(two: TwoCenters) -> dict[str, str]:
    """Return the run of each operator that counts."""
    _, document = two.run()
    (artefact,) = document["artefacts"]
    return {v["operator"]: v["centers"][0]["run"] for v in artefact["voices"] if v["centers"]}


def test_the_consensus_goes_by_the_log_size_of_the_change(tmp_path: Path) -> None:
    two = set_up(tmp_path)
    for name in NAMES[:2]:
        two.publish(name, run=EARLIER)
    former = center_key(two.center("europe"))
    policy = rotated(two.file("europe"), "statements", tmp_path)
    assert counted(two) == {"asia-body": EARLIER, "europe-body": EARLIER}
    two.publish("europe", run=MIDDLE)
    assert "europe-body" not in counted(two), "nobody knows the new key yet"
    two.put_in_force(policy)
    assert counted(two)["europe-body"] == MIDDLE, "what it signed before they did counts now"
    two.publish("europe", run=LATER, key=former)
    assert counted(two)["europe-body"] == MIDDLE, "the former key counts for nothing any more"
    assert two.run()[1]["artefacts"][0]["consensus"] == "CONFIRMED"


def test_another_witness_key_counts_once_the_policy_names_it(tmp_path: Path) -> None:
    three = Three.made(tmp_path)
    europe, asia = three.center("europe"), three.center("asia")
    policy = rotated(three.file("asia"), "witness", tmp_path)
    assert public_keys(asia)["witness"].keyid not in str(three.policy().quorum.to_text())
    with three.session("europe") as session:
        session.logbook().commit(
            release="lab/rules@1", run=MIDDLE, claim=Digest.of(b"claim"), seal=Digest.of(b"seal")
        )
        three.sign(policy)
        for peer, seen in witness_peers(asia, policy, three.store("asia")):
            assert (peer, str(seen.outcome)) in {("europe", "cosigned"), ("americas", "silent")}
        collect_cosignatures(europe, policy, session.logbook().log)
    witnesses = policy.witness_keys("europe")
    known = LogIdentity.of(log_key(europe), *witnesses)
    cosigned = LogReader(three.store("europe"), known).checkpoint.cosignatures
    assert {one.key.public.keyid for one in cosigned} == {public_keys(asia)["witness"].keyid}
    assert policy.quorum.satisfied_by({witnesses[one.key] for one in cosigned})
    assert three.policy() == policy
