"""Real archives, and small ones made to measure."""

from __future__ import annotations

import gc
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from builders.images.provide import ProvidedImage, ensure_image
from pipelines.center.center import Center
from pipelines.storage.files import held
from pipelines.verify.session import Session
from tests.command import environment_of
from tests.processes import FilesTogether, place_in_order

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from tests.softhsm import SoftToken
    from tests.storage.ceph import Gateway

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
"""How long an example may take depends on the machine and on what else it does."""

Maker = Callable[..., bytes]
_START_PREFECT = """
import sys
from pathlib import Path
from pipelines.flows.server import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1])) as server:
    server.wait()
"""

MARKERS = {
    "engine": {"build_image", "own", "library"},
    "s3": {"gateway", "admin"},
    "prefect": {"standing_center", "api", "database"},
    "browser": {"chromium", "firefox"},
    "network": {"states", "index"},
    "root": {"small_disk", "build_image", "own"},
    "host": {"soft_token"},
}
"""What a test needs beside this process, by marker: known from the fixtures that it uses."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with what its fixtures need, so that `-m` can leave it out.

    Where xdist does not put files of many tests first, those that take longest are.
    """
    for item in items:
        given = _parameters(item)
        used = set(getattr(item, "fixturenames", ())) - given.keys()
        if any(str(value).startswith("s3-") for value in given.values()):
            item.add_marker("s3")
        for marker, fixtures in MARKERS.items():
            if used & fixtures:
                item.add_marker(marker)
    if not config.getoption("loadscopereorder", default=True):  # `dist` is unset in each process
        items.sort(key=lambda item: place_in_order(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether | None:
    """Let files that share a service go to one process, where `--dist loadfile` is asked for."""
    return FilesTogether(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection() -> None:
    """Spare the garbage collector what is made by collecting: all of it stays to the end."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def _parameters(item: pytest.Item) -> Mapping[str, object]:
    """Return what a test is parametrized with: none of it is a fixture, whatever its name."""
    call = getattr(item, "callspec", None)
    return call.params if call is not None else {}


@pytest.fixture
def data() -> Path:
    return Path(__file__).parent / "data" / "archives"


@pytest.fixture
def make_tar() -> Maker:
    def make(files: Mapping[str, bytes], *, mode: int = 0o644, mtime: int = 0) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size, info.mode, info.mtime = len(content), mode, mtime
                tar.addfile(info, io.BytesIO(content))
        return out.getvalue()

    return make


@pytest.fixture
def make_zip() -> Maker:
    def make(files: Mapping[str, bytes], *, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, content in files.items():
                info = zipfile.ZipInfo(name, (2024, 2, 29, 12, 30, 58))
                archive.writestr(info, content, packing)
        return out.getvalue()

    return make


@pytest.fixture
def make_ar() -> Maker:
    def make(files: Mapping[str, bytes], *, mtime: int = 0) -> bytes:
        out = b"!<arch>\n"
        for name, content in files.items():
            out += f"{name:<16}{mtime:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
            out += content + b"\n" * (len(content) % 2)
        return out

    return make


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SAMEBITS_HOME of the whole session: vault, store and apt state are filled once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def center(home: Path) -> Center:
    return Center(id="local", home=home, store=home / "store")


@pytest.fixture(scope="session")
def session(center: Center) -> Iterator[Session]:
    """The real engine, images and mirrors of this machine; no engine fails the suite."""
    session = Session(center)
    yield session
    session.engine.close()


@pytest.fixture(scope="session")
def started_prefect(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Prefect server that has started and ended, made once for all processes.

    Making its database takes longer than all else that happens until a server answers.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, new = shared / "prefect", shared / "new-prefect"
    with held(shared / "prefect.lock"):
        if not folder.exists():
            command = [sys.executable, "-c", _START_PREFECT, str(new)]
            subprocess.run(command, env=environment_of(new), check=True, timeout=300)
            new.rename(folder)
    return folder


@pytest.fixture(scope="session")
def prefect_at_home(home: Path, started_prefect: Path) -> None:
    """Let a Prefect server have been in the home of the session before."""
    if not (home / "prefect").exists():
        shutil.copytree(started_prefect, home / "prefect")


@pytest.fixture
def home_with_prefect(tmp_path: Path, started_prefect: Path) -> Path:
    """A home of its own, in which a Prefect server has been before."""
    shutil.copytree(started_prefect, tmp_path / "home/prefect")
    return tmp_path / "home"


@pytest.fixture(scope="session")
def build_image(session: Session) -> ProvidedImage:
    """The builder image for Debian packages, rebuilt from its lock if the engine lacks it."""
    return ensure_image("debian-trixie-build", session.images, session.engine, session.workdir)


@pytest.fixture(scope="session")
def soft_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    """A PKCS#11 token by SoftHSM, one for the session: a module is configured once a process."""
    from tests.softhsm import SoftToken

    token = SoftToken(tmp_path_factory.mktemp("token"))
    token.make()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(token.configuration))
        yield token


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A real object store, one for the session."""
    from tests.storage.ceph import running_gateway

    with running_gateway(tmp_path_factory.mktemp("ceph")) as running:
        yield running


@pytest.fixture(scope="session")
def admin(gateway: Gateway) -> S3Client:
    """A client that does what a store must not do."""
    return gateway.client()


@pytest.fixture
def aws(gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual AWS configuration, of this gateway alone."""
    for name, value in gateway.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
