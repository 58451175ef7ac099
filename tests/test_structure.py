"""The structure that the documentation promises: names that mean one thing, imports without cycles.

Read from the source alone: nothing is imported.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("builders", "pipelines")
SIBLINGS = (
    {"pipelines/cli", "pipelines/flows", "pipelines/portal/pages"},
    {"pipelines/infer/wheel", "pipelines/infer/debian", "pipelines/infer/script"},
    {"pipelines/rules/languages", "pipelines/rules/weakening"},
)
"""Folders whose modules are named alike on purpose: a command, flow or page after its subject,
three implementations of one thing, and what reads a language of rules and judges its changes."""
EVERYWHERE = {"errors.py"}
"""Modules that several packages have: their errors."""
READ_STATEMENTS = {
    "pipelines.audit.base_runs": "finds what its own center has logged of a base",
    "pipelines.audit.statement_reader": "believes what centers say of their runs",
    "pipelines.center.logbook": "logs what its own center has stored",
    "pipelines.consensus.summaries": "goes on from the summaries of its own center",
    "pipelines.log.heartbeats": "finds the newest heartbeat, which is compared with its log",
    "pipelines.policy.reviews.count": "counts reviews, which people sign",
    "pipelines.requests.messages": "reads requests, which people sign, and their receipts",
    "pipelines.signer.local_signer": "signs what it has found out itself",
    "pipelines.verify.publish": "stores what its own signer has just signed",
}
"""The modules that read statements of any kind, and for what."""
PRINTERS = {
    "builders.jail.__main__": "tells the process outside, which reads it from a file",
    "pipelines.cli.console": "the console, which escapes what others wrote",
    "pipelines.flows.deploy": "names deployments of ours to the process that started it, in a pipe",
    "pipelines.verify.lanes": "two sentences of ours, from the handler of a signal",
    "pipelines.storage.rotating_log": "keeps the logs of services, escaped",
}
"""The modules that write to standard output, standard error or a log themselves, and why."""
DRAWERS = {"pipelines.cli.terminal": "moving lines of progress, whose texts it escapes"}
"""The modules that draw with rich."""
_PRINTING = re.compile(
    r"print|rich(\..*)?|os\.write\([12]|sys\.__std(out|err)__|sys\.std(out|err)\.(write\w*|buffer)"
    r"|click\.(\w*echo\w*|style|progressbar|prompt|confirm|clear)|traceback\.print_\w+"
    r"|logging\.(handlers\.)?(\w+Handler|basicConfig|config.*)|sys\.std(out|err) import"
)
_NAME = re.compile(r"`([a-z_]+(?:\.[A-Za-z_]\w*)+)`")
_FILE = re.compile(r"\.(d|py|sh|c|md|yaml|yml|json|dsse|tar|pub|key|toml|txt|log|deb|whl|dsc|git)$")


@cache
def modules() -> dict[str, Path]:
    """Return the path of every module of the product by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[dotted.removesuffix(".__init__")] = path
    return found


@cache
def tree(dotted: str) -> ast.Module:
    return ast.parse(modules()[dotted].read_text())


@cache
def nodes(dotted: str) -> tuple[ast.AST, ...]:
    """Return all that stands in a module: several tests look through it."""
    return tuple(ast.walk(tree(dotted)))


@cache
def names_in(dotted: str) -> frozenset[str]:
    """Return the names that a module defines or imports at its top level, and its submodules."""
    found = {other.rpartition(".")[2] for other in modules() if other.rpartition(".")[0] == dotted}
    for node in nodes(dotted):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                found |= {(alias.asname or alias.name).partition(".")[0] for alias in aliases}
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Attribute(attr=name) | ast.arg(arg=name):
                found.add(name)
            case _:
                pass
    return frozenset(found)


def imports(dotted: str) -> Iterator[str]:
    """Yield the modules of the product that a module imports, wherever in it that is done."""
    for node in nodes(dotted):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom) and node.module in modules():
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules() else str(node.module)


def docstrings(dotted: str) -> Iterator[str]:
    """Yield every docstring of a module, and the texts that stand below its fields."""
    for node in nodes(dotted):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text
            case _:
                pass


def resolves(name: str) -> bool:
    """Say whether a dotted name of the product is a module, or a name in one."""
    if name in modules():
        return True
    module, _, attribute = name.rpartition(".")
    return module in modules() and attribute in names_in(module)


def unknown(dotted: str, name: str) -> bool:
    """Say whether a dotted name in a docstring of a module is of the product, but not there."""
    package = dotted if modules()[dotted].name == "__init__.py" else dotted.rpartition(".")[0]
    first = name.partition(".")[0]
    if first in PACKAGES:
        known = resolves(name) or resolves(name.rpartition(".")[0])
    elif f"{package}.{first}" in modules():
        known = resolves(f"{package}.{name}")
    else:
        known = True
    return not known and not _FILE.search(name)


def test_docstrings_name_modules_that_there_are() -> None:
    named = {(d, n) for d in modules() for text in docstrings(d) for n in _NAME.findall(text)}
    assert [one for one in sorted(named) if unknown(*one)] == []
    assert len(named) > 50


def test_docstrings_name_files_that_there_are() -> None:
    named = {
        (dotted, path)
        for dotted in modules()
        for text in docstrings(dotted)
        for path in re.findall(r"`((?:builders|pipelines|tests|infra)/[\w./-]+)`", text)
    }
    assert [one for one in sorted(named) if not (ROOT / one[1]).exists()] == []


def test_no_two_files_import_each_other_in_a_cycle() -> None:
    graph = {dotted: set(imports(dotted)) - {dotted} for dotted in modules()}
    done: set[str] = set()

    def visit(node: str, path: tuple[str, ...]) -> None:
        assert node not in path, " -> ".join([*path[path.index(node) :], node])
        if node not in done:
            for other in sorted(graph[node]):
                visit(other, (*path, node))
            done.add(node)

    for dotted in graph:
        visit(dotted, ())


def test_what_centers_say_of_their_runs_is_read_by_the_audit_alone() -> None:
    """Whoever reads a statement decides whether to believe it: these few modules, and no other."""
    read = set()
    for dotted in modules():
        for node in nodes(dotted):
            match node:
                case ast.ImportFrom(names=aliases) if "read_statement" in {a.name for a in aliases}:
                    read.add(dotted)
                case ast.Attribute(
                    value=ast.Name(id="ComparisonStatement" | "AttemptStatement"), attr="from_bytes"
                ):
                    read.add(dotted)
                case _:
                    pass
    assert read == READ_STATEMENTS.keys()


def name_of(node: ast.expr) -> str:
    """Return a name and its attributes as they are written, faster than `ast.unparse`."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{name_of(value)}.{name}"
        case _:
            return "?"


def printing(dotted: str) -> Iterator[str]:
    """Yield what in a module writes to a stream of the process, or could."""
    for node in nodes(dotted):
        match node:
            case ast.Import(names=aliases):
                names = [alias.name for alias in aliases]
            case ast.ImportFrom(module=module, names=aliases):
                names = [f"{module}.{a.name}{' import' * (module == 'sys')}" for a in aliases]
            case ast.Call(func=ast.Attribute(value=ast.Name(id="os")), args=[ast.Constant(), *_]):
                names = [ast.unparse(node).partition(",")[0]]
            case ast.Attribute() | ast.Name():
                names = [name_of(node)]
            case _:
                names = []
        yield from filter(_PRINTING.fullmatch, names)


def test_there_is_one_way_to_the_terminal_and_to_the_log() -> None:
    """Whatever others wrote is escaped where it leaves: so nothing else writes there."""
    found = {dotted: set(printing(dotted)) for dotted in modules()}
    drawn = {d for d, names in found.items() if any(n.startswith("rich") for n in names)}
    written = {d for d, names in found.items() if any(not n.startswith("rich") for n in names)}
    assert drawn == DRAWERS.keys()
    assert written == PRINTERS.keys()


@pytest.mark.parametrize(
    "line",
    [
        "print(text)",
        "click.echo(text)",
        "from click import secho",
        "click.echo_via_pager(text)",
        "sys.stdout.write(text)",
        "sys.stderr.buffer.write(data)",
        "from sys import stderr",
        "os.write(2, data)",
        "logging.StreamHandler()",
        "logging.basicConfig()",
        "traceback.print_exc()",
        "from rich.console import Console",
        "import rich",
    ],
)
def test_each_other_way_would_be_seen(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "nodes", lambda _: ast.walk(ast.parse(line)))
    assert list(printing("a"))


def test_no_two_classes_have_one_name() -> None:
    found = defaultdict(list)
    for dotted in modules():
        for node in tree(dotted).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(dotted)
    assert {name: where for name, where in found.items() if len(where) > 1} == {}


def test_no_two_modules_have_one_name() -> None:
    found = defaultdict(set)
    for path in modules().values():
        if path.name != "__init__.py" and path.name not in EVERYWHERE:
            found[path.name].add(path.parent.relative_to(ROOT).as_posix())
    for siblings in SIBLINGS:
        for name, folders in found.items():
            found[name] = folders - siblings if folders & siblings else folders
    assert {name: sorted(where) for name, where in found.items() if len(where) > 1} == {}


@pytest.mark.parametrize("package", [d for d, p in modules().items() if p.name == "__init__.py"])
def test_a_package_says_what_it_is_for_and_what_it_imports(package: str) -> None:
    text = ast.get_docstring(ast.parse(modules()[package].read_text())) or ""
    first, _, rest = text.partition("\n\n")
    assert first.endswith("."), "one sentence: what the package is for"
    assert "mport" in rest, "and what it may import"


def test_there_is_no_loose_module() -> None:
    for package in PACKAGES:
        assert [path.name for path in (ROOT / package).glob("*.py")] == ["__init__.py"]
