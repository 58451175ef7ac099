"""Source as a folder of pages: a list of files, and pages of each, as the review pages show it.

Nothing has to be served, and nothing in them runs: they have no scripts, and their style sheets are
beside them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from builders.core.errors import UsageError
from builders.jail import Jail
from pipelines.portal.rendering import environment
from pipelines.portal.translation import ENGLISH
from pipelines.review.file_view import ViewKind, file_view
from pipelines.verify.source_diff import SourceChange

MAX_FILES = 2000
"""Files that have pages; the others are listed."""
MAX_PARTS = 20
"""Pages of one view of a file; the rest of a longer one is not shown."""
_HERE = Path(__file__).parent
_TEMPLATES = environment(ENGLISH, (_HERE / "templates",))
_STYLES = (_HERE.parent / "portal" / "assets" / "portal.css", _HERE / "assets" / "review.css")
_WORDS = {
    ViewKind.UNIFIED: "Unified",
    ViewKind.SPLIT: "Side by side",
    ViewKind.WHOLE: "Whole file",
}
CHANGES = (ViewKind.UNIFIED, ViewKind.SPLIT)
"""How files that differ are shown."""
FILES = (ViewKind.WHOLE,)
"""How the files of one source are shown."""


@dataclass(frozen=True, kw_only=True)
class _Listed:
    """One file in the list; `page` is the first of it, None beyond those that are shown."""

    change: SourceChange
    page: str | None


class SourcePages:
    """Writes the pages of one folder."""

    def __init__(self, folder: Path, title: str, jail: Jail, kinds: Sequence[ViewKind]) -> None:
        """Write into the new `folder`; `kinds` are the views of each file, the first one first."""
        self._folder, self._title, self._jail, self._kinds = folder, title, jail, kinds

    def write(self, changes: Iterable[SourceChange]) -> Path:
        """Write all pages, and return the list; an older folder is replaced.

        Raises `UsageError` where they cannot be written, and as `file_view` does.
        """
        try:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True, mode=0o700)
            for style in _STYLES:
                shutil.copyfile(style, self._folder / style.name)
            listed = [
                _Listed(
                    change=change,
                    page=self._file(number, change) if number <= MAX_FILES else None,
                )
                for number, change in enumerate(changes, start=1)
            ]
            return self._page("index.html", "source_index", listed=listed, shown=MAX_FILES)
        except OSError as error:
            raise UsageError(f"{self._folder} cannot be written", got=error.strerror) from error

    def _file(self, number: int, change: SourceChange) -> str:
        """Write the pages of one file, and return the name of the first."""
        views = {kind: file_view(change, kind, 1, self._jail) for kind in self._kinds}
        others = [(_WORDS[kind], _name(number, kind, 1)) for kind in self._kinds]
        for kind, first in views.items():
            names = [
                _name(number, kind, page) for page in range(1, min(first.pages, MAX_PARTS) + 1)
            ]
            for page, name in enumerate(names, start=1):
                view = first if page == 1 else file_view(change, kind, page, self._jail)
                self._page(name, "source_file", view=view, names=names, others=others)
        return others[0][1]

    def _page(self, name: str, template: str, **values: object) -> Path:
        path = self._folder / name
        text = _TEMPLATES.get_template(f"{template}.html.j2").render(
            title=self._title, here=name, **values
        )
        path.write_bytes(text.encode("utf-8", "backslashreplace"))
        return path


def _name(number: int, kind: ViewKind, page: int) -> str:
    part = "" if page == 1 else f"-{page}"
    return f"file-{number}-{kind}{part}.html"
