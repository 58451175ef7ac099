"""The text of a draft recipe: the same text that is written is what is rebuilt in a trial."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from pathlib import Path

from builders.core.enums import Verdict
from builders.core.yamlfile import parse_document
from builders.recipe.recipe import LoadedRecipe, parse_recipe
from pipelines.infer.journal import RemainingCause, Scalar
from pipelines.infer.target import Pin, Target

MARK = "# inferred "
"""Starts the comment of every inferred value, which `recipe lint` shows."""
_WIDTH = 100


def recipe_text(
    target: Target,
    artefacts: Iterable[Pin],
    *,
    head: Iterable[str],
    build: Iterable[str],
    tools: Iterable[str] = (),
    rest: Iterable[str],
    verdict: Verdict,
) -> str:
    """Return the YAML of a draft.

    `build`, `tools` (further inputs) and `rest` (by-products, limits) are lines of YAML; each text
    of `head` becomes one comment for the reviewer. `verdict` is the one that the trial had.
    """
    lines = [line for text in head for line in comment("# ", text)]
    lines += [
        "schema: samebits/recipe/v1",
        f"vendor: {target.vendor}",
        f"product: {target.product}",
        f"version: {quoted(target.version)}",
        "kind: binary",
        "platform: linux/amd64",
        "build:",
        *build,
        "inputs:",
        *input_lines("source", target.source),
        *tools,
        "artefacts:",
    ]
    for pin in artefacts:
        lines += [
            f"  - name: {quoted(pin.name)}",
            "    shipped:",
            f"      locator: {quoted(str(pin.locator))}",
            f"      sha256: {pin.sha256}",
        ]
    return "\n".join([*lines, *rest, f"expect: {{verdict: {verdict}}}"]) + "\n"


def review_notes(
    notes: Iterable[str], verdict: Verdict, causes: Iterable[RemainingCause]
) -> list[str]:
    """Return what a reviewer should know of a draft beside its values."""
    lines = [f"note: {note}" for note in notes]
    if verdict is not Verdict.IDENTICAL:
        lines.append("NOT IDENTICAL: this is the nearest of what was tried.")
        lines += [f"remaining cause {cause.name}: {cause.detail}" for cause in causes]
    return lines


def input_lines(role: str, pin: Pin, scalar: Scalar | None = None) -> list[str]:
    """Return the lines of one input."""
    return [
        *explained(scalar),
        f"  - role: {role}",
        f"    locator: {quoted(str(pin.locator))}",
        f"    sha256: {pin.sha256}",
    ]


def explained(scalar: Scalar | None) -> list[str]:
    """Return the comment of an inferred value; none for a value that was not inferred."""
    if scalar is None:
        return []
    bits = f"{scalar.bits:g} bit{'' if scalar.bits == 1 else 's'}"
    return comment(f"  {MARK}", f"{scalar.name} {scalar.value} ({bits}): {scalar.evidence}")


def comment(start: str, text: str) -> list[str]:
    """Return a comment wrapped to lines that begin with `start`; odd characters become `?`."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    indent = start[: len(start) - len(start.lstrip())]
    return textwrap.wrap(
        plain,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=f"{indent}#   ",
        break_on_hyphens=False,
    ) or [start.rstrip()]


def explanations(text: str) -> list[str]:
    """Return the comments on the inferred values of a draft, one line each."""
    found: list[str] = []
    inside = False
    for line in text.splitlines():
        words = line.strip()
        if words.startswith(MARK):
            found.append(words.removeprefix(MARK))
        elif inside and words.startswith("#   "):
            found[-1] += " " + words.removeprefix("#   ")
        inside = words.startswith((MARK, "#   ")) and bool(found)
    return found


def load_draft(text: str, folder: Path) -> LoadedRecipe:
    """Read a draft as `load_recipe` would read its file in `folder`."""
    path = folder / "draft.yaml"
    return parse_recipe(parse_document(text, file=str(path)), path)


def quoted(text: str) -> str:
    """Return text as a double-quoted scalar of YAML: every JSON string is one."""
    return json.dumps(text, ensure_ascii=False)
