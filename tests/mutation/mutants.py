"""The mutants of a module: each replaces one node of its syntax tree by another.

Only code inside functions and lambdas is changed. Left alone are the arguments of a raised error,
formatted text, annotations, decorators, defaults, assertions and output for people.
"""

from __future__ import annotations

import ast
from collections import Counter, deque
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType

from tests.mutation.operators import replacements, shown

_LEFT_ALONE = (ast.Raise, ast.JoinedStr, ast.Assert)


@dataclass(frozen=True)
class Mutant:
    """One replacement: `after` in place of `before`, at a node of the module's syntax tree."""

    module: str
    """Path of the file, relative to the root of the project."""
    function: str
    line: int
    before: str
    after: str
    place: int
    """Position of the node in the order of `ast.walk`."""
    node: ast.AST

    @property
    def name(self) -> str:
        """The mutant within its module; stays the same when lines move."""
        return f"{self.function}: {self.before} -> {self.after}"

    def changes(self, root: Path) -> dict[CodeType, CodeType]:
        """Return the code objects that differ with the mutant, each with the one in its place."""
        path = root / self.module
        tree = ast.parse(path.read_text())
        _Replace(list(ast.walk(tree))[self.place], self.node).visit(tree)
        after = _by_place(compile(tree, str(path), "exec", dont_inherit=True))
        before = _whole(path)
        return {before[n]: after[n] for n in before.keys() & after if before[n] != after[n]}


def mutants_of(root: Path, module: str) -> list[Mutant]:
    """Return the mutants of a file of Python."""
    finder = _Finder(module, (root / module).read_text())
    finder.below(finder.tree)
    return list(finder.found.values())


@cache
def _whole(path: Path) -> dict[tuple[str, int, int], CodeType]:
    return _by_place(compile(path.read_text(), str(path), "exec", dont_inherit=True))


def _by_place(code: CodeType) -> dict[tuple[str, int, int], CodeType]:
    """Return a code object and those in it, by their name, first line and order among equals."""
    found: dict[tuple[str, int, int], CodeType] = {}
    seen: Counter[tuple[str, int]] = Counter()
    waiting = deque([code])
    while waiting:
        code = waiting.popleft()
        name = (code.co_qualname, code.co_firstlineno)
        found[*name, seen[name]] = code
        seen[name] += 1
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]
    return found


class _Replace(ast.NodeTransformer):
    """Puts `new` where `old` is, and `old` beside it where it never runs.

    Without that a function that no longer names a variable of the function around it could not
    take the place of the one that is loaded, and one that no longer yields would be no generator.
    """

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is not self._old:
            return self.generic_visit(node)
        both: ast.AST
        if isinstance(node, ast.expr) and isinstance(self._new, ast.expr):
            both = ast.IfExp(ast.Constant(value=False), node, self._new)
        else:
            assert isinstance(node, ast.stmt)
            assert isinstance(self._new, ast.stmt)
            both = ast.If(ast.Constant(value=False), [node], [self._new])
        return ast.fix_missing_locations(ast.copy_location(both, node))


class _Finder:
    """Walks a syntax tree and collects its mutants, each once."""

    def __init__(self, module: str, source: str) -> None:
        self.tree = ast.parse(source)
        self.found: dict[tuple[int, str], Mutant] = {}
        self._module = module
        self._places = {node: place for place, node in enumerate(ast.walk(self.tree))}
        self._names: list[str] = []
        self._returns: list[ast.expr | None] = []

    def below(self, parent: ast.AST) -> None:
        for node in ast.iter_child_nodes(parent):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    self._function(name, ast.Module(node.body, []), node.returns)
                case ast.Lambda():
                    self._function("<lambda>", ast.Expr(node.body), None)
                case ast.ClassDef(name=name):
                    self._names.append(name)
                    self.below(ast.Module(node.body, []))
                    self._names.pop()
                case ast.AnnAssign(value=value):
                    self.below(ast.Expr(value) if value else ast.Pass())
                case _:
                    if self._returns:
                        self._mutate(node, parent)
                    if not isinstance(node, _LEFT_ALONE):
                        self.below(node)

    def _function(self, name: str, body: ast.AST, returns: ast.expr | None) -> None:
        self._names.append(name)
        self._returns.append(returns)
        self.below(body)
        self._names.pop()
        self._returns.pop()

    def _mutate(self, node: ast.AST, parent: ast.AST) -> None:
        for old, new in replacements(node, parent, self._returns[-1]):
            place = self._places[old]
            before, after = shown(old), shown(new)
            if before != after:
                line = getattr(old, "lineno", 0)
                function = ".".join(self._names)
                mutant = Mutant(self._module, function, line, before, after, place, new)
                self.found.setdefault((place, after), mutant)
