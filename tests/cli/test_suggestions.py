"""A mistyped command, file, release, run, peer or key is answered with the one that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.similar import did_you_mean, similar_path
from tests.bundle.test_export import Filled
from tests.command import samebits
from tests.lab import write_recipe


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A center `zurich` with a peer and one run, below the working folder."""
    filled = Filled(tmp_path_factory.mktemp("filled"), "identical")
    filled.file.write_text(f"{filled.file.read_text()}peers: [{{id: geneva, store: geneva}}]\n")
    write_recipe(filled.file.parent / "engine", [["true"]])
    (filled.file.parent / "alice.key").write_bytes(b"a key")
    return filled


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("evidnce list", "evidence"),
        ("evidence lst", "list"),
        ("evidence list --sotre x", "--store"),
        ("evidence show acme/ruls@1.10 --center CENTER", "acme/rules@1.10"),
        ("evidence show acme/rules@1.10 --center CENTER --run 0a1b2c3f", "0a1b2c3d"),
        ("evidence show acme/rules/1.10.yaml", "acme/rules@1.10"),
        ("consensus acme/ruls@1.10 --center CENTER", "acme/rules@1.10"),
        ("log check --peer genva --center CENTER", "geneva"),
        ("recipe lint engin/1.yml", "engine/1.yaml"),
        ("verify debian/netbase@6.5", "recipes/releases/debian/netbase/6.5.yaml"),
        ("review approve engine/1.yaml --key alcie.key --reviewer alice", "alice.key"),
        ("check alice.kye", "alice.key"),
        ("image build difer", "differ"),
    ],
)
def test_what_was_meant_is_suggested(
    line: str, meant: str, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = line.replace("CENTER", str(filled.file)).split()
    if "netbase" not in line:
        monkeypatch.chdir(filled.file.parent)
    ended = samebits(*words, home=filled.home)
    assert ended.code in {2, 64}
    assert "Did you mean" in (said := ended.out + ended.err)
    assert f"'{meant}'" in said


def test_nothing_is_suggested_for_what_is_like_nothing(tmp_path: Path) -> None:
    assert did_you_mean("zzz", ["verify", "rebuild"]) is None
    assert similar_path(tmp_path / "zzz.yaml") is None
    (tmp_path / "a-file").touch()
    assert similar_path(tmp_path / "a-file") is None, "it is there"
    assert similar_path(tmp_path / "a-file" / "below") is None, "it is no folder"


def test_every_misspelt_part_of_a_path_is_mended(tmp_path: Path) -> None:
    (tmp_path / "releases" / "netbase").mkdir(parents=True)
    (tmp_path / "releases" / "netbase" / "6.5.yaml").touch()
    meant = tmp_path / "releases" / "netbase" / "6.5.yaml"
    assert similar_path(tmp_path / "release" / "netbsae" / "6.6.yaml") == f"Did you mean '{meant}'?"


def test_a_name_that_no_terminal_should_see_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "evil\x1b[31m.yaml").touch()
    suggested = similar_path(tmp_path / "evil.yaml")
    assert suggested is not None
    assert "\x1b" not in suggested
