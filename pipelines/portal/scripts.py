"""The modules of JavaScript as one classic script, for pages that cannot load modules.

Each module becomes a function that is called once and returns what it exports. Only the forms of
imports and exports are known that our modules use; any other is refused, so that nothing is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from posixpath import dirname, join, normpath

from pipelines.portal.verifier import modules

_PACKAGE = Path(__file__).parent
_FROM = r'\s+from\s+"(?P<path>[^"\n]+)";$'
_IMPORT = re.compile(
    rf"^import\s+(?:\{{(?P<names>[^}}]*)\}}|\*\s+as\s+(?P<whole>\w+)){_FROM}", re.MULTILINE
)
_DECLARED = re.compile(
    r"^export\s+(?P<kind>(?:async\s+)?function|const|class)\s+(?P<name>\w+)", re.MULTILINE
)
_LISTED = re.compile(r"^export\s*\{(?P<names>[^}]*)\};$", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*|\bimport\s*\(|\bimport\.meta\b", re.MULTILINE)
_RENAMED = re.compile(r"\s+as\s+")


def sources() -> dict[str, str]:
    """Return all modules by their paths below the package of the portal."""
    folders = (_PACKAGE / name for name in ("check", "vendor"))
    paths = sorted(path for folder in folders for path in folder.rglob("*.js"))
    found = {path.relative_to(_PACKAGE).as_posix(): path.read_text("utf-8") for path in paths}
    return found | {f"verifier/{name}": text for name, text in modules().items()}


def joined(entry: str, files: Mapping[str, str], called: str | None = None) -> str:
    """Return the module `entry` of `files`, and all that it imports, as one classic script.

    What it exports becomes the global variable `called`, if that is given. The same modules give
    the same text. Raises `ValueError` for a form that is not known, and for
    modules that import each other; `KeyError` for a module that is not there.
    """
    parts = [_part(path, files[path]) for path in _in_order(entry, files)]
    last = f'globalThis.{called} = modules["{entry}"];\n' if called else ""
    return "".join(['"use strict";\n(() => {\nconst modules = {};\n', *parts, last, "})();\n"])


def _in_order(entry: str, files: Mapping[str, str]) -> list[str]:
    """Return the paths of the modules, each after those that it imports."""
    ready: list[str] = []
    begun: set[str] = set()

    def add(path: str) -> None:
        if path in ready:
            return
        if path in begun:
            raise ValueError(f"modules import each other: {path}")
        begun.add(path)
        for other in _imported(path, files[path]):
            add(other)
        ready.append(path)

    add(entry)
    return ready


def _imported(path: str, text: str) -> Iterator[str]:
    for found in _IMPORT.finditer(text):
        yield normpath(join(dirname(path), found["path"]))


def _part(path: str, text: str) -> str:
    exported: list[str] = [found["name"] for found in _DECLARED.finditer(text)]
    for found in _LISTED.finditer(text):
        exported += _properties(found["names"], reverse=True)

    def use(found: re.Match[str]) -> str:
        other = normpath(join(dirname(path), found["path"]))
        what = found["whole"] or f"{{ {', '.join(_properties(found['names']))} }}"
        return f'const {what} = modules["{other}"];'

    body = _IMPORT.sub(use, text)
    body = _LISTED.sub("", _DECLARED.sub(r"\g<kind> \g<name>", body))
    if other := _OTHER.search(body):
        raise ValueError(f"{path} has a form that is not known: {other[0][:80]}")
    return f'modules["{path}"] = (() => {{\n{body}\nreturn {{ {", ".join(exported)} }};\n}})();\n'


def _properties(names: str, *, reverse: bool = False) -> list[str]:
    """Return names as the properties of a pattern; `reverse` where `a as b` gives b."""
    found = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        first, *renamed = _RENAMED.split(name)
        pair = (renamed[0], first) if renamed and reverse else (first, *renamed)
        found.append(": ".join(pair))
    return found
