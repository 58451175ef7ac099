"""Foreign HTML in a page of ours: a frame without scripts, forms, network and a way out.

The HTML of diffoscope has read hostile files. It is the text of an attribute, and so a document in
a frame without any rights, under a policy of ours, wherever the page is opened.
"""

from __future__ import annotations

FRONT = (
    b'<!DOCTYPE html><html lang="en"><meta charset="utf-8">'
    b'<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    b"style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">"
    b"<title>samebits: what differs</title>"
    b"<style>body { margin: 0 } "
    b"iframe { border: 0; display: block; height: 100vh; width: 100% }</style>"
    b'<iframe sandbox="" referrerpolicy="no-referrer" title="what differs" srcdoc="'
)
BACK = b'"></iframe></html>\n'
"""Around foreign HTML, once `attribute` has quoted it."""


def attribute(html: bytes) -> bytes:
    """Return HTML as the value of an attribute between double quotes."""
    return html.replace(b"&", b"&amp;").replace(b'"', b"&quot;")


def framed(html: bytes) -> bytes:
    """Return the page with foreign HTML in a frame."""
    return FRONT + attribute(html) + BACK
