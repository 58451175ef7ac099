"""The policy of a center: what it accepted once can only be followed."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builders.core.errors import InfrastructureError, RecipeError
from pipelines.policy import CenterPolicyError, Policy, load_policy, read_signed
from pipelines.policy.errors import Fault
from pipelines.policy.signed_policy import accept, accepted
from pipelines.storage import files as durable
from tests.policy.world import ALPHA, EXPIRES, NOW, Data, draft, policy_of, signed_bytes


class Office:
    """A center's folder and its policy file."""

    def __init__(self, folder: Path) -> None:
        self.home, self.file = folder / "home", folder / "policy.dsse.json"

    @property
    def record(self) -> Path:
        return self.home / "policy" / "accepted.json"

    def put(self, data: Data | None = None, **fields: object) -> None:
        self.file.write_bytes(signed_bytes(data or draft(**fields)))

    def load(self) -> Policy:
        return load_policy(self.file, home=self.home, now=NOW)

    def refused(self) -> CenterPolicyError:
        with pytest.raises(CenterPolicyError) as caught:
            self.load()
        assert caught.value.exit_code == 64
        assert str(caught.value).startswith(str(self.file))
        return caught.value


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_the_first_policy_is_the_centers_own_choice(office: Office) -> None:
    office.put()
    assert office.load() == office.load() == policy_of()
    record = json.loads(office.record.read_bytes())
    assert (record["version"], len(record["sha256"])) == (4, 64)


def test_a_policy_that_was_accepted_is_not_written_again(office: Office) -> None:
    office.put()
    office.load()
    before = office.record.stat()
    office.load()
    assert office.record.stat().st_ino == before.st_ino


def test_an_older_policy_in_its_place_is_a_rollback(office: Office) -> None:
    office.put()
    office.load()
    office.put(version=3)
    assert office.refused().fault is Fault.ROLLBACK
    office.put()
    assert office.load().version == 4, "what was accepted still counts"


def test_the_newest_one_is_remembered_and_not_the_first(office: Office) -> None:
    for version in (4, 9):
        office.put(version=version)
        assert office.load().version == version
    office.put(version=8)
    assert office.refused().fault is Fault.ROLLBACK


def test_another_policy_of_the_same_version_is_refused(office: Office) -> None:
    office.put()
    office.load()
    office.put(threshold=1)
    assert office.refused().fault is Fault.NOT_THE_SAME


def test_a_step_that_the_old_operators_did_not_sign_is_refused(office: Office) -> None:
    office.put()
    office.load()
    office.file.write_bytes(signed_bytes(draft(version=5, threshold=1), ALPHA))
    assert office.refused().fault is Fault.UNCHAINED
    found = accepted(office.home)
    assert found is not None
    assert found.policy.version == 4


def test_several_operators_without_a_witness_are_refused_and_can_be_followed(
    office: Office,
) -> None:
    """As before there was the rule, the policy was signed and accepted."""
    old = draft(witnesses="quorum none\n")
    office.put(old)
    refused = office.refused()
    assert refused.fault is Fault.INVALID
    assert "no witness is required" in str(refused.got)
    before = read_signed(signed_bytes(old), accepted_before=True)
    accept(office.home, before)
    assert office.refused().fault is Fault.INVALID
    office.put(version=5)
    assert office.load().version == 5


def test_what_does_not_count_is_not_remembered(office: Office) -> None:
    office.file.write_bytes(signed_bytes(draft(version=9), ALPHA))
    assert office.refused().fault is Fault.NOT_ENOUGH_SIGNATURES
    office.put(expires="2020-01-01T00:00:00Z")
    assert office.refused().fault is Fault.EXPIRED
    assert not office.record.exists()


def test_an_accepted_policy_still_expires(office: Office) -> None:
    office.put()
    office.load()
    with pytest.raises(CenterPolicyError, match="expired"):
        load_policy(office.file, home=office.home, now=EXPIRES)


def test_an_unsigned_policy_says_how_to_sign_it(office: Office) -> None:
    office.file.write_text("schema: samebits/policy/v1\n")
    error = office.refused()
    assert error.fault is Fault.UNSIGNED
    assert "samebits policy sign" in str(error)


def test_a_file_that_is_not_there_is_told(office: Office) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        office.load()


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda data: data[:-1],
        lambda data: data.replace(b'"version":4', b'"version":3'),
        lambda data: data.replace(b'"sha256":"', b'"sha256":"0'),
        lambda data: data.replace(b'"policy":{', b'"policy":{"x":1,'),
        lambda _: b'{"policy":null}',
        lambda _: b"{}",
        lambda data: data + b" ",
    ],
    ids=["empty", "cut", "version", "digest", "envelope", "null", "nothing", "space"],
)
def test_a_damaged_record_lets_nothing_in(office: Office, change: Callable[[bytes], bytes]) -> None:
    office.put()
    office.load()
    office.record.write_bytes(change(office.record.read_bytes()))
    office.put(version=5)
    assert "is damaged" in office.refused().what


def test_a_record_that_cannot_be_written_is_told(office: Office) -> None:
    office.put()
    office.home.mkdir()
    (office.home / "policy").write_text("a file, where the folder should be")
    with pytest.raises(InfrastructureError, match="cannot write"):
        office.load()


def test_a_step_waits_for_the_one_before(office: Office) -> None:
    office.put()
    with ThreadPoolExecutor(1) as pool:
        with durable.held(office.record.parent / ".lock"):
            step = pool.submit(office.load)
            with pytest.raises(TimeoutError):
                step.result(timeout=0.3)
            assert not office.record.exists()
        assert step.result(timeout=300).version == 4


def test_runs_side_by_side_end_with_the_newest(office: Office, tmp_path: Path) -> None:
    files = []
    for version in range(4, 12):
        path = tmp_path / f"{version}.json"
        path.write_bytes(signed_bytes(draft(version=version)))
        files.append(path)

    def load(path: Path) -> Fault | None:
        try:
            load_policy(path, home=office.home, now=NOW)
        except CenterPolicyError as error:
            return error.fault
        return None

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(load, files * 3)) <= {None, Fault.ROLLBACK}
    found = accepted(office.home)
    assert found is not None
    assert found.policy.version == 11
    assert not [p.name for p in office.record.parent.iterdir() if p.name.startswith(".accepted")]
