"""The checks of signer, log and policy, broken piece by piece: each time something must notice.

A mutant leaves out a condition before a `raise`, one operand of it, or a call whose result nobody
uses. It dies when any lie, or any honest bundle, comes to another end than with the whole check.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from builders.core.digest import Digest
from pipelines.bundle.check import CHECKS, Trust, logchecks, policychecks, signerchecks
from pipelines.bundle.check.dossier import Dossier
from pipelines.bundle.check.result import NotNeededError, UncheckedError
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.report import Report
from pipelines.evidence.signing import PrivateKey
from tests.bundle.bundles import POLICY, REPORT, Altered, Maker
from tests.bundle.killers import LIES
from tests.bundle.loglies import LIES as LOG_LIES
from tests.bundle.logtells import amid

Cases = dict[str, Dossier]
BUILDERS = "https://samebits.example/centers/"
_FALLS_OVER = (AttributeError, LookupError, StopIteration, TypeError, ValueError)
_MODULES = (logchecks, policychecks, signerchecks)
_RULES = {
    name: check
    for name, check in CHECKS.items()
    if check.__module__.endswith(("logchecks", "policychecks", "signerchecks"))
}


def _broke_late(altered: Altered) -> None:
    report = Report.model_validate_json(altered.members[REPORT])
    altered.book.commitments = [(report.run, report.claim or Digest.of(b""), Digest.of(b"seal"))]


def _young(altered: Altered) -> None:
    altered.max_age = timedelta(hours=1)


def _no_log_key(altered: Altered) -> None:
    del altered.members["keys/log.pub"]
    altered.card(lambda d: d["keys"].pop(0))


HONEST: dict[str, tuple[str, Callable[[Altered], object]]] = {
    "identical": ("identical", lambda _: None),
    "a-run-side-by-side": ("identical", amid),
    "broke-after-its-commitment": ("broken", _broke_late),
    "nothing-built": ("failed", lambda _: None),
    "with-a-heartbeat": ("identical", lambda a: a.beat()),
    "with-an-older-heartbeat": ("identical", lambda a: a.beat(sequence=0, size=3, newest="0" * 64)),
    "looked-at-again": ("identical", lambda a: a.beat(sequence=7)),
    "without-its-policy": ("identical", lambda a: a.members.pop(POLICY)),
    "without-its-key-of-the-log": ("identical", _no_log_key),
    "young-enough": ("identical", _young),
}


@pytest.fixture(scope="module")
def cases(bundle: Maker, other: PrivateKey) -> Cases:
    """Every lie about the log, and every honest bundle, with what its reader trusts."""
    found: Cases = {}
    for name, lie in LIES.items():
        if lie.check not in _RULES and name not in LOG_LIES:
            continue
        altered = bundle(lie.scene)
        lie.tell(altered, other)
        found[name] = Dossier(data=altered.to_bytes(), trust=altered.trust(policy=lie.policy))
    for name, (scene, change) in HONEST.items():
        altered = bundle(scene)
        change(altered)
        data = altered.to_bytes()
        found[name] = Dossier(data=data, trust=altered.trust())
        found[f"{name}, by key"] = Dossier(data=data, trust=altered.trust(policy=False))
    good = bundle("identical")
    data, keys = good.to_bytes(), (good.key.public, other.public)
    for number, trust in enumerate(
        (
            Trust(),
            Trust(keys=keys),
            Trust(keys=keys, builder=f"{BUILDERS}zurich/builder"),
            Trust(keys=keys[:1], builder=f"{BUILDERS}basel/builder"),
        )
    ):
        found[f"trust {number}"] = Dossier(data=data, trust=trust)
    return found


@cache
def _source(module: ModuleType) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text())


@cache
def _mutants(module: ModuleType) -> dict[str, ast.Module]:
    return dict(_made(module))


def _made(module: ModuleType) -> Iterator[tuple[str, ast.Module]]:
    """Yield what is left out, and the module without it."""
    nodes = list(ast.walk(_source(module)))
    for place, node in enumerate(nodes):
        if isinstance(node, ast.If) and any(isinstance(n, ast.Raise) for n in node.body):
            yield f"{node.lineno}: if {ast.unparse(node.test)}", _without(module, place, None)
            if isinstance(node.test, ast.BoolOp):
                for number, operand in enumerate(node.test.values):
                    shown = f"{node.lineno}: {ast.unparse(operand)}"
                    yield shown, _without(module, place, number)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield f"{node.lineno}: {ast.unparse(node)}", _without(module, place, None)


def _without(module: ModuleType, place: int, operand: int | None) -> ast.Module:
    tree = deepcopy(_source(module))
    node = list(ast.walk(tree))[place]
    if isinstance(node, ast.Expr):
        node.value = ast.copy_location(ast.Constant(None), node.value)
    elif isinstance(node, ast.If) and isinstance(node.test, ast.BoolOp) and operand is not None:
        left = [value for number, value in enumerate(node.test.values) if number != operand]
        node.test = left[0] if len(left) == 1 else ast.BoolOp(node.test.op, left)
        ast.fix_missing_locations(tree)
    elif isinstance(node, ast.If):
        node.test = ast.copy_location(ast.Constant(value=False), node.test)
    return tree


def _end(dossier: Dossier) -> object:
    """Return what the rules of log and policy come to, up to the first that finds something."""
    found: list[object] = []
    for name in _RULES:
        try:
            found.append(CHECKS[name](dossier))
        except (NotNeededError, UncheckedError) as error:
            found.append((type(error), str(error)))
        except (EvidenceError, *_FALLS_OVER) as error:
            return [*found, (type(error), str(error))]
    return found


def _all() -> list[tuple[ModuleType, str]]:
    return [(module, what) for module in _MODULES for what in _mutants(module)]


@pytest.fixture(scope="module")
def ends(cases: Cases) -> dict[str, object]:
    return {name: _end(case) for name, case in cases.items()}


@pytest.mark.parametrize(
    ("module", "what"), _all(), ids=lambda v: v if isinstance(v, str) else v.__name__[-12:]
)
def test_nothing_can_be_left_out(
    cases: Cases,
    ends: dict[str, object],
    module: ModuleType,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = ModuleType(module.__name__)
    broken.__dict__.update({"__file__": module.__file__})
    code = compile(_mutants(module)[what], str(module.__file__), "exec")
    exec(code, broken.__dict__)  # noqa: S102  # our own module, with a piece left out
    for name, check in _RULES.items():
        if check.__module__ == module.__name__:
            monkeypatch.setitem(CHECKS, name, getattr(broken, check.__name__))
    assert any(_end(case) != ends[name] for name, case in cases.items()), "nobody noticed"


def test_every_lie_has_a_name_of_its_own() -> None:
    assert set(LOG_LIES) <= set(LIES)
    assert len(_RULES) == 13
