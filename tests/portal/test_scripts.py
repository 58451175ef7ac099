"""Modules joined into one script, and the code of others among them."""

from __future__ import annotations

from pathlib import Path

import pytest

import pipelines.portal
from builders.core.digest import digest_file
from pipelines.portal.scripts import joined, sources
from pipelines.portal.verifier_file import MAIN, WORKER

VENDOR = Path(pipelines.portal.__file__).parent / "vendor"
SMALL = {
    "a/main.js": 'import { one as uno, two } from "../b/other.js";\n'
    'import * as all from "../b/other.js";\nexport const sum = uno + two + all.three;\n',
    "b/other.js": "const hidden = 1;\nexport { hidden as one, three };\n"
    "export function two() {}\nconst three = 3;\n",
}


def test_each_module_is_a_function_that_returns_what_it_exports() -> None:
    text = joined("a/main.js", SMALL, "shown")
    assert text.index('modules["b/other.js"] =') < text.index('modules["a/main.js"] =')
    assert 'const { one: uno, two } = modules["b/other.js"];' in text
    assert 'const all = modules["b/other.js"];' in text
    assert "return { two, one: hidden, three };" in text
    assert 'globalThis.shown = modules["a/main.js"];' in text
    assert text == joined("a/main.js", dict(reversed(SMALL.items())), "shown")


@pytest.mark.parametrize(
    "line",
    [
        "export default 1;",
        'import main from "./x.js";',
        'export * from "./x.js";',
        'const late = import("./x.js");',
        "const here = import.meta.url;",
        "export let changed = 1;",
    ],
)
def test_a_form_that_is_not_known_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="a form that is not known"):
        joined("x.js", {"x.js": f"{line}\n"})


def test_modules_that_import_each_other_are_refused() -> None:
    files = {
        "x.js": 'import { y } from "./y.js";\nexport const x = 1;\n',
        "y.js": 'import { x } from "./x.js";\nexport const y = 1;\n',
    }
    with pytest.raises(ValueError, match="import each other"):
        joined("x.js", files)
    with pytest.raises(KeyError, match=r"z\.js"):
        joined("x.js", {"x.js": 'import { z } from "./z.js";\n'})


@pytest.mark.parametrize("entry", [MAIN, WORKER])
def test_the_scripts_of_the_page_can_be_joined(entry: str) -> None:
    text = joined(entry, sources())
    assert f'modules["{entry}"]' in text
    assert "</script" not in text.lower()


def sums_of(folder: Path) -> dict[str, str]:
    """Return the digests that are listed in a folder, by file."""
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def test_the_code_of_others_is_what_was_published() -> None:
    """A change of one byte, or another file, needs a change of the sums, which a reviewer sees."""
    listed = {folder.name: sums_of(folder) for folder in VENDOR.iterdir() if folder.is_dir()}
    assert listed["noble-hashes"]["sha2.js"] == (
        "471746bba6ec4c6238ca41358d1d3b40b6ff31cf3363f0b4d550c649c1a8e83b"
    )
    for name, sums in listed.items():
        files = {p.name: p for p in (VENDOR / name).iterdir() if p.name != "SHA256SUMS"}
        assert {file: str(digest_file(path)) for file, path in files.items()} == sums
        assert "MIT License" in files["LICENSE"].read_text()
