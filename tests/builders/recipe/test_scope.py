"""The scope covers everything in a recipe that decides what is judged, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest, canonical_json
from builders.core.errors import RecipeError
from builders.recipe.artefact import Artefact
from builders.recipe.recipe import Input, Recipe, load_recipe
from builders.recipe.scope import PATTERNS, Scope, scope_lines, scope_of
from tests.lab import write_recipe

CLAIMED = {"kind", "platform", "build", "inputs"}
NEITHER = {
    "schema_", "vendor", "product", "version", "limits", "visibility", "reviews", "explain",
    "expect", "samples",
}  # fmt: skip
"""Named by statements themselves, or without a say in what is judged."""


def recipe(folder: Path, **fields: Any) -> Recipe:
    plain = {"by_products": ["*.dbg"], "published_by_products": ["*.ddeb"], "ignore": ["*.tmp"]}
    return load_recipe(write_recipe(folder / "x", [["true"]], **{**plain, **fields})).recipe


def artefacts(*names: str, digest: str = "a" * 64, locator: str = "file:x") -> list[dict[str, Any]]:
    return [{"name": n, "shipped": {"locator": locator, "sha256": digest}} for n in names]


@pytest.mark.parametrize(
    "changes",
    [
        {"by_products": ["*.o"]},
        {"by_products": []},
        {"by_products": ["*.dbg", "hidden.bin"]},
        {"published_by_products": ["*.o"]},
        {"ignore": ["*.o"]},
        {"by_products": ["*.ddeb"], "published_by_products": ["*.dbg"]},
        {"artefacts": artefacts("out.bin", "other.bin")},
        {"artefacts": artefacts("other.bin")},
    ],
)
def test_what_decides_the_judgement_is_in_the_scope(tmp_path: Path, changes: Any) -> None:
    assert scope_of(recipe(tmp_path, **changes)).digest != scope_of(recipe(tmp_path)).digest


def test_an_opaque_input_and_its_reason_are_in_the_scope(tmp_path: Path) -> None:
    def scope(**opaque: str) -> Scope:
        source = {"role": "source", "locator": "file:s.tar", "sha256": "a" * 64}
        return scope_of(recipe(tmp_path, inputs=[source | opaque]))

    assert "opaque" not in scope().content
    assert scope(opaque="encrypted test data").content["opaque"] == [
        ["source", "a" * 64, "encrypted test data"]
    ]
    digests = {scope().digest, scope(opaque="encrypted").digest, scope(opaque="too large").digest}
    assert len(digests) == 3


def test_normalizers_their_limits_and_their_reasons_are_in_the_scope(tmp_path: Path) -> None:
    def masked(**normalizer: Any) -> Recipe:
        (artefact,) = artefacts("out.bin")
        return recipe(tmp_path, artefacts=[{**artefact, "normalizers": [normalizer]}])

    recipes = [
        masked(name="ar-times", reason="its clock"),
        masked(name="ar-times", reason="another clock"),
        masked(name="tar-times", reason="its clock"),
        masked(name="ar-times", reason="its clock", bytes=12),
        recipe(tmp_path, artefacts=artefacts("out.bin")),
    ]
    assert len({scope_of(one).digest for one in recipes}) == len(recipes)
    assert scope_lines(recipes[0])[0] == "judged, masked by ar-times (its clock): out.bin"
    told = scope_lines(recipes[3])[0]
    assert told == "judged, masked by ar-times up to 12 bytes (its clock): out.bin"
    assert recipes[3].altered == {"out.bin"}
    assert not recipes[4].altered


@pytest.mark.parametrize(
    "bad",
    [
        [],
        [{"name": "ar-times", "reason": " "}],
        [{"name": "ar-times", "reason": ""}],
        [{"name": "ar-times", "reason": "two\nlines"}],
        [{"name": "ar-times"}],
        [{"name": "modes", "reason": "they differ"}],
        [{"name": "ar-times", "reason": "r", "bytes": 0}],
        [{"name": "ar-times", "reason": "r", "bytes": 16385}],
        [{"name": "ar-times", "reason": "r"}, {"name": "ar-times", "reason": "s"}],
    ],
)
def test_normalizers_that_say_too_little_are_refused(tmp_path: Path, bad: Any) -> None:
    (artefact,) = artefacts("out.bin")
    with pytest.raises(RecipeError, match="normalizers"):
        recipe(tmp_path, artefacts=[{**artefact, "normalizers": bad}])


@pytest.mark.parametrize(
    "changes",
    [
        {"artefacts": artefacts("out.bin", digest="b" * 64)},
        {"artefacts": artefacts("out.bin", locator="file:elsewhere")},
        {"limits": {"outputs": 7}},
        {"expect": {"verdict": "DIFFERENT"}},
        {"explain": "diffoscope"},
        {"visibility": "private"},
        {"by_products": ["*.dbg", "*.dbg"]},
    ],
)
def test_nothing_else_is_in_the_scope(tmp_path: Path, changes: Any) -> None:
    assert scope_of(recipe(tmp_path, **changes)).digest == scope_of(recipe(tmp_path)).digest


def test_order_decides_nothing(tmp_path: Path) -> None:
    one = recipe(tmp_path, artefacts=artefacts("a", "b"), ignore=["*.x", "*.y"])
    two = recipe(tmp_path, artefacts=artefacts("b", "a"), ignore=["*.y", "*.x"])
    assert scope_of(one) == scope_of(two)


def test_the_digest_is_that_of_the_canonical_content(tmp_path: Path) -> None:
    """Anybody can compute it again; another digest would part all centers from their findings."""
    scope = scope_of(recipe(tmp_path))
    assert scope.content == {
        "artefacts": [{"name": "out.bin"}],
        "by_products": ["*.dbg"],
        "published_by_products": ["*.ddeb"],
        "ignore": ["*.tmp"],
    }
    assert scope.digest == Digest.of(canonical_json(scope.content))


def test_a_new_field_of_a_recipe_is_put_where_it_belongs() -> None:
    """Whoever adds a field decides here whether it is part of the claim, of the scope, or neither.

    A new field of an artefact is part of the scope without being named.
    """
    assert set(Recipe.model_fields) == {*CLAIMED, *PATTERNS, "artefacts", "version_order", *NEITHER}
    of_artefacts = {"name", "shipped", "output", "signature", "normalizers", "packing"}
    assert set(Artefact.model_fields) == {*of_artefacts, "delta", "manifest"}
    of_inputs = {"role", "sha256", "opaque", "release"}
    assert set(Input.model_fields) == {*of_inputs, "locator"}  # which is in neither


def test_a_scope_is_told_in_words(tmp_path: Path) -> None:
    assert scope_lines(recipe(tmp_path)) == [
        "judged: out.bin",
        "built and not judged: *.dbg",
        "built, not judged, published elsewhere: *.ddeb",
        "ignored: *.tmp",
    ]
    bare = recipe(tmp_path, by_products=[], published_by_products=[], ignore=[])
    assert scope_lines(bare) == ["judged: out.bin"]
    a, b, c = (letter * 64 for letter in "abc")
    pins = {"format": "pe", "signers": [a], "certificates": [b], "time_stamps": [c]}
    artefact = {"name": "boot.efi", "output": "x.deb#boot.efi", "signature": pins}
    shipped = {"locator": "file:boot.efi", "sha256": a}
    member = recipe(tmp_path, artefacts=[{**artefact, "shipped": shipped}])
    assert scope_lines(member)[0] == (
        f"judged, signed by {a}, time stamps by {c}, may carry certificates {b}: "
        "boot.efi (from x.deb#boot.efi)"
    )
    source = {"role": "source", "locator": "file:s.tar", "sha256": "a" * 64, "opaque": "encrypted"}
    told = scope_lines(recipe(tmp_path, inputs=[source]))
    assert told[-1] == "not searched whole for copies: file:s.tar (encrypted)"


def test_whether_a_file_needs_an_external_signature_is_in_the_scope(tmp_path: Path) -> None:
    pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    signer = str(Digest.of(bytes(3)))
    key = {"format": "cdiff", "signers": [signer], "public_keys": [pem]}
    shipped = {"locator": "file:t.cdiff", "sha256": "a" * 64}
    plain, needing = (
        recipe(tmp_path, artefacts=[{"name": "t.cdiff", "shipped": shipped, "signature": pins}])
        for pins in (key, {**key, "external": "required"})
    )
    told = f"judged, signed by {signer}, needs an external signature: t.cdiff"
    assert scope_lines(needing)[0] == told
    assert scope_of(plain).digest != scope_of(needing).digest
    assert "external" not in str(scope_of(plain).content), "as in recipes without the field"
