"""The draft recipe of a hypothesis for a wheel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from builders.container.folderorder import HASHED
from builders.core.enums import Verdict
from builders.methods.clock import format_timestamp
from pipelines.infer.draft import explained, input_lines, quoted, recipe_text
from pipelines.infer.journal import Scalar
from pipelines.infer.target import Target
from pipelines.infer.wheel.hypothesis import WheelHypothesis

_LIMITS = "limits: {cpus: 1, memory: 2GiB, scratch: 2GiB, time: 5min}"


def wheel_draft(
    target: Target,
    hypothesis: WheelHypothesis,
    *,
    verdict: Verdict = Verdict.IDENTICAL,
    scalars: Iterable[Scalar] = (),
    head: Iterable[str] = (),
) -> str:
    """Return the YAML of a draft; a comment above the value explains each of `scalars`."""
    why = {scalar.name: scalar for scalar in scalars}
    build = ["  method: wheel", *explained(why.get("image")), f"  image: {hypothesis.image}"]
    build += _environment(hypothesis, why)
    if hypothesis.files:
        build.append("  files:")
    for change in hypothesis.files:
        build += [
            *explained(why.get(f"mode of {change.path}")),
            f'  - {{path: {quoted(change.path)}, mode: "{change.mode}"}}',
        ]
    return recipe_text(
        target,
        [target.shipped],
        head=head,
        build=build,
        tools=[
            line
            for tool in hypothesis.tools
            for line in input_lines("toolchain", tool.pin, why.get(tool.project))
        ],
        rest=[_LIMITS],
        verdict=verdict,
    )


def _environment(h: WheelHypothesis, why: Mapping[str, Scalar]) -> list[str]:
    """Return what is declared of the vendor's environment, and above each line why."""
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
