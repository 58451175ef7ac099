from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pytest

from builders.core.digest import Digest, digest_file
from builders.core.errors import InfrastructureError, InputUnavailableError
from builders.locators import FetchRequest, PoolLocator, PurlLocator, parse_locator
from builders.locators.apt import AptFetcher
from builders.locators.aptstate import AptState, AptStates
from builders.locators.dsc import read_companions
from builders.locators.fetcher import CompanionLocator

DSC = Digest("e8691899f57c06fcc383b0f2214b662137df539227d9d7811dc8223f32ebe4c7")
DEB = Digest("76bafa92947ebd37b0a6f9ec6570412041f56edebc1c66d323731216d318471e")
TAR = Digest("9116047aebbaa1698934052d01c6e09b4c3aed643e93df63d2ddcbec243c26d1")
SOURCE = parse_locator("pkg:deb/debian/netbase@6.5?arch=source")
POOL = PoolLocator(suite="trixie", path=PurePosixPath("pool/main/n/netbase/netbase_6.5_all.deb"))


def want(locator: object, sha256: Digest = DEB) -> FetchRequest:
    found = parse_locator(locator) if isinstance(locator, str) else locator
    return FetchRequest(locator=found, name="wanted", sha256=sha256)  # type: ignore[arg-type]


def test_every_form_of_a_debian_locator_brings_its_file(states: AptStates, tmp_path: Path) -> None:
    assert isinstance(SOURCE, PurlLocator)
    wants = [
        want(SOURCE, DSC),
        want("pkg:deb/debian/netbase@6.5?arch=all"),
        want(CompanionLocator(source=SOURCE, name="netbase_6.5.tar.xz"), TAR),
        want(POOL),
        want("pkg:deb/debian/netbase@6.5?arch=all&distro=trixie"),
    ]
    paths = AptFetcher(states).fetch(wants, tmp_path)
    assert [digest_file(path) for path in paths] == [w.sha256 for w in wants]
    assert len(set(paths)) == len(wants)
    (companion,) = read_companions(paths[0].read_bytes(), what="netbase_6.5.dsc")
    assert (companion.name, companion.size, companion.sha256) == ("netbase_6.5.tar.xz", 32544, TAR)


@pytest.mark.parametrize(
    "locator",
    [
        "pkg:deb/debian/netbase@0.1?arch=all",
        "pkg:deb/debian/netbase@6.5?arch=amd64",  # it is arch=all
        "pkg:deb/debian/no-such-package@6.5?arch=source",
        "pkg:deb/debian/netbase@6.5?arch=all&distro=nosuchsuite",
        PoolLocator(suite="trixie", path=PurePosixPath("pool/main/n/netbase/netbase_0_all.deb")),
        CompanionLocator(source=SOURCE, name="other.tar.xz"),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_what_nobody_serves_is_said_without_naming_a_host(
    states: AptStates, tmp_path: Path, locator: object
) -> None:
    with pytest.raises(InputUnavailableError) as caught:
        AptFetcher(states).fetch([want(POOL), want(locator)], tmp_path)
    text = str(caught.value)
    with states.of("trixie").locked():
        hosts = [urlsplit(root).hostname for root in states.of("trixie").roots()]
    assert not [host for host in hosts if host and host in text]
    assert "nosuchsuite" in text or str(locator) in text


def test_a_root_that_lacks_the_file_is_passed_over(
    states: AptStates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    roots = AptState.roots
    monkeypatch.setattr(AptState, "roots", lambda self: [f"file:{tmp_path}/empty/", *roots(self)])
    (path,) = AptFetcher(states).fetch([want(POOL)], tmp_path)
    assert digest_file(path) == DEB


@pytest.mark.network
def test_nothing_the_machine_trusts_or_prefers_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = tmp_path / "machine.conf"
    poisoned.write_text(
        'Acquire::AllowInsecureRepositories "true";\n'
        'APT::Get::AllowUnauthenticated "true";\n'
        'Acquire::http::Timeout "47";\n'
        'APT::Update::Pre-Invoke { "touch %s"; };\n' % (tmp_path / "ran")
    )
    monkeypatch.setenv("APT_CONFIG", str(poisoned))
    state = AptStates(tmp_path / "apt").of("trixie")
    with state.locked():
        pass
    dumped = subprocess.run(
        ["apt-config", "dump"],
        env={**os.environ, "APT_CONFIG": str(tmp_path / "apt/trixie/apt.conf")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert 'Acquire::AllowInsecureRepositories "false";' in dumped
    assert 'APT::Get::AllowUnauthenticated "false";' in dumped
    assert 'Acquire::http::Timeout "47";' in dumped
    assert not [line for line in dumped if "Invoke" in line or "/etc/apt/preferences" in line]
    assert not (tmp_path / "ran").exists()
    sources = (tmp_path / "apt/trixie/sources/samebits.sources").read_text()
    assert "file:" not in sources
    assert sources.count("Signed-By: /") == sources.count("Types: deb deb-src") > 0


@pytest.mark.network
def test_a_machine_that_never_fetched_lists_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lists/partial").mkdir(parents=True)
    (tmp_path / "machine.conf").write_text(f'Dir::State::lists "{tmp_path}/lists";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "machine.conf"))
    state = AptStates(tmp_path / "apt").of("trixie")
    with state.locked():
        assert state.binaries(["netbase=6.5"])[0].sha256 == DEB
    assert [path.name for path in (tmp_path / "lists").iterdir()] == ["partial"]


@pytest.mark.parametrize("trusted", ["", "[trusted=yes] "])
def test_an_unsigned_source_is_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str
) -> None:
    release = tmp_path / "archive/dists/trixie"
    (release / "main/binary-amd64").mkdir(parents=True)
    (release / "main/binary-amd64/Packages").write_text("")
    (release / "Release").write_text("Suite: trixie\nCodename: trixie\nComponents: main\n")
    (tmp_path / "sources").mkdir()
    line = f"deb {trusted}file:{tmp_path}/archive trixie main\n"
    (tmp_path / "sources/local.list").write_text(line)
    configuration = tmp_path / "machine.conf"
    configuration.write_text(f'Dir::Etc::sourceparts "{tmp_path}/sources";\n')
    monkeypatch.setenv("APT_CONFIG", str(configuration))
    state = AptStates(tmp_path / "apt").of("trixie")
    with pytest.raises(InfrastructureError, match="cannot be fetched"), state.locked():
        pass


@pytest.mark.network
def test_one_root_out_of_order_does_not_hide_the_others(tmp_path: Path) -> None:
    state = AptStates(tmp_path / "apt", mirrors=[f"file:{tmp_path}/gone"]).of("trixie")
    with state.locked():
        assert state.roots()
        assert not [root for root in state.roots() if root.startswith("file:")]
        assert [s.name for s in state.binaries(["netbase=6.5"])] == ["netbase_6.5_all.deb"]


def test_a_state_is_used_by_one_at_a_time(states: AptStates) -> None:
    order: list[str] = []
    inside = threading.Event()

    def other() -> None:
        inside.wait()
        with states.of("trixie").locked():
            order.append("other")

    thread = threading.Thread(target=other)
    thread.start()
    with states.of("trixie").locked():
        inside.set()
        thread.join(timeout=0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


@pytest.mark.parametrize("suite", ["../trixie", "", "Trixie", "trixie main", "-o"])
def test_a_suite_is_a_code_name(tmp_path: Path, suite: str) -> None:
    with pytest.raises(InputUnavailableError, match="no such suite"):
        AptStates(tmp_path).of(suite)


@pytest.mark.network
def test_an_archive_of_the_machine_is_asked_for_an_older_suite_too(tmp_path: Path) -> None:
    sources, listed = AptStates(tmp_path).of("bookworm")._sources()
    assert not listed
    assert sources
    for source in sources:
        assert "\nSuites: bookworm\n" in source
        assert "\nSigned-By: /" in source
    assert AptStates(tmp_path).of("trixie")._sources()[1]


@pytest.mark.network
def test_a_suite_that_no_archive_has_is_said_so(tmp_path: Path) -> None:
    state = AptStates(tmp_path).of("nosuch")
    with pytest.raises(InputUnavailableError, match="no signed source of suite nosuch"):
        state.locked().__enter__()
