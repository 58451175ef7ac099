"""A closed product in C, whose build leaves traces of when, where and how it ran."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from builders.core.digest import digest_file
from pipelines.infer.script.parts import texts_of
from pipelines.infer.script.traces import stamps
from tests.command import DATA, samebits

RELEASE, SHIPPED, SOURCE = "acme/engine@4.2", "engine-4.2.tar.gz", "engine-4.2.tar"
VENDOR_MACHINE: dict[str, Any] = {
    "clock": {"time": "2026-03-05T06:07:08Z"},
    "umask": "027",
    "path": "/home/ci/workspace/engine",
    "hostname": "ci-7",
    "locale": "C",
    "folder_order": "hashed-7",
}
"""The vendor's build machine, of which the vendor tells nobody."""


class Product:
    """The files of the vendor: its source, its build script, and what its machine made of both."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        self.dist = folder / "dist"
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(folder / SOURCE, "w") as archive:
            for path in sorted((DATA / "engine" / "engine-4.2").iterdir()):
                archive.add(path, f"engine-4.2/{path.name}", filter=_neutral)
        shutil.copy(DATA / "engine" / "build.sh", folder / "build.sh")

    @property
    def shipped(self) -> Path:
        return self.dist / SHIPPED

    def build(self, more: str = "", **machine: Any) -> Path:
        """Build as the vendor does, on a machine that is described by `machine`."""
        script = self.folder / "build.sh"
        script.write_text(script.read_text() + more)
        shutil.rmtree(self.dist, ignore_errors=True)
        truth = self.folder / "truth.yaml"
        build = {"method": "script", "image": "debian-trixie-build", "script": "build.sh"}
        source = {"role": "source", "locator": f"file:{SOURCE}"}
        vendor, _, rest = RELEASE.partition("/")
        product, _, version = rest.partition("@")
        recipe = {
            "schema": "samebits/recipe/v1",
            "vendor": vendor,
            "product": product,
            "version": version,
            "kind": "binary",
            "platform": "linux/amd64",
            "build": {**build, **machine},
            "inputs": [{**source, "sha256": str(digest_file(self.folder / SOURCE))}],
            "artefacts": [{"name": SHIPPED}],
        }
        truth.write_text(json.dumps(recipe))
        ended = samebits("rebuild", truth, "--out", self.dist, home=self.home)
        assert ended.code == 0, ended.err
        truth.unlink()
        return self.shipped

    def build_elsewhere(self, image: str, path: str, umask: str, host: str) -> Path:
        """Build in a container of its own, under its own clock, where samebits has no part.

        A build that took more than one second's tick is made again: no clock stands still there.
        """
        shutil.rmtree(self.dist, ignore_errors=True)
        for _ in range(20):
            self.dist.mkdir(mode=0o777, exist_ok=True)
            work = Path(tempfile.mkdtemp(dir=self.folder))
            for folder in (self.dist, work):
                folder.chmod(0o777)
            mounts = {
                self.folder / SOURCE: f"/inputs/source/{SOURCE}",
                self.folder / "build.sh": "/build.sh",
                self.dist: "/out",
                work: path,
            }
            given = [word for a, b in mounts.items() for word in ("--volume", f"{a}:{b}")]
            user = ["--user", "1000:1000", "--workdir", path, "--hostname", host]
            words = ["docker", "run", "--rm", "--network", "none", *user, *given]
            build = [image, "sh", "-c", f"umask {umask}; exec /build.sh"]
            variables = ["--env", "LC_ALL=C.UTF-8", "--env", "HOME=/tmp"]
            subprocess.run([*words, *variables, *build], check=True, capture_output=True)
            if len(self._seconds()) == 1:
                return self.shipped
        raise AssertionError("every build took more than a second")

    def _seconds(self) -> set[int]:
        """Return the times of the members, and those that the compiler has written."""
        found = set()
        with tarfile.open(self.shipped) as archive:
            for member in archive:
                found.add(int(member.mtime))
                if member.isfile() and (data := archive.extractfile(member)):
                    found |= {stamp.seconds for stamp in stamps(texts_of(data.read()))}
        return found

    def words(self, out: Path, *more: str) -> list[str]:
        """Return the words of `recipe new` for it."""
        files = {
            "--script": self.folder / "build.sh",
            "--source": self.folder / SOURCE,
            "--from-file": self.shipped,
            "--out": out,
        }
        named = [str(word) for pair in files.items() for word in pair]
        return ["recipe", "new", "--release", RELEASE, *named, *more]


def _neutral(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode, info.mtime = 0o644, 1_772_000_000
    return info
