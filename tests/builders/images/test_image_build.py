from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from builders.core.digest import Digest, digest_file
from builders.core.errors import (
    ImageMismatchError,
    ImageUnavailableError,
    InfrastructureError,
    InputUnavailableError,
)
from builders.images import BuiltImage, ImageCatalogue, assemble, catalogue, confined
from builders.images.assemble import build_image
from builders.images.catalogue import NewLock
from builders.images.lock import Resolution
from builders.inputs.vault import Vault
from builders.locators.aptstate import AptStates
from builders.locators.machine import MachineFetcher
from tests.builders.images.hostile_package import hostile_package
from tests.fakes.store import MemoryStore

DEFINITION = """\
schema: samebits/image/v1
suite: trixie
packages: [netbase]
environment: {GREETING: hello}
"""
ENOUGH = {
    "base-files", "base-passwd", "coreutils", "dash", "debconf", "debianutils", "diffutils", "dpkg",
    "findutils", "gcc-14-base", "grep", "libacl1", "libattr1", "libbz2-1.0", "libc-bin", "libc6",
    "libcap2",
    "libcrypt1", "libgcc-s1", "libgmp10", "liblzma5", "libmd0", "libpcre2-8-0", "libselinux1",
    "libssl3t64", "libsystemd0", "libzstd1", "openssl-provider-legacy", "perl-base", "sed", "tar",
    "zlib1g",
}  # fmt: skip
"""The packages that dpkg and a script in Perl need."""


class Bench:
    """A folder of images, a vault in memory, and one image that is already locked."""

    def __init__(self, folder: Path, states: AptStates) -> None:
        self.folder = folder
        self.recipes = folder / "images"
        self.work = folder / "work"
        self.out = folder / "out"
        for path in (self.recipes, self.out):
            path.mkdir()
        self.vault = Vault(MemoryStore())
        self.images = ImageCatalogue(
            self.recipes, self.vault, MachineFetcher(states), self.work, states
        )
        (self.recipes / "tiny.yaml").write_text(DEFINITION)
        self.steps: list[tuple[int, int, str]] = []
        self.new: NewLock = self.images.lock_new(
            "tiny", self.out, lambda *step: self.steps.append(step)
        )

    def damaged(self, old: str, new: str) -> ImageCatalogue:
        """Return the images of a folder whose lock is not as it was made."""
        folder = self.folder / f"damaged-{len(list(self.folder.iterdir()))}"
        shutil.copytree(self.recipes, folder)
        text = (folder / "tiny.lock.yaml").read_text()
        assert old in text
        (folder / "tiny.lock.yaml").write_text(text.replace(old, new))
        states = AptStates(self.folder.parent / "none")
        return ImageCatalogue(folder, self.vault, self.images._fetcher, self.work, states)

    def assert_nothing_left(self) -> None:
        assert not list(self.work.iterdir())
        assert str(self.folder) not in Path("/proc/mounts").read_text()
        assert [path.name for path in self.out.iterdir()] == ["tiny.tar"]


@pytest.fixture(scope="module")
def bench(states: AptStates, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"), states)


def test_two_builds_of_one_lock_are_one_file(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = os.umask(0o077)
    try:  # another user's habits
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        monkeypatch.setenv("LC_ALL", "POSIX")
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
        monkeypatch.setenv("DPKG_ROOT", "/nonexistent")
        monkeypatch.setenv("APT_CONFIG", "/nonexistent")
        again = bench.images.build("tiny", tmp_path)
    finally:
        os.umask(old)
    first = bench.new.image
    assert again.digests == first.digests
    assert digest_file(again.tar) == digest_file(first.tar)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.tar"]
    bench.assert_nothing_left()


def test_a_new_lock_says_what_it_fetched_and_installed(bench: Bench) -> None:
    packages = bench.new.lock.every()
    assert bench.new.changes is None
    assert bench.images.lock("tiny") == bench.new.lock
    assert [p.name for p in bench.new.lock.packages] == ["netbase"]
    assert {"libc6", "dpkg", "base-files"} <= {p.name for p in bench.new.lock.essential}
    fetched = [step for step in bench.steps if step[1] == len(packages)]
    installed = [step for step in bench.steps if step[1] == 2 * len(packages)]
    assert fetched[-1][0] == len(packages)
    assert installed[-1][:2] == (2 * len(packages), 2 * len(packages))


def test_the_tar_is_a_layout_and_an_archive_at_once(bench: Bench) -> None:
    image = bench.new.image
    with tarfile.open(image.tar) as tar:
        names = tar.getnames()

        def read(name: str) -> bytes:
            stream = tar.extractfile(name)
            assert stream is not None
            return stream.read()

        for name in names:
            if name.startswith("blobs/sha256/"):
                assert hashlib.sha256(read(name)).hexdigest() == name.rpartition("/")[2]
        index = json.loads(read("index.json"))
        manifest = json.loads(read(f"blobs/sha256/{image.digests.manifest}"))
        config = json.loads(read(f"blobs/sha256/{image.digests.config}"))
        (archive,) = json.loads(read("manifest.json"))
        assert json.loads(read("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
        assert {(m.uid, m.gid, m.mtime, m.mode) for m in tar} == {
            (0, 0, bench.new.lock.epoch, 0o644)
        }
    assert index["manifests"][0]["digest"] == f"sha256:{image.digests.manifest}"
    assert manifest["config"]["digest"] == f"sha256:{image.digests.config}"
    assert [layer["digest"] for layer in manifest["layers"]] == [f"sha256:{image.digests.diff_id}"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{image.digests.diff_id}"]
    assert config["config"]["User"] == "1000:1000"
    assert "GREETING=hello" in config["config"]["Env"]
    assert archive == {
        "Config": f"blobs/sha256/{image.digests.config}",
        "Layers": [f"blobs/sha256/{image.digests.diff_id}"],
        "RepoTags": None,
    }
    assert len(names) == 6


def test_nothing_of_this_machine_is_in_the_image(bench: Bench) -> None:
    image = bench.new.image
    own = str(bench.folder).encode()
    with tarfile.open(image.tar) as outer:
        layer = outer.extractfile(f"blobs/sha256/{image.digests.diff_id}")
        with tarfile.open(fileobj=layer) as tar:
            members = {m.name: m for m in tar}
            texts = {
                name: stream.read()
                for name, m in members.items()
                if m.isreg()
                and name.startswith(("etc/", "var/"))
                and (stream := tar.extractfile(m))
            }
    assert not [name for name, text in texts.items() if own in text]
    assert not {"etc/hostname", "etc/resolv.conf", "etc/hosts", "etc/machine-id"} & members.keys()
    assert not [n for n in members if n.startswith(("dev/", "proc/", "sys/", "run/", "tmp/"))]
    assert not [n for n, m in members.items() if n.startswith("var/log/") and m.isreg()]
    assert max(m.mtime for m in members.values()) == bench.new.lock.epoch
    assert {(m.uname, m.gname) for m in members.values()} == {("", "")}
    assert list(members) == sorted(members, key=lambda name: name.encode().split(b"/"))
    assert members["tmp"].mode == 0o1777
    assert (members["home/builder"].uid, members["home/builder"].gid) == (1000, 1000)
    assert texts["etc/passwd"].decode().splitlines()[-1].startswith("builder:*:1000:1000:")


def test_a_package_that_nobody_serves_is_unavailable(bench: Bench, tmp_path: Path) -> None:
    netbase = bench.new.lock.packages[0]
    images = bench.damaged(
        f"{netbase.sha256} {netbase.path}", f"{'ab' * 32} pool/main/n/netbase/netbase_0_all.deb"
    )
    with pytest.raises(InputUnavailableError, match="pool/main/n/netbase/netbase_0_all"):
        images.build("tiny", tmp_path)
    assert not list(tmp_path.iterdir())
    bench.assert_nothing_left()


def test_a_package_that_no_suite_has_cannot_be_locked(bench: Bench, tmp_path: Path) -> None:
    (bench.recipes / "odd.yaml").write_text(DEFINITION.replace("netbase", "no-such-package"))
    try:
        with pytest.raises(InputUnavailableError, match="no-such-package"):
            bench.images.lock_new("odd", tmp_path)
        assert not (bench.recipes / "odd.lock.yaml").exists()
    finally:
        (bench.recipes / "odd.yaml").unlink()
    bench.assert_nothing_left()


def test_a_lock_line_that_names_another_package_is_a_mismatch(bench: Bench, tmp_path: Path) -> None:
    images = bench.damaged("- netbase 6.5 all", "- netbase 6.6 all")
    with pytest.raises(ImageMismatchError, match=r"got netbase 6\.5 all installed"):
        images.build("tiny", tmp_path)
    assert not list(tmp_path.iterdir())
    bench.assert_nothing_left()


def test_an_image_of_another_digest_is_a_mismatch(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(*args: object) -> BuiltImage:
        target = args[3]
        assert isinstance(target, Path)
        target.write_bytes(b"an image")
        return replace(bench.new.image, tar=target)

    monkeypatch.setattr(catalogue, "build_image", built)
    assert bench.images.check("tiny") == bench.new.lock
    config = bench.new.image.digests.config
    images = bench.damaged(str(config), "cd" * 32)
    for attempt in (lambda: images.build("tiny", tmp_path), lambda: images.check("tiny")):
        with pytest.raises(ImageMismatchError, match=f"got config sha256 {config}"):
            attempt()
    assert not list(tmp_path.iterdir())
    bench.assert_nothing_left()


def test_packages_that_do_not_install_say_why_in_one_line(bench: Bench, tmp_path: Path) -> None:
    lock = bench.new.lock.model_dump(by_alias=True, exclude={"image"})
    only = [p for p in bench.new.lock.essential if p.name in {"base-files", "libc6"}]
    resolution = Resolution.model_validate({**lock, "essential": only, "packages": []})
    definition = bench.images.definition("tiny")
    with pytest.raises(ImageUnavailableError, match="cannot be installed; got exit code") as caught:
        build_image(definition, resolution, bench.vault, tmp_path / "x.tar", bench.work)
    assert "No such file or directory: '/bin/sh'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    bench.assert_nothing_left()


def test_a_hostile_package_reaches_nothing_of_this_machine(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for folder in tmp_path, *tmp_path.parents:
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(0o755)  # whoever reaches the file may read and write it
    secret.chmod(0o666)
    package = hostile_package(tmp_path, bench.vault, secret, os.getpid())
    lock = bench.new.lock.model_dump(by_alias=True, exclude={"image"})
    enough = [p for p in bench.new.lock.essential if p.name in ENOUGH]
    resolution = Resolution.model_validate({**lock, "essential": enough, "packages": [package]})
    definition = bench.images.definition("tiny")
    image = build_image(definition, resolution, bench.vault, tmp_path / "x.tar", bench.work)
    with tarfile.open(image.tar) as outer:
        layer = outer.extractfile(f"blobs/sha256/{image.digests.diff_id}")
        with tarfile.open(fileobj=layer) as tar:
            stream = tar.extractfile("var/lib/hostile/report")
            assert stream is not None
            report = stream.read().decode().splitlines()
            kinds = {member.type for member in tar}
    end = report.index("packages failed") + 1
    assert [line for line in report[:end] if not line.endswith(" failed")] == []
    assert [line.split() for line in report[end:]] == [
        ["CapInh:", "0000000000000000"],
        ["CapBnd:", "00000000800000fb"],  # to own and give away the files of the image
        ["NoNewPrivs:", "1"],
        ["Seccomp:", "2"],
        ["0", str(confined.FIRST_ID), "65536"],
    ]
    assert kinds == {tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE}
    assert secret.read_text() == "secret"
    bench.assert_nothing_left()


def test_where_no_user_namespace_can_be_had_it_says_so(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = ("unshare", "--user", "--map-root-user", "--", *assemble._NAMESPACE)
    monkeypatch.setattr(assemble, "_NAMESPACE", without)
    with pytest.raises(InfrastructureError, match="user namespace, and this machine allows none"):
        bench.images.build("tiny", tmp_path)
    assert not list(tmp_path.iterdir())
    bench.assert_nothing_left()


def test_an_interrupt_leaves_nothing_behind(bench: Bench, tmp_path: Path) -> None:
    def interrupt(done: int, total: int, name: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.images.build("tiny", tmp_path, interrupt)
    assert not list(tmp_path.iterdir())
    bench.assert_nothing_left()


def test_without_root_it_says_so(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InfrastructureError, match="needs root; got user id 1000"):
        bench.images.build("tiny", tmp_path)
    bench.assert_nothing_left()


def test_what_the_vault_lacks_is_unavailable(bench: Bench, tmp_path: Path) -> None:
    definition, lock = bench.images.definition("tiny"), bench.new.lock
    with pytest.raises(InputUnavailableError, match="the vault has no such input"):
        build_image(definition, lock, Vault(MemoryStore()), tmp_path / "x.tar", bench.work)
    assert isinstance(bench.new.image.digests.config, Digest)
    bench.assert_nothing_left()
