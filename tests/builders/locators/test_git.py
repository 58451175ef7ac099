from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from builders.core.digest import Digest, digest_file
from builders.core.errors import InputMismatchError, InputUnavailableError
from builders.locators import FetchRequest, GitLocator
from builders.locators.git import GitFetcher

URL = "https://git.example/team/tool.git"
TIME = 1_700_000_000
POINTER = "version https://git-lfs.example/spec/v1\noid sha256:00\nsize 1\n"


class Project:
    """A local repository that stands in for a remote one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *words],
            cwd=self.folder,
            env={
                **os.environ,
                "GIT_AUTHOR_DATE": f"{TIME} +0200",
                "GIT_COMMITTER_DATE": f"{TIME} +0200",
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=x")
        return self.git("rev-parse", "HEAD")

    def fetcher(self, *protocols: str) -> GitFetcher:
        mirror = f"url.file://{self.folder}.insteadOf"
        return GitFetcher(settings={mirror: URL}, protocols=protocols or ("https", "file"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "remote")


def fetch(fetcher: GitFetcher, commit: str, into: Path) -> Path:
    into.mkdir(exist_ok=True)
    locator = GitLocator(url=URL, commit=commit)
    (path,) = fetcher.fetch([FetchRequest(locator=locator, name="x", sha256=Digest.of(b""))], into)
    return path


def test_a_commit_becomes_a_canonical_tar(project: Project, tmp_path: Path) -> None:
    (project.folder / "run").write_text("#!/bin/sh\n")
    (project.folder / "run").chmod(0o755)
    (project.folder / "link").symlink_to("run")
    (project.folder / "dir").mkdir()
    (project.folder / "dir/ä").write_bytes(b"\r\n\0" * 1000)
    first = project.commit(a="old\n")
    project.commit(a="new\n")

    path = fetch(project.fetcher(), first, tmp_path / "one")
    with tarfile.open(path) as tar:
        members = {m.name.removeprefix(f"tool-{first}/"): m for m in tar}
        assert list(members) == ["a", "dir/ä", "link", "run"]
        assert {(m.uid, m.gid, m.uname, m.mtime) for m in members.values()} == {(0, 0, "", TIME)}
        assert [oct(members[n].mode) for n in ("a", "run")] == ["0o644", "0o755"]
        assert members["link"].linkname == "run"
        content = tar.extractfile(members["dir/ä"])
        assert content is not None
        assert content.read() == b"\r\n\0" * 1000
        old = tar.extractfile(members["a"])
        assert old is not None
        assert old.read() == b"old\n"
    assert digest_file(path) == digest_file(fetch(project.fetcher(), first, tmp_path / "two"))
    assert [p.name for p in (tmp_path / "one").iterdir()] == [path.name]


def test_attributes_and_hooks_touch_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-checkout"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
    commit = project.commit(
        hidden="x\n",
        text="$Id$\n",
        **{".gitattributes": "hidden export-ignore\ntext ident eol=crlf"},
    )
    (tmp_path / "gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    with tarfile.open(fetch(project.fetcher(), commit, tmp_path / "into")) as tar:
        assert [Path(m.name).name for m in tar] == [".gitattributes", "hidden", "text"]
        text = tar.extractfile(f"tool-{commit}/text")
        assert text is not None
        assert text.read() == b"$Id$\n"
    assert not (tmp_path / "ran").exists()


def test_submodules_are_refused(project: Project, tmp_path: Path) -> None:
    commit = project.commit(a="a")
    project.git("update-index", "--add", "--cacheinfo", f"160000,{commit},vendored")
    project.git("commit", "--quiet", "--message=x")
    with pytest.raises(InputMismatchError, match="a submodule at 'vendored'"):
        fetch(project.fetcher(), project.git("rev-parse", "HEAD"), tmp_path / "into")


def test_lfs_pointers_are_refused(project: Project, tmp_path: Path) -> None:
    commit = project.commit(**{"model.bin": POINTER})
    with pytest.raises(InputMismatchError, match=r"LFS pointer in place of 'model\.bin'"):
        fetch(project.fetcher(), commit, tmp_path / "into")


def test_an_empty_tree_is_no_source(project: Project, tmp_path: Path) -> None:
    with pytest.raises(InputMismatchError, match="got 0 files"):
        fetch(project.fetcher(), project.commit(), tmp_path / "into")


@pytest.mark.parametrize("kind", ["unknown", "tree", "sha256"])
def test_only_a_commit_that_is_served_will_do(project: Project, tmp_path: Path, kind: str) -> None:
    project.commit(a="a")
    commits = {
        "unknown": "0123456789" * 4,
        "tree": project.git("rev-parse", "HEAD^{tree}"),
        "sha256": "01234567" * 8,
    }
    with pytest.raises(InputUnavailableError, match="cannot be fetched"):
        fetch(project.fetcher(), commits[kind], tmp_path / "into")
    assert not list((tmp_path / "into").iterdir())


def test_other_protocols_are_closed(project: Project, tmp_path: Path) -> None:
    commit = project.commit(a="a")
    with pytest.raises(InputUnavailableError, match="transport 'file' not allowed"):
        fetch(project.fetcher("https"), commit, tmp_path / "into")
