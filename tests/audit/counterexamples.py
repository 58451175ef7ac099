"""For each rule of the audit, what the state model finds without it: the shortest steps, stored.

With the rule, the steps break no invariant; without it, they do. Where two rules stop the same
steps, the other one is off in both cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from builders.core.digest import Digest
from pipelines.audit.witnessed import Witnessed
from pipelines.consensus.seal_comparison import HeldFiles
from tests.audit.test_state_model import DIFFERENT
from tests.consensus.world import World

Step = tuple[str, dict[str, Any]]
Switch = Callable[[pytest.MonkeyPatch], None]
AUDIT = "pipelines.audit"


@dataclass(frozen=True, kw_only=True)
class Counterexample:
    """Steps of `test_state_model.Centers` that break an invariant without a rule."""

    off: Switch
    """Switches the rule off."""
    steps: list[Step]
    also_off: tuple[str, ...] = ()
    """Rules that would stop these steps too."""


def put(place: str, value: Any) -> Switch:
    """Return the switch that puts something else in the place of a function or value."""
    return lambda patch: patch.setattr(f"{AUDIT}.{place}", value)


def _witnessed(**changes: Any) -> Switch:
    """Return the switch that lets everything count as witnessed, or nothing as overdue."""
    real = World.witnessed

    def lie(world: World, center: str) -> Witnessed:
        return replace(real(world, center), **changes)

    return lambda patch: patch.setattr(World, "witnessed", lie)


def _logged(patch: pytest.MonkeyPatch) -> None:
    real = World.index_of

    def lie(world: World, center: str, pae: Digest) -> int | None:
        found = real(world, center, pae)
        return len(world[center].log) if found is None else found

    patch.setattr(World, "index_of", lie)


MOVED: dict[str, Any] = {"number": 4, "other": 4, "name": "x-1", "copies": False}
"""The comparison of the second run, to the folder of a run that never was."""
MATCHED: Step = ("cyd_matches", {})
DIFFERED: Step = ("cyd_differs", {})
COUNTEREXAMPLES: dict[str, Counterexample] = {
    "misplaced": Counterexample(
        off=put("center_audit._in_place", lambda record, *_: record),
        steps=[MATCHED, DIFFERED, ("cyd_moves_a_record", MOVED)],
    ),
    "missing": Counterexample(
        off=put("center_audit._Audit._missing", lambda *_: {}),
        steps=[MATCHED, DIFFERED, ("cyd_removes_a_record", {"number": 4})],
    ),
    "missing-as-damaged": Counterexample(
        off=put("center_audit._Audit._missing", lambda *_: {}),
        steps=[MATCHED, DIFFERED, ("cyd_damages_a_record", {"number": 4, "rubbish": b"{}"})],
    ),
    "one-commit": Counterexample(
        off=put("run_findings._is_scattered", lambda *_: False),
        steps=[("cyd_states_a_match_in_pieces", {})],
    ),
    "incomplete": Counterexample(
        off=put("run_findings.unmatched_artefact", lambda *_: None),
        steps=[("cyd_leaves_an_artefact_out", {})],
    ),
    "uncommitted": Counterexample(
        off=put("run_findings.MATCHES", frozenset()),
        steps=[("cyd_matches_after_a_look_at_the_shipped_file", {})],
    ),
    "awaiting-witness": Counterexample(
        off=_witnessed(size=1 << 40),
        steps=[("slow_witnesses", {"center": "cyd-1"}), MATCHED],
    ),
    "key-ended": Counterexample(
        off=lambda patch: patch.setattr(
            "pipelines.policy.model.CenterKey.counts_at", lambda *_: True
        ),
        steps=[("cyd_loses_its_key", {}), MATCHED],
    ),
    "bad-signature": Counterexample(
        off=put("statement_reader._signers", lambda _, m: tuple(k.key for k in m.keys)),
        steps=[("cyd_lets_a_stranger_sign", {})],
    ),
    "not-logged": Counterexample(
        off=_logged, steps=[("cyd_never_logs_what_it_states", {})], also_off=("mislabelled",)
    ),
    "mislabelled": Counterexample(
        off=put("center_audit._is_labelled", lambda *_: True),
        steps=[("cyd_logs_a_match_as_something_else", {})],
    ),
    "old-evidence": Counterexample(
        off=put("center_audit.without_old", lambda run, _: run),
        steps=[("cyd_matches_in_an_old_format", {})],
    ),
    "downgraded": Counterexample(
        off=put("center_audit.without_downgraded", lambda run, _: run),
        steps=[
            ("cyd_matches_after_a_look_at_the_shipped_file", {}),
            ("cyd_matches_in_an_old_format", {}),
        ],
        also_off=("old-evidence",),
    ),
    "abandoned": Counterexample(
        off=_witnessed(overdue=0),
        steps=[MATCHED, ("cyd_commits_and_says_nothing", {}), ("a_day_passes", {})],
    ),
    "outputs-lost": Counterexample(
        off=lambda patch: patch.setattr(HeldFiles, "has_line", lambda *_: True),
        steps=[
            MATCHED,
            ("cyd_says_that_its_disk_is_lost", {"files": DIFFERENT}),
            ("a_day_passes", {}),
        ],
    ),
    "failed-after-commitment": Counterexample(
        off=put("run_findings.RunFindings.is_unbuilt", False),
        steps=[MATCHED, ("cyd_commits_and_says_that_it_could_not_build", {})],
    ),
}
