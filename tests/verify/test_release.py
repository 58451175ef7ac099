"""A release of samebits: its own wheel, rebuilt by itself from a clone of the commit."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml

from builders.core.digest import Digest, digest_file
from builders.core.enums import Verdict
from builders.core.errors import InputMismatchError
from builders.locators import GitLocator
from builders.locators.package_index import IndexReader
from infra import release
from infra.closure import read_pins
from infra.release import REPOSITORY, ROOT, make_release
from pipelines.center.keys import center_key
from pipelines.evidence.dsse import Envelope, verify_envelope
from pipelines.portal.verifier_file import verifier_file
from pipelines.verify.session import Session

PARTS = (
    "LICENSE", "README.md", "pyproject.toml", "builders", "pipelines",
    "infra/requirements.txt",
    "tests/data/planted/copied-input/vendor-tools.tar.gz",
)  # fmt: skip
"""What the wheel is made of, and an archive that is nested deeper than is searched."""


@pytest.fixture(scope="module")
def index() -> IndexReader:
    return IndexReader()


def cloned(folder: Path) -> tuple[Path, GitLocator]:
    """Return a clone of a commit with this code, and what names the commit."""
    origin = folder / "origin"
    for part in PARTS:
        (origin / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            no_caches = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, origin / part, ignore=no_caches)
        else:
            shutil.copy(ROOT / part, origin / part)
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for words in (("init", "--quiet"), ("add", "."), (*who, "commit", "--quiet", "-m", "all")):
        subprocess.run(["git", *words], cwd=origin, check=True)
    clone = folder / "clone"
    commit = release._clone(origin, "HEAD", clone)
    return clone, GitLocator(url=REPOSITORY, commit=commit)


@pytest.mark.engine
@pytest.mark.root
def test_samebits_rebuilds_its_own_wheel(
    session: Session, index: IndexReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone, locator = cloned(tmp_path)
    out = tmp_path / "release"
    report, files = make_release(session, clone, locator, out, index)
    wheel, recipe, sbom, provenance, *verifiers, signed = files

    assert [(a.name, a.verdict) for a in report.artefacts] == [(wheel.name, "IDENTICAL")]
    inputs = yaml.safe_load(recipe.read_text())["inputs"]
    assert inputs[0]["locator"] == str(locator)
    with zipfile.ZipFile(wheel) as archive:
        assert "builders/images/assemble.sh" in archive.namelist()

    envelope = Envelope.from_bytes(provenance.read_bytes())
    verify_envelope(envelope, [center_key(session.center).public])
    statement = json.loads(envelope.payload)
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    (subject,) = statement["subject"]
    assert subject["digest"] == {"sha256": str(digest_file(wheel))}
    resolved = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert str(locator) in [entry["uri"] for entry in resolved]

    document = json.loads(sbom.read_text())
    pins = read_pins((ROOT / "infra/requirements.txt").read_text())
    assert {(c["name"], c["version"]) for c in document["components"]} == {
        (pin.name, pin.version) for pin in pins
    }
    for component in document["components"]:
        (reference,) = component["externalReferences"]
        assert reference["hashes"]
        assert component.get("licenses") or component.get("properties")
    assert document["metadata"]["component"]["hashes"][0]["content"] == str(digest_file(wheel))

    envelope = Envelope.from_bytes(signed.read_bytes())
    verify_envelope(envelope, [center_key(session.center).public])
    statement = json.loads(envelope.payload)
    assert statement["predicateType"] == "https://samebits.example/verifier-file/v1"
    assert statement["predicate"]["wheel"] == {"sha256": str(digest_file(wheel))}
    assert statement["subject"] == [
        {"name": file.name, "digest": {"sha256": str(digest_file(file))}} for file in verifiers
    ]
    assert [file.read_bytes() for file in verifiers] == [verifier_file("en"), verifier_file("de")]

    different = report.model_copy(update={"verdict": Verdict.DIFFERENT})
    monkeypatch.setattr(release, "verify_recipe", lambda *_: different)
    with pytest.raises(InputMismatchError, match="does not rebuild its own wheel; got DIFFERENT"):
        make_release(session, clone, locator, tmp_path / "other", index)
    assert not list(tmp_path.glob("*other*")), "and the next try finds no such folder"


@pytest.mark.parametrize("line", ["six", "six>=1.0 \\\n    --hash=sha256:" + "a" * 64])
def test_a_package_that_is_not_pinned_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="six"):
        read_pins(line + "\n")
    assert isinstance(read_pins(f"six==1 \\\n    --hash=sha256:{'a' * 64}\n")[0].files[0], Digest)
