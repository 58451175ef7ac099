"""`samebits center init`: keys once, and never again."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from securesystemslib.signer import CryptoSigner

from pipelines.center.center import LOCAL, Center, load_center
from pipelines.center.keys import center_key
from pipelines.cli.center import command
from pipelines.evidence.errors import KeyFileError

YAML = "schema: samebits/center/v1\nid: zurich\noperator: acme\nregion: europe\nhome: home\n"


@pytest.fixture
def center(tmp_path: Path) -> Path:
    path = tmp_path / "center.yaml"
    path.write_text(YAML)
    return path


def test_it_makes_a_key_for_each_use(center: Path) -> None:
    done = CliRunner().invoke(command, ["init", "--json", "--center", str(center)])
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert shown["builder_id"] == "https://samebits.example/centers/zurich/builder"
    assert len({key["keyid"] for key in shown["keys"].values()}) == 3
    for use in ("statements", "log", "witness"):
        path = center.parent / "home" / "keys" / f"{use}.key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert center_key(load_center(center), use).public.keyid == shown["keys"][use]["keyid"]


def test_it_replaces_nothing(center: Path) -> None:
    CliRunner().invoke(command, ["init", "--center", str(center)])
    keys = center.parent / "home" / "keys"
    before = {path: path.read_bytes() for path in keys.iterdir()}
    done = CliRunner().invoke(command, ["init", "--center", str(center)])
    assert isinstance(done.exception, KeyFileError)
    assert {path: path.read_bytes() for path in keys.iterdir()} == before


def test_one_key_that_exists_stops_it_before_any_is_made(center: Path) -> None:
    keys = center.parent / "home" / "keys"
    keys.mkdir(parents=True)
    (keys / "witness.key").write_bytes(b"mine")
    done = CliRunner().invoke(command, ["init", "--center", str(center)])
    assert isinstance(done.exception, KeyFileError)
    assert [p.name for p in keys.iterdir()] == ["witness.key"]


def test_people_are_shown_ids_and_no_private_key(center: Path) -> None:
    done = CliRunner().invoke(command, ["init", "--center", str(center)])
    assert "statements ed25519" in done.stdout
    assert "PRIVATE" not in done.output


def test_a_key_elsewhere_is_used_where_the_file_says_so(center: Path) -> None:
    far = CryptoSigner.generate_ecdsa()
    (center.parent / "far.pem").write_bytes(far.private_bytes)
    (center.parent / "far.pub").write_text(far.public_key.keyval["public"])
    center.write_text(
        f"{YAML}keys:\n  statements: {{uri: 'file2:{center.parent}/far.pem', public: far.pub}}\n"
    )
    done = CliRunner().invoke(command, ["init", "--json", "--center", str(center)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["keys"]["statements"]["keyid"] == far.public_key.keyid
    assert not (center.parent / "home" / "keys" / "statements.key").exists()


def test_only_the_implicit_center_gets_a_key_on_first_use(tmp_path: Path) -> None:
    local = Center(id=LOCAL, home=tmp_path / "local", store=tmp_path / "store")
    assert center_key(local).public == center_key(local).public
    other = Center(id="zurich", home=tmp_path / "zurich", store=tmp_path / "store")
    with pytest.raises(KeyFileError, match="center init"):
        center_key(other)
