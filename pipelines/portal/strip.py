"""The regression strip of a product as an image: the standing of each version, oldest first.

Release pages show it as an image, so that they need not be made again for another version.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from builders.core.escaping import escaped
from pipelines.portal.badges import COLORS, SIGNS
from pipelines.portal.release_line import ReleaseLine
from pipelines.portal.standing import in_words

SHOWN = 12
"""Versions, the newest ones."""
_WIDTH, _HEIGHT, _GAP, _NAME = 96, 44, 6, 14
"""Pixels of a cell, between two, and characters of a version that are shown."""


def strip_image(ordered: Sequence[ReleaseLine]) -> bytes:
    """Return the strip of a product, whose releases come in the order of their versions."""
    shown = ordered[-SHOWN:]
    told = "; ".join(f"{escaped(line.version)} {in_words(line.standing)}" for line in shown)
    cells = "\n".join(_cell(line, number * (_WIDTH + _GAP)) for number, line in enumerate(shown))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" \
width="{len(shown) * (_WIDTH + _GAP)}" height="{_HEIGHT}" role="img" aria-label={quoteattr(told)}>
<title>{escape(told)}</title>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
{cells}
</g>
</svg>
""".encode()


def _cell(line: ReleaseLine, left: int) -> str:
    version = escaped(line.version)
    name = version if len(version) <= _NAME else f"{version[: _NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
    sign, middle = SIGNS[line.standing], left + _WIDTH // 2
    return (
        f'<rect x="{left}" width="{_WIDTH}" height="{_HEIGHT}" rx="4" '
        f'fill="{COLORS[line.standing]}"/>'
        f'<text x="{middle}" y="18" font-weight="bold">{escape(name)}</text>'
        f'<text x="{middle}" y="35">{sign} {in_words(line.standing)}</text>'
    )
