"""The verifier as one HTML file, which needs no server: for a USB stick, or a signed release.

It is a function of the package alone: the same version of samebits gives the same bytes. Its policy
(CSP) admits its own script by digest and no other. What it reads of a copied portal are style
sheets, in a frame where no script runs.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

from markupsafe import Markup

from pipelines.portal.rendering import environment
from pipelines.portal.scripts import joined, sources
from pipelines.portal.translation import ENGLISH

NAME = "samebits-verifier.html"
MAIN, WORKER = "check/main.js", "check/hash-worker.js"
_PACKAGE = Path(__file__).parent
_ENDS = ("</script", "</style", "<!--")


@cache
def verifier_file(language: str = ENGLISH) -> bytes:
    """Return the file in a language, as UTF-8."""
    script, style = main_script(), _style()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_source(script)}",
            f"style-src {_source(style)} file:",
            "img-src data:",
            "worker-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    page = environment(language).get_template("offline.html.j2")
    text = page.render(
        language=language,
        security_policy=policy,
        style=_inline(style),
        script=_inline(script),
        worker=_inline(worker_script()),
    )
    return text.encode()


@cache
def main_script() -> str:
    """Return the script of the page that checks a file."""
    return joined(MAIN, sources())


@cache
def worker_script() -> str:
    """Return the script of the Worker that hashes a file."""
    return joined(WORKER, sources())


def _style() -> str:
    sheets = (_PACKAGE / "assets" / name for name in ("portal.css", "findings.css", "check.css"))
    return "".join(sheet.read_text("utf-8") for sheet in sheets)


def _inline(text: str) -> Markup:
    """Return a script or style of ours for an HTML file.

    Raises `ValueError` for one that has the end of its element in it.
    """
    if any(end in text.lower() for end in _ENDS):
        raise ValueError("a script cannot be part of an HTML file")
    return Markup(text)  # noqa: S704  # our own files


def _source(text: str) -> str:
    """Return the source expression of an inline script or style (CSP Level 3)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
