"""A checked bundle: what is honest passes with its verdict, and every lie is found out."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from builders.core.digest import Digest, keyed_digest
from pipelines.bundle.check import CheckResult, CheckStatus, GivenFile, Trust, check_bundle
from pipelines.bundle.check.checker import CHECKS
from pipelines.bundle.layout import EVIDENCE, Bundle
from pipelines.evidence.privatekey import PrivateKey
from pipelines.evidence.report import Report
from pipelines.judge.finding import verdicts_exit_code
from tests.bundle.bundles import POLICY, REPORT, Altered, Maker
from tests.bundle.corpus import BROKEN
from tests.bundle.lies import LIES as LIES_IN_STATEMENTS
from tests.bundle.loglies import LIES as LIES_IN_LOGS
from tests.bundle.logtells import amid
from tests.bundle.tells import OTHER, in_report, member_of, payload_of
from tests.log.keys import FixedKey
from tests.signer.conftest import SCENES
from tests.signer.scene import OURS

LIES = LIES_IN_STATEMENTS | LIES_IN_LOGS


def given(folder: Path, data: bytes, name: str = "given.bin") -> GivenFile:
    path = folder / name
    path.write_bytes(data)
    return GivenFile(name=name, sha256=Digest.of(data), keyed=partial(keyed_digest, path=path))


def verdicts_code(altered: Altered) -> int:
    """Return the exit code that the verdicts in a report have by themselves."""
    artefacts = Report.model_validate_json(altered.members[REPORT]).artefacts
    return verdicts_exit_code(finding.verdict for finding in artefacts)


def statuses(result: CheckResult) -> dict[str, CheckStatus]:
    return {step.name: step.status for step in result.steps}


def wrong(result: CheckResult) -> str:
    """Return the check that found something, which is the last one asked."""
    assert result.exit_code == 1
    assert [s.status for s in result.steps[:-1]].count(CheckStatus.WRONG) == 0
    assert result.steps[-1].status is CheckStatus.WRONG
    assert "\n" not in result.steps[-1].message
    return result.steps[-1].name


@pytest.mark.parametrize("scene", SCENES)
def test_an_honest_bundle_checks_and_says_its_verdict(bundle: Maker, scene: str) -> None:
    result = bundle(scene).check()
    assert set(statuses(result).values()) <= {CheckStatus.OK, CheckStatus.NOTE}
    assert list(statuses(result)) == list(CHECKS)
    assert result.exit_code == verdicts_code(bundle(scene))
    assert (result.release, result.center) == ("acme/rules@1.10", "zurich")


@pytest.mark.parametrize("scene", SCENES)
def test_without_a_trusted_key_nothing_passes(bundle: Maker, scene: str) -> None:
    result = bundle(scene).check(trusted=False)
    assert statuses(result)["signatures"] is CheckStatus.UNCHECKED
    assert result.exit_code == (verdicts_code(bundle(scene)) or 2)
    assert "is not trusted" in next(s for s in result.steps if s.name == "signatures").message


def test_a_pass_without_a_trusted_key_is_exit_code_two(bundle: Maker) -> None:
    assert bundle("identical").check(trusted=False).exit_code == 2


@pytest.mark.parametrize("scene", SCENES)
def test_without_a_policy_nothing_passes(bundle: Maker, scene: str) -> None:
    result = bundle(scene).check(policy=False)
    unchecked = [
        name for name, status in statuses(result).items() if status is CheckStatus.UNCHECKED
    ]
    assert unchecked == ["inclusion"]
    assert result.exit_code == (verdicts_code(bundle(scene)) or 2)


@pytest.mark.parametrize("place", [0, 2])
def test_statements_of_another_run_may_stand_among_the_leaves(bundle: Maker, place: int) -> None:
    altered = bundle("identical")
    amid(altered, place=place)
    result = altered.check()
    assert result.exit_code == 0, result.steps[-1].message
    assert "statements, each with its leaf" in step(result, "logged")
    assert len([name for name in altered.members if name.endswith("5.dsse.json")]) == 0


def test_the_log_of_a_moved_rebuild_may_be_in_a_bundle(bundle: Maker) -> None:
    altered, log = bundle("moved"), b"built elsewhere\n"
    told = {"log": {"sha256": str(Digest.of(log))}}
    altered.statement("robustness-1", lambda document: document["predicate"].update(told))
    altered.members[f"{EVIDENCE}{Digest.of(log)}"] = log
    result = altered.check()
    assert result.exit_code == 0, result.steps[-1].message
    assert step(result, "evidence").startswith("2 objects")


def test_a_run_that_broke_after_its_commitment_is_no_lie(bundle: Maker) -> None:
    altered = bundle("broken")
    report = Report.model_validate_json(altered.members[REPORT])
    assert report.claim is not None
    altered.book.commitments = [(report.run, report.claim, Digest.of(b"seal"))]
    result = altered.check()
    assert statuses(result)["commitment"] is CheckStatus.OK
    assert result.exit_code == 2


def test_a_heartbeat_says_that_nothing_came_later(bundle: Maker) -> None:
    altered = bundle("identical")
    altered.beat()
    result = altered.check()
    assert (statuses(result)["fresh"], result.exit_code) == (CheckStatus.OK, 0)
    assert step(result, "fresh").startswith("nothing newer")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sequence": 7}, "2 later leaves about this release"),
        ({"sequence": 0, "size": 3, "newest": "0" * 64}, "is older than the run"),
        ({"release": "acme/other@1", "sequence": 1, "size": 3}, "is older than the run"),
        ({"release": "acme/other@1", "sequence": 7}, "is older than the run"),
    ],
)
def test_a_heartbeat_of_another_time_is_noted(
    bundle: Maker, changes: dict[str, object], says: str
) -> None:
    altered = bundle("identical")
    altered.beat(**changes)
    result = altered.check()
    assert (statuses(result)["fresh"], result.exit_code) == (CheckStatus.NOTE, 0)
    assert says in step(result, "fresh")
    altered.max_age = timedelta(hours=1)
    result = altered.check()
    assert (statuses(result)["fresh"], result.exit_code) == (CheckStatus.UNCHECKED, 2)
    assert says in step(result, "fresh")


def test_a_checkpoint_as_young_as_asked_for_passes(bundle: Maker) -> None:
    altered = bundle("identical")
    altered.max_age = timedelta(hours=1)
    altered.book.seen = altered.now - timedelta(minutes=59)
    assert altered.check().exit_code == 2, "without a heartbeat nothing says that it is the last"
    altered.beat()
    assert altered.check().exit_code == 0


@pytest.mark.parametrize(
    ("seen", "fresh"),
    [
        (timedelta(hours=-1), True),
        (timedelta(hours=-1, seconds=-1), False),
        (timedelta(minutes=5), True),
        (timedelta(minutes=5, seconds=1), False),
    ],
)
def test_a_checkpoint_counts_from_the_age_asked_for_to_five_minutes_ahead(
    bundle: Maker, seen: timedelta, *, fresh: bool
) -> None:
    altered = bundle("identical")
    altered.max_age = timedelta(hours=1)
    altered.book.seen = altered.now + seen
    altered.beat()
    assert altered.check().exit_code == (0 if fresh else 1)


def test_the_policy_in_the_bundle_counts_for_nothing(bundle: Maker) -> None:
    altered = bundle("identical")
    altered.policy["version"] = 5
    result = altered.check()
    assert (statuses(result)["given-policy"], result.exit_code) == (CheckStatus.NOTE, 0)
    assert "version 4; yours counts" in step(result, "given-policy")
    del altered.members[POLICY]
    assert altered.check().exit_code == 0


def test_the_key_of_the_log_comes_from_the_policy_or_else_from_the_bundle(bundle: Maker) -> None:
    altered = bundle("identical")
    del altered.members["keys/log.pub"]
    altered.card(lambda card: card["keys"].pop(0))
    assert altered.check().exit_code == 0
    assert wrong(altered.check(policy=False)) == "inclusion"


def test_without_a_policy_nothing_says_how_old_the_checkpoint_is(bundle: Maker) -> None:
    altered = bundle("identical")
    altered.max_age = timedelta(hours=1)
    assert statuses(altered.check())["fresh"] is CheckStatus.UNCHECKED
    assert wrong(altered.check(policy=False)) == "fresh"


def step(result: CheckResult, name: str) -> str:
    return next(s.message for s in result.steps if s.name == name)


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_found_by_its_own_check(bundle: Maker, other: PrivateKey, name: str) -> None:
    lie = LIES[name]
    altered = bundle(lie.scene)
    lie.tell(altered, other)
    result = altered.check(policy=lie.policy)
    if lie.unchecked:
        assert statuses(result)[lie.check] is CheckStatus.UNCHECKED
        assert result.exit_code == 2
    else:
        assert wrong(result) == lie.check, result.steps[-1].message
        assert lie.says in result.steps[-1].message


def test_the_first_thing_that_is_wrong_is_the_last_that_is_asked(
    bundle: Maker, other: PrivateKey
) -> None:
    altered = bundle("identical")
    LIES["payload-bent"].tell(altered, other)
    result = altered.check()
    assert result.artefacts == ()
    assert result.release is None


def test_every_check_of_a_bundle_alone_has_something_that_it_refuses() -> None:
    refused = {lie.check for lie in LIES.values()} | {check for check, _ in BROKEN.values()}
    assert set(CHECKS) - refused == {"bases", "files", "sealed"}, "about what is given beside it"
    assert not LIES_IN_STATEMENTS.keys() & LIES_IN_LOGS.keys()


def test_another_trusted_key_does_not_do(bundle: Maker, other: PrivateKey) -> None:
    data = bundle("identical").to_bytes()
    assert wrong(check_bundle(data, trust=Trust(keys=(other.public,)))) == "signatures"


def test_the_builder_must_be_the_one_that_the_key_is_trusted_for(
    bundle: Maker, key: PrivateKey
) -> None:
    data = bundle("identical").to_bytes()
    right = "https://samebits.example/centers/zurich/builder"
    good = check_bundle(data, trust=Trust(keys=(key.public,), builder=right))
    assert statuses(good)["builder"] is CheckStatus.OK
    bad = check_bundle(data, trust=Trust(keys=(key.public,), builder=right + "s"))
    assert wrong(bad) == "builder"


def test_several_keys_say_nothing_until_their_builder_is_named(
    bundle: Maker, key: PrivateKey, other: PrivateKey
) -> None:
    data, keys = bundle("identical").to_bytes(), (key.public, other.public)
    result = check_bundle(data, trust=Trust(keys=keys))
    assert statuses(result)["builder"] is CheckStatus.UNCHECKED
    assert result.exit_code == 2
    builder = "https://samebits.example/centers/zurich/builder"
    named = check_bundle(data, trust=Trust(keys=keys, builder=builder))
    assert statuses(named)["builder"] is CheckStatus.OK


def test_the_keys_that_signed_are_told_in_order(bundle: Maker, key: PrivateKey) -> None:
    """All of them are trusted; that the card has one alone for statements is another check."""
    altered, others = bundle("identical"), [FixedKey(name) for name in "abc"]
    names = ("comparison-1", "comparison-2", "attempt-1")
    for name, signer in zip(names, others, strict=True):
        altered.put(member_of(name), payload_of(altered, member_of(name)), signer)
    keys = (key.public, *(other.public for other in others))
    result = check_bundle(altered.to_bytes(), trust=Trust(keys=keys))
    assert wrong(result) == "key-use"
    told = step(result, "signatures").rpartition("the trusted key ")[2].split(", ")
    assert told == sorted(known.keyid[:16] for known in keys)


def test_digests_are_checked(bundle: Maker, key: PrivateKey) -> None:
    altered = bundle("identical")
    data = altered.to_bytes()
    digest = str(Digest.of(altered.members["center.json"])).encode()
    bent = data.replace(digest, digest[::-1])
    assert wrong(check_bundle(bent, trust=Trust(keys=(key.public,)))) == "digests"


def test_a_list_of_digests_that_is_too_long_is_not_split(bundle: Maker, key: PrivateKey) -> None:
    members = bundle("identical").members
    data = Bundle(members=members, sums=b"\n" * 100_000).to_bytes()
    result = check_bundle(data, trust=Trust(keys=(key.public,)))
    assert wrong(result) == "digests"
    (message,) = [step.message for step in result.steps if step.status == "wrong"]
    assert message.startswith("SHA256SUMS does not fit the members; got 100000; expected ")


def test_the_witnesses_are_named_in_order_where_one_is_missing(bundle: Maker) -> None:
    altered, names = bundle("identical"), [f"w{number}" for number in range(1, 8)]
    lines = "".join(f"witness {name} {altered.witness(name).key}\n" for name in names)
    altered.policy["witnesses"] = f"{lines}group all 7 {' '.join(names)}\nquorum all\n"
    altered.book.witnesses = tuple(names[:6])
    result = altered.check()
    assert wrong(result) == "witnesses"
    assert "got w1, w2, w3, w4, w5, w6; expected" in step(result, "witnesses")


def test_a_result_can_be_read_by_programs(bundle: Maker, tmp_path: Path) -> None:
    document = bundle("different").check(given(tmp_path, OURS)).to_dict()
    assert document["exit_code"] == 1
    assert document["outcome"] == "BUILT"
    assert document["artefacts"][0] == {"name": "rules.bin", "verdict": "DIFFERENT"}
    assert document["files"][0]["verdict"] == "DIFFERENT"
    assert set(document["steps"][0]) == {"step", "status", "message"}


TALES = {
    "another-outcome": ("identical", "outcome", "TIMED_OUT"),
    "a-build-that-never-ran": ("unavailable", "outcome", "BUILT"),
    "another-claim": ("identical", "claim", OTHER),
    "another-scope": ("identical", "scope", OTHER),
    "another-seal": ("identical", "seal", OTHER),
    "another-seal-of-no-build": ("failed", "seal", OTHER),
    "no-attempts": ("identical", "attempts", []),
    "no-by-products": ("identical", "by_products", []),
    "another-method": ("identical", "environment/method", "wheel"),
    "another-image": ("identical", "environment/image_config", OTHER),
    "another-verdict": ("different", "verdict", "IDENTICAL"),
    "an-explanation": ("different", "artefacts/0/explanation", {"json": OTHER}),
    "no-artefacts": ("different", "artefacts", []),
}
"""What a center might write into a report that it then signs: scene, place and value."""


@pytest.mark.parametrize("name", TALES)
def test_no_answer_comes_from_the_report(bundle: Maker, name: str) -> None:
    """All answers and their exit code come from statements, whatever the report says."""
    scene, path, value = TALES[name]
    altered, honest = bundle(scene), bundle(scene).check().to_dict()
    true = Report.model_validate_json(altered.members[REPORT])
    committed = [(true.run, true.claim, true.seal)] if true.claim and true.seal else []
    altered.book.commitments = committed
    in_report(path, value)(altered, altered.key)
    found = altered.check().to_dict()
    told = [step.pop("message") for step in found["steps"] if step["step"] == "signed-report"]
    assert told != [
        step.pop("message") for step in honest["steps"] if step["step"] == "signed-report"
    ]
    for document in (found, honest):
        for step in document["steps"]:
            step.pop("message", None)  # sizes and digests of what was signed again
    assert found == honest
