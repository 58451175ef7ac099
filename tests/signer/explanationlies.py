"""Lies about what explains an honest run."""

from __future__ import annotations

from typing import Any

from pipelines.storage.names import Visibility
from tests.signer.lie import OTHER, Change, Document, Lie
from tests.signer.scene import THEIRS, Scene

CONTENT = {"name": "content", "detail": "from offset 0 on"}
VARIES = {"name": "nondeterministic", "detail": "so we say"}


def _told(**changes: Any) -> Change:
    return lambda e, _: e["explanation"].update(changes)


def _about(**changes: Any) -> Change:
    return lambda e, _: e["explanation"]["artefacts"][0].update(changes)


def _again(**changes: Any) -> Change:
    return lambda e, _: e["explanation"]["confirming"].update(changes)


def _rebuilt(**changes: Any) -> Change:
    return lambda e, _: e["explanation"]["confirming"]["rebuild"].update(changes)


def _output(**changes: Any) -> Change:
    return lambda e, _: e["explanation"]["confirming"]["rebuild"]["outputs"][0].update(changes)


def _more(**changes: Any) -> Change:
    def tell(evidence: Document, _: Scene) -> None:
        one = evidence["explanation"]["artefacts"][0]
        evidence["explanation"]["artefacts"].append({**one, **changes})

    return tell


def _of_a_match(evidence: Document, scene: Scene) -> None:
    """Explain a run that has no difference, as if it had one."""
    folder, bytes_ = scene.folder / "other", {"rules.bin": THEIRS, "rules.idx": b"index"}
    other = Scene(folder=folder, store=scene.store, outputs=bytes_, again=bytes_)
    evidence["explanation"] = other.make().to_dict()["explanation"]


def _match_explained(evidence: Document, scene: Scene) -> None:
    """Add a difference of an artefact that has none."""
    told = str(scene.store.put_cas(Visibility.PRIVATE, b"{}"))
    one = {**evidence["explanation"]["artefacts"][0], "name": "rules.idx"}
    one["explanation"] = {**one["explanation"], "json": told, "html": None}
    evidence["explanation"]["artefacts"].append(one)


def _unlogged(_: Document, scene: Scene) -> None:
    scene.logged = False


EXPLANATION_LIES: dict[str, Lie] = {
    "explained-for-another-run": Lie(
        "explained", "different", _told(run="20260102T030405Z-ffffffff")
    ),
    "explained-for-another-center": Lie("explained", "different", _told(center="geneva")),
    "explained-before-the-run": Lie(
        "explained", "different", _told(explained_on="2026-01-02T02:00:00Z")
    ),
    "explained-in-the-future": Lie(
        "explained", "different", _told(explained_on="2026-01-02T04:00:00Z")
    ),
    "explained-without-an-artefact": Lie("explained", "different", _about(name="rules.doc")),
    "explained-twice": Lie("explained", "different", _more()),
    "match-explained": Lie("explanation", "different", _match_explained),
    "confirmed-without-a-difference": Lie("confirming", "identical", _of_a_match),
    "confirming-as-the-first": Lie("confirming", "confirmed", _again(number=1)),
    "confirming-called-judged": Lie("confirming", "confirmed", _again(purpose="judged")),
    "confirmation-turned": Lie("confirming", "confirmed", _about(confirmation="shipped")),
    "confirmation-left-out": Lie("confirming", "confirmed", _about(confirmation=None)),
    "confirmation-invented": Lie("confirming", "different", _about(confirmation="same")),
    "nondeterminism-hushed": Lie("statement", "nondeterministic", _about(causes=[])),
    "nondeterminism-invented": Lie("statement", "confirmed", _about(causes=[VARIES])),
    "explained-by-nothing": Lie("explanation", "different", _about(explanation={"html": OTHER})),
    "other-comparison": Lie("compared", "different", _about(comparison=OTHER)),
    "no-comparison": Lie("compared", "different", _about(comparison=None)),
    "explained-before-it-is-logged": Lie("logged", "different", _unlogged),
    "explains-nothing": Lie("statement", "different", _told(artefacts=[])),
    "confirming-with-exit-code": Lie("ending", "confirmed", _rebuilt(exit_code=1)),
    "confirming-without-a-log": Lie("log", "confirmed", _rebuilt(log=None)),
    "path-in-a-confirming-output": Lie("output-names", "confirmed", _output(name="../rules.bin")),
    "confirming-output-of-other-bytes": Lie("output-bytes", "confirmed", _output(sha256=OTHER)),
}
