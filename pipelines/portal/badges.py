"""Badges: small SVG images that say where a release, or a vendor, stands.

A word and a sign say it, not a color alone. Nothing is fetched, and no script is in them.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from builders.core.escaping import escaped
from pipelines.portal.counts import Counts
from pipelines.portal.paths import release_path
from pipelines.portal.release_line import ReleaseLine
from pipelines.portal.site_file import SiteFile
from pipelines.portal.standing import Standing, in_words

SIGNS = {
    Standing.CONFIRMED: "\N{HEAVY CHECK MARK}",
    Standing.DIFFERENT: "\N{NOT EQUAL TO}",
    Standing.SUSPECT: "!",
    Standing.UNCHECKED: "\N{EN DASH}",
}
COLORS = {
    Standing.CONFIRMED: "#1a6b3c",
    Standing.DIFFERENT: "#9a3412",
    Standing.SUSPECT: "#8b1026",
    Standing.UNCHECKED: "#57606a",
}
"""White text on any of them has a contrast of 4.5 or more."""
_LABEL = "rebuilt"
_WIDTH, _PADDING = 7, 8
"""Pixels of a character, and beside a text; `textLength` makes the text fit in any font."""


def badge_file(line: ReleaseLine) -> SiteFile:
    """Return the badge of a release in its place."""
    return SiteFile(f"{release_path(line.release)}badge.svg", release_badge(line))


def release_badge(line: ReleaseLine) -> bytes:
    """Return the badge of a release: its standing, and how many operators match."""
    words = in_words(line.standing)
    if line.standing is Standing.CONFIRMED:
        words = f"{words} by {len(line.matched)}"
    return badge(line.standing, words)


def vendor_badge(counts: Counts) -> bytes:
    """Return the badge of a vendor: the worst standing, and of how many releases."""
    if counts.suspect:
        return badge(Standing.SUSPECT, f"{counts.suspect} of {counts.total} suspect")
    if counts.different:
        return badge(Standing.DIFFERENT, f"{counts.different} of {counts.total} different")
    if counts.confirmed:
        return badge(Standing.CONFIRMED, f"{counts.confirmed} of {counts.total} confirmed")
    return badge(Standing.UNCHECKED, in_words(Standing.UNCHECKED))


def badge(standing: Standing, words: str) -> bytes:
    """Return a badge with a sign and words."""
    text = escaped(f"{SIGNS[standing]} {words}")
    left, right = (len(part) * _WIDTH + 2 * _PADDING for part in (_LABEL, text))
    whole = left + right
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" \
aria-label={quoteattr(f"{_LABEL}: {escaped(words)}")}>
<title>{escape(f"{_LABEL}: {escaped(words)}")}</title>
<rect width="{whole}" height="20" rx="3" fill="#24292f"/>
<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{right - 3}z" \
fill="{COLORS[standing]}"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{_PADDING}" y="14" textLength="{left - 2 * _PADDING}">{_LABEL}</text>
<text x="{left + _PADDING}" y="14" textLength="{right - 2 * _PADDING}">{escape(text)}</text>
</g>
</svg>
""".encode()
