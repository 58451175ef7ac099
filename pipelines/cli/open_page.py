"""Open a page that a command has written in the user's browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from pipelines.cli.terminal import tell


def open_page(path: Path) -> None:
    """Open a local page; where no browser can be started, its address is printed."""
    url = path.absolute().as_uri()
    if not webbrowser.open(url):
        tell(f"no browser can be started here; the page is {url}")
