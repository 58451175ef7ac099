"""The manifest of a RAUC bundle: its images are files that the build leaves beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from tempfile import TemporaryFile

import pytest

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature, SignedFormat
from builders.recipe.update_manifest import DeclaredManifest, ManifestName
from pipelines.judge.signatures.signature_format import Graft
from pipelines.judge.updates.manifest_format import ManifestFact
from pipelines.judge.updates.manifests.read_manifest import MANIFEST, ManifestChoice
from pipelines.judge.updates.update_fault import UpdateRefused
from tests.judge.signatures.pe_tricks import ADA, EVE
from tests.judge.signatures.rauc_signing import Verity, plain, squashfs
from tests.judge.updates.manifest_scene import ManifestScene
from tests.judge.updates.rauc_manifests import IMAGE, SAID, bundle

BY_ADA = PinnedSignature(format=SignedFormat.RAUC, signers=(ADA.pin,))


def scene(shipped: Verity | bytes, **changes: object) -> ManifestScene:
    """Rebuild a bundle with a key of no meaning, and its image."""
    file = shipped.by(ADA) if isinstance(shipped, Verity) else shipped
    built = shipped.by(EVE) if isinstance(shipped, Verity) else squashfs()
    made = ManifestScene(
        shipped={"box.raucb": file},
        rebuilt={"box.raucb": built, "rootfs.img": IMAGE},
        manifests={"box.raucb": DeclaredManifest(format=ManifestName.RAUC)},
        pins={"box.raucb": BY_ADA},
    )
    return made.but(**changes)


def fact(one: ManifestScene) -> ManifestFact:
    found = one.found()["box.raucb"]
    assert isinstance(found, ManifestFact), found
    return found


def test_the_images_of_a_bundle_are_those_that_were_built() -> None:
    one = scene(bundle())
    assert isinstance(one.facts().grafts["box.raucb"], Graft)
    found = fact(one)
    assert found.refused is None, found.refused
    assert found.recomputed == ("version", "rootfs.img: size", "rootfs.img: sha256")
    assert {claim.path: claim.says for claim in found.claims} == {
        "[update] compatible": "box",
        "[image.rootfs] adaptive": "block-hash-index",
    }


def test_what_is_computed_anew_in_one_section_is_a_claim_in_another() -> None:
    more = "[update.more]\nsize=1\nformat=x\n\n"
    made = replace(bundle(more=more), more="custom=1\n")
    assert {claim.path: claim.says for claim in fact(scene(made)).claims} == {
        "[update] compatible": "box",
        "[image.rootfs] adaptive": "block-hash-index",
        "[update.more] size": "1",
        "[update.more] format": "x",
        "[bundle] custom": "1",
    }


def test_what_is_no_bundle_has_no_manifest() -> None:
    choice = ManifestChoice(format=ManifestName.RAUC)
    found = MANIFEST.read([BytesIO(b"no bundle")], choice, TemporaryFile)
    assert isinstance(found, UpdateRefused)
    assert found.fault == "manifest-unreadable"


SECOND = "[image.other]\n" + "".join(f"{key}={value}\n" for key, value in SAID.items())


def test_a_bundle_may_follow_another_beside_files_that_are_no_images() -> None:
    before = bundle("2").by(ADA)
    one = scene(bundle())
    declared = DeclaredManifest(format=ManifestName.RAUC, previous=Digest.of(before))
    found = fact(
        one.but(
            shipped={**one.shipped, "notes.txt": b"notes"},
            rebuilt={**one.rebuilt, "notes.txt": b"notes"},
            manifests={"box.raucb": declared},
            bases=(before,),
        )
    )
    assert found.refused is None, found.refused


DRILLS: dict[str, tuple[str, Callable[[], ManifestScene]]] = {
    "another version": ("field-mismatch", lambda: scene(bundle("2"))),
    "another digest": ("field-mismatch", lambda: scene(bundle(sha256="0" * 64))),
    "another length": ("wrong-length", lambda: scene(bundle(size="1"))),
    "another image": (
        "field-mismatch",
        lambda: scene(bundle(), rebuilt={"box.raucb": bundle().by(EVE), "rootfs.img": IMAGE[::-1]}),
    ),
    "an image that nobody built": ("undeclared-file", lambda: scene(bundle(filename="evil.img"))),
    "an image that the recipe says is there": (
        "unlisted-file",
        lambda: scene(
            bundle(),
            rebuilt={"box.raucb": bundle().by(EVE), "rootfs.img": IMAGE, "boot.img": b"boot"},
            manifests={
                "box.raucb": DeclaredManifest(
                    format=ManifestName.RAUC, files={"boot.vfat": "boot.img"}
                )
            },
        ),
    ),
    "no image": ("nothing-recomputed", lambda: scene(Verity(update="[update]\nversion=3\n\n"))),
    "two images of one file": ("manifest-unreadable", lambda: scene(bundle(more=SECOND))),
    "a digest that is none": ("manifest-unreadable", lambda: scene(bundle(sha256="secret"))),
    "a digest that is longer": ("manifest-unreadable", lambda: scene(bundle(sha256="0" * 128))),
    "a size that only Python reads": ("manifest-unreadable", lambda: scene(bundle(size="1_0"))),
    "an image of no file": ("manifest-unreadable", lambda: scene(bundle(filename=""))),
    "a version that is too long": ("manifest-unreadable", lambda: scene(bundle("9" * 200))),
    "no version": ("manifest-unreadable", lambda: scene(Verity(update="[update]\na=b\n\n"))),
    "a bundle of format plain": (
        "unsupported-feature", lambda: scene(plain(ADA, squashfs())),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRILLS)
def test_a_bundle_that_must_not_pass_is_refused_by_name(name: str) -> None:
    fault, made = DRILLS[name]
    found = fact(made())
    assert found.refused is not None
    assert found.refused.fault == fault, found.refused
