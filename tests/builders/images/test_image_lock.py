from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.errors import ImageMismatchError, RecipeError, UsageError
from builders.images import BuiltImage, ImageCatalogue, ImageLock
from builders.images.assemble import compare_with_lock
from builders.images.definition import load_definition
from builders.images.lock import ImageDigests, dump_lock, load_lock, lock_changes
from builders.inputs.vault import Vault
from builders.locators.aptstate import AptStates
from builders.locators.machine import MachineFetcher
from tests.fakes.store import MemoryStore

HEX = "ab" * 32
DEFINITION = """\
schema: samebits/image/v1
suite: trixie
packages: [make, gcc]
environment: {LANG: C.UTF-8}
user: builder
"""
LOCK = f"""\
# Written by `samebits image lock`; not edited by hand.
schema: samebits/image-lock/v1
definition: {HEX}
suite: trixie
epoch: 1795252544
image:
  config: {HEX}
  manifest: {HEX}
  diff_id: {HEX}
tools:
  apt: 3.0.4
  dpkg: 1.22.22
essential:
- dash 0.5.12-12 amd64 98504 {HEX} pool/main/d/dash/dash_0.5.12-12_amd64.deb
packages:
- make 4.4.1-2 amd64 463416 {HEX} pool/main/m/make-dfsg/make_4.4.1-2_amd64.deb
- tzdata 1:2026a-0 all 260000 {HEX} pool/main/t/tzdata/tzdata_2026a-0_all.deb
"""


def images(folder: Path) -> ImageCatalogue:
    states = AptStates(folder / "apt")
    return ImageCatalogue(
        folder, Vault(MemoryStore()), MachineFetcher(states), folder / "work", states
    )


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def read(tmp_path: Path, text: str = LOCK) -> ImageLock:
    return load_lock(write(tmp_path / "x.lock.yaml", text))


def test_a_lock_is_written_as_it_was_read(tmp_path: Path) -> None:
    assert dump_lock(read(tmp_path)) == LOCK


def test_the_digest_of_a_definition_is_of_what_it_says(tmp_path: Path) -> None:
    plain = load_definition(write(tmp_path / "a.yaml", DEFINITION))
    other = load_definition(
        write(tmp_path / "b.yaml", "# why\n" + DEFINITION.replace("make, gcc", "gcc, make"))
    )
    assert plain.digest() == other.digest()
    assert (
        plain.digest().hex == "86f9b7cdbb0070d185df81a7332932ecc57ff73ea4ff6b61419e26c85f044da9"
    )  # golden: it never changes by accident
    changed = load_definition(write(tmp_path / "c.yaml", DEFINITION.replace("make", "cmake")))
    assert changed.digest() != plain.digest()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("user: builder", "user: root:0", "user"),
        ("user: builder", "extra: 1", "unknown key"),
        ("suite: trixie", "suite: ../x", "suite"),
        ("suite: trixie\n", "", "missing field"),
        ("[make, gcc]", "[-o, gcc]", "packages"),
        ("[make, gcc]", "['?name(.*)', gcc]", "packages"),
        ("[make, gcc]", "[make=, gcc]", "packages"),
        ("[make, gcc]", "[make=1=2, gcc]", "packages"),
        ("[make, gcc]", "[make/sid, gcc]", "packages"),
        ("{LANG: C.UTF-8}", "{'A=B': x}", "environment"),
        ("image/v1", "image/v2", "schema"),
    ],
)
def test_a_bad_definition_is_one_clear_error(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = write(tmp_path / "x.yaml", DEFINITION.replace(old, new))
    with pytest.raises(RecipeError, match=message) as caught:
        load_definition(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("make 4.4.1-2 amd64", "make 4.4.1-2 arm64"),
        ("make 4.4.1-2 amd64", "make 4.4.1-2"),
        ("make 4.4.1-2 amd64", "dash 4.4.1-2 amd64"),
        ("make 4.4.1-2 amd64", "Make 4.4.1-2 amd64"),
        ("make 4.4.1-2 amd64 463416", "make 4.4.1-2 amd64 0"),
        (f"463416 {HEX}", "463416 abcd"),
        ("pool/main/m/make-dfsg/make", "../make"),
        ("pool/main/m/make-dfsg/make", "/pool/make"),
        (f"config: {HEX}", "config: latest"),
        ("epoch: 1795252544", "epoch: -1"),
        ("epoch: 1795252544", "epoch: today"),
        (f"- dash 0.5.12-12 amd64 98504 {HEX} pool/main/d/dash/dash_0.5.12-12_amd64.deb\n", ""),
    ],
)
def test_a_damaged_lock_is_one_clear_error(tmp_path: Path, old: str, new: str) -> None:
    assert old in LOCK
    with pytest.raises(RecipeError, match=r"x\.lock\.yaml"):
        read(tmp_path, LOCK.replace(old, new))


def test_the_changes_between_two_locks_are_listed(tmp_path: Path) -> None:
    old = read(tmp_path)
    assert lock_changes(old, old) == []
    text = (
        LOCK.replace("make 4.4.1-2", "make 4.4.1-3")
        .replace("tzdata 1:2026a-0", "gcc 4:14")
        .replace(f"config: {HEX}", f"config: {'cd' * 32}")
        .replace("1795252544", "1795252545")
        .replace(f"98504 {HEX}", f"98504 {'ef' * 32}")
    )
    assert [str(change) for change in lock_changes(old, read(tmp_path, text))] == [
        f"dash: 0.5.12-12 (sha256 {HEX}) -> 0.5.12-12 (sha256 {'ef' * 32})",
        "gcc: added 4:14",
        "make: 4.4.1-2 -> 4.4.1-3",
        "tzdata: removed 1:2026a-0",
        "epoch: 1795252544 -> 1795252545",
        f"image config: {HEX} -> {'cd' * 32}",
    ]


@pytest.mark.parametrize("field", ["config", "manifest", "diff_id"])
def test_another_image_than_the_locked_one_is_refused(tmp_path: Path, field: str) -> None:
    lock = read(tmp_path, LOCK.replace("dpkg: 1.22.22", "dpkg: 0.1.2"))
    same = {name: Digest(HEX) for name in ("config", "manifest", "diff_id")}
    compare_with_lock("x", BuiltImage(tar=tmp_path, digests=ImageDigests(**same)), lock)
    digests = ImageDigests(**{**same, field: Digest("cd" * 32)})
    other = BuiltImage(tar=tmp_path, digests=digests)
    with pytest.raises(ImageMismatchError, match=r"dpkg \S+ here, 0\.1\.2 in the lock"):
        compare_with_lock("x", other, lock)


def test_images_are_known_by_their_definitions(tmp_path: Path) -> None:
    write(tmp_path / "b.yaml", DEFINITION)
    write(tmp_path / "a.yaml", DEFINITION)
    write(tmp_path / "a.lock.yaml", LOCK)
    assert images(tmp_path).names() == ["a", "b"]
    with pytest.raises(UsageError, match="no such builder image; got c; expected one of a, b"):
        images(tmp_path).lock("c")
    with pytest.raises(UsageError, match="builder image b has no lock"):
        images(tmp_path).lock("b")


def test_a_lock_of_an_older_definition_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.lock.yaml", LOCK)
    definition = write(tmp_path / "a.yaml", DEFINITION)
    with pytest.raises(UsageError, match="is not for its current definition"):
        images(tmp_path).lock("a")
    digest = load_definition(definition).digest()
    write(tmp_path / "a.lock.yaml", LOCK.replace(f"definition: {HEX}", f"definition: {digest}"))
    assert images(tmp_path).lock("a").definition == digest


def test_the_locks_of_the_repository_are_of_their_definitions() -> None:
    folder = Path(__file__).parents[3] / "recipes/images"
    found = images(folder)
    assert {"debian-trixie-build", "differ", "python-wheel"} <= set(found.names())
    for name in found.names():
        lock = found.lock(name)
        assert dump_lock(lock) == (folder / f"{name}.lock.yaml").read_text()
        assert set(found.definition(name).packages) <= {p.name for p in lock.every()}
