"""The figures of a corpus run as one page: two bar charts and a table.

It is one file without scripts and without anything to fetch, and its own policy forbids both. Texts
of vendors are escaped by the template engine. The page follows the reader's light or dark setting,
and colors only repeat what words say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from builders.core.escaping import escaped

# Of text and bars, on light and on dark ground.
GROUND = ("#ffffff", "#0d1117")
COLORS = {
    "text": ("#1f2328", "#e6edf3"),
    "muted": ("#59636e", "#9198a1"),
    "identical": ("#1a7f37", "#3fb950"),
    "equivalent": ("#9a6700", "#d29922"),
    "different": ("#cf222e", "#ff7b72"),
    "build-failed": ("#8250df", "#be8fff"),
    "not-available": ("#59636e", "#9198a1"),
}
_LINES = ("#d1d9e0", "#3d444d")


def page(figures: dict[str, Any], *, title: str) -> str:
    """Return the HTML of the figures that `infra.bench.corpus.figures` gives."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "plain": escaped}
    template = environment.get_template("corpus.html.j2")
    return template.render(**figures, title=title, colors=_colors)


def _colors(shade: int) -> str:
    """Return the color variables on light (0) or dark (1) ground."""
    pairs = {"ground": GROUND, "line": _LINES, **COLORS}
    return " ".join(f"--{name}: {pair[shade]};" for name, pair in pairs.items())


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"
