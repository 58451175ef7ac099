"""`samebits replay`: a center's rebuild is repeated from its records, and compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.images.provide import ProvidedImage
from tests.command import samebits
from tests.lab import SOURCE, write_recipe
from tests.portal.folder_portal import FILE, FolderPortal

STEADY = [["sh", "-c", "tr a-z A-Z < $IN > /out/out.bin; date > /out/x.dbg; nproc > /out/log"]]
FIELDS: dict[str, Any] = {
    "by_products": ["*.dbg"],
    "ignore": ["log"],
    "build": {
        "environment": {"IN": "/inputs/source/source.c"},
        "clock": {"time": "2021-05-05T14:18:17Z"},
        "umask": "027",
        "folder_order": "created",
    },
}


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_run_is_repeated_from_its_records_alone(
    tmp_path: Path, build_image: ProvidedImage
) -> None:
    home = tmp_path / "home"
    recipe = write_recipe(tmp_path / "steady", STEADY, shipped=SOURCE.upper(), **FIELDS)
    assert samebits("verify", recipe, home=home).code == 0
    shutil.rmtree(recipe.parent)
    before = files_in(home / "store")
    ended = samebits("replay", "lab/steady@1", "--json", "--out", tmp_path / "out", home=home)
    found = ended.document()
    assert (ended.code, found["answer"]) == (0, "repeated"), ended.err
    assert found["recipe"] == "the records of the run"
    (file,) = found["artefacts"]
    assert (file["name"], file["verdict"]) == ("out.bin", "IDENTICAL")
    assert file["there"] == file["here"]
    assert [one["there"] == one["here"] for one in found["by_products"]] == [True]
    assert found["seal"] is True, "all that it built is what was built here"
    assert (tmp_path / "out/out.bin").read_bytes() == SOURCE.upper()
    assert files_in(home / "store") == before, "nothing is stored"
    assert not list((home / "runs").iterdir())

    site, stranger = tmp_path / "site", tmp_path / "stranger"
    assert samebits("portal", "build", "--out", site, home=home).code == 0
    words = ("replay", "lab/steady@1", "--portal", site / "current", "--of", "local")
    ended = samebits(*words, home=stranger)
    assert ended.code == 2
    assert "vault:source.c" in ended.err, "a file of the center's own is asked for by name"
    source = tmp_path / "source.c"
    source.write_bytes(SOURCE)
    assert samebits("vault", "add", source, home=stranger).code == 0
    ended = samebits(*words, home=stranger)
    assert (ended.code, ended.out.partition(":")[0]) == (2, "REPEATED"), ended.err
    assert "1 file came out bit for bit the same" in ended.out
    assert "NOT PROVEN that the center says so" in ended.out


@pytest.mark.parametrize("before", [b"IDENTICAL", b"netbase"])
def test_altered_records_are_not_repeated(tmp_path: Path, before: bytes) -> None:
    data = Path("infra/docs/example/netbase.bundle.tar").read_bytes()
    bundle = tmp_path / "altered.tar"
    bundle.write_bytes(data.replace(before, before[::-1], 1))
    ended = samebits("replay", bundle, home=tmp_path / "home")
    assert ended.code == 2
    ended.assert_clear()
    assert not (tmp_path / "home/runs").exists()


def test_a_run_that_a_portal_shows_in_the_place_of_another_is_not_repeated(tmp_path: Path) -> None:
    """Its index says of the bundle of netbase that it is of another release, center or run."""
    digest = str(Digest.of(FILE.read_bytes()))
    run = "20260102T030405Z-0a1b2c3d"
    for release, center, words in (
        ("acme/tool@1", "local", ()),
        ("debian/netbase@6.5", "asia", ("--of", "asia")),
        ("debian/netbase@6.5", "local", ("--run", "0a1b2c3d")),
    ):
        folder = FolderPortal(tmp_path / f"{release.partition('/')[0]}-{center}-{len(words)}")
        (shard,) = (folder.folder / "files").iterdir()
        index = json.loads(shard.read_bytes())
        (row,) = index["files"][digest]
        row["release"] = release
        row["bundles"][0] |= {"center": center, "run": run}
        shard.write_text(json.dumps(index))
        page = f"releases/{release.replace('@', '/')}/index.json"
        folder.put(page, json.dumps({"artefacts": [{"sha256": digest}]}).encode())
        asked = ("replay", release, "--portal", folder.folder, *words)
        ended = samebits(*asked, "--offline", home=tmp_path / "home")
        assert (ended.code, ended.out) == (2, "")
        assert "shows another run than it was asked for" in ended.err, ended.err
        ended.assert_clear()
