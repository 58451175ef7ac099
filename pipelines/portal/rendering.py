"""Pages as files: HTML in each language from the template, and the machine-readable twin.

Every text is escaped twice over: what a browser would obey as markup, and what a reader could not
see (`builders.core.escaping`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from markupsafe import Markup

from builders.core.digest import Digest
from pipelines.explain import page as explain_page
from pipelines.portal.assets_folder import asset_path
from pipelines.portal.content_security import META_POLICY
from pipelines.portal.navigation import NAVIGATION
from pipelines.portal.portal_page import TWIN, PortalPage
from pipelines.portal.site_file import SiteFile
from pipelines.portal.translation import ENGLISH, LANGUAGES, translations
from pipelines.storage.files import create

_TEMPLATES = Path(__file__).parent / "templates"
_CACHE = _TEMPLATES / "__pycache__"


def index_file(language: str) -> str:
    """Return the name of the HTML file of a page in a language."""
    return "index.html" if language == ENGLISH else f"index.{language}.html"


class _Compiled(BytecodeCache):
    """Templates that were compiled for one language, and are the same in each.

    As Python keeps modules, they are kept beside their source, if this user may write there.
    """

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template its code, if it is known."""
        name = _compiled_name(bucket)
        with suppress(OSError):
            code = self._code.get(name) or (_CACHE / name).read_bytes()
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        name, code = _compiled_name(bucket), bucket.bytecode_to_string()
        self._code[name] = code
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                _CACHE.mkdir(exist_ok=True)
                create(_CACHE / name, code, mode=0o644)


def _compiled_name(bucket: Bucket) -> str:
    """Return a name that a template has with this source, and under these settings, alone."""
    told = f"{bucket.key} {bucket.checksum} {_settings()}"
    return f"{Digest.of(told.encode()).hex[:32]}.{sys.implementation.cache_tag}.jinja"


@cache
def _settings() -> str:
    """Return what compiled templates depend on beside their source."""
    code = (Path(one).read_bytes() for one in (__file__, explain_page.__file__))
    return f"{version('jinja2')} {Digest.of(b''.join(code))}"


_COMPILED = _Compiled()


@cache
def environment(language: str, folders: tuple[Path, ...] = (_TEMPLATES,)) -> Environment:
    """Return what fills the templates of the folders in a language."""
    made = explain_page.pages(*folders)
    made.add_extension("jinja2.ext.i18n")
    made.bytecode_cache = _COMPILED
    made.policies["ext.i18n.trimmed"] = True
    translated = translations(language)
    made.globals.update(gettext=translated.gettext, ngettext=translated.ngettext)
    made.filters["time"] = time_element
    return made


def render(page: PortalPage) -> Iterator[SiteFile]:
    """Yield the files of a page."""
    for language in LANGUAGES:
        yield SiteFile(f"{page.path}{index_file(language)}", html(page, language))
    yield SiteFile(f"{page.path}{TWIN}", page.to_json())


def html(page: PortalPage, language: str) -> bytes:
    """Return a page in a language, as UTF-8."""
    template = environment(language).get_template(page.TEMPLATE)
    text = template.render(page=page, **page_context(page.path, language))
    return text.encode("utf-8", "backslashreplace")


def page_context(path: str, language: str) -> dict[str, Any]:
    """Return what the base template uses beside the page itself."""
    up = "../" * path.count("/")

    def url(to: str) -> str:
        """Return the relative URL of a path of the site; of a page, in the same language."""
        target, mark, fragment = to.partition("#")
        if not target or target.endswith("/"):
            target += "" if language == ENGLISH else index_file(language)
        return (f"{up}{target.replace('%', '%25')}" or "./") + mark + fragment

    return {
        "url": url,
        "asset": lambda name: up + asset_path(name),
        "language": language,
        "path": path,
        "navigation": NAVIGATION,
        "languages": [(code, name, index_file(code)) for code, name in LANGUAGES.items()],
        "security_policy": META_POLICY,
    }


def time_element(moment: datetime) -> Markup:
    """Return a time in UTC as an element; a script adds the reader's own time to it."""
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M}"
    )
