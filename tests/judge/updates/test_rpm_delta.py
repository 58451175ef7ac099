"""Deltas of RPM packages give the package of the target; altered ones are refused by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.recipe.update import DeltaName
from tests.judge.updates.appliers import applied
from tests.judge.updates.rpm_delta_tricks import BASE, GOOD, RPM, RPM_TRICKS, SIZE, TARGET
from tests.judge.updates.rpm_deltas import RpmDelta, package

FILES = st.dictionaries(
    st.sampled_from(["a", "b", "lib.so"]),
    st.one_of(st.binary(max_size=60), st.sampled_from(["a", "lib.so"])),
    min_size=1,
)


@pytest.mark.parametrize("name", GOOD)
def test_a_delta_gives_the_package(name: str) -> None:
    assert applied(DeltaName.RPM, RPM, GOOD[name].file(), SIZE) == TARGET.file()


@settings(max_examples=8, deadline=None, database=None)
@given(FILES, FILES, st.booleans())
def test_a_delta_of_any_files_gives_the_package(old: dict, new: dict, alone: bool) -> None:  # type: ignore[type-arg]
    base, target = package(old, "1.0"), package(new, "2.0", level=6)
    made = RpmDelta.alone(base, target) if alone else RpmDelta.of_files(old, target)
    delta = replace(made, packing=1 | 6 << 8).file()
    assert applied(DeltaName.RPM, base.file(), delta, made.size) == target.file()


def test_a_delta_may_change_the_signature_alone() -> None:
    signed = b"a longer lead" * 9
    made = replace(
        GOOD["of packages alone"], lead=signed, size=len(signed) + len(BASE.all), packing=0,
        md5=bytes(16), before=(), own=(), moves=(), copies=(), data=b"",
    )  # fmt: skip
    made = replace(made, front=b"drpmDLT3" + bytes(8), plain=0)
    assert applied(DeltaName.RPM, RPM, made.file(), made.size) == signed + BASE.all


@pytest.mark.parametrize("name", RPM_TRICKS)
def test_an_altered_delta_is_refused_by_its_name(name: str) -> None:
    trick = RPM_TRICKS[name]
    assert applied(trick.format, trick.base, trick.made(), trick.size) == trick.fault
