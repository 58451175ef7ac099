"""What is tried next: each rule, by what the last try left, and when it has nothing to say."""

from __future__ import annotations

import pytest

from builders.core.enums import Outcome, Verdict
from pipelines.infer.journal import WheelDifferences
from tests.infer.refinement_bench import DATA, DIST, METADATA, TIMES, Make, values
from tests.infer.workbench import (
    BUILT,
    FLIT,
    tools_of,
)

# a build without an end


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES])
def test_a_build_that_waits_for_its_clock_is_tried_without_it(made: Make, outcome: Outcome) -> None:
    bench = made()
    ideas = bench.ideas(outcome=outcome, clock=BUILT, asked=["pbr"])
    assert values(ideas, "clock", "epoch", "then") == [(None, BUILT, None)]
    assert [str(r) for r in ideas[0].requirements] == ["pbr"]
    assert "does not end" in ideas[0].why("source_date_epoch")
    ideas = bench.ideas(outcome=outcome, clock=BUILT, then=BUILT + 60)
    assert values(ideas, "clock", "epoch", "then") == [(None, BUILT + 60, None)]
    assert bench.ideas(outcome=outcome, clock=None) == []


# what the build did not find


@pytest.mark.parametrize(
    ("log", "tool"),
    [
        ("ModuleNotFoundError: No module named 'pbr'\n", "pbr 3.0"),
        ("ImportError: No module named pbr\n", "pbr 3.0"),
        ("ModuleNotFoundError: No module named 'setuptools_scm'\n", "setuptools-scm 3.0"),
        ("ERROR: No matching distribution found for pbr>=1\n", "pbr 3.0"),
        (
            "Could not find suitable distribution for Requirement.parse('Cython>=0.2')\n",
            "cython 3.0",
        ),
        ("The 'pbr' distribution was not found and is required\n", "pbr 3.0"),
        (
            "No matching distribution found for ???\nNo matching distribution found for pbr\n",
            "pbr 3.0",
        ),
    ],
)
def test_what_the_build_asks_for_is_added_first(made: Make, log: str, tool: str) -> None:
    bench = made()
    idea = bench.failed(log, asked=["wheel"])[0]
    assert {*tools_of(bench.start), tool} == set(tools_of(idea))
    assert len(idea.requirements) == 2
    assert idea.why(tool.partition(" ")[0]) == "the build asks for it"


@pytest.mark.parametrize(
    "log",
    [
        "",
        "ModuleNotFoundError: No module named 'distutils'\n",
        "ModuleNotFoundError: No module named 'pkg_resources'\n",
        "No matching distribution found for setuptools>=99\n",
        "No matching distribution found for gone\n",
        "No matching distribution found for ???\n",
    ],
)
def test_what_cannot_be_added_is_not(made: Make, log: str) -> None:
    bench = made()
    assert bench.failed(log) == bench.failed("")


def test_what_was_asked_twice_is_asked_once_as_first_said(made: Make) -> None:
    log = "No matching distribution found for pbr>=1\nThe 'pbr' distribution was not found and is "
    idea = made().failed(log + "required\n")[0]
    assert [str(r) for r in idea.requirements] == ["pbr>=1"]


def test_only_a_failed_build_asks(made: Make) -> None:
    log = "ModuleNotFoundError: No module named 'pbr'\n"
    assert made().ideas(TIMES, log=log) == made().ideas(TIMES)


# another setuptools


@pytest.mark.parametrize(
    ("lines", "versions"),
    [
        (("-Platform: UNKNOWN",), "59.6.0 57.5.0 56.2.0 52.0.0 45.2.0 44.1.1 41.6.0 40.8.0"),
        (("-License: UNKNOWN",), "59.6.0 57.5.0 56.2.0 52.0.0 45.2.0 44.1.1 41.6.0 40.8.0"),
        (("-",), "59.6.0 57.5.0 56.2.0 52.0.0 45.2.0 44.1.1 41.6.0 40.8.0"),
        (("+",), "65.5.0 67.8.0 69.0.3 75.1.0 40.8.0 41.6.0 44.1.1 45.2.0"),
        (("+License-File: COPYING",), "56.2.0 52.0.0 45.2.0 44.1.1 41.6.0 40.8.0 57.5.0 59.6.0"),
        (("-License-File: COPYING",), "59.6.0 57.5.0 65.5.0 67.8.0 69.0.3 75.1.0 40.8.0 41.6.0"),
        (
            ("-License-File: A", "+License-File: B"),
            "59.6.0 57.5.0 65.5.0 56.2.0 67.8.0 69.0.3 52.0.0 75.1.0",
        ),
        ((), "59.6.0 57.5.0 65.5.0 56.2.0 67.8.0 69.0.3 52.0.0 75.1.0"),
    ],
)
def test_metadata_tells_which_setuptools_to_try(
    made: Make, lines: tuple[str, ...], versions: str
) -> None:
    bench = made()
    ideas = bench.ideas(
        METADATA.model_copy(update={"metadata": lines}), asked=["setuptools>1", "pbr"]
    )
    assert bench.setuptools(ideas) == versions.split()
    assert [str(r) for r in ideas[0].requirements] == [
        "pbr",
        f"setuptools=={versions.split(maxsplit=1)[0]}",
    ]
    assert ideas[0].why("setuptools") == "METADATA is not as 61.3.1 writes it"


def test_a_namespace_that_is_joined_in_another_way_is_setuptools_doing(made: Make) -> None:
    bench, joined = made(), "tool-1.0-py3.11-nspkg.pth"
    ideas = bench.ideas(WheelDifferences(content=(joined,)))
    assert bench.setuptools(ideas)
    assert ideas[0].why("setuptools") == f"{joined} is not as 61.3.1 writes it"


def test_a_setuptools_that_does_not_run_gives_way_to_newer_ones_first(made: Make) -> None:
    bench = made()
    ideas = bench.failed()
    newer, older = "65.5.0 67.8.0 69.0.3 75.1.0", "59.6.0 57.5.0 56.2.0 52.0.0"
    assert bench.setuptools(ideas) == f"{newer} {older}".split()
    said = "61.3.1, the newest of its day, does not build it here"
    assert ideas[0].why("setuptools") == said


@pytest.mark.parametrize(
    ("left", "tried"),
    [
        (METADATA, True),
        (WheelDifferences(only_rebuilt=(f"{DIST}/zip-safe",)), True),
        (WheelDifferences(only_shipped=(DATA,)), True),
        (WheelDifferences(content=(DATA,)), False),
        (WheelDifferences(only_rebuilt=(DATA,)), False),
        (TIMES, False),
    ],
)
def test_setuptools_is_changed_for_what_it_writes_alone(
    made: Make, left: WheelDifferences, tried: bool
) -> None:
    bench = made()
    assert bool(bench.setuptools(bench.ideas(left))) is tried


def test_a_setuptools_that_is_named_is_not_changed(made: Make) -> None:
    named = made("setuptools (80.0)")
    assert named.setuptools(named.ideas(METADATA)) == []
    other = made(FLIT)
    assert [image for (image,) in values(other.ideas(METADATA), "image")] == other.others()


# the tag


def test_a_tag_that_the_name_has_is_given(made: Make) -> None:
    bench = made(name="tool-1.0-py2.py3-none-any.whl")
    for ideas in (
        bench.ideas(verdict=Verdict.MISSING),
        bench.ideas(WheelDifferences(wheel=("-Tag: py2-none-any",))),
    ):
        assert ideas[0].python_tag == "py2.py3"
        assert "the file name has it" in ideas[0].why("python_tag")


def test_a_tag_is_not_given_where_it_is_there_or_nothing_asks(made: Make) -> None:
    plain = made(name="tool-1.0-py2.py3-none-any.whl")
    for ideas in (
        plain.ideas(verdict=Verdict.MISSING, python_tag="py3"),
        plain.ideas(WheelDifferences(wheel=("-Generator: x",))),
        plain.ideas(METADATA),
        made(FLIT, name="tool-1.0-py2.py3-none-any.whl").ideas(verdict=Verdict.MISSING),
        made(name="tool-1.0-cp39-none-any.whl").ideas(verdict=Verdict.MISSING),
    ):
        assert "py2.py3" not in {i.python_tag for i in ideas}
        assert "cp39" not in {i.python_tag for i in ideas}


# orders


# times


# modes


# Pythons, and steps


@pytest.mark.parametrize(
    ("left", "tried"),
    [
        (None, True),
        (WheelDifferences(content=(DATA,)), True),
        (WheelDifferences(only_rebuilt=(DATA,)), True),
        (WheelDifferences(only_shipped=(DATA,)), True),
        (WheelDifferences(packing=(DATA,)), True),
        (TIMES, False),
    ],
)
def test_other_pythons_are_tried_for_what_a_python_changes(
    made: Make, left: WheelDifferences | None, tried: bool
) -> None:
    bench = made()
    ideas = [i for i in bench.ideas(left, asked=["pbr"]) if i.image != bench.start.image]
    assert [i.image for i in ideas] == (bench.others() if tried else [])
    for idea in ideas:
        assert [str(r) for r in idea.requirements] == ["pbr"]
        assert "pbr 3.0" in tools_of(idea)
        assert "the other Pythons did not explain it" in idea.why("image")


def test_a_python_without_time_zones_is_not_tried_in_one(made: Make) -> None:
    bench = made()
    assert [i.name for i in bench.clues.images if not i.zones] == ["python311-wheel"]
    ideas = bench.ideas(METADATA, image="python-wheel", timezone="Europe/Berlin")
    images = {idea.image for idea in ideas}
    assert images == {"python-wheel", "python39-wheel"}
    ideas = bench.ideas(METADATA, image="python-wheel")
    assert "python311-wheel" in {idea.image for idea in ideas}


def test_a_build_that_fails_in_two_steps_is_tried_in_one(made: Make) -> None:
    bench = made()
    ideas = bench.failed(clock=BUILT, then=BUILT + 60)
    assert values(ideas[-1:], "clock", "then") == [(BUILT + 60, None)]
    assert "in two steps nothing was built" in ideas[-1].why("clock")
    assert set(values(bench.failed(clock=BUILT), "clock")) == {(BUILT,)}
    built = bench.ideas(METADATA, clock=BUILT, then=BUILT + 60)
    assert (BUILT + 60, None) not in values(built, "clock", "then")


def test_likely_ideas_come_before_others(made: Make) -> None:
    bench = made(name="tool-1.0-py2.py3-none-any.whl")
    log = "ModuleNotFoundError: No module named 'pbr'\n"
    ideas = bench.failed(log, verdict=Verdict.MISSING, clock=BUILT, then=BUILT + 60)
    assert "pbr 3.0" in tools_of(ideas[0])
    assert ideas[1].python_tag == "py2.py3"
    assert len(bench.setuptools(ideas[2:10])) == 8
    assert ideas[-2].image != bench.start.image
    assert ideas[-1].clock == BUILT + 60
