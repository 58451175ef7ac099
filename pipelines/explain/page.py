"""What differs between two files as one page: no scripts, nothing to fetch, all text escaped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from builders.core.digest import Digest
from builders.core.escaping import escaped
from pipelines.explain.sentences import differences, sentences
from pipelines.judge.difference import Cause, QuickDiff


def pages(*folders: Path) -> Environment:
    """Return what fills the templates of the folders; every text is escaped."""
    return Environment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_visible,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _visible(value: object) -> object:
    """Return a value as it is shown: of texts, also those in markup, nothing stays unseen."""
    if isinstance(value, Markup):
        return Markup(escaped(value, keep="\n"))  # noqa: S704  # it is markup already
    return escaped(value) if isinstance(value, str) else value


def difference_page(
    title: str,
    files: Iterable[tuple[str, Digest | None]],
    look: QuickDiff | None,
    causes: Iterable[Cause],
) -> bytes:
    """Return the page of two files, with their names and digests."""
    page = pages(Path(__file__).parent / "templates").get_template("difference.html.j2")
    text = page.render(
        title=title,
        files=list(files),
        look=look,
        first=next(sentences(look), None) if look else None,
        fields=differences(look) if look else (),
        causes=list(causes),
    )
    return text.encode("utf-8", "backslashreplace")
