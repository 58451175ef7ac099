"""The draft recipe of a hypothesis: the same text that is written is what is tried."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

from builders.container.folderorder import HASHED
from builders.core.enums import Verdict
from builders.core.yamlfile import parse_document
from builders.methods.clock import format_timestamp
from builders.recipe.recipe import LoadedRecipe, parse_recipe
from pipelines.infer.wheel.hypothesis import Hypothesis, Scalar
from pipelines.infer.wheel.target import Pin, Target

MARK = "# inferred "
"""Starts the comment of every inferred value, for `recipe lint` to show."""
_WIDTH = 100
_LIMITS = "limits: {cpus: 1, memory: 2GiB, scratch: 2GiB, time: 5min}"


def draft_text(
    target: Target,
    hypothesis: Hypothesis,
    *,
    verdict: Verdict = Verdict.IDENTICAL,
    scalars: Iterable[Scalar] = (),
    head: Iterable[str] = (),
) -> str:
    """Return the YAML of a draft; each of `scalars` is explained where it stands.

    `verdict` is what it came to when it was tried. `head` is what a reviewer should
    know of the whole, one comment each.
    """
    why = {scalar.name: scalar for scalar in scalars}
    lines = [line for text in head for line in comment("# ", text)]
    lines += [
        "schema: samebits/recipe/v1",
        f"vendor: {target.vendor}",
        f"product: {target.product}",
        f"version: {_quoted(target.version)}",
        "kind: binary",
        "platform: linux/amd64",
        "build:",
        "  method: wheel",
        *explained(why.get("image")),
        f"  image: {hypothesis.image}",
    ]
    lines += _environment(hypothesis, why)
    if hypothesis.files:
        lines.append("  files:")
    for change in hypothesis.files:
        lines += [
            *explained(why.get(f"mode of {change.path}")),
            f'  - {{path: {_quoted(change.path)}, mode: "{change.mode}"}}',
        ]
    lines += ["inputs:", *_input("source", target.source, None)]
    for tool in hypothesis.tools:
        lines += _input("toolchain", tool.pin, why.get(tool.project))
    shipped = target.shipped
    lines += [
        "artefacts:",
        f"  - name: {_quoted(shipped.name)}",
        "    shipped:",
        f"      locator: {_quoted(str(shipped.locator))}",
        f"      sha256: {shipped.sha256}",
        _LIMITS,
        f"expect: {{verdict: {verdict}}}",
    ]
    return "\n".join(lines) + "\n"


def _environment(hypothesis: Hypothesis, why: Mapping[str, Scalar]) -> list[str]:
    """Return what is declared of the vendor's environment, and above each line why."""
    h = hypothesis
    variables = [
        f'{name}: "{value}"'
        for name, value in (("SOURCE_DATE_EPOCH", h.epoch), ("PYTHONHASHSEED", h.hash_seed or None))
        if value is not None
    ]
    then = f', then: "{format_timestamp(h.then)}"' if h.then is not None else ""
    if h.then is not None and h.before != "wheel":
        then += f", before: {h.before}"
    clock = f'{{mode: frozen, time: "{format_timestamp(h.clock or 0)}"{then}}}'
    rows = (
        (("source_date_epoch", "hash_seed"), f"environment: {{{', '.join(variables)}}}", variables),
        (("clock", "then"), f"clock: {clock}", h.clock is not None),
        (("umask",), f'umask: "{h.umask}"', h.umask != "022"),
        (("source_umask",), f'source_umask: "{h.source_umask}"', h.source_umask is not None),
        (("timezone",), f"timezone: {h.timezone}", h.timezone != "UTC"),
        (("folder_order",), f"folder_order: {h.folder_order}", h.folder_order != HASHED),
        (("python_tag",), f"python_tag: {h.python_tag}", h.python_tag is not None),
    )
    lines = []
    for names, line, chosen in rows:
        if chosen:
            lines += [words for name in names for words in explained(why.get(name))]
            lines.append(f"  {line}")
    return lines


def load_draft(text: str, folder: Path) -> LoadedRecipe:
    """Read a draft as `load_recipe` would read its file in `folder`."""
    path = folder / "draft.yaml"
    return parse_recipe(parse_document(text, file=str(path)), path)


def explanations(text: str) -> list[str]:
    """Return what the comments of a draft say of each inferred value, one line each."""
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


def _input(role: str, pin: Pin, scalar: Scalar | None) -> list[str]:
    return [
        *explained(scalar),
        f"  - role: {role}",
        f"    locator: {_quoted(str(pin.locator))}",
        f"    sha256: {pin.sha256}",
    ]


def explained(scalar: Scalar | None) -> list[str]:
    """Return the comment of an inferred value; none for one that is not."""
    if scalar is None:
        return []
    bits = f"{scalar.bits:g} bit{'' if scalar.bits == 1 else 's'}"
    text = f"{scalar.name} {scalar.value} ({bits}): {scalar.evidence}"
    return comment(f"  {MARK}", text)


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


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
