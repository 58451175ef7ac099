"""The record of what engines caught is of the edits that there are, and engines still say so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.rules.effect.engine_labels import CASES, RECORD, capa_labels, engines, every_case, label

EVERY = {"yara": 1, "clamav": 4, "suricata": 9, "modsecurity": 1}
"""Of an engine that takes long to start, so many edits are passed over between two."""


def record() -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(RECORD.read_text())
    return recorded


@pytest.mark.parametrize("engine", CASES)
def test_an_engine_has_labelled_every_edit(engine: str) -> None:
    labels = {name: found[0] for name, found in record()[engine]["labels"].items()}
    assert labels == {name: case.digest() for name, case in every_case(engine).items()}


@pytest.mark.parametrize("engine", CASES)
def test_a_weakening_is_one_and_a_harmless_edit_none(engine: str) -> None:
    labels = record()[engine]["labels"]
    for case in CASES[engine].WEAKENED:
        _, before, after = labels[case.name]
        assert before > after, case.name
    for case in CASES[engine].HARMLESS:
        _, before, after = labels[case.name]
        assert after >= before > 0, case.name


def test_there_are_enough_edits() -> None:
    for kind in ("WEAKENED", "HARMLESS"):
        assert sum(len(getattr(module, kind)) for module in CASES.values()) >= 60


@pytest.mark.host
@pytest.mark.parametrize("engine", EVERY)
def test_the_engine_says_the_same_today(engine: str) -> None:
    installed = engines()[engine]
    labels = record()[engine]["labels"]
    for case in list(every_case(engine).values())[:: EVERY[engine]]:
        assert [case.digest(), *label(installed, case)] == labels[case.name], case.name


@pytest.mark.host
def test_capa_says_the_same_today() -> None:
    assert capa_labels() == record()["capa"]
