"""The figures of a corpus run as one page: a bar chart and a table, readable without a network."""

from __future__ import annotations

from html import escape
from typing import Any

_COLORS = {
    "identical": "#1a7f37",
    "equivalent": "#9a6700",
    "different": "#cf222e",
    "build failed": "#8250df",
    "not available": "#6e7781",
}
_WIDTH, _BAR, _GAP, _LABEL = 640, 22, 8, 210
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #1f2328; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d1d9e0;
  vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
td.s { white-space: nowrap; font-weight: 600; }
.p { overflow-wrap: anywhere; }
svg text { font: 13px system-ui, sans-serif; }
"""


def page(figures: dict[str, Any], *, title: str) -> str:
    """Return the HTML of the figures that `pipelines.bench.corpus.figures` gives."""
    counts, causes = figures["counts"], figures["causes"]
    rows = "\n".join(_row(row) for row in figures["rows"])
    bars = {name: (count, _COLORS[name]) for name, count in counts.items()}
    reasons = {name: (count, "#57606a") for name, count in causes.items()}
    more = f"<h2>Causes that remain</h2>\n{_chart(reasons)}" if reasons else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p>{_summary(figures)}</p>
{_chart(bars)}
{more}
<h2>Releases</h2>
<table><thead><tr><th>release</th><th>result</th><th>why</th><th class="n">tries</th>
<th class="n">seconds</th><th class="n">bits</th></tr></thead><tbody>
{rows}
</tbody></table>
</body></html>
"""


def _summary(figures: dict[str, Any]) -> str:
    return (
        f"{figures['releases']} releases, {figures['fetchable']} of them could be fetched. "
        f"{_percent(figures['identical_share'])} of those are bit for bit identical, "
        f"{_percent(figures['explained_share'])} identical or explained by a named cause. "
        f"Median: {figures['median_seconds']} s and {figures['median_tries']} tries a release."
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _chart(bars: dict[str, tuple[int, str]]) -> str:
    """Draw one bar a name; the figure stands in text too, so that color is never needed."""
    most = max((count for count, _ in bars.values()), default=0) or 1
    room = _WIDTH - _LABEL - 50
    height = len(bars) * (_BAR + _GAP)
    parts = []
    for place, (name, (count, color)) in enumerate(bars.items()):
        top = place * (_BAR + _GAP)
        base = top + _BAR * 0.7
        length = room * count / most
        parts += [
            f'<text x="{_LABEL - 8}" y="{base:.0f}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_LABEL}" y="{top}" width="{length:.1f}" height="{_BAR}" fill="{color}"/>',
            f'<text x="{_LABEL + length + 6:.1f}" y="{base:.0f}">{count}</text>',
        ]
    said = ", ".join(f"{name} {count}" for name, (count, _) in bars.items())
    return (
        f'<svg role="img" aria-label="{escape(said)}" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}">{"".join(parts)}</svg>'
    )


def _row(row: dict[str, Any]) -> str:
    if row["status"] == "identical":
        why = "; ".join(row["scalars"])
    else:
        why = "; ".join(row["details"]) or row["reason"]
    color = _COLORS[row["status"]]
    return (
        f'<tr><td class="p">{escape(row["purl"])}</td>'
        f'<td class="s" style="color:{color}">{escape(row["status"])}</td>'
        f'<td class="p">{escape(why)}</td><td class="n">{row["tries"]}</td>'
        f'<td class="n">{row["seconds"]:.1f}</td><td class="n">{row["bits"]:g}</td></tr>'
    )
