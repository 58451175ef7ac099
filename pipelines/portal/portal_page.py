"""A page: everything that its template shows, and its machine-readable twin."""

from __future__ import annotations

from typing import ClassVar

from builders.core.frozen_model import FrozenModel, schema_text
from pipelines.portal.site_file import SiteFile

TWIN = "index.json"


class PortalPage(FrozenModel):
    """The base of the models of pages.

    A subclass has the field `schema_` (alias `schema`), a literal such as
    `samebits/portal/release/v1`, and says where it is. Its template extends `page.html.j2` and sees
    the model alone, as `page`.
    """

    TEMPLATE: ClassVar[str]
    """Name of its file below `templates`."""
    SCRIPTS: ClassVar[tuple[str, ...]] = ()
    """Modules of JavaScript, by their paths below the package."""
    STYLES: ClassVar[tuple[str, ...]] = ()
    """Style sheets beside that of all pages, by their paths below the package."""

    @property
    def path(self) -> str:
        """The folder of the page, from the root of the site: ends with a slash, or is empty."""
        raise NotImplementedError

    @property
    def settled(self) -> bool:
        """Whether it can stay as it is until something that it depends on changes.

        A release with a page that is not settled is made again in the next generation.
        """
        return True

    def to_json(self) -> bytes:
        """Return the twin: in ASCII, so that nothing in it changes how it is shown."""
        return self.model_dump_json(by_alias=True, ensure_ascii=True).encode() + b"\n"

    @classmethod
    def schema_file(cls) -> SiteFile:
        """Return the JSON Schema of the twins, below `schema/`."""
        name = str(cls.model_fields["schema_"].default).removeprefix("samebits/portal/")
        path = f"schema/{name.replace('/', '-')}.json"
        return SiteFile(path, schema_text(cls).encode())
