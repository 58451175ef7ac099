from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest, canonical_json
from builders.core.errors import RecipeError
from builders.methods import METHODS
from builders.methods.method import launcher_bytes
from builders.preload.preload_lock import preload_lock
from builders.recipe.claim import MAX_SCRIPT, claim_of
from builders.recipe.recipe import load_recipe
from tests.builders.recipes import DEBIAN, IMAGE, SCRIPT, SOURCE, TOOL, WHEEL, recipe

A_CONSCIOUS_ACT = (
    "this changes every claim, so that findings of before and after cannot be joined: "
    "only if that is meant, write the new value here"
)

LAUNCHER = "a676565bf903004b3e3052fc0645d6404fef6725bb367783ea40bc7057836722"
METHOD_SCRIPTS = {
    "debian": "9fa88b31a3c7fcb7b678b6acb6d5a1d3b4011bff8f6109e5d291b3e9808650e0",
    "debian-binnmu": "07c6a456bef3c62eda34ec77ab299032ba7cdb700fa33337ce97c66a8832e555",
    "debian-parts": "b0739211ba56bce11a4c816e18919346df2772660cbbf6caa875f0dfc72d2036",
    "wheel": "25786eb4507ddd42d671db4d8e6b04c0bf2717a5c5cb9dadbabad0544f5f9536",
    "script": "1d80c2d6b70de51b7d7db4d485d94b4de897fd394dc0aa5f2384f623d52b8d91",
}
PROBE = "6adde68328514a556557f1129b5d8ee2e65c59590bc468312f96fa2fdb42caf6"
PRELOAD = "fdd93957d1ee22774fee6841908d79cdc17c5f462e147fa7654f1b78bca8ddc6"
ENVIRONMENT = {
    "hostname": "builder",
    "locale": "C.UTF-8",
    "path": "/build/reproducible-path",
    "timezone": "UTC",
    "umask": "0022",
    "variables": {
        "HOME": "/tmp/home",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    },
}
ENTRY = {
    "version": "1.0-1+b1",
    "distribution": "sid",
    "changes": ["* Rebuild on buildd"],
    "by": "Build Daemon <buildd@example.org>",
    "date": "Wed, 07 Aug 2019 06:15:10 +0000",
}
GOLDEN = {
    "debian": (
        {"profiles": []},
        "3cf6304493711c4a569240e10ad4a05ba9ebaf1be29484326f74192007904853",
    ),
    "debian-binnmu": (
        {"entry": {**ENTRY, "urgency": "low"}, "profiles": []},
        "f2d390ed734e002cda410ea41ba9463853df6153837214dba415a36dcf080ac7",
    ),
    "debian-parts": (
        {"profiles": []},
        "5d242387bddc46007b87e16e52edf51d733dd42a13692d16c02a4964bef0de05",
    ),
    "wheel": (
        {"source_umask": None, "files": [], "python_tag": None},
        "10534b721a31b5b5c9e793b009c49ecbbd8455ede9d9aabea88f5a12d3b6932a",
    ),
    "script": (
        {"steps": SCRIPT["steps"]},
        "d016b78e07a7eed38e0de3e3b3b3d516d4d07a65467b6bacf9abd22f05f559cd",
    ),
}
BUILDS = {
    "debian": DEBIAN,
    "debian-binnmu": {**DEBIAN, "method": "debian-binnmu", "entry": ENTRY},
    "debian-parts": {**DEBIAN, "method": "debian-parts"},
    "wheel": WHEEL,
    "script": SCRIPT,
}


def digest(build: dict[str, Any] = DEBIAN, image: Digest = IMAGE, **changes: Any) -> Digest:
    return claim_of(recipe(build, **changes), image).digest


def test_the_scripts_are_the_known_ones() -> None:
    assert str(Digest.of(launcher_bytes())) == LAUNCHER, A_CONSCIOUS_ACT
    assert {
        name: str(Digest.of(method.script_bytes())) for name, method in METHODS.items()
    } == METHOD_SCRIPTS, A_CONSCIOUS_ACT


@pytest.mark.parametrize("method", GOLDEN)
def test_the_claim_never_changes_by_accident(method: str) -> None:
    parameters, expected = GOLDEN[method]
    claim = claim_of(recipe(BUILDS[method]), IMAGE)
    assert claim.content == {
        "environment": ENVIRONMENT,
        "image": "1" * 64,
        "inputs": [["source", SOURCE], ["toolchain", TOOL]],
        "kind": "binary",
        "method": method,
        "parameters": parameters,
        "platform": "linux/amd64",
        "scripts": {"launcher": LAUNCHER, "method": METHOD_SCRIPTS[method]},
    }, A_CONSCIOUS_ACT
    assert str(claim.digest) == expected, A_CONSCIOUS_ACT
    assert claim.digest == Digest.of(canonical_json(claim.content))


def shipped(**changes: Any) -> list[dict[str, Any]]:
    of = {"locator": "file:rules.deb", "sha256": "c" * 64}
    return [{"name": "rules.deb", "shipped": {**of, **changes}}]


SAME = {
    "vendor": {"vendor": "other"},
    "product": {"product": "other"},
    "version": {"version": "2"},
    "cores": {"limits": {"cpus": "8"}},
    "memory": {"limits": {"memory": "64GiB"}},
    "scratch": {"limits": {"scratch": "64GiB"}},
    "time": {"limits": {"time": "9h"}},
    "processes": {"limits": {"pids": "100"}},
    "outputs": {"limits": {"outputs": "5"}},
    "expectation": {"expect": {"verdict": "DIFFERENT"}},
    "diffoscope": {"explain": "diffoscope"},
    "published digest": {"artefacts": shipped(sha256="d" * 64)},
    "where the vendor's file is": {"artefacts": shipped(locator="file:elsewhere.deb")},
    "by-products": {"by_products": ["*.log"]},
    "ignored outputs": {"ignore": ["*.log"]},
    "where inputs come from": {
        "inputs": [
            {"role": "toolchain", "locator": "file:mirror/tool.whl", "sha256": TOOL},
            {"role": "source", "locator": "file:mirror/rules.dsc", "sha256": f"sha256:{SOURCE}"},
        ]
    },
    "the folder of the recipe": {"folder": Path("/elsewhere")},
}


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME.keys())
def test_what_no_center_needs_to_share_is_not_claimed(changes: dict[str, Any]) -> None:
    assert digest(**changes) == digest()


def test_comments_are_not_claimed(tmp_path: Path) -> None:
    text = Path(__file__).parents[2].joinpath("data/recipes/good/every-field.yaml").read_text()
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text("# another comment\n" + text.replace("  # who ships it", ""))
    a, b = (load_recipe(tmp_path / name) for name in ("a.yaml", "b.yaml"))
    assert claim_of(a, IMAGE) == claim_of(b, IMAGE)


OTHER_INPUTS = [
    [("source", "d" * 64), ("toolchain", TOOL)],
    [("source", SOURCE), ("toolchain", "d" * 64)],
    [("source", SOURCE), ("dependency", TOOL)],
    [("source", SOURCE)],
    [("source", SOURCE), ("toolchain", TOOL), ("toolchain", TOOL)],
]
OTHER_BUILDS: dict[str, dict[str, Any]] = {
    "a variable": {"environment": {"A": "1"}},
    "an empty variable": {"environment": {"A": ""}},
    "a path": {"environment": {"PATH": "/bin"}},
    "umask": {"umask": "002"},
    "time zone": {"timezone": "Europe/Zurich"},
    "locale": {"locale": "C"},
    "build path": {"path": "/build/rules"},
    "host name": {"hostname": "forge"},
    "clock": {"clock": {"time": "2021-05-05T14:18:17Z"}},
    "another time": {"clock": {"time": "2021-05-05T14:18:18Z"}},
    "a clock that goes on": {"clock": {"time": "2021-05-05T14:18:17Z", "mode": "advancing"}},
    "order of folders": {"folder_order": "created"},
    "another order of folders": {"folder_order": "hashed-1"},
    "yet another order of folders": {"folder_order": "hashed-2"},
    "profiles": {"profiles": ["nocheck"]},
}
OTHER: dict[str, dict[str, Any]] = {
    "kind": {"kind": "update"},
    **{
        f"inputs {i}": {
            "inputs": [
                {"role": role, "locator": f"file:{n}.whl", "sha256": sha}
                for n, (role, sha) in enumerate(inputs)
            ]
        }
        for i, inputs in enumerate(OTHER_INPUTS)
    },
    **{name: {"build": {**DEBIAN, **build}} for name, build in OTHER_BUILDS.items()},
    "method": {"build": {**DEBIAN, "method": "wheel"}},
}


@pytest.mark.parametrize("changes", OTHER.values(), ids=OTHER.keys())
def test_what_may_change_the_outputs_is_claimed(changes: dict[str, Any]) -> None:
    assert digest(**changes) != digest()


def test_no_two_of_them_claim_the_same() -> None:
    claims = [digest(), *(digest(**changes) for changes in OTHER.values())]
    assert len(set(claims)) == len(claims)


def test_another_image_is_another_claim_and_its_name_is_none() -> None:
    assert digest(image=Digest("2" * 64)) != digest()
    assert digest({**DEBIAN, "image": "debian-bookworm-build"}) == digest()


@pytest.mark.parametrize(
    "steps",
    [
        [["cp", "/inputs/source/rules.tar", "/out/two", "words"], ["true"]],
        [["cp", "/inputs/source/rules.tar", "/out/two words", "true"]],
        [["true"], ["cp", "/inputs/source/rules.tar", "/out/two words"]],
        [["cp", "/inputs/source/rules.tar", "/out/two words"], ["true", ""]],
    ],
)
def test_every_word_of_every_step_is_claimed(steps: list[list[str]]) -> None:
    assert digest({**SCRIPT, "steps": steps}) != digest(SCRIPT)


TREE = {"path": "src/a.py", "mode": "0644", "mtime": "2021-05-05T14:18:17Z"}
OTHER_WHEELS: dict[str, dict[str, Any]] = {
    "a file": {"files": [TREE]},
    "its mode": {"files": [{**TREE, "mode": "0755"}]},
    "its time": {"files": [{**TREE, "mtime": "2021-05-05T14:18:18Z"}]},
    "its name": {"files": [{**TREE, "path": "src/**"}]},
    "a tag": {"python_tag": "py2.py3"},
    "a clock": {"clock": {"time": "1620224297"}},
    "a clock of two steps": {"clock": {"time": "1620224297", "then": "1620224299"}},
    "the umask of the source": {"source_umask": "000"},
}


def test_whatever_is_set_on_a_source_is_claimed() -> None:
    claims = [digest(WHEEL), *(digest({**WHEEL, **build}) for build in OTHER_WHEELS.values())]
    assert len(set(claims)) == len(claims)


def test_a_clock_is_claimed_with_the_library_that_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = recipe({**DEBIAN, "clock": {"time": "1620224297"}})
    claim = claim_of(declared, IMAGE)
    assert claim.content["environment"]["clock"] == {
        "mode": "frozen",
        "time": "2021-05-05T14:18:17Z",
    }
    assert claim.content["scripts"] == {
        "clock": PROBE,
        "launcher": LAUNCHER,
        "method": METHOD_SCRIPTS["debian"],
        "preload": PRELOAD,
    }, A_CONSCIOUS_ACT
    other = preload_lock().model_copy(update={"library": Digest("0" * 64)})
    monkeypatch.setattr("builders.recipe.claim.preload_lock", lambda: other)
    assert claim_of(declared, IMAGE).digest != claim.digest


def test_a_umask_has_one_form() -> None:
    assert digest({**DEBIAN, "umask": "0022"}) == digest({**DEBIAN, "umask": "022"})


def with_script(folder: Path, name: str = "build.sh") -> Digest:
    build = {"method": "script", "image": "debian-trixie-build", "script": name}
    return claim_of(recipe(build, folder=folder), IMAGE).digest


def test_a_script_is_claimed_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "build.sh").write_text("make\n")
    (tmp_path / "other.sh").write_text("make\n")
    claimed = with_script(tmp_path)
    assert with_script(tmp_path, "other.sh") == claimed
    (tmp_path / "other.sh").write_text("make \n")
    assert with_script(tmp_path, "other.sh") != claimed


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "the script cannot be read; got No such file"),
        ("folder", "cannot be read; got a folder; expected a regular file"),
        ("pipe", "cannot be read; got a pipe or device; expected a regular file"),
        ("loop", "the script cannot be read; got a loop of links"),
        ("link out", "lies outside the folder of the recipe"),
        ("large", "file too large; got more; expected at most"),
    ],
)
def test_a_script_that_cannot_be_taken_is_named(tmp_path: Path, kind: str, words: str) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    path = folder / "build.sh"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to("build.sh")
        case "link out":
            (tmp_path / "outside").write_text("make\n")
            path.symlink_to("../outside")
        case "large":
            with path.open("wb") as stream:
                stream.truncate(MAX_SCRIPT + 1)
        case _:
            pass
    with pytest.raises(RecipeError, match=words) as caught:
        with_script(folder)
    assert caught.value.field == "build.script"
