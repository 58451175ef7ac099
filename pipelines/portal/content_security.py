"""What a browser may do with a file of the portal: only what comes from the portal itself."""

from __future__ import annotations

META_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'"
)
"""The policy (Content Security Policy Level 3) that is in each page."""
_IN_HEADER = f"{META_POLICY}; frame-ancestors 'none'"
FOREIGN = "diffoscope-"
"""How the names of files begin that another program wrote: they get no scripts at all."""
_SANDBOX = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)


def header_policy(path: str) -> str:
    """Return the header `Content-Security-Policy` of a file of the site."""
    return _SANDBOX if path.rpartition("/")[2].startswith(FOREIGN) else _IN_HEADER


def headers(path: str) -> dict[str, str]:
    """Return the headers about security of a file of the site, for whichever server has it."""
    return {
        "Content-Security-Policy": header_policy(path),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
