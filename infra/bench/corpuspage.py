"""The figures of a corpus run as one page: two bar charts and a table, readable by anybody.

It is one file: no script, nothing fetched, and its own policy forbids both. Whatever a vendor wrote
stands there as text alone. It follows the reader's light or dark setting and fits a phone; colors
only repeat what words say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

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
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_COLUMNS = ("release", "result", "why", "tries", "seconds", "bits")
_STYLE = """
:root { color-scheme: light dark; LIGHT }
@media (prefers-color-scheme: dark) { :root { DARK } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem;
  color: var(--text); background: var(--ground); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .75rem; overflow-wrap: anywhere; }
caption { text-align: left; font-size: 1.2rem; font-weight: 600; padding: 1.5rem 0 .5rem; }
p { max-width: 46rem; }
.muted { color: var(--muted); }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; font-weight: 400; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.chart { width: 100%; max-width: 46rem; }
.chart th, .chart td { padding: .2rem 0; vertical-align: middle; }
.chart th { padding-right: .75rem; width: 15rem; }
.chart .n { padding-left: .75rem; width: 1%; }
.bar { display: block; height: 1.1rem; border-radius: 2px; background: var(--bar, var(--muted)); }
.list { width: 100%; }
.list th, .list td { padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line); }
.list thead th { position: sticky; top: 0; background: var(--ground); font-weight: 600; }
.list thead th.n, .list td.n { padding: .45rem 0 .45rem .9rem; }
.list tbody th { width: 20%; overflow-wrap: anywhere; }
.result { color: var(--bar); font-weight: 600; white-space: nowrap; }
.why { overflow-wrap: anywhere; }
.why span { display: block; }
.why.given span:not(.note) { display: inline-block; margin-right: 1rem; }
.why b { font-weight: 600; }
@media (max-width: 44rem) {
  .chart th { width: 45%; overflow-wrap: anywhere; }
  .list, .list tbody, .list tr { display: block; }
  .list thead { position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); }
  .list tr { display: flex; flex-wrap: wrap; column-gap: 1rem; padding: .7rem 0;
    border-bottom: 1px solid var(--line); }
  .list tbody th, .list td, .list td.n { border: 0; padding: .1rem 0; }
  .list tbody th { width: 100%; font-weight: 600; }
  .list .result, .list .why { width: 100%; }
  .list td.n { color: var(--muted); }
  .list td.n::before { content: attr(data-name) " "; }
}
"""


def page(figures: dict[str, Any], *, title: str) -> str:
    """Return the HTML of the figures that `infra.bench.corpus.figures` gives."""
    charts = _chart("Results", figures["counts"], colored=True)
    if figures["causes"]:
        charts += _chart("Causes that remain", figures["causes"])
    rows = "\n".join(_row(row) for row in figures["rows"])
    head = "".join(
        f'<th scope="col" role="columnheader"{_numeric(name)}>{name}</th>' for name in _COLUMNS
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_text(title)}</title><style>{_style()}</style></head><body><main>
<h1>{_text(title)}</h1>
<p>{_summary(figures)}</p>
{charts}
<table class="list" role="table"><caption>Releases</caption>
<thead role="rowgroup"><tr role="row">{head}</tr></thead>
<tbody role="rowgroup">
{rows}
</tbody></table>
<p class="muted">Why: of an identical release, what was inferred of its build; of others, what
differs or why there was nothing to compare. Bits: how much of the shipped file all inferred values
could carry at most.</p>
</main></body></html>
"""


def _style() -> str:
    light, dark = (
        " ".join(
            f"--{name}: {pair[shade]};"
            for name, pair in {"ground": GROUND, "line": _LINES, **COLORS}.items()
        )
        for shade in (0, 1)
    )
    return _STYLE.replace("LIGHT", light).replace("DARK", dark)


def _summary(figures: dict[str, Any]) -> str:
    said = f"{_count(figures['releases'], 'release')}, {figures['fetchable']} of them fetched."
    if figures["fetchable"]:
        identical, explained = (
            f"<strong>{_percent(figures[f'{name}_share'])}</strong>"
            for name in ("identical", "explained")
        )
        said += (
            f" {identical} of those are bit for bit identical, {explained} identical or explained "
            f"by a named cause. Median: {figures['median_seconds']} s and "
            f"{figures['median_tries']:g} tries a release."
        )
    return said


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def _chart(caption: str, bars: Mapping[str, int], *, colored: bool = False) -> str:
    """Draw one bar a name, as a table: the figures are there for whoever cannot see the bars."""
    most = max(bars.values()) or 1
    rows = "\n".join(
        f'<tr><th scope="row">{_text(name)}</th>'
        f'<td><span class="bar" style="width: {100 * count / most:.1f}%'
        f'{f"; --bar: var(--{_word(name)})" if colored else ""}"></span></td>'
        f'<td class="n">{count}</td></tr>'
        for name, count in bars.items()
    )
    return f'<table class="chart"><caption>{caption}</caption>\n{rows}\n</table>\n'


def _row(row: dict[str, Any]) -> str:
    identical = row["status"] == "identical"
    otherwise = "nothing had to be inferred" if identical else row["reason"]
    why = row["scalars" if identical else "details"] or (otherwise,)
    figures = {
        "tries": f"{row['tries']}",
        "seconds": f"{row['seconds']:.1f}",
        "bits": f"{row['bits']:g}",
    }
    numbers = "".join(
        f'<td role="cell" class="n" data-name="{name}">{value}</td>'
        for name, value in figures.items()
    )
    return (
        f'<tr role="row"><th scope="row" role="rowheader">{_text(row["purl"])}</th>'
        f'<td role="cell" class="result" style="--bar: var(--{_word(row["status"])})">'
        f"{_text(row['status'])}</td>"
        f'<td role="cell" class="why{" given" if identical else ""}">{_reasons(why)}'
        f"{_notes(row['notes'])}</td>"
        f"{numbers}</tr>"
    )


def _reasons(lines: Iterable[str]) -> str:
    """Return one line a reason; the name of a cause stands out."""
    shown = []
    for line in lines:
        name, colon, detail = line.partition(": ")
        named = bool(colon) and " " not in name
        text = f"<b>{_text(name)}</b>: {_text(detail)}" if named else _text(line)
        shown.append(f"<span>{text}</span>")
    return "".join(shown)


def _notes(notes: Iterable[str]) -> str:
    return "".join(f'<span class="muted note">note: {_text(note)}</span>' for note in notes)


def _numeric(name: str) -> str:
    return ' class="n"' if name in _COLUMNS[3:] else ""


def _word(status: str) -> str:
    return status.replace(" ", "-")


def _text(said: str) -> str:
    """Return words of others as text of one line: no markup, nothing that turns other words."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in said)
    return escape(plain)
