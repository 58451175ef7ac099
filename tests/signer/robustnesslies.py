"""Lies about the robustness rebuild of an honest run."""

from __future__ import annotations

from typing import Any

from tests.signer.lie import OTHER, Change, Document, Lie
from tests.signer.scene import OURS, Scene


def _moved(**changes: Any) -> Change:
    return lambda e, _: e["moved"].update(changes)


def _moved_rebuild(**changes: Any) -> Change:
    return lambda e, _: e["moved"]["rebuild"].update(changes)


def _moved_output(**changes: Any) -> Change:
    return lambda e, _: e["moved"]["rebuild"]["outputs"][0].update(changes)


def _moved_factor(factor: str, **changes: Any) -> Change:
    def tell(evidence: Document, _: Scene) -> None:
        next(m for m in evidence["moved"]["moved"] if m["factor"] == factor).update(changes)

    return tell


def _kept(factor: str, why: str) -> Change:
    """Say of a factor that it was not moved."""

    def tell(evidence: Document, _: Scene) -> None:
        moved = evidence["moved"]
        moved["moved"] = [m for m in moved["moved"] if m["factor"] != factor]
        moved["kept"] = [{"factor": factor, "why": why}]

    return tell


def _declared_moved(evidence: Document, _: Scene) -> None:
    """Say that what the recipe declares was moved all the same."""
    moved = evidence["moved"]
    moved["kept"] = [k for k in moved["kept"] if k["factor"] != "hostname"]
    moved["moved"].insert(0, {"factor": "hostname", "before": "vendor", "after": "elsewhere"})


def _moved_beside_a_failure(evidence: Document, scene: Scene) -> None:
    folder = scene.folder / "other"
    other = Scene(folder=folder, store=scene.store, moved={"rules.bin": OURS})
    evidence["moved"] = other.make().to_dict()["moved"]


def _factor_twice(evidence: Document, _: Scene) -> None:
    evidence["moved"]["moved"].append(evidence["moved"]["moved"][0])


ROBUSTNESS_LIES: dict[str, Lie] = {
    "moved-beside-a-failure": Lie("tested", "failed", _moved_beside_a_failure),
    "moved-before-the-run": Lie("tested", "moved", _moved(tested_on="2026-01-02T02:00:00Z")),
    "moved-in-the-future": Lie("tested", "moved", _moved(tested_on="2026-01-02T04:00:00Z")),
    "declared-moved": Lie("factors", "moved-declared", _declared_moved),
    "kept-as-if-declared": Lie("factors", "moved", _kept("locale", "declared")),
    "user-with-nowhere-to-go": Lie("schema", "moved", _kept("user", "alone")),
    "moved-from-elsewhere": Lie("factors", "moved", _moved_factor("timezone", before="CET")),
    "moved-to-a-word-of-theirs": Lie("factors", "moved", _moved_factor("hostname", after="secret")),
    "moved-to-another-order": Lie(
        "factors", "moved", _moved_factor("folder-order", after="in some order")
    ),
    "more-cores": Lie("factors", "moved", _moved_factor("cores", after="8")),
    "fewer-than-one-core": Lie("factors", "moved", _moved_factor("cores", before="0")),
    "cores-without-end": Lie("factors", "moved", _moved_factor("cores", before="9" * 5000)),
    "cores-in-words": Lie("factors", "moved", _moved_factor("cores", before="many")),
    "moved-to-where-it-was": Lie("factors", "moved", _moved_factor("locale", after="C.UTF-8")),
    "factor-left-out": Lie("statement", "moved", lambda e, _: e["moved"]["moved"].pop()),
    "factor-twice": Lie("statement", "moved", _factor_twice),
    "moved-and-built-with-exit-code": Lie("ending", "moved", _moved_rebuild(exit_code=1)),
    "moved-and-failed-with-outputs": Lie("ending", "moved", _moved_rebuild(outcome="TIMED_OUT")),
    "moved-without-end": Lie("figures", "moved", _moved_rebuild(wall_seconds=1e9)),
    "moved-without-a-log": Lie("log", "moved", _moved_rebuild(log=None)),
    "path-in-a-moved-output": Lie("output-names", "moved", _moved_output(name="../rules.bin")),
    "moved-output-ignored": Lie("output-parts", "moved", _moved_output(part="ignored")),
    "moved-output-of-other-bytes": Lie("output-bytes", "moved", _moved_output(sha256=OTHER)),
    "moved-at-no-time-of-the-world": Lie(
        "schema", "moved", _moved(tested_on="2026-01-02T03:20:00")
    ),
    "moved-before-all-times": Lie("schema", "moved", _moved(tested_on="0001-01-01T00:00:00+14:00")),
    "moved-in-half-a-second": Lie("schema", "moved", _moved(tested_on="2026-01-02T03:20:00.5Z")),
}
