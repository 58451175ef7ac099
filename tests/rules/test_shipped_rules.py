"""Rule sets as their vendors ship them: the engine takes them, and we read all of their rules."""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.locators.fetcher import FetchRequest
from builders.recipe.recipe import load_recipe
from pipelines.rules.languages import spamassassin, yara
from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage
from pipelines.rules.rule import Rule
from pipelines.verify.session import Session

GUARDDOG = Path(__file__).parents[2] / "recipes/releases/pypi/guarddog/3.2.0.yaml"
SPAMASSASSIN = Path("/usr/share/spamassassin")


def read(language: RuleLanguage, files: Iterable[Path]) -> list[Rule]:
    """Return the rules of files, of which none may be faulty."""
    found: list[Rule] = []
    for path in files:
        data = path.read_bytes()
        if language.is_rule_file(path.name, data):
            for one in language.read_rules(path.name, data):
                assert not isinstance(one, RuleFault), one
                found.append(one)
    return found


def texts_of(files: Iterable[Path]) -> str:
    return "".join(file.read_text() for file in files)


def listed(rules: Path, *options: str) -> list[str]:
    """Return the rules that match nothing, or with `--negate` those that do not."""
    command: list[str | Path] = ["yara", "--no-warnings", *options, rules, "/dev/null"]
    run = subprocess.run(command, capture_output=True, timeout=300, check=True)
    return [line.split()[0] for line in run.stdout.decode().splitlines()]


@pytest.mark.host
@pytest.mark.network
def test_yara_lists_the_rules_of_guarddog_and_we_read_the_same(
    session: Session, tmp_path: Path
) -> None:
    loaded = load_recipe(GUARDDOG)
    (shipped,) = [one.published for one in loaded.recipe.artefacts]
    wanted = FetchRequest(locator=shipped.locator, name="guarddog.whl", sha256=shipped.sha256)
    (wheel,) = session.fetcher.fetch([wanted], tmp_path)
    assert Digest.of(wheel.read_bytes()) == shipped.sha256
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    files = sorted(tmp_path.rglob("*.yar"))
    assert len(files) > 50
    names = {name for file in files for name in (*listed(file), *listed(file, "--negate"))}
    files += [f for f in tmp_path.rglob("*.meta") if f'include "{f.name}"' in texts_of(files)]
    private = set(re.findall(r"^private rule (\w+)", texts_of(files), re.MULTILINE))
    ours = {rule.identity.rpartition(":")[2] for rule in read(yara.LANGUAGE, files)}
    assert {one for one in ours if not one.startswith("include ")} == names | private
    assert len(names) > 50


@pytest.mark.host
def test_spamassassin_takes_its_rules_and_we_read_all_of_them() -> None:
    subprocess.run(["spamassassin", "-L", "--lint"], check=True, timeout=300, capture_output=True)
    assert len(read(spamassassin.LANGUAGE, sorted(SPAMASSASSIN.glob("*.cf")))) > 4000
