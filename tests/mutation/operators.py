"""The mutation operators: the replacements of a node of a syntax tree.

Redundant operators are left out: tests that kill `a` and `b` in place of `a and b` kill `a or b`
too, and tests that kill a condition that is always true and always false kill its negation.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import copy

Pair = tuple[ast.AST, ast.AST]
_ORDER: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_CALLED = {"any": "all", "all": "any", "min": "max", "max": "min"}
_EMPTY = frozenset({"bytes", "dict", "frozenset", "int", "list", "set", "str", "tuple"})
_OUTPUT = frozenset({"debug", "echo", "error", "exception", "info", "print", "warning"})
_NEVER = frozenset({"assert_never"})
"""What is there for the type checker, and never called."""


def replacements(node: ast.AST, parent: ast.AST, returns: ast.expr | None) -> Iterator[Pair]:
    """Yield what is replaced by what at a node: itself or an expression right below it.

    `returns` is the annotation of what the function around it returns.
    """
    if isinstance(node, ast.stmt):
        yield from _statement(node, parent)
    match node:
        case ast.Return(value=ast.expr() as result):
            yield from _result(result, returns)
        case ast.If(test=test) | ast.IfExp(test=test) | ast.match_case(guard=ast.expr() as test):
            yield from _always_and_never(test)
        case ast.comprehension(ifs=ifs):
            for test in ifs:
                yield from _always_and_never(test)
        case ast.ExceptHandler(type=ast.Tuple(elts=kinds) as kind):
            for one in kinds:
                yield kind, ast.Tuple([k for k in kinds if k is not one], ast.Load())
        case ast.ExceptHandler(type=ast.expr() as kind):
            yield kind, ast.Tuple([], ast.Load())
        case ast.expr():
            yield from _expression(node, parent)


def _expression(node: ast.expr, parent: ast.AST) -> Iterator[Pair]:
    match node:
        case ast.UnaryOp(op=ast.Not()):
            yield from _truth(node, parent)
        case ast.Compare():
            yield from _truth(node, parent)
            yield from _borders(node)
        case ast.BoolOp(op=op, values=values):
            if any(isinstance(value, ast.Compare | ast.UnaryOp) for value in values):
                yield from _truth(node, parent)
            for operand in values:
                left = [value for value in values if value is not operand]
                yield node, left[0] if len(left) == 1 else ast.BoolOp(op, left)
        case ast.BinOp():
            yield from _binary(node)
        case ast.Call(func=ast.Name(id="sorted"), args=[given, *_]):
            yield node, ast.Call(ast.Name("list", ast.Load()), [given], [])
        case ast.Call(func=ast.Name(id=called)) if called in _CALLED:
            other = ast.Name(_CALLED[called], ast.Load())
            yield node, ast.Call(other, node.args, node.keywords)


def _always_and_never(test: ast.expr) -> Iterator[Pair]:
    if not isinstance(test, ast.Constant):
        yield test, ast.Constant(value=True)
        yield test, ast.Constant(value=False)


def _truth(node: ast.expr, parent: ast.AST) -> Iterator[Pair]:
    """Replace what is true or false, unless what is around it is replaced to the same effect."""
    if isinstance(parent, ast.While):
        yield node, ast.Constant(value=False)
    elif not isinstance(parent, ast.BoolOp | ast.UnaryOp):
        yield from _always_and_never(node)


def _borders(node: ast.Compare) -> Iterator[Pair]:
    """Move the border of an order by one, or a number that something is compared with."""
    sides = [node.left, *node.comparators]
    numbers = [n for n in sides if isinstance(n, ast.Constant) and type(n.value) is int]
    for number in numbers:
        assert isinstance(number.value, int)
        for value in (number.value + 1, number.value - 1):
            left, *right = (ast.Constant(value) if side is number else side for side in sides)
            yield node, ast.Compare(left, node.ops, right)
    if not numbers:
        for place, op in enumerate(node.ops):
            if new := _ORDER.get(type(op)):
                ops = [*node.ops[:place], new(), *node.ops[place + 1 :]]
                yield node, ast.Compare(node.left, ops, node.comparators)


def _binary(node: ast.BinOp) -> Iterator[Pair]:
    sides = (node.left, node.right)
    if any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in sides):
        return
    if isinstance(node.op, ast.BitAnd | ast.BitOr):
        yield node, node.left
        yield node, node.right
    elif other := _ARITHMETIC.get(type(node.op)):
        number = any(isinstance(side, ast.Constant) for side in sides)
        swapped = ast.BinOp(node.left, other(), node.right)
        yield node, swapped if number else node.left


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _statement(node: ast.stmt, parent: ast.AST) -> Iterator[Pair]:
    match node:
        case ast.While(test=test) if not isinstance(test, ast.Constant):
            yield test, ast.Constant(value=False)
        case ast.Raise() if not _is_all_of(node, parent):
            yield node, ast.Pass()
        case ast.Expr(value=ast.Call(func=func)) if _does_something(func):
            yield node, ast.Pass()
        case ast.Expr(value=ast.Yield() | ast.YieldFrom()) | ast.AugAssign() | ast.Delete():
            yield node, ast.Pass()
        case ast.Continue():
            yield node, ast.Break()
        case ast.Break():
            yield node, ast.Continue()


def _is_all_of(node: ast.Raise, parent: ast.AST) -> bool:
    """Tell whether a condition that never holds, or catching nothing, is the same change."""
    match parent:
        case ast.If(body=[only], orelse=[]) | ast.ExceptHandler(body=[only]):
            return only is node
    return False


def _result(result: ast.expr, returns: ast.expr | None) -> Iterator[Pair]:
    """Replace what a function returns by what its annotation allows."""
    match returns:
        case ast.Name(id="bool"):
            yield result, ast.Constant(value=True)
            yield result, ast.Constant(value=False)
        case ast.BinOp(op=ast.BitOr(), right=ast.Constant(value=None)):
            yield result, ast.Constant(None)
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)) if name in _EMPTY:
            if not isinstance(result, ast.Constant) and ast.unparse(result) not in {
                "()",
                "[]",
                "{}",
            }:
                yield result, ast.Call(ast.Name(name, ast.Load()), [], [])


def _does_something(func: ast.expr) -> bool:
    """Tell whether a call is no output for people, and not the text that an error is made with."""
    match func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__"):
            return False
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name not in _OUTPUT | _NEVER
    return True


def shown(node: ast.AST) -> str:
    """Return the node as code in one line; of a raised error its type alone."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        node = copy(node)
        assert isinstance(node.exc, ast.Call)
        node.exc = ast.Call(node.exc.func, [ast.Constant(...)], [])
    return " ".join(ast.unparse(node).split())
