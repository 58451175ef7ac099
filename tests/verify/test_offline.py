"""`--offline`: the vault and the files of this machine, or an answer at once."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from builders.core.digest import Digest
from builders.core.errors import ImageUnavailableError, InputUnavailableError
from builders.images.provide import ProvidedImage, ensure_image
from builders.locators import FetchRequest, parse_locator
from builders.locators.machine import MachineFetcher
from builders.locators.offline import OfflineFetcher
from pipelines.center.center import Center
from pipelines.verify.session import Session
from tests.command import COMMAND, DATA, RELEASES, Ended
from tests.lab import verified

NETBASE = RELEASES / "debian/netbase/6.5.yaml"
NO_NETWORK = ("unshare", "--net", "--")


def without_network(*words: str | Path, home: Path) -> Ended:
    """Run the command in a network namespace in which there is not even a loopback."""
    done = subprocess.run(
        [*NO_NETWORK, "env", f"SAMEBITS_HOME={home}", *COMMAND, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def test_what_the_vault_has_is_verified_without_any_network(
    session: Session, home: Path, build_image: ProvidedImage
) -> None:
    verified(session, NETBASE)
    ended = without_network("verify", "--offline", "--json", NETBASE, home=home)
    (report,) = ended.document()["reports"]
    assert (ended.code, report["verdict"]) == (0, "IDENTICAL")
    assert "netbase" in ended.err


def test_what_the_vault_lacks_is_told_at_once(tmp_path: Path, build_image: ProvidedImage) -> None:
    home = tmp_path / "home"
    ended = without_network("verify", "--offline", "--json", NETBASE, home=home)
    (report,) = ended.document()["reports"]
    assert (ended.code, report["outcome"]) == (2, "INPUT_UNAVAILABLE")
    assert report["timings"]["total"] < 60
    (artefact,) = report["artefacts"]
    assert artefact["verdict"] == "NOT_CHECKED"
    assert "samebits vault import" in artefact["reason"]
    ended = without_network("rebuild", "--offline", NETBASE, "--out", tmp_path / "out", home=home)
    assert ended.code == 2
    assert "nothing is fetched offline" in ended.err


def test_a_shipped_file_that_the_vault_lacks_is_not_checked(
    session: Session, tmp_path: Path, build_image: ProvidedImage
) -> None:
    verified(session, NETBASE)
    shipped = tmp_path / "6.5.yaml"
    digest = "76bafa92947ebd37b0a6f9ec6570412041f56edebc1c66d323731216d318471e"
    text = NETBASE.read_text()
    assert digest in text
    shipped.write_text(text.replace(digest, "0" * 64))
    offline = Session(session.center, offline=True)
    report = verified(offline, shipped)
    (finding,) = report.artefacts
    assert (report.outcome, finding.verdict) == ("BUILT", "NOT_CHECKED")
    assert "nothing is fetched offline" in finding.reason


def test_no_registry_is_asked_even_where_there_is_a_network(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(_self: MachineFetcher, requests: Sequence[FetchRequest], into: Path) -> NoReturn:
        pytest.fail(f"asked for {requests} into {into}")

    monkeypatch.setattr(MachineFetcher, "fetch", asked)
    session = Session(Center(id="local", home=home, store=home / "empty"), offline=True)
    for text in (
        "pkg:deb/debian/netbase@6.5?arch=source",
        "pkg:pypi/six@1.17.0",
        f"git+https://git.example/rules.git@{'0' * 40}",
        "vault:engine.tar",
    ):
        want = FetchRequest(locator=parse_locator(text), name="x", sha256=Digest("0" * 64))
        with pytest.raises(InputUnavailableError, match="nothing is fetched offline"):
            session.fetcher.fetch([want], home)


def test_files_beside_the_recipe_are_no_network(tmp_path: Path, data: Path) -> None:
    want = FetchRequest(
        locator=parse_locator("file:netbase_6.5_all.deb"),
        name="x",
        sha256=Digest("0" * 64),
        folder=DATA / "archives",
    )
    (path,) = OfflineFetcher().fetch([want], tmp_path)
    assert path.read_bytes() == (data / "netbase_6.5_all.deb").read_bytes()


def test_no_image_is_pulled(session: Session) -> None:
    class Bare:
        def has_image(self, name: str) -> bool:
            return False

        def pull(self, name: str) -> NoReturn:
            pytest.fail(f"pulled {name}")

    bare: Any = Bare()
    name = f"example/base@sha256:{'0' * 64}"
    with pytest.raises(ImageUnavailableError, match="nothing is pulled offline"):
        ensure_image(name, session.images, bare, session.workdir, offline=True)
