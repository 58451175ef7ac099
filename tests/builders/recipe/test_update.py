"""What a recipe of an update declares: its bases, its deltas, and a higher version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.errors import RecipeError
from builders.recipe.recipe import Recipe, load_recipe
from builders.recipe.scope import scope_lines, scope_of
from builders.recipe.version_order import VersionOrder, is_higher
from tests.judge.updates.tuf_repository import TARGETS, pinned
from tests.lab import SOURCE, write_recipe

BASE, OTHER = str(Digest.of(b"base")), str(Digest.of(b"other"))
SHIPPED = {"locator": "file:out.bin", "sha256": str(Digest.of(b"shipped"))}
DELTA = {"format": "bsdiff", "judged": "rebuilt", "base": BASE, "target": "out.bin"}
OF_TUF = {"format": "tuf-targets", "others": ["old.bin"], "files": {"a/b": "out.bin"}}
TWICE = {"a/b": "out.bin", "b": "out.bin"}
MANIFEST: dict[str, Any] = {
    "signature": pinned(TARGETS).model_dump(mode="json"),
    "manifest": {**OF_TUF, "previous": BASE},
}


def update(folder: Path, **changes: Any) -> Recipe:
    """Return the recipe of an update from lab/tool@1.0 to 1.1, with some changes."""
    base = {"role": "base", "locator": "file:b", "sha256": BASE, "release": "lab/tool@1.0"}
    delta = {"name": "d.bsdiff", "shipped": SHIPPED, "delta": DELTA | changes.pop("delta", {})}
    delta |= changes.pop("artefact", {})
    source = {"role": "source", "locator": "file:source.c", "sha256": str(Digest.of(SOURCE))}
    fields = {
        "version": "1.1",
        "kind": "update",
        "inputs": [source, base | changes.pop("base", {})],
        "artefacts": [{"name": "out.bin", "shipped": SHIPPED}, delta],
    }
    return load_recipe(write_recipe(folder / "tool", [["true"]], **{**fields, **changes})).recipe


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"kind": "binary"}, "delta in a release of kind binary; expected kind update"),
        ({"version": "1.0"}, "downgrade: expected a version higher than that of lab/tool@1.0"),
        ({"version": "0.9"}, "downgrade: expected a version higher"),
        ({"version": "1.0~rc1"}, "downgrade: expected a version higher"),
        ({"version_order": "semver", "version": "1.1"}, "'1.1' is no semantic version"),
        ({"version": "1_1"}, "'1_1'; expected the versions of Debian Policy, or `version_order"),
        ({"version": "1!1.1"}, "'1!1.1'; expected the versions of Debian Policy, or `version_"),
        ({"base": {"release": None}}, "expected `release` for an input of role base"),
        ({"base": {"release": "tool 1.0"}}, "String should match pattern"),
        ({"base": {"release": "lab/tööl@1.0"}}, "String should match pattern"),
        ({"base": {"role": "dependency"}}, "expected `release` for an input of role base"),
        ({"base": {"release": "eve/tool@1.0"}}, "wrong-base: eve/tool@1.0 is a release of another"),
        ({"delta": {"base": OTHER}}, "wrong-base: the base of d.bsdiff is no input of role base"),
        ({"delta": {"target": "none"}}, "the target of d.bsdiff is 'none'; expected an artefact"),
        ({"delta": {"target": "d.bsdiff"}}, "delta-of-delta: the target of d.bsdiff is the delta"),
        ({"delta": {"format": "courgette"}}, "or 'zstd'; got 'courgette'"),
        (
            {"artefact": {"normalizers": [{"name": "ar-times", "reason": "its clock"}]}},
            "expected one of `delta`, `manifest` and `normalizers`",
        ),
        (
            {
                "delta": {"judged": "applied"},
                "artefact": {"signature": {"format": "pe", "signers": [OTHER]}},
            },
            "expected `signature` without `delta`, or with one that is rebuilt",
        ),
        (
            {"artefact": {"delta": None, **MANIFEST}, "kind": "binary"},
            "manifest in a release of kind binary; expected kind update",
        ),
        (
            {"artefact": {"delta": None, **MANIFEST, "manifest": {**OF_TUF, "previous": OTHER}}},
            "wrong-base: `previous` of d.bsdiff is no input of role base",
        ),
        (
            {"artefact": {"delta": None, "manifest": OF_TUF}},
            "expected the `signature` of a manifest",
        ),
        (
            {"artefact": {"delta": None, **MANIFEST, "manifest": {**OF_TUF, "files": TWICE}}},
            "expected each file under one path; 'out.bin' is under two",
        ),
    ],
)
def test_what_no_update_can_be_is_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], error: str
) -> None:
    with pytest.raises(RecipeError) as refused:
        update(tmp_path, **changes)
    assert error in str(refused.value)


def test_a_base_is_of_one_release(tmp_path: Path) -> None:
    base = {"role": "base", "locator": "file:b", "sha256": BASE, "release": "lab/tool@1.0"}
    source = {"role": "source", "locator": "file:source.c", "sha256": str(Digest.of(SOURCE))}
    with pytest.raises(RecipeError, match=f"each base once; sha256 {BASE} is there twice"):
        update(tmp_path, inputs=[source, base, {**base, "release": "lab/tool@0.9"}])


def test_what_decides_on_an_update_is_in_its_scope(tmp_path: Path) -> None:
    found = update(tmp_path)
    assert scope_of(found).content["bases"] == [[BASE, "lab/tool@1.0"]]
    scopes = {
        scope_of(update(tmp_path, **changes)).digest
        for changes in (
            {},
            {"base": {"release": "lab/tool@0.9"}},
            {"delta": {"judged": "applied"}},
            {"delta": {"format": "xdelta3"}},
            {"version": "1.1.0", "base": {"release": "lab/tool@1.0.0"}, "version_order": "semver"},
        )
    }
    assert len(scopes) == 5
    lines = scope_lines(found)
    assert (
        f"judged by its bytes and its result, as bsdiff from {BASE} to out.bin: d.bsdiff" in lines
    )
    assert f"based on: lab/tool@1.0 (sha256 {BASE})" in lines


def test_what_a_manifest_may_list_is_in_the_scope(tmp_path: Path) -> None:
    found = update(tmp_path, artefact={"delta": None, **MANIFEST})
    (line,) = [one for one in scope_lines(found) if "tuf-targets" in one]
    told = f"judged by what it says, as tuf-targets, in place of {BASE}, which calls a/b out.bin"
    assert line.startswith(f"{told}, and may list old.bin, signed by"), line
    less = {**MANIFEST, "manifest": {**OF_TUF, "previous": BASE, "others": []}}
    changed = update(tmp_path, artefact={"delta": None, **less})
    assert scope_of(found).digest != scope_of(changed).digest


@pytest.mark.parametrize(
    ("order", "rising"),
    [
        (VersionOrder.DEBIAN, ["1.0~rc1", "1.0", "1.0-1", "1.0.1", "1.9", "1.10", "2", "1:0"]),
        (
            VersionOrder.SEMVER,
            ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11",
             "1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0", "2.0.0"],
        ),
    ],
)  # fmt: skip
def test_versions_rise_in_the_order_of_their_scheme(order: VersionOrder, rising: list[str]) -> None:
    for number, version in enumerate(rising):
        for other, base in enumerate(rising):
            assert is_higher(order, version, base) is (number > other), (version, base)
