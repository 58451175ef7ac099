"""The draft: a recipe like any other, in which every inferred value says why it is there."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from builders.container.folderorder import hashed
from builders.core.digest import Digest
from builders.locators import parse_locator
from builders.methods.wheel import WheelBuild
from builders.recipe.claim import claim_of
from pipelines.infer.journal import Scalar
from pipelines.infer.packings import RecoveredPacking
from pipelines.infer.target import Pin, Target
from pipelines.infer.trial import explanations, load_draft
from pipelines.infer.wheel.hypothesis import FileChange, WheelHypothesis, wheel_draft
from pipelines.infer.wheel.toolchain import Tool
from tests.infer.workbench import BUILT, review

PIN = Pin(
    name="tool-1.0.tar.gz",
    locator=parse_locator("pkg:pypi/tool@1.0?file_name=tool-1.0.tar.gz"),
    sha256=Digest("1" * 64),
)
TARGET = Target(
    vendor="pypi",
    product="tool",
    version="1.0",
    artefacts=(replace(PIN, name="tool-1.0-py3-none-any.whl"),),
    digest=PIN.sha256,
    source=PIN,
    uploaded=None,
)
EVERYTHING = WheelHypothesis(
    image="python-wheel",
    epoch=BUILT,
    clock=BUILT,
    then=BUILT + 2,
    folder_order=hashed(7),
    hash_seed=3,
    umask="002",
    source_umask="000",
    timezone="Europe/Berlin",
    python_tag="py2.py3",
    files=(FileChange(path="tool/a b.txt", mode="755"),),
)


def test_every_value_stands_in_the_recipe() -> None:
    build = load_draft(wheel_draft(TARGET, EVERYTHING), Path("/nowhere")).recipe.build
    assert isinstance(build, WheelBuild)
    assert build.environment == {"SOURCE_DATE_EPOCH": str(BUILT), "PYTHONHASHSEED": "3"}
    assert build.folder_order == "hashed-7"
    assert build.clock is not None
    assert (build.clock.time, build.clock.mode) == (BUILT, "frozen")
    assert build.clock.then == BUILT + 2
    assert (build.umask, build.source_umask) == ("002", "000")
    assert (build.timezone, build.python_tag) == ("Europe/Berlin", "py2.py3")
    assert [(f.path, f.mode) for f in build.files] == [("tool/a b.txt", "755")]


TOOL = Tool(
    project="wheel",
    version=Version("0.37.1"),
    pin=replace(
        PIN,
        name="wheel-0.37.1-py2.py3-none-any.whl",
        locator=parse_locator("pkg:pypi/wheel@0.37.1?file_name=wheel-0.37.1-py2.py3-none-any.whl"),
        sha256=Digest("3" * 64),
    ),
)
START = WheelHypothesis(image="python-wheel", clock=BUILT)
PACKING = RecoveredPacking(
    TARGET.shipped.name, '{"format": "zip", "encoder": {"level": 9}}', "zip deflate level 9", 5.3
)
ONE_VALUE: dict[str, tuple[WheelHypothesis, dict[str, float]]] = {
    "image": (replace(START, image="python39-wheel"), {}),
    "tools": (replace(START, tools=(TOOL,)).because(wheel="WHEEL says so"), {"wheel": 6.0}),
    "epoch": (replace(START, epoch=BUILT), {"source_date_epoch": 31.0}),
    "clock": (replace(START, clock=BUILT + 2), {}),
    "then": (replace(START, then=BUILT + 2), {"then": 9.2}),
    "before": (replace(START, then=BUILT + 2, before="record"), {"then": 9.2}),
    "umask": (replace(START, umask="002"), {"umask": 9.0}),
    "source_umask": (replace(START, source_umask="000"), {"source_umask": 9.0}),
    "timezone": (replace(START, timezone="Europe/Berlin"), {"timezone": 5.2}),
    "python_tag": (replace(START, python_tag="py2.py3"), {"python_tag": 2.0}),
    "files": (replace(START, files=EVERYTHING.files), {"mode of tool/a b.txt": 12.0}),
    "folder_order": (replace(START, folder_order=hashed(7)), {"folder_order": 10.0}),
    "hash_seed": (replace(START, hash_seed=3), {"hash_seed": 2.3}),
    "packings": (replace(START, packings=(PACKING,)), {f"packing of {PACKING.artefact}": 5.3}),
}


def bits(hypothesis: WheelHypothesis) -> dict[str, float]:
    scalars = hypothesis.scalars(images=3, files=8)
    return {scalar.name: scalar.bits for scalar in scalars}


@pytest.mark.parametrize(("other", "more"), ONE_VALUE.values(), ids=ONE_VALUE)
def test_every_value_is_claimed_told_apart_and_counted(
    other: WheelHypothesis, more: dict[str, float]
) -> None:
    def claim(hypothesis: WheelHypothesis) -> Digest:
        image = Digest.of(hypothesis.image.encode())
        return claim_of(load_draft(wheel_draft(TARGET, hypothesis), Path("/nowhere")), image).digest

    assert claim(other) != claim(START)
    assert other.key != START.key
    assert bits(other) == {**bits(START), **more}


def test_no_value_of_a_hypothesis_was_forgotten() -> None:
    assert {f.name for f in fields(WheelHypothesis)} - {"evidence", "requirements"} == set(
        ONE_VALUE
    )


def test_every_inferred_value_is_explained_where_it_stands() -> None:
    known = EVERYTHING.because(clock="RECORD has this time", image="Python 3.13 was common")
    scalars = known.scalars(images=3, files=8)
    text = wheel_draft(TARGET, known, review(TARGET, scalars=scalars))
    said = explanations(text)
    assert len(said) == len(scalars) == 11
    assert any(line.startswith("clock 2022-06-01T10:00:20Z (31 bits): RECORD") for line in said)
    lines = text.splitlines()
    clock = next(i for i, line in enumerate(lines) if line.strip().startswith("clock:"))
    assert "RECORD has this time" in lines[clock - 2]
    assert "then 2022-06-01T10:00:22Z (9.2 bits)" in lines[clock - 1]


def test_the_default_environment_needs_no_words() -> None:
    text = wheel_draft(TARGET, WheelHypothesis(image="python-wheel"))
    assert explanations(text) == []
    assert not any(word in text for word in ("umask", "clock", "timezone", "environment"))


def test_long_reasons_are_wrapped_and_read_whole() -> None:
    reason = "because " + "so " * 80
    scalar = Scalar(name="clock", value="x", bits=31, evidence=reason.strip())
    text = wheel_draft(TARGET, EVERYTHING, review(TARGET, scalars=[scalar]))
    assert all(len(line) <= 100 for line in text.splitlines())
    assert explanations(text) == [f"clock x (31 bits): {reason.strip()}"]


@given(st.text(max_size=200))
def test_no_word_of_the_shipped_file_can_change_the_recipe(said: str) -> None:
    plain = load_draft(wheel_draft(TARGET, EVERYTHING), Path("/nowhere")).recipe
    scalar = Scalar(name="clock", value="x", bits=1, evidence=said)
    text = wheel_draft(TARGET, EVERYTHING, review(TARGET, scalars=[scalar], notes=[said]))
    assert load_draft(text, Path("/nowhere")).recipe == plain


@pytest.mark.parametrize(
    "other",
    [
        replace(EVERYTHING, epoch=None),
        replace(EVERYTHING, clock=BUILT + 2),
        replace(EVERYTHING, umask="022"),
        replace(EVERYTHING, source_umask=None),
        replace(EVERYTHING, timezone="UTC"),
        replace(EVERYTHING, python_tag=None),
        replace(EVERYTHING, files=()),
        replace(EVERYTHING, image="other"),
    ],
)
def test_each_value_makes_another_hypothesis(other: WheelHypothesis) -> None:
    assert other.key != EVERYTHING.key
    assert wheel_draft(TARGET, other) != wheel_draft(TARGET, EVERYTHING)


def test_reasons_make_no_other_hypothesis() -> None:
    assert EVERYTHING.because(clock="said otherwise").key == EVERYTHING.key
