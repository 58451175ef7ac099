"""What is tried next: each rule, by what the last try left, and when it has nothing to say."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from builders.container.folderorder import CREATED, HASHED
from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.infer.journal import TrialRecord, WheelDifferences
from pipelines.infer.search import Trial
from pipelines.infer.trial import TrialResult
from pipelines.infer.wheel.clues import Clues, initial_hypothesis
from pipelines.infer.wheel.environment import order_of
from pipelines.infer.wheel.hypothesis import MAX_FILES, SEEDS, FileChange, WheelHypothesis
from pipelines.infer.wheel.refinement import Refinement
from pipelines.infer.wheel.toolchain import KNOWN_SETUPTOOLS, Resolver
from tests.infer.workbench import (
    BUILT,
    FLIT,
    RELEASED,
    Entry,
    backends,
    clues,
    source_files,
    tools_of,
    wheel_files,
)

LATER = RELEASED + timedelta(days=1000)
"""When what is asked for by its exact version was uploaded."""
DIST = "tool-1.0.dist-info"
DATA = "tool/data.txt"
METADATA = WheelDifferences(content=(f"{DIST}/METADATA",))
TIMES = WheelDifferences(times={DATA: (1, 2)})
NEWEST = "it is the time of the newest member"


@dataclass
class Bench:
    """A refiner, and the hypothesis that came first."""

    clues: Clues
    refiner: Refinement
    start: WheelHypothesis

    def ideas(
        self,
        left: WheelDifferences | None = None,
        *,
        outcome: Outcome = Outcome.BUILT,
        verdict: Verdict = Verdict.DIFFERENT,
        log: str = "",
        asked: Sequence[str] = (),
        **changes: Any,
    ) -> list[WheelHypothesis]:
        """Return what follows from a try of the first hypothesis, with some values replaced."""
        record = TrialRecord(
            number=1,
            claim=Digest("0" * 64),
            values={},
            bits=0,
            outcome=outcome,
            verdict=verdict,
            reason="",
            seconds=1,
            differences=left,
        )
        hypothesis = replace(self.start, requirements=tuple(map(Requirement, asked)), **changes)
        result = TrialResult(outcome=outcome, reason="", log=log)
        return self.refiner.hypotheses(Trial(hypothesis=hypothesis, result=result, record=record))

    def setuptools(self, ideas: Sequence[WheelHypothesis]) -> list[str]:
        """Return the other versions of setuptools that ideas have, in the same image."""
        first = self.start.tools
        return [
            str(tool.version)
            for idea in ideas
            for tool in idea.tools
            if tool.project == "setuptools" and tool not in first
            if idea.image == self.start.image
        ]

    def others(self) -> list[str]:
        """Return the names of the other images, the likeliest first."""
        return [i.name for i in self.clues.ordered_images() if i.name != self.start.image]

    def failed(self, log: str = "", **more: Any) -> list[WheelHypothesis]:
        return self.ideas(outcome=Outcome.BUILD_FAILED, log=log, **more)


Make = Callable[..., Bench]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    def make(generator: str | None = None, **more: Any) -> Bench:
        files = wheel_files() if generator is None else wheel_files(generator)
        found = clues(tmp_path, **{"shipped": files, **more})
        index = backends()
        for version in KNOWN_SETUPTOOLS:
            index.put("setuptools", str(version), LATER)
        index.put("setuptools", "80.0", LATER)
        for project in ("pbr", "setuptools-scm", "cython", "distutils", "pkg-resources"):
            index.put(project, "3.0", RELEASED)
        nothing = tmp_path / "nothing.whl"
        with zipfile.ZipFile(nothing, "w") as archive:
            archive.writestr("x-1.dist-info/METADATA", "Name: x\n")
        resolver = Resolver(index, lambda _: nothing, without="tool")
        return Bench(found, Refinement(found, resolver), initial_hypothesis(found, resolver))

    return make


def values(ideas: Sequence[WheelHypothesis], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(idea, name) for name in names) for idea in ideas]


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


@pytest.mark.parametrize(
    "left", [WheelDifferences(order=True), WheelDifferences(record_order=True)]
)
def test_another_order_may_be_that_of_folders(made: Make, left: WheelDifferences) -> None:
    bench = made()
    assert values(bench.ideas(left), "folder_order", "hash_seed") == [(CREATED, 0)]
    assert bench.ideas(left, folder_order=CREATED) == []
    assert bench.ideas(left, folder_order="hashed-1") == []


LISTED = tuple(f"{DIST}/{name}" for name in ("LICENSE", "METADATA", "WHEEL"))


def test_an_order_of_members_may_be_that_of_one_seed(made: Make) -> None:
    bench = made()
    ideas = bench.ideas(WheelDifferences(order=True, reordered=("tool", DIST)))
    both = [*LISTED, "tool/__init__.py", "tool/data.txt"]
    seed = order_of(both, (DIST, "tool"), DIST)
    assert seed not in {None, order_of(both, ("tool",), "tool"), order_of(both, (DIST,), DIST)}
    assert values(ideas, "folder_order") == [(seed,), (CREATED,)]
    assert f"under it {DIST} lists its files" in ideas[0].why("folder_order")
    top = bench.ideas(WheelDifferences(order=True, reordered=("tool",)))
    assert "under it tool lists its files" in top[0].why("folder_order")


def test_a_seed_keeps_the_order_of_metadata_where_it_can(made: Make) -> None:
    ideas = made().ideas(WheelDifferences(order=True, reordered=("tool",)))
    both = [*LISTED, "tool/__init__.py", "tool/data.txt"]
    assert values(ideas, "folder_order")[0] == (order_of(both, (DIST, "tool"), DIST),)


def test_an_order_of_record_alone_may_be_that_of_one_seed(tmp_path: Path, made: Make) -> None:
    bench = made()
    turned = [*reversed(LISTED), f"{DIST}/RECORD"]
    texts = {**bench.clues.shipped.texts, "RECORD": "".join(f"{p},,\n" for p in turned).encode()}
    facts = replace(bench.clues.shipped, texts=texts)
    refiner = Refinement(
        replace(bench.clues, shipped=facts), Resolver(backends(), lambda _: tmp_path)
    )
    other = replace(bench, refiner=refiner)
    seeds = order_of(LISTED, (DIST,), DIST), order_of(turned, (DIST,), DIST)
    assert seeds[0] != seeds[1]
    for order, seed in zip((True, False), seeds, strict=True):
        left = WheelDifferences(order=order, record_order=True, reordered=(DIST,))
        ideas = other.ideas(left)
        assert values(ideas, "folder_order") == [(seed,), (CREATED,)]


def test_an_order_that_no_seed_gives_is_none_of_one(made: Make) -> None:
    files = wheel_files() | {f"tool/{number:03}.py": Entry() for number in range(40)}
    ideas = made(shipped=files).ideas(WheelDifferences(order=True, reordered=(DIST, "tool")))
    assert values(ideas, "folder_order") == [(CREATED,)]


def test_few_words_in_another_order_may_be_those_of_a_set(made: Make) -> None:
    bench = made()
    few = WheelDifferences(shuffled={"b": 2, "a": 4})
    ideas = bench.ideas(few)
    assert values(ideas, "folder_order", "hash_seed") == [
        (CREATED, 0),
        *((HASHED, seed) for seed in SEEDS),
    ]
    assert "in another order in a, as of a set" in ideas[1].why("hash_seed")
    many = bench.ideas(WheelDifferences(shuffled={"b": 2, "a": 5}))
    assert values(many, "hash_seed") == [(0,)]


# times


def test_another_way_of_fixing_times(made: Make) -> None:
    bench = made()
    newest = bench.clues.shipped.newest
    ways = {(BUILT + 60, None): [(None, newest)], (None, BUILT): [(newest, None)]}
    ways[None, None] = [(None, newest), (newest, None)]
    for (clock, epoch), expected in ways.items():
        ideas = bench.ideas(TIMES, clock=clock, epoch=epoch)
        assert values(ideas, "clock", "epoch") == expected
        name = "clock" if expected[-1][0] else "source_date_epoch"
        assert ideas[-1].why(name) == NEWEST
    assert bench.ideas(WheelDifferences(modes={}), clock=BUILT) == []


# modes


def test_other_umasks_are_tried_then_single_modes(made: Make) -> None:
    files = {**wheel_files(), DATA: Entry(data=b"data\n", mode=0o755)}
    bench = made(shipped=files)
    left = WheelDifferences(modes={DATA: (0o755, 0o644)})
    ideas = bench.ideas(left, umask="022", source_umask=None)
    umasks = [("002", None), ("022", "000"), ("002", "022"), ("022", None)]
    assert values(ideas, "umask", "source_umask") == umasks
    assert values(bench.ideas(left, umask="002"), "umask", "source_umask")[:2] == [
        ("022", None),
        ("022", "000"),
    ]
    change = FileChange(path=DATA, mode="755")
    assert [idea.files for idea in ideas] == [(), (), (), (change,)]
    assert ideas[0].why("umask") == "other modes were not explained"
    assert ideas[-1].why(f"mode of {DATA}").startswith("the shipped member has it")
    before = FileChange(path="LICENSE", mode="600")
    assert bench.ideas(left, files=(before,))[-1].files == (before, change)


@pytest.mark.parametrize(
    ("modes", "shipped"),
    [
        ({DATA: (None, 0o644)}, {}),
        ({DATA: (0o755, 0o644)}, {DATA: Entry(data=b"not as in the source\n")}),
        ({DATA: (0o755, 0o644), f"{DIST}/METADATA": (0o755, 0o644)}, {}),
        ({"tool/other.txt": (0o755, 0o644)}, {"tool/other.txt": Entry(data=b"data\n")}),
    ],
)
def test_modes_of_what_the_source_has_not_are_no_single_ones(
    made: Make, modes: dict[str, Any], shipped: dict[str, Entry]
) -> None:
    bench = made(shipped={**wheel_files(), **shipped})
    ideas = bench.ideas(WheelDifferences(modes=modes))
    assert {idea.files for idea in ideas} == {()}


def test_more_single_modes_than_are_allowed_are_none(made: Make) -> None:
    more = {f"tool/{n}.txt": Entry(data=b"%d" % n) for n in range(MAX_FILES + 1)}
    bench = made(shipped={**wheel_files(), **more}, source={**source_files(), **more})
    modes = dict.fromkeys(more, (0o755, 0o644))
    assert bench.ideas(WheelDifferences(modes=modes))[-1].files == ()
    modes.popitem()
    assert len(bench.ideas(WheelDifferences(modes=modes))[-1].files) == MAX_FILES


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
