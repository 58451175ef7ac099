"""Checks that were made in Python, made again in a browser by the verifier of the portal."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from playwright.sync_api import Page

from pipelines.bundle import layout
from pipelines.bundle.check import CheckResult, checker
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.layout import BLOCK
from pipelines.evidence.statements.statement import value_of
from tests.portal.verifier.in_a_page import verifier_page

Document = dict[str, Any]
_LATEST = 253402300799000
"""Milliseconds of the last second of the year 9999, which stands for any later time."""
_LIMITS = layout.MAX_BUNDLE, layout.MAX_MEMBERS
_AT_ONCE = 500
_RANK = {1: 0, 2: 1, 0: 2}
"""How good an exit code is: refused, not proven, in order."""
_RUN = """async ({blocks, cases}) => {
  const {check} = await import("/check.js");
  const pool = Uint8Array.from(atob(blocks), (c) => c.charCodeAt(0));
  const bytes = ({size, at}) => {
    const whole = new Uint8Array(at.length * 512);
    at.forEach((n, i) => whole.set(pool.subarray(n * 512, n * 512 + 512), i * 512));
    return whole.slice(0, size);
  };
  const found = [];
  for (const {bundle, bases, files, policies, ...options} of cases) {
    const given = files.map((file) => ({...file, data: file.data && bytes(file.data)}));
    found.push(await check(bytes(bundle), {
      ...options, policies: policies.map(bytes), bases: bases.map(bytes), files: given,
    }));
  }
  return found;
}"""
"""Runs in the page. Bundles differ in few blocks, so each block is handed over once."""
_PARTS = ("exit_code", "ended", "artefacts", "files", "release", "center", "run", "outcome")
_JOINED_BY = ("claim", "scope", "user_namespace")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A check, and what came of it."""

    name: str
    opened: OpenedBundle
    result: CheckResult


@contextmanager
def recorded() -> Iterator[list[Case]]:
    """Collect every check of a bundle that is made meanwhile."""
    made, real = list[Case](), checker._checked

    def record(opened: OpenedBundle) -> CheckResult:
        result = real(opened)
        if (layout.MAX_BUNDLE, layout.MAX_MEMBERS) != _LIMITS:  # as a test has set them
            return result
        made.append(Case(name=str(len(made)), opened=opened, result=result))
        return result

    checker._checked = record
    try:
        yield made
    finally:
        checker._checked = real


@dataclass
class _Blocks:
    """Bytes in blocks, each kept once."""

    numbers: dict[bytes, int] = field(default_factory=dict)

    def of(self, data: bytes) -> Document:
        """Return the size of `data`, and where its blocks are."""
        parts = (data[at : at + BLOCK].ljust(BLOCK, b"\0") for at in range(0, len(data), BLOCK))
        at = [self.numbers.setdefault(part, len(self.numbers)) for part in parts]
        return {"size": len(data), "at": at}

    def text(self) -> str:
        """Return all of them."""
        return base64.b64encode(b"".join(self.numbers)).decode()


def checked_in_a_browser(cases: Sequence[Case]) -> list[Document]:
    """Return what the verifier says of each case."""
    found: list[Document] = []
    with verifier_page() as page:
        for start in range(0, len(cases), _AT_ONCE):
            found += _checked(page, cases[start : start + _AT_ONCE])
    return found


def differences(cases: Sequence[Case], found: Sequence[Document]) -> list[str]:
    """Return a line for each check that came out otherwise in the browser."""
    lines = []
    for case, theirs in zip(cases, found, strict=True):
        ours = case.result.to_dict()
        for document in (ours, theirs):
            document["ended"] = [(step["step"], step["status"]) for step in document["steps"]]
        ours |= _joined_by(case)
        odd = [part for part in (*_PARTS, *_JOINED_BY) if ours[part] != theirs[part]]
        if odd:
            told = ours["steps"][-1], theirs["steps"][-1]
            lines.append(f"{case.name}: {odd}: {told[0]} here, {told[1]} in the browser"[:1000])
    return lines


def _joined_by(case: Case) -> Document:
    """Return what runs are joined by, of a bundle with answers."""
    if case.result.run is None:
        return {"claim": None, "scope": None, "user_namespace": False}
    opened, judged = case.opened, case.opened.judged
    scopes = [value_of(one.predicate.scope) for one in opened.comparisons]
    found = value_of(opened.about.claim), next(iter(scopes), None)
    claim, scope = (str(one) if one else None for one in found)
    hidden = judged is not None and judged.predicate.has_user_namespace
    return {"claim": claim, "scope": scope, "user_namespace": hidden}


def better(cases: Sequence[Case], found: Sequence[Document]) -> list[str]:
    """Return the names of cases that come out better in the browser than here."""
    pairs = zip(cases, found, strict=True)
    return [c.name for c, f in pairs if _RANK[f["exit_code"]] > _RANK[c.result.exit_code]]


def _checked(page: Page, cases: Sequence[Case]) -> list[Document]:
    blocks = _Blocks()
    listed = [_case(case.opened, blocks) for case in cases]
    found: list[Document] = page.evaluate(_RUN, {"blocks": blocks.text(), "cases": listed})
    return found


def _case(opened: OpenedBundle, blocks: _Blocks) -> Document:
    trust = opened.trust
    return {
        "bundle": blocks.of(opened.data),
        "bases": [blocks.of(base.opened.data) for base in opened.bases],
        "files": [
            {
                "name": file.name,
                "sha256": str(file.sha256),
                "data": blocks.of(file.keyed.keywords["path"].read_bytes())
                if isinstance(file.keyed, partial)
                else None,
            }
            for file in opened.files
        ],
        "policies": [blocks.of(trust.policy)] if trust.policy else [],
        "fingerprint": _fingerprint(trust.policy) if trust.policy else None,
        "keys": [key.to_pem().decode() for key in trust.keys],
        "builder": trust.builder,
        "now": min(_milliseconds(trust.now), _LATEST),
        "maxAge": None if trust.max_age is None else trust.max_age.total_seconds(),
    }


def _fingerprint(policy: bytes) -> str | None:
    """Return that of a policy, which may be none: the reader has compared it with nothing then."""
    try:
        return hashlib.sha256(base64.b64decode(json.loads(policy)["payload"])).hexdigest()
    except (ValueError, KeyError, TypeError):
        return None


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
