"""A declared time zone is known to the build, or the build does not begin."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.core.errors import RecipeError
from builders.images.provide import ProvidedImage
from builders.methods import METHODS
from builders.methods.method import launcher_bytes, zone_script
from builders.rebuild.lint import check_recipe
from builders.rebuild.plan import make_plan
from builders.recipe.claim import claim_of
from pipelines.center.center import Center
from pipelines.verify.session import Session
from tests.builders.recipes import SCRIPT, recipe
from tests.lab import Lab, write_recipe
from tests.madeimages import made_image


@pytest.mark.parametrize("zone", ["UTC", "CET-1CEST", "EST5EDT", "JST-9", "MOV+11", "GMT0"])
def test_what_needs_no_file_is_not_looked_for(zone: str) -> None:
    loaded = recipe({**SCRIPT, "timezone": zone})
    assert not loaded.recipe.build.needs_zone_file
    planned = make_plan(loaded, [], script=None, cores=1)
    assert "zone.sh" not in planned.control
    assert set(claim_of(loaded, Digest("1" * 64)).content["scripts"]) == {"launcher", "method"}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Etc/GMT+12", "CET", "Japan", "US/Pacific"])
def test_the_file_of_a_zone_is_looked_for_first_and_that_is_claimed(zone: str) -> None:
    loaded = recipe({**SCRIPT, "timezone": zone})
    planned = make_plan(loaded, [], script=None, cores=1)
    assert planned.control["zone.sh"] == zone_script()
    assert planned.command[:7] == (
        *("/bin/sh", "/samebits/launch.sh", "022"),
        *("/bin/sh", "/samebits/zone.sh", "/bin/sh", "/samebits/method.sh"),
    )
    scripts = claim_of(loaded, Digest("1" * 64)).content["scripts"]
    assert scripts == {
        "launcher": str(Digest.of(launcher_bytes())),
        "method": str(Digest.of(METHODS["script"].script_bytes())),
        "zone": str(Digest.of(zone_script())),
    }


@pytest.mark.parametrize(("zone", "code"), [("Europe/Berlin", 0), ("Europe", 69), ("Moon/Sea", 69)])
def test_a_zone_is_a_file(zone: str, code: int, tmp_path: Path) -> None:
    script = tmp_path / "zone.sh"
    script.write_bytes(zone_script())
    done = subprocess.run(
        ["sh", script, "echo", "built"],
        env={"TZ": zone, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "" if code else "built\n")
    assert (
        not code
        or f"samebits: error: the declared time zone is not applied: the image has no "
        f"/usr/share/zoneinfo/{zone}"
        in done.stderr
    )


def test_lint_refuses_a_zone_that_the_image_cannot_know(tmp_path: Path) -> None:
    center = Center(id="local", home=tmp_path, store=tmp_path / "store", recipes=tmp_path)
    for name, package in (("bare", "python3"), ("full", "tzdata")):
        made_image(tmp_path / "images", name, [package], Session(center).vault)

    def checked(image: str, zone: str) -> None:
        build = {"image": image, "timezone": zone}
        check_recipe(
            write_recipe(tmp_path / "tool", [["true"]], build=build), Session(center).images
        )

    with pytest.raises(RecipeError, match=r"Europe/Berlin in image bare.*package tzdata") as caught:
        checked("bare", "Europe/Berlin")
    assert "build.timezone" in str(caught.value)
    checked("full", "Europe/Berlin")
    checked("bare", "CET-1CEST")
    checked(f"example.org/image@sha256:{'1' * 64}", "Europe/Berlin")


def test_an_unknown_zone_ends_the_build_with_that_reason(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    lab = Lab(session, build_image, tmp_path)
    result = lab.shell("date +%Z > /out/out.bin", build={"timezone": "Europe/Berln"})
    assert (result.outcome, result.exit_code) == (Outcome.BUILD_FAILED, 69)
    assert "the image has no /usr/share/zoneinfo/Europe/Berln" in (result.reason or "")
    told = lab.shell("date -d @0 +%Z > /out/out.bin", build={"timezone": "Europe/Berlin"})
    assert told.outcome is Outcome.BUILT
    assert lab.output() == "CET\n"
    lab.assert_nothing_left()
