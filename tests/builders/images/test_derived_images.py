"""Images derived for sources that need more packages: named by what they are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.errors import InputUnavailableError, UsageError
from builders.images import ImageCatalogue
from builders.inputs.vault import Vault
from builders.locators.aptstate import AptStates
from builders.locators.machine import MachineFetcher
from tests.fakes.store import MemoryStore

HEX = "ab" * 32
DEFINITION = """\
schema: samebits/image/v1
suite: trixie
packages: [netbase]
environment: {GREETING: hello}
"""
EMPTY = "schema: samebits/image/v1\nsuite: trixie\n"


class Place:
    """A folder of images and one of derived images, with a vault that a test may share."""

    def __init__(self, folder: Path, states: AptStates, vault: Vault | None = None) -> None:
        self.recipes, self.derived = folder / "images", folder / "derived"
        self.recipes.mkdir(parents=True)
        self.vault = vault or Vault(MemoryStore())
        self.images = ImageCatalogue(
            self.recipes,
            self.vault,
            MachineFetcher(states),
            folder / "work",
            states,
            derived=self.derived,
        )
        self.lock_by_hand("base", EMPTY)

    def lock_by_hand(self, name: str, definition: str, config: str = HEX) -> None:
        """Write a definition, and a lock of it that nothing is built from."""
        path = self.recipes / f"{name}.yaml"
        path.write_text(definition)
        digest = self.images.definition(name).digest()
        (self.recipes / f"{name}.lock.yaml").write_text(
            f"schema: samebits/image-lock/v1\ndefinition: {digest}\nsuite: trixie\nepoch: 1\n"
            f"image: {{config: {config}, manifest: {HEX}, diff_id: {HEX}}}\ntools: {{}}\n"
            f"essential: [dash 0.5-1 amd64 9 {HEX} pool/dash.deb]\npackages: []\n"
        )


def test_the_name_says_which_packages_and_which_base(tmp_path: Path, states: AptStates) -> None:
    place = Place(tmp_path, states)
    name = place.images.derived_name("base", ["doxygen", "libfoo-dev"])
    assert name.startswith("base-")
    assert len(name) == len("base-") + 8
    assert name == place.images.derived_name("base", ["libfoo-dev", "doxygen", "doxygen"])
    assert name != place.images.derived_name("base", ["doxygen"])
    place.lock_by_hand("base", EMPTY, config="cd" * 32)
    assert name != place.images.derived_name("base", ["doxygen", "libfoo-dev"])


def test_a_derived_image_is_locked_kept_and_published(tmp_path: Path, states: AptStates) -> None:
    place = Place(tmp_path / "one", states)
    place.lock_by_hand("base", DEFINITION)
    wishes = ["media-types", "netbase=6.5"]  # that version, whatever the base asks for
    made = place.images.derive("base", wishes, tmp_path)
    name = place.images.derived_name("base", wishes)
    assert place.images.names() == ["base"]
    assert place.images.has_lock(name)
    definition = place.images.definition(name)
    assert definition.packages == ("media-types", "netbase=6.5")
    assert definition.environment == {"GREETING": "hello"}
    assert {"media-types", "netbase"} <= {p.name for p in made.lock.packages}
    assert ("netbase", "6.5") in {(p.name, p.version) for p in made.lock.packages}
    assert place.images.lock(name).image == made.lock.image

    assert place.images.publish(name) == place.recipes / f"{name}.yaml"
    assert place.images.names() == ["base", name]
    assert place.images.lock(name) == made.lock
    assert place.images.publish(name) is None
    text = (place.recipes / f"{name}.yaml").read_text()
    assert text.startswith("# base, and what the build dependencies of sources ask for: media-")


def test_nothing_is_kept_of_an_image_that_cannot_be_made(tmp_path: Path, states: AptStates) -> None:
    place = Place(tmp_path, states)
    with pytest.raises(InputUnavailableError, match="no installable set"):
        place.images.derive("base", ["no-such-package-at-all"], tmp_path)
    assert not place.derived.exists()
    assert not place.images.has_lock(place.images.derived_name("base", ["no-such-package-at-all"]))
    assert list(tmp_path.glob("*.tar")) == []


def test_what_cannot_be_published_is_one_clear_line(tmp_path: Path, states: AptStates) -> None:
    place = Place(tmp_path, states)
    assert place.images.publish("base") is None
    assert place.images.publish("other") is None
    with pytest.raises(UsageError, match="no such builder image; got other; expected one of base"):
        place.images.lock("other")


def test_without_a_folder_for_them_no_image_is_derived(tmp_path: Path, states: AptStates) -> None:
    place = Place(tmp_path, states)
    plain = ImageCatalogue(
        place.recipes, place.vault, MachineFetcher(states), tmp_path / "work", states
    )
    with pytest.raises(UsageError, match="no folder is set for derived images"):
        plain.derive("base", ["doxygen"], tmp_path)
