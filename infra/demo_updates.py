"""A vendor's day: a product, its rules and an update are shipped, rebuilt and confirmed.

Then one release is shipped with a rule that its source does not have, and one with a swapped delta,
and both are found. Everything is made from the sources below infra/acme, in a folder that is made
anew: .centers/updates, or the one that is named. Exits 0 when everything ends as it should.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from builders.core.digest import digest_file

ROOT = Path(__file__).parents[1]
DEMO = Path(sys.argv[1]) if sys.argv[1:] else ROOT / ".centers/updates"
SOURCES = ROOT / "infra/acme"
CENTER = DEMO / "center.yaml"
SAMEBITS = Path(sys.executable).with_name("samebits")
WEAK = (b"any of them and", b"all of them and")
"""What somebody changes in a rule between its review and its release."""


def main() -> None:
    """Go through the day."""
    shutil.rmtree(DEMO, ignore_errors=True)
    (DEMO / "recipes").mkdir(parents=True)
    (DEMO / "recipes/images").symlink_to(ROOT / "recipes/images")
    CENTER.write_text("schema: samebits/center/v1\nid: acme-day\nhome: home\nrecipes: recipes\n")
    samebits("center", "init", "--json")

    _say("Acme builds agent 1.0, rules 1 and 2, and the update to agent 1.1 on its own machine.")
    recipes = [ship("agent", "1.0"), ship("rules", "1"), ship("rules", "2")]
    recipes.append(ship("agent", "1.1", base="1.0"))

    _say("A center rebuilds them in containers without network, and compares them bit for bit.")
    reports = verified(*recipes, code=0)
    for report in reports:
        for one in report["artefacts"]:
            _more(f"{one['verdict']:<16} {one['name']}")
    for release in ("agent@1.0", "rules@1", "rules@2", "agent@1.1"):
        found = samebits("consensus", f"acme/{release}", "--json")
        results = {one["consensus"] for one in found["artefacts"]}
        _expect(results == {"CONFIRMED"}, f"acme/{release} is {results}, not CONFIRMED")
        _more(f"CONFIRMED        acme/{release}")

    _say("What rules 2 have that rules 1 had not:")
    told(samebits("rules", "diff", "acme/rules@1", "acme/rules@2", "--json", code=1))

    _say("Somebody weakens a rule of rules 3 after the review, and swaps the delta to agent 1.2.")
    bad = [ship("rules", "3", altered=True), ship("agent", "1.2", base="1.1", altered=True)]
    rules, agent = verified(*bad, code=1)
    told(samebits("rules", "diff", "acme/rules@3", "--json", code=1))
    _expect(rules["verdict"] == "DIFFERENT", "the weakened rule was not found")
    full, delta = agent["artefacts"]
    _expect(full["verdict"] == "IDENTICAL", "the full file of agent 1.2 was not rebuilt")
    _expect("application-mismatch" in delta["reason"], "the swapped delta was not found")
    for one in (*rules["artefacts"], full, delta):
        _more(f"{one['verdict']:<16} {one['name']}: {one['reason']}")
    _say("Done: four releases are confirmed, and both alterations were found.")


def ship(product: str, version: str, *, base: str = "", altered: bool = False) -> Path:
    """Build a release as its vendor does, publish it, and write its recipe; returns that.

    With `altered` something else is shipped: a weaker rule, or a delta that gives another file.
    """
    folder = DEMO / "recipes/releases/acme" / product
    folder.mkdir(parents=True, exist_ok=True)
    source, name = folder / f"{product}-{version}-source.tar", f"{product}-{version}.tar"
    with tarfile.open(source, "w") as tar:
        for path in sorted((SOURCES / product / version).iterdir()):
            tar.add(path, path.name)
    old = [folder / f"{product}-{base}.tar"] if base else []
    built = build(source, name, folder, *old)
    if altered and base:
        evil = DEMO / "evil"
        evil.mkdir()
        swapped = DEMO / "evil.tar"
        with tarfile.open(swapped, "w") as tar:
            tar.add(Path(__file__), "agent.sh")
        (folder / f"{name}.bsdiff").write_bytes(build(swapped, name, evil, *old)[1].read_bytes())
    elif altered:
        built[0].write_bytes(built[0].read_bytes().replace(*WEAK))
    script = Path(shutil.copy(SOURCES / "build.py", folder))
    inputs: list[dict[str, Any]] = [_pinned("source", source), _pinned("source", script)]
    inputs += [_pinned("base", one) | {"release": f"acme/{product}@{base}"} for one in old]
    artefacts: list[dict[str, Any]] = [_shipped(path) for path in built]
    for delta in artefacts[1:]:
        about = {"format": "bsdiff", "judged": "rebuilt", "base": inputs[-1]["sha256"]}
        delta["delta"] = {**about, "target": name}
    command = ["python3", "/inputs/source/build.py", f"/inputs/source/{source.name}", name, "/out"]
    recipe = {
        "schema": "samebits/recipe/v1",
        "vendor": "acme",
        "product": product,
        "version": version,
        "kind": "ruleset" if product == "rules" else "update" if base else "binary",
        "platform": "linux/amd64",
        "build": {
            "method": "script",
            "image": "debian-trixie-build",
            "steps": [[*command, *(f"/inputs/base/{one.name}" for one in old)]],
        },
        "inputs": inputs,
        "artefacts": artefacts,
    }
    path = folder / f"{version}.yaml"
    path.write_text(json.dumps(recipe, indent=1))  # every JSON document is a YAML document
    return path


def build(source: Path, name: str, out: Path, *base: Path) -> list[Path]:
    """Run the vendor's build on this machine; returns the files that it made."""
    subprocess.run([sys.executable, SOURCES / "build.py", source, name, out, *base], check=True)
    return [out / name, *(out / f"{name}.bsdiff" for _ in base)]


def _pinned(role: str, path: Path) -> dict[str, Any]:
    return {"role": role, **_published(path)}


def _shipped(path: Path) -> dict[str, Any]:
    return {"name": path.name, "shipped": _published(path)}


def _published(path: Path) -> dict[str, Any]:
    return {"locator": f"file:{path.name}", "sha256": str(digest_file(path))}


def verified(*recipes: Path, code: int) -> list[dict[str, Any]]:
    """Verify releases; returns their reports, in the order of the recipes."""
    found = samebits("verify", *recipes, "--json", code=code)["reports"]
    by_name = {f"{one['product']}/{one['version']}": one for one in found}
    return [by_name[f"{path.parent.name}/{path.stem}"] for path in recipes]


def samebits(*words: str | Path, code: int = 0) -> dict[str, Any]:
    """Run a command for the center of the demo; returns the document that it prints."""
    command: Sequence[str | Path] = [SAMEBITS, *words, "--center", CENTER]
    ended = subprocess.run(command, capture_output=True, check=False)
    if ended.returncode != code:
        sys.stderr.buffer.write(ended.stderr)
    _expect(ended.returncode == code, f"`samebits {words[0]}` ended with {ended.returncode}")
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def told(found: dict[str, Any]) -> None:
    """Print the changes of rules."""
    for one in found["changes"]:
        why = "; ".join(one["judgement"]["details"])
        _more(f"{one['judgement']['effect']:<16} {one['identity']}: {why}")


def _expect(holds: bool, what: str) -> None:  # noqa: FBT001  # it reads like an assertion
    if not holds:
        click.echo(f"demo: {what}", err=True)
        sys.exit(1)


def _say(text: str) -> None:
    click.echo(f"{time.monotonic() - BEGAN:4.0f}s  {text}")


def _more(text: str) -> None:
    click.echo(f"       {text}")


BEGAN = time.monotonic()
if __name__ == "__main__":
    main()
