"""Searches that end where the order or the modes of members are explained, or stay named."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pipelines.infer.machine_traces import order_of
from pipelines.infer.wheel.hypothesis import MAX_BITS, WheelHypothesis
from tests.infer.search_lab import NAME, Lab
from tests.infer.workbench import (
    Entries,
    Entry,
    source_files,
    wheel_files,
)


def test_an_order_of_files_becomes_an_order_of_folders(lab: Lab) -> None:
    shipped = wheel_files()
    backwards = dict(reversed(shipped.items()))
    journal, tryout = lab.search(
        lab.release(shipped), lambda h: shipped if h.folder_order == "created" else backwards
    )
    assert (journal.status, len(tryout.tried)) == ("identical", 3)
    bits = {s.name: (s.value, s.bits) for s in journal.scalars}
    assert bits["folder_order"] == ("created", 10.0)
    assert "  folder_order: created\n" in (journal.recipe or "")


def test_an_order_of_files_becomes_the_seed_that_explains_it(lab: Lab) -> None:
    shipped = wheel_files()
    backwards = dict(reversed(shipped.items()))

    def listed(hypothesis: WheelHypothesis) -> Entries:
        return backwards if hypothesis.folder_order == "hashed" else shipped

    journal, tryout = lab.search(lab.release(shipped), listed)
    seed = order_of(shipped, ("tool", "tool-1.0.dist-info"), "")
    assert seed is not None
    assert [h.folder_order for h in tryout.tried] == ["hashed", seed]
    (told,) = (s for s in journal.scalars if s.name == "folder_order")
    assert (told.value, told.bits) == (seed, 10.0)
    assert "under it tool-1.0.dist-info lists its files in the order" in told.evidence
    assert f"  folder_order: {seed}\n" in (journal.recipe or "")
    assert journal.tries[0].differences is not None
    assert journal.tries[0].differences.reordered == ("tool", "tool-1.0.dist-info")


def test_the_level_of_a_wheel_becomes_its_packing(lab: Lab) -> None:
    words = random.Random(7).choices([f"{n * n}-{n % 7}" for n in range(400)], k=2500)  # noqa: S311
    shipped = {**wheel_files(), "tool/data.txt": Entry(data=" ".join(words).encode())}
    source = {**source_files(), "tool-1.0/tool/data.txt": shipped["tool/data.txt"]}
    journal, tryout = lab.search(lab.release(shipped, source, level=9), lambda _: shipped)
    assert (journal.status, [bool(h.packings) for h in tryout.tried]) == (
        "identical",
        [False, True],
    )
    (told,) = (s for s in journal.scalars if s.name == f"packing of {NAME}")
    assert (told.value, told.bits) == ("zip deflate level 9", 5.3)
    assert '    packing: {"format": "zip", "encoder": {"level": 9}}\n' in (journal.recipe or "")


def test_an_order_that_no_folder_gives_stays_named(lab: Lab) -> None:
    backwards = dict(reversed(wheel_files().items()))
    journal, tryout = lab.search(lab.release(wheel_files()), lambda _: backwards)
    assert (journal.status, journal.finished, len(tryout.tried)) == ("different", True, 3)
    assert [c.name for c in journal.causes] == ["record-order"]


EXTRAS = "Metadata-Version: 2.1\nName: tool\n{}\nLong text\n"


@pytest.mark.parametrize("words", ["Provides-Extra: {}\n" * 3, "Requires-Python: {},{}, {}\n"])
def test_an_order_of_few_words_becomes_a_hash_seed(lab: Lab, words: str) -> None:
    def built(*order: str) -> Entries:
        return wheel_files(metadata=EXTRAS.format(words.format(*order)))

    target = lab.release(built("c", "b", "a"))
    journal, tryout = lab.search(
        target, lambda h: built("c", "b", "a") if h.hash_seed == 3 else built("a", "b", "c")
    )
    assert [h.hash_seed for h in tryout.tried] == [0, 0, 1, 2, 3]
    assert journal.status == "identical"
    bits = {s.name: (s.value, s.bits) for s in journal.scalars}
    assert bits["hash_seed"] == ("3", 2.3)
    assert '{PYTHONHASHSEED: "3"}' in (journal.recipe or "")


@pytest.mark.parametrize(
    "shipped", [[str(n) for n in range(9, 0, -1)], ["1", "2", "3"]], ids=["many", "others"]
)
def test_no_seed_is_tried_for_what_it_will_hardly_give(lab: Lab, shipped: list[str]) -> None:
    def built(order: list[str]) -> Entries:
        return wheel_files(metadata=EXTRAS.format("".join(f"Provides-Extra: {w}\n" for w in order)))

    words = [str(n) for n in range(1, 10)]
    _, tryout = lab.search(lab.release(built(shipped)), lambda _: built(words))
    assert {h.hash_seed for h in tryout.tried} == {0}


def test_single_modes_are_scalars_with_their_bits(lab: Lab) -> None:
    shipped = wheel_files()
    shipped["tool/data.txt"] = replace(shipped["tool/data.txt"], mode=0o755)

    def build(hypothesis: WheelHypothesis) -> Entries:
        changes = {c.path: int(c.mode, 8) for c in hypothesis.files}
        mode = changes.get("tool/data.txt", 0o644)
        made = wheel_files()
        made["tool/data.txt"] = replace(made["tool/data.txt"], mode=mode)
        return made

    journal, _ = lab.search(lab.release(shipped), build)
    assert journal.status == "identical"
    (scalar,) = [s for s in journal.scalars if s.name.startswith("mode of")]
    assert (scalar.value, scalar.bits) == ("755", 11.0), "a mode, and one of four files"
    assert journal.bits == pytest.approx(sum(s.bits for s in journal.scalars), abs=0.1)
    assert journal.bits < MAX_BITS
    assert '{path: "tool/data.txt", mode: "755"}' in (journal.recipe or "")


def test_many_modes_explain_nothing(lab: Lab) -> None:
    more = {f"tool/{n}.txt": Entry(data=b"%d" % n, mode=0o600 + n % 8) for n in range(30)}
    plain = {n: replace(e, mode=0o644) for n, e in more.items()}
    journal, tryout = lab.search(
        lab.release({**wheel_files(), **more}, {**source_files(), **plain}),
        lambda _: {**wheel_files(), **plain},
    )
    assert journal.status == "different"
    assert [c.name for c in journal.causes] == ["modes"]
    assert all(len(h.files) <= 20 for h in tryout.tried)
