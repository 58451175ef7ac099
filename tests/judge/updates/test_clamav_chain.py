"""ClamAV's own test databases, versions 1 to 6, and the deltas between them: a chain of updates."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from builders.core.digest import digest_file
from builders.methods.script import ScriptBuild
from builders.recipe.recipe import load_recipe
from builders.recipe.signature import SignedFormat
from builders.recipe.update import DeltaName
from pipelines.judge.signatures.signature_format import Graft
from pipelines.judge.updates.appliers import APPLY, MEMBERS, ApplyRequest
from pipelines.judge.updates.cdiff import read_cdiff
from pipelines.judge.updates.update_fault import UpdateRefused
from pipelines.rules.languages import clamav
from pipelines.rules.rule import Rule
from pipelines.rules.rule_files import rule_files
from pipelines.verify.session import Session
from tests.command import RELEASES
from tests.judge.signatures.test_real_files import CLAMAV, fetched, grafted, pinned
from tests.judge.updates.cdiffs import as_list, cdiff

pytestmark = [pytest.mark.network, pytest.mark.host]

CDIFF_KEY = """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQB1HHCXZQdLL3nxOQWBQz9y
uOKdyN5nhIHtG1ajkhXp0CmGGSKNgybSs7Xbnfy4Mtwfq17CaZhtrVaxwv5mHBiC
ORjmH49Nbvvmvlh/Cg/k22r1wcXAWSEn5IwBJpgjOmfBBz+gtSGY7b5a4sFEmjuK
yrf3kbKCmG+ghh7JJVEfcToIfCmdOdoQFzwlqvMolxtP7vOW9y8dfVM72mUFUU8b
/4xfrZYzNO1K4qjTX9uUHLn42/kgAngf3887Ebu8O+xkF091Vg9kUKCDXjyazIvk
9smvP4XBfZtJsneS12ArmCHAFfh2ebZbJa1cLgQdqE5u4HasUnTmk6D4dLx/0QkD
AgQF9ekF
-----END PUBLIC KEY-----
"""
"""Of libclamav_rust/src/cdiff.rs."""
ASKED = ApplyRequest(format=DeltaName.CDIFF, size=1 << 20)
FILES = "*/freshclam_testfiles/*"


@pytest.fixture(scope="module")
def chain(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with test-1.cvd to test-6.cvd, and test-2.cdiff to test-6.cdiff."""
    folder = tmp_path_factory.mktemp("chain")
    source = fetched(session, folder, CLAMAV, "clamav.tar.xz")
    words = ("tar", "xf", source, "-C", folder, "--strip-components=4", "--wildcards", FILES)
    subprocess.run(words, check=True)
    return folder


def applied(session: Session, base: Path, delta: Path) -> bytes | UpdateRefused:
    with base.open("rb") as old, delta.open("rb") as changes, TemporaryFile() as out:
        found = session.jail.run(APPLY, [old, changes], ASKED, outputs=[out])
        out.seek(0)
        return found if isinstance(found, UpdateRefused) else out.read()


def test_each_base_with_its_delta_has_the_members_of_the_next(
    session: Session, chain: Path
) -> None:
    for number in range(2, 7):
        base, delta = chain / f"test-{number - 1}.cvd", chain / f"test-{number}.cdiff"
        with (chain / f"test-{number}.cvd").open("rb") as target, TemporaryFile() as out:
            session.jail.run(MEMBERS, [target], ASKED, outputs=[out])
            out.seek(0)
            assert applied(session, base, delta) == out.read() != b"", number


def test_a_delta_of_another_base_is_refused(session: Session, chain: Path) -> None:
    for number in range(3, 7):
        base, delta = chain / f"test-{number - 2}.cvd", chain / f"test-{number}.cdiff"
        found = applied(session, base, delta)
        assert isinstance(found, UpdateRefused)
        assert found.fault == "wrong-base"


def test_our_deltas_with_the_signature_are_the_shipped_ones(
    session: Session, chain: Path, tmp_path: Path
) -> None:
    pins = pinned(SignedFormat.CDIFF, CDIFF_KEY)
    for number in range(2, 7):
        shipped, ours = chain / f"test-{number}.cdiff", tmp_path / f"{number}.cdiff"
        version, script = read_cdiff(BytesIO(shipped.read_bytes()))
        ours.write_bytes(cdiff(script, version=version))
        found = grafted(session, shipped, ours, pins)
        assert isinstance(found, Graft), found
        assert (found.sha256, found.carried) == (digest_file(shipped), ())


def test_sigtool_gives_the_same_members(session: Session, chain: Path, tmp_path: Path) -> None:
    for number in range(2, 7):
        folder = tmp_path / str(number)
        folder.mkdir()
        base, delta = chain / f"test-{number - 1}.cvd", chain / f"test-{number}.cdiff"
        for words in (f"--unpack={base}", f"--run-cdiff={delta}"):
            subprocess.run(
                ["sigtool", words], cwd=folder, check=True, timeout=300, capture_output=True
            )
        left = {file.name.encode(): file.read_bytes() for file in folder.iterdir()}
        assert applied(session, base, delta) == as_list(left), number


def test_we_read_the_signatures_that_sigtool_lists(chain: Path) -> None:
    for number in range(1, 7):
        database = chain / f"test-{number}.cvd"
        command = ("sigtool", f"--list-sigs={database}")
        run = subprocess.run(command, capture_output=True, timeout=300, check=True, cwd=chain)
        with database.open("rb") as stream:
            files = list(rule_files(stream, database.name, TemporaryFile))
        rules = [
            rule
            for path, data in files
            if clamav.LANGUAGE.is_rule_file(path, data)
            for rule in clamav.LANGUAGE.read_rules(path, data)
        ]
        read = [rule.identity.split(":") for rule in rules if isinstance(rule, Rule)]
        assert len(read) == len(rules) > 0
        # It lists what is detected, and not what is allowed.
        names = [name for kind, name in read if kind not in {"fp", "sfp"}]
        assert sorted(names) == sorted(run.stdout.decode().split())


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_recipes_build_the_shipped_databases(
    session: Session, chain: Path, tmp_path: Path, version: int
) -> None:
    """As a newcomer verifies them, without a container."""
    loaded = load_recipe(RELEASES / "clamav" / "test" / f"{version}.yaml")
    recipe, build = loaded.recipe, loaded.recipe.build
    assert isinstance(build, ScriptBuild)
    (step,) = build.steps
    places = {"/inputs/source/": f"{loaded.folder}/", "/out/": f"{tmp_path}/"}
    for place, here in places.items():
        step = tuple(word.replace(place, here) for word in step)
    subprocess.run(step, check=True, timeout=300)
    target = recipe.artefacts[0]
    found = grafted(
        session, chain / target.name, tmp_path / target.name, recipe.signatures[target.name]
    )
    assert isinstance(found, Graft), found
    assert (found.sha256, found.carried) == (target.published.sha256, ())
    for artefact in recipe.artefacts:
        assert digest_file(chain / artefact.name) == artefact.published.sha256
    assert {f"test-{version - 1}.cvd"} >= {i.locator.name for i in recipe.inputs if i.release}
