"""Source trees on disk: what their digest names, and nothing outside of their folder."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from builders.archives import ArchiveLimits
from builders.core.digest import Digest
from builders.core.enums import Role
from builders.core.errors import InputMismatchError
from builders.inputs import source_files
from builders.inputs.input_file import InputFile
from builders.inputs.source_digest import source_digest
from builders.inputs.source_files import SourceFiles
from tests.fakes.jail import OpenJail

Entry = tuple[str, bytes | str, int]
"""Path, content (or what a link leads to) and mode."""
HELLO: Entry = ("pkg-1/src/hello.c", b"int x;\n", 0o644)


def tar(*entries: Entry, kind: bytes = tarfile.SYMTYPE) -> bytes:
    """Return a tar; an entry with a text is a link of that kind."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content, mode in entries:
            info = tarfile.TarInfo(path)
            info.mode = mode
            if isinstance(content, str):
                info.type, info.linkname = kind, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def read(folder: Path, *named: tuple[str, bytes]) -> SourceFiles:
    """Read the files of one source; the digest must be that of a rebuild."""
    by_digest = {Digest.of(data): data for _, data in named}
    files = [InputFile(role=Role.SOURCE, name=n, sha256=Digest.of(data)) for n, data in named]

    def opener(file: InputFile) -> io.BytesIO:
        return io.BytesIO(by_digest[file.sha256])

    source = SourceFiles.read(files, opener, folder / "contents", OpenJail())
    assert source.digest == source_digest(files, opener, OpenJail())
    return source


def written(folder: Path, *named: tuple[str, bytes]) -> Path:
    read(folder, *named).write(folder / "tree")
    return folder / "tree"


def listed(tree: Path) -> list[str]:
    return sorted(str(p.relative_to(tree)) for p in tree.rglob("*") if not p.is_dir())


@pytest.mark.parametrize(("umask", "modes"), [(0o022, (0o755, 0o644)), (0o077, (0o700, 0o600))])
def test_who_may_read_a_tree_is_up_to_the_umask(
    tmp_path: Path, umask: int, modes: tuple[int, int]
) -> None:
    run = ("pkg-1/run", b"#!/bin/sh\n", 0o4777)
    before = os.umask(umask)
    try:
        tree = written(tmp_path, ("a.tar", tar(HELLO, run, ("pkg-1/link", "src/hello.c", 0))))
    finally:
        os.umask(before)
    assert listed(tree) == ["link", "run", "src/hello.c"]
    found = [stat.S_IMODE((tree / name).stat().st_mode) for name in ("run", "src/hello.c", "src")]
    assert found == [*modes, modes[0]]
    assert (tree / "link").read_bytes() == b"int x;\n"


def test_every_form_of_an_archive_gives_the_same_tree(tmp_path: Path) -> None:
    plain = tar(HELLO, ("pkg-1/inner.tar", tar(("x", b"1", 0o644)), 0o644))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("pkg-1/src/hello.c", HELLO[1])
        archive.writestr("pkg-1/inner.tar", tar(("x", b"1", 0o644)))
    forms = {"a.tar": plain, "a.tar.gz": gzip.compress(plain), "a.zip": zipped.getvalue()}
    trees = [written(tmp_path / name, (name, data)) for name, data in forms.items()]
    assert [listed(tree) for tree in trees] == [["inner.tar", "src/hello.c"]] * 3
    assert {(tree / "inner.tar").read_bytes() for tree in trees} == {tar(("x", b"1", 0o644))}


@pytest.mark.parametrize("data", [b"rule x {}\n", gzip.compress(b"rule x {}\n", mtime=0)])
def test_what_is_no_archive_is_one_file(tmp_path: Path, data: bytes) -> None:
    assert (written(tmp_path, ("x.yar", data)) / "x.yar").read_bytes() == b"rule x {}\n"


def test_a_debian_source_is_upstream_with_its_packaging(tmp_path: Path) -> None:
    upstream = tar(HELLO, ("pkg-1/debian/rules", b"theirs", 0o755))
    packaging = tar(("debian/control", b"Source: pkg\n", 0o644))
    tree = written(
        tmp_path,
        ("pkg_1.dsc", b"Format: 3.0 (quilt)\n"),
        ("pkg_1.orig.tar.gz", gzip.compress(upstream)),
        ("pkg_1.debian.tar.xz", packaging),
        ("pkg_1.orig-data.tar.gz", gzip.compress(tar(("d/one", b"1", 0o644)))),
    )
    assert listed(tree) == ["data/one", "debian/control", "src/hello.c"]


def test_the_last_of_two_members_of_one_path_counts(tmp_path: Path) -> None:
    tree = written(tmp_path, ("a.tar", tar(HELLO, ("pkg-1/a", b"1", 0o644), (*HELLO[:1], b"2", 0))))
    assert (tree / "src/hello.c").read_bytes() == b"2"


def test_a_link_is_written_and_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    entries = [("p/out", str(outside), 0), ("p/in", "sub/x", 0), ("p/sub/up", "../../x", 0)]
    source = read(tmp_path, ("a.tar", tar(*entries)))
    assert list(source.links_out()) == ["out", "sub/up"]
    source.write(tmp_path / "tree")
    assert (tmp_path / "tree/out").readlink() == outside
    assert list(outside.iterdir()) == []


def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    links = tar(HELLO, ("pkg-1/again", "pkg-1/src/hello.c", 0o644), kind=tarfile.LNKTYPE)
    tree = written(tmp_path, ("a.tar", links))
    assert (tree / "again").read_bytes() == HELLO[1]
    assert (tree / "again").stat().st_nlink == 1


@pytest.mark.parametrize(
    "entries",
    [
        [("p/x", "{outside}", 0), ("p/x/evil", b"!", 0o644)],
        [("p/x", b"a file", 0o644), ("p/x/evil", b"!", 0o644)],
        [("p/a", "..", 0), ("p/a/evil", b"!", 0o644)],
        [("p/ok", b"", 0o644), ("p/" + "n" * 300, b"!", 0o644)],
        [("p/ok", b"", 0o644), ("p/nul\0", b"!", 0o644)],
        [("p/ok", b"", 0o644), ("p/link", "nul\0", 0)],
    ],
    ids=["through-a-link", "below-a-file", "through-a-link-up", "long-name", "nul", "nul-in-link"],
)
def test_a_tree_that_no_folder_can_hold_is_refused(
    tmp_path: Path, entries: Sequence[Entry]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    led = [
        (path, what.format(outside=outside) if isinstance(what, str) else what, mode)
        for path, what, mode in entries
    ]
    source = read(tmp_path, ("a.tar", pax(*led)))
    with pytest.raises(InputMismatchError, match="cannot be written to a folder"):
        source.write(tmp_path / "tree")
    assert list(outside.iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["contents", "outside", "tree"]


def pax(*entries: Entry) -> bytes:
    """Return a tar whose names can hold any character, which a header's own field cannot."""
    out = io.BytesIO()
    for path, content, mode in entries:
        info = tarfile.TarInfo("x")
        info.mode = mode
        named = {"path": path}
        if isinstance(content, str):
            info.type, info.linkname, named["linkpath"] = tarfile.SYMTYPE, "x", content
        else:
            info.size = len(content)
        records = b"".join(_record(key, value) for key, value in named.items())
        extra = tarfile.TarInfo("pax")
        extra.type, extra.size = tarfile.XHDTYPE, len(records)
        out.write(extra.tobuf(tarfile.USTAR_FORMAT) + _padded(records))
        data = b"" if isinstance(content, str) else content
        out.write(info.tobuf(tarfile.USTAR_FORMAT) + _padded(data))
    return out.getvalue() + bytes(1024)


def _record(key: str, value: str) -> bytes:
    rest = f" {key}={value}\n".encode()
    size = len(rest) + 1
    while len(str(size)) + len(rest) != size:
        size += 1
    return f"{size}".encode() + rest


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def test_hard_links_cannot_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ArchiveLimits().unpacked == source_files.MAX_BYTES
    monkeypatch.setattr(source_files, "MAX_BYTES", 2 * len(HELLO[1]))
    again = [(f"pkg-1/{n}", "pkg-1/src/hello.c", 0o644) for n in range(2)]
    source = read(tmp_path, ("a.tar", tar(HELLO, *again, kind=tarfile.LNKTYPE)))
    with pytest.raises(InputMismatchError, match="unpacks to too much"):
        source.write(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_a_tree_that_was_changed_while_it_was_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = read(tmp_path, ("a.tar", tar(HELLO)))
    source.contents.path(Digest.of(HELLO[1])).write_bytes(b"int y;\n")  # type: ignore[arg-type]
    with pytest.raises(InputMismatchError, match="what was written is not the source"):
        source.write(tmp_path / "tree")
