"""The policy that a newcomer's center gets."""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.center.center import LOCAL, Center
from pipelines.center.file import local_policy_file
from pipelines.center.keys import center_key, make_local_policy
from pipelines.cli.center import command
from pipelines.evidence.errors import KeyFileError
from pipelines.policy import Policy, load_policy
from tests.policy.world import NOW

YAML = "schema: samebits/center/v1\nid: zurich\noperator: acme\nregion: europe\nhome: home\n"


@pytest.fixture
def local(tmp_path: Path) -> Center:
    home = tmp_path / "home"
    return Center(id=LOCAL, home=home, store=home / "store")


def load(center: Center) -> Policy:
    return load_policy(make_local_policy(center, clock=lambda: NOW), home=center.home, now=NOW)


def test_it_trusts_the_keys_of_the_center_and_demands_nothing(local: Center) -> None:
    policy = load(local)
    assert (policy.version, policy.expires) == (1, NOW + timedelta(days=365))
    assert policy.center_of_key(center_key(local).public.keyid, 0).id == LOCAL
    assert str(policy.center(LOCAL).log.key).startswith("samebits.example/centers/local+")
    assert policy.reviews.minimum == 0
    assert policy.quorum.satisfied_by(set())
    keys = {center_key(local, use).public.keyid for use in ("statements", "log", "witness")}
    assert policy.operators[0].key.keyid not in keys
    operator = local.home / "keys" / "operator.key"
    assert stat.S_IMODE(operator.stat().st_mode) == 0o600


def test_it_is_made_once(local: Center) -> None:
    first = make_local_policy(local, clock=lambda: NOW)
    before = first.read_bytes()
    assert first == local_policy_file(local.home)
    assert make_local_policy(local, clock=lambda: NOW + timedelta(days=1)) == first
    assert first.read_bytes() == before


def test_a_policy_that_was_written_and_not_signed_is_signed(local: Center) -> None:
    first = make_local_policy(local, clock=lambda: NOW)
    before = first.read_bytes()
    first.unlink()
    make_local_policy(local, clock=lambda: NOW + timedelta(days=1))
    assert first.read_bytes() == before


def test_names_that_yaml_could_take_for_something_else_stay_names(tmp_path: Path) -> None:
    home = tmp_path / "home"
    odd = Center(id=LOCAL, home=home, store=home / "store", operator="null", region="null")
    policy = load(odd)
    assert (policy.operators[0].name, policy.center(LOCAL).region) == ("null", "null")


def test_only_the_implicit_center_gets_keys_with_it(tmp_path: Path) -> None:
    other = Center(id="zurich", home=tmp_path / "home", store=tmp_path / "store")
    with pytest.raises(KeyFileError, match="center init"):
        make_local_policy(other)
    assert not local_policy_file(other.home).exists()


class Zurich:
    """A center with a file."""

    def __init__(self, folder: Path) -> None:
        self.file, self.home = folder / "center.yaml", folder / "home"
        self.file.write_text(YAML)
        self.policy = local_policy_file(self.home)

    def init(self) -> BaseException | None:
        done = CliRunner().invoke(command, ["init", "--json", "--center", str(self.file)])
        self.shown = json.loads(done.stdout) if done.exit_code == 0 else {}
        return done.exception


@pytest.fixture
def zurich(tmp_path: Path) -> Zurich:
    return Zurich(tmp_path)


def test_init_makes_keys_and_policy(zurich: Zurich) -> None:
    assert zurich.init() is None
    assert zurich.shown["policy"] == str(zurich.policy)
    policy = load_policy(zurich.policy, home=zurich.home, now=NOW)
    assert policy.center("zurich").operator == "acme"
    assert policy.center("zurich").region == "europe"
    assert (zurich.policy.parent / "policy.yaml").exists()


def test_init_that_was_cut_off_before_the_policy_goes_on(zurich: Zurich) -> None:
    zurich.init()
    keys = zurich.shown["keys"]
    zurich.policy.unlink()
    (zurich.policy.parent / "policy.yaml").unlink()
    assert zurich.init() is None
    assert zurich.shown["keys"] == keys, "no key was replaced"
    assert load_policy(zurich.policy, home=zurich.home, now=NOW).version == 1


def test_init_that_is_done_replaces_nothing(zurich: Zurich) -> None:
    zurich.init()
    before = zurich.policy.read_bytes()
    assert isinstance(zurich.init(), KeyFileError)
    assert zurich.policy.read_bytes() == before


def test_init_makes_no_other_keys_for_a_log_that_was_restored(zurich: Zurich) -> None:
    zurich.init()
    (zurich.home / "keys/log").mkdir(exist_ok=True)
    for key in (zurich.home / "keys").glob("*.key"):
        key.unlink()
    ended = zurich.init()
    assert isinstance(ended, KeyFileError)
    assert "its keys are missing" in str(ended)
    assert not list((zurich.home / "keys").glob("*.key"))


def test_init_leaves_a_center_with_another_policy_alone(zurich: Zurich) -> None:
    zurich.file.write_text(YAML + "policy: ours.dsse.json\n")
    assert zurich.init() is None
    assert zurich.shown["policy"] is None
    assert not zurich.policy.exists()
    assert isinstance(zurich.init(), KeyFileError)


def test_init_makes_the_policy_that_the_file_names_in_its_place(zurich: Zurich) -> None:
    zurich.file.write_text(YAML + "policy: home/policy/policy.dsse.json\n")
    assert zurich.init() is None
    assert zurich.policy.exists()
