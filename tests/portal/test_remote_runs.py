"""The bundle of a run is found at a portal by release, center and run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, SamebitsError
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.release_name import ReleaseName
from pipelines.portal.remote_check import Portal
from pipelines.portal.remote_runs import fetch_bundle
from tests.portal.folder_portal import BUNDLE, FILE, FolderPortal

NETBASE = ReleaseName.parse("debian/netbase@6.5")
PAGE = "releases/debian/netbase/6.5/index.json"


EARLY, LATE = "20260102T030405Z-0a1b2c3d", "20260103T030405Z-11111111"


def test_a_run_is_found_by_its_id_and_its_center(tmp_path: Path) -> None:
    folder = FolderPortal(tmp_path)
    runs = [("europe", EARLY), ("asia", EARLY), ("asia", LATE)]
    bundles = [
        {"center": center, "run": run, "path": f"bundles/{center}/{run}.bundle.tar", "bases": []}
        for center, run in runs
    ]
    for one in bundles:
        folder.put(str(one["path"]), f"{one['center']} {one['run']}".encode())
    digest = Digest.of(b"netbase")
    row = {
        "release": str(NETBASE),
        "page": PAGE,
        "artefact": "netbase.deb",
        "role": "published",
        "bundles": bundles,
    }
    folder.index(b"netbase", [], files={digest.hex: [row]})
    folder.put(PAGE, json.dumps({"artefacts": [{"sha256": digest.hex}]}).encode())
    with Portal(str(tmp_path)) as portal:
        assert fetch_bundle(portal, NETBASE) == f"asia {LATE}".encode(), "the newest"
        assert fetch_bundle(portal, NETBASE, center="europe") == f"europe {EARLY}".encode()
        found = fetch_bundle(portal, NETBASE, center="asia", run="0a1b2c3d")
        assert found == f"asia {EARLY}".encode()
        for center, run in (("americas", "latest"), ("europe", LATE), (None, "ffffffff")):
            with pytest.raises(NotFoundError, match=f"{LATE} by asia"):
                fetch_bundle(portal, NETBASE, center=center, run=run)
        with pytest.raises(SamebitsError):
            fetch_bundle(portal, ReleaseName.parse("debian/netbase@9.9"))


@pytest.mark.parametrize(
    "page", ["[]", "{", '{"artefacts": 7}', '{"artefacts": [{"sha256": "../../etc"}]}', "{}"]
)
def test_a_page_of_rubbish_is_one_clear_error(tmp_path: Path, page: str) -> None:
    folder = FolderPortal(tmp_path)
    folder.put(PAGE, page.encode())
    with Portal(str(tmp_path)) as asked, pytest.raises((MalformedError, NotFoundError)):
        fetch_bundle(asked, NETBASE)


def test_a_file_of_another_release_leads_to_no_bundle(tmp_path: Path) -> None:
    folder = FolderPortal(tmp_path)
    artefacts = [{"sha256": str(Digest.of(FILE.read_bytes()))}]
    folder.put(PAGE, json.dumps({"artefacts": artefacts}).encode())
    with Portal(str(tmp_path)) as asked:
        assert fetch_bundle(asked, NETBASE) == (tmp_path / BUNDLE).read_bytes()
        folder.put(PAGE.replace("6.5", "6.6"), json.dumps({"artefacts": artefacts}).encode())
        with pytest.raises(NotFoundError):
            fetch_bundle(asked, ReleaseName.parse("debian/netbase@6.6"))
