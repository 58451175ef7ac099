"""`samebits check --portal`: bundles are fetched and checked; the portal itself is not believed."""

from __future__ import annotations

import gzip
import json
import threading
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError, SamebitsError, UsageError
from pipelines.center.center import load_center
from pipelines.cli.file_check import UncheckedFileError, check
from pipelines.evidence.errors import MalformedError
from pipelines.portal.build import build_portal
from pipelines.portal.remote_check import Portal, PortalCheck, check_at_portal
from pipelines.verify.session import Session
from tests.bundle.test_export import Filled
from tests.portal.folder_portal import BUNDLE, EXAMPLE, FILE, FolderPortal


class AskedPortal(FolderPortal):
    """The same, and how it is asked."""

    def check(self, file: Path = FILE, address: str = "") -> PortalCheck:
        with Portal(address or str(self.folder)) as portal:
            policy = (EXAMPLE / "policy.dsse.json").read_bytes()
            return check_at_portal(portal, file, policy=policy, now=datetime.now(UTC))

    def command(self, *words: str) -> Result:
        home = {"SAMEBITS_HOME": str(self.folder / "home")}
        return CliRunner(env=home).invoke(check, [str(FILE), "--portal", str(self.folder), *words])


@pytest.fixture
def folder(tmp_path: Path) -> AskedPortal:
    return AskedPortal(tmp_path)


@contextmanager
def serving(folder: Path, handler: type[SimpleHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Elsewhere(Quiet):
    """Sends its visitors to another path."""

    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            return super().do_GET()
        self.send_response(302)
        self.send_header("Location", f"/to{self.path}")
        self.end_headers()
        return None


class Packed(Quiet):
    """Answers with zeros that are packed twice."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip, gzip")
        self.end_headers()
        packer = zlib.compressobj(wbits=31)
        parts = [packer.compress(bytes(1 << 20)) for _ in range(64)]
        self.wfile.write(gzip.compress(b"".join([*parts, packer.flush()])))


class Slow(Quiet):
    """Sends a header, and then one byte after the other."""

    ended = threading.Event()

    def do_GET(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\n")
        with suppress(OSError):
            while not self.ended.wait(0.02):
                self.wfile.write(b"a")


def answers(found: PortalCheck) -> list[str]:
    return [str(one.answer) for one in found.bundles]


def test_a_file_whose_bundle_is_good_is_reproduced(folder: AskedPortal) -> None:
    found = folder.check()
    ((release, one),) = found.consensus
    assert (found.exit_code, release, one.matched) == (0, "debian/netbase@6.5", ("local",))
    assert answers(found) == ["matches"]


def test_a_file_that_the_index_has_not_is_unknown(folder: AskedPortal, tmp_path: Path) -> None:
    altered = tmp_path / "altered.deb"
    altered.write_bytes(FILE.read_bytes() + b"\0")
    folder.index(altered.read_bytes(), [], files={})
    found = folder.check(altered)
    assert (found.exit_code, found.bundles) == (2, ())


def test_a_portal_that_lists_the_bundle_of_another_file_is_not_believed(
    folder: AskedPortal, tmp_path: Path
) -> None:
    altered = tmp_path / "altered.deb"
    altered.write_bytes(b"altered")
    folder.index(b"altered", [BUNDLE])
    found = folder.check(altered)
    assert (found.exit_code, answers(found)) == (2, ["unproven"])


def test_an_altered_bundle_is_refused(folder: AskedPortal) -> None:
    data = bytearray((EXAMPLE / "netbase.bundle.tar").read_bytes())
    place = data.index(b"IDENTICAL")
    data[place : place + 9] = b"DIFFERENT"
    folder.put(BUNDLE, bytes(data))
    found = folder.check()
    assert (found.exit_code, answers(found)) == (1, ["refused"])


def test_more_bundles_than_are_fetched_confirm_nothing(
    folder: AskedPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.portal.remote_check.MAX_BUNDLES", 1)
    folder.index(FILE.read_bytes(), [BUNDLE, "bundles/never-fetched.tar"])
    found = folder.check()
    assert (found.exit_code, answers(found), found.left_out) == (2, ["matches"], 1)


@pytest.mark.parametrize(
    "path", ["../bundle.tar", "bundles/../../x", "/etc/passwd", "http://other/x", "bundles/a b"]
)
def test_an_index_leads_to_no_other_place(folder: AskedPortal, path: str) -> None:
    folder.index(FILE.read_bytes(), [path])
    with pytest.raises(MalformedError, match=r"bundles\.0\.path"):
        folder.check()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"schema": "other"}', b"\xff"])
def test_what_is_no_index_is_refused(folder: AskedPortal, data: bytes) -> None:
    folder.put(f"files/{Digest.of(FILE.read_bytes()).hex[:2]}.json", data)
    with pytest.raises(MalformedError):
        folder.check()


def test_a_portal_answers_over_http(folder: AskedPortal) -> None:
    with serving(folder.folder, Quiet) as address:
        assert folder.check(address=address).exit_code == 0
        assert folder.check(address=address.removesuffix("/")).exit_code == 0
        (folder.folder / BUNDLE).unlink()
        with pytest.raises(InfrastructureError, match=f"status 404 for {BUNDLE}"):
            folder.check(address=address)


def test_a_redirect_is_not_followed(folder: AskedPortal, tmp_path: Path) -> None:
    (tmp_path / "to").symlink_to(folder.folder)
    with serving(folder.folder, Elsewhere) as address:
        with pytest.raises(InfrastructureError, match="status 302"):
            folder.check(address=address)
        assert folder.check(address=f"{address}to/").exit_code == 0


def test_a_file_that_does_not_end_is_not_read_to_its_end(
    folder: AskedPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.portal.remote_check.MAX_SHARD", 100)
    tells = pytest.raises(InfrastructureError, match="more than 100 bytes")
    with serving(folder.folder, Quiet) as address, tells:
        folder.check(address=address)


def test_a_file_that_is_packed_for_the_way_is_not_unpacked(folder: AskedPortal) -> None:
    with serving(folder.folder, Packed) as address:
        tracemalloc.start()
        try:
            with pytest.raises(InfrastructureError, match=r"the encoding gzip, gzip"):
                folder.check(address=address)
            assert tracemalloc.get_traced_memory()[1] < 32 << 20
        finally:
            tracemalloc.stop()


def test_a_portal_that_never_ends_its_answer_is_given_up(
    folder: AskedPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.portal.remote_check.MAX_SECONDS", 0.3)
    Slow.ended.clear()
    with serving(folder.folder, Slow) as address:
        threading.Timer(5, Slow.ended.set).start()  # where nobody gives it up
        with pytest.raises(InfrastructureError, match="no answer in time"):
            folder.check(address=address)
        Slow.ended.set()


def test_a_bundle_and_its_bases_take_no_more_memory_than_the_largest_bundle(
    folder: AskedPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (folder.folder / BUNDLE).stat().st_size
    bundle = {"center": "local", "run": "r", "path": BUNDLE, "bases": ["bundles/a", "bundles/b"]}
    folder.index(FILE.read_bytes(), [BUNDLE])
    (shard,) = (folder.folder / "files").iterdir()
    index = json.loads(shard.read_bytes())
    next(iter(index["files"].values()))[0]["bundles"] = [bundle]
    shard.write_text(json.dumps(index))
    for path in bundle["bases"]:
        folder.put(path, bytes(1000))
    monkeypatch.setattr("pipelines.portal.remote_check.MAX_BUNDLE", size + 2000)
    assert folder.check().exit_code == 0
    monkeypatch.setattr("pipelines.portal.remote_check.MAX_BUNDLE", size + 1999)
    with pytest.raises(SamebitsError, match="at most 999 bytes"):
        folder.check()


@pytest.mark.parametrize("address", ["ftp://example/", "no/such/folder"])
def test_what_is_no_portal_is_wrong_usage(address: str) -> None:
    with pytest.raises(UsageError, match="not a portal"):
        Portal(address)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", "http:///", "http://["])
def test_a_portal_that_does_not_answer_is_one_message(folder: AskedPortal, address: str) -> None:
    with pytest.raises(InfrastructureError, match="has no such file of a portal"):
        folder.check(address=address)


def test_the_command_says_what_is_proved(folder: AskedPortal) -> None:
    policy = ("--policy", str(EXAMPLE / "policy.dsse.json"))
    ended = folder.command(*policy)
    assert (ended.exit_code, ended.stdout.splitlines()[0]) == (0, f"REPRODUCED: {FILE.name}")
    assert "a portal can leave bundles out" in ended.stdout
    told = json.loads(folder.command(*policy, "--json").stdout)
    (one,) = told["consensus"]
    assert (told["exit_code"], one["matched"], one["k"]) == (0, ["local"], 1)
    assert told["bundles"][0]["release"] == "debian/netbase@6.5"
    folder.index(FILE.read_bytes(), [], files={})
    ended = folder.command(*policy)
    assert (ended.exit_code, ended.stdout.splitlines()[0]) == (2, f"UNKNOWN: {FILE.name}")


def test_the_digest_that_is_told_is_that_of_the_bytes_that_were_looked_up(
    folder: AskedPortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the file is replaced while the portal answers."""
    file, get = tmp_path / FILE.name, Portal.get
    file.write_bytes(FILE.read_bytes())

    def replace(portal: Portal, path: str, limit: int) -> bytes:
        file.write_bytes(b"replaced")
        return get(portal, path, limit)

    monkeypatch.setattr(Portal, "get", replace)
    words = ["--portal", str(folder.folder), "--policy", str(EXAMPLE / "policy.dsse.json")]
    ended = CliRunner(env={"SAMEBITS_HOME": str(tmp_path)}).invoke(
        check, [str(file), *words, "--json"]
    )
    told = json.loads(ended.stdout)
    assert told["sha256"] == Digest.of(FILE.read_bytes()).hex


def test_a_portal_and_stores_are_not_asked_at_once(folder: AskedPortal) -> None:
    ended = folder.command("--peer", "local=x")
    assert isinstance(ended.exception, UsageError)
    assert "--portal reads no store" in str(ended.exception)


def test_without_a_policy_nothing_is_believed(folder: AskedPortal) -> None:
    ended = folder.command()
    assert isinstance(ended.exception, UncheckedFileError)
    assert "nothing can be believed of any file without a policy" in str(ended.exception)


@pytest.mark.parametrize(
    ("scene", "expected"), [("identical", (0, ["matches"])), ("different", (1, ["differs"]))]
)
def test_what_a_portal_publishes_is_enough(
    tmp_path: Path, scene: str, expected: tuple[int, list[str]]
) -> None:
    """Also that of what was found to differ."""
    filled = Filled(tmp_path, scene)
    with Session(load_center(filled.file)) as session:
        build_portal(session, tmp_path / "portal", now=datetime.now(UTC))
    file = tmp_path / "rules.bin"
    file.write_bytes(filled.stage.shipped["rules.bin"])
    policy = filled.policy.read_bytes()
    for folder in ("portal", "portal/current"):
        with Portal(str(tmp_path / folder)) as built:
            found = check_at_portal(built, file, policy=policy, now=datetime.now(UTC))
        assert (found.exit_code, answers(found)) == expected
