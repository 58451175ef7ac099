"""Pages as files: HTML in each language from the template, and the machine-readable twin.

Every text is escaped twice over: what a browser would obey as markup, and what a reader could not
see (`builders.core.escaping`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import BytecodeCache, Environment, nodes
from jinja2.bccache import Bucket
from jinja2.ext import InternationalizationExtension
from jinja2.parser import Parser
from jinja2.runtime import Context
from markupsafe import Markup

from builders.core.digest import Digest
from pipelines.explain import page as explain_page
from pipelines.portal.assets_folder import asset_path
from pipelines.portal.content_security import META_POLICY
from pipelines.portal.navigation import NAVIGATION
from pipelines.portal.portal_page import TWIN, PortalPage
from pipelines.portal.site_file import SiteFile
from pipelines.portal.translation import ENGLISH, LANGUAGES, catalog_files, translations
from pipelines.storage.files import create

_TEMPLATES = Path(__file__).parent / "templates"
_CACHE = _TEMPLATES / "__pycache__"


def index_file(language: str) -> str:
    """Return the name of the HTML file of a page in a language."""
    return "index.html" if language == ENGLISH else f"index.{language}.html"


class _Compiled(BytecodeCache):
    """Templates that were compiled for one language.

    As Python keeps modules, they are kept beside their source, if this user may write there.
    """

    def __init__(self, language: str) -> None:
        self._language = language

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template its code, if it is known."""
        with suppress(OSError):
            bucket.bytecode_from_string((_CACHE / self._name(bucket)).read_bytes())

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                _CACHE.mkdir(exist_ok=True)
                create(_CACHE / self._name(bucket), bucket.bytecode_to_string(), mode=0o644)

    def _name(self, bucket: Bucket) -> str:
        """Return a name that a template has with this source, and under these settings, alone."""
        told = f"{bucket.key} {bucket.checksum} {_settings(self._language)}"
        return f"{Digest.of(told.encode()).hex[:32]}.{sys.implementation.cache_tag}.jinja"


@cache
def _settings(language: str) -> str:
    """Return what templates that are compiled for a language depend on beside their source."""
    used = [Path(__file__), Path(explain_page.__file__), *catalog_files(language)]
    told = Digest.of(b"".join(one.read_bytes() for one in used))
    return f"{version('jinja2')} {language} {told}"


class _Translated(InternationalizationExtension):
    """Translates a text without variables once, when its template is compiled."""

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Parse a text to be translated."""
        gettext: Any = self.environment.globals["gettext"]
        node = super().parse(parser)
        match node:
            case nodes.Output(nodes=[nodes.MarkSafeIfAutoescape(expr=nodes.Call() as call)]):
                match call:
                    case nodes.Call(node=nodes.Name(name="gettext"), args=[nodes.Const() as text]):
                        data = nodes.TemplateData(gettext(text.value))
                        return nodes.Output([data], lineno=node.lineno)
        return node


class _Context(Context):
    """Calls what a template calls as it is: none of our functions and macros asks for a context."""

    def call(
        self,
        called: Callable[..., Any],
        /,
        *args: Any,
        _block_vars: object = None,
        _loop_vars: object = None,
        **kwargs: Any,
    ) -> Any:
        """Return what a function or macro returns."""
        return called(*args, **kwargs)


@cache
def environment(language: str, folders: tuple[Path, ...] = (_TEMPLATES,)) -> Environment:
    """Return what fills the templates of the folders in a language."""
    made = explain_page.pages(*folders)
    made.add_extension(_Translated)
    made.bytecode_cache = _Compiled(language)
    made.policies["ext.i18n.trimmed"] = True
    translated = translations(language)
    made.globals.update(gettext=translated.gettext, ngettext=translated.ngettext)
    made.globals["_"] = translated.gettext
    made.context_class = _Context
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


@lru_cache(64)  # a page has one in each language
def time_element(moment: datetime) -> Markup:
    """Return a time in UTC as an element; a script adds the reader's own time to it."""
    utc = moment.astimezone(UTC)
    text = f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{utc:%Y-%m-%d %H:%M} UTC</time>'
    return Markup(text)  # noqa: S704  # digits alone
