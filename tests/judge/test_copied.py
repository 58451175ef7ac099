from __future__ import annotations

import gzip
import io
import itertools
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from builders.archives import ArchiveLimits
from builders.core.digest import Digest
from builders.core.enums import Role
from builders.core.errors import SamebitsError
from builders.jail.errors import JailEnd, JailFailedError, JailUnavailableError
from builders.jail.file_reader import Nothing
from pipelines.judge.copied import (
    FILES,
    TINY,
    CheckedInput,
    FileMember,
    SearchedInput,
    carried,
    contents,
    input_fault,
    read_contents,
)
from tests.fakes.jail import OpenJail

Maker = Callable[..., bytes]
ARTEFACT = b"the artefact under test, long enough not to be tiny"
JAIL = OpenJail()
PUBLISHED = {"a.deb": Digest.of(ARTEFACT)}


class Cache:
    def __init__(self) -> None:
        self.rows: dict[Digest, bytes] = {}

    def get(self, digest: Digest) -> bytes | None:
        return self.rows.get(digest)

    def put(self, digest: Digest, row: bytes) -> None:
        self.rows[digest] = row


def input_file(
    content: bytes, name: str = "x.tar.gz", role: Role = Role.DEPENDENCY
) -> CheckedInput:
    digest = Digest.of(content)
    return CheckedInput(role=role, name=name, digest=digest, open=lambda: io.BytesIO(content))


def fault(content: bytes, limits: ArchiveLimits | None = None) -> str | None:
    file = input_file(content)
    with file.open() as stream:
        inside = read_contents(stream, SearchedInput(digest=file.digest), limits or ArchiveLimits())
    return input_fault([(file, inside)], PUBLISHED)


def files_in(rebuilt: bytes) -> tuple[FileMember, ...]:
    return JAIL.run(FILES, [io.BytesIO(rebuilt)], Nothing())


def test_an_input_that_is_the_artefact() -> None:
    assert fault(ARTEFACT) == "copied-input: a.deb is already in the dependency x.tar.gz"


@pytest.mark.parametrize("role", list(Role))
def test_no_role_may_hold_the_artefact(role: Role, make_tar: Maker) -> None:
    file = input_file(make_tar({"deep/a": ARTEFACT}), "s.tar", role)
    check = input_fault([(file, contents(file, JAIL))], PUBLISHED)
    assert check == f"copied-input: a.deb is already in the {role} s.tar, in its member deep/a"


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_an_input_that_is_the_compressed_artefact(pack: Callable[[bytes], bytes]) -> None:
    assert str(fault(pack(ARTEFACT))).startswith("copied-input: ")


def test_an_artefact_that_is_itself_compressed_or_a_tar_is_found(make_tar: Maker) -> None:
    tar = make_tar({"a": b"content of the artefact"})
    file = input_file(gzip.compress(tar))
    check = input_fault([(file, contents(file, JAIL))], {"a.tar": Digest.of(tar)})
    assert check is not None
    assert "in its member (unpacked)" in check


def test_an_artefact_several_archives_deep(
    make_tar: Maker, make_zip: Maker, make_ar: Maker
) -> None:
    package = make_ar({"data.tar.xz": lzma.compress(make_tar({"./a": ARTEFACT}))})
    source = gzip.compress(make_tar({"x.zip": make_zip({"y": package})}))
    assert fault(source) == (
        "copied-input: a.deb is already in the dependency x.tar.gz, "
        "in its member x.zip/y/data.tar/./a"
    )


def test_a_plain_file_and_a_clean_archive_are_clean(make_tar: Maker) -> None:
    assert fault(b"plain") is None
    assert fault(gzip.compress(make_tar({"a": b"other", "empty": b""}))) is None


@pytest.mark.parametrize("name", ["truncated.deb", "overlapping-entries.zip", "encrypted.zip"])
def test_an_input_that_cannot_be_read_fails_closed(data: Path, name: str) -> None:
    text = fault((data / name).read_bytes())
    assert text is not None
    assert text.startswith("input-not-scanned: the dependency x.tar.gz: ")


@pytest.mark.parametrize("name", ["bytes-after-the-end.tar.bz2", "sparse-member.tar.bz2"])
def test_a_compressed_tar_that_cannot_be_read_fails_closed(data: Path, name: str) -> None:
    assert str(fault((data / name).read_bytes())).startswith("input-not-scanned: ")


def test_an_input_beyond_a_limit_fails_closed(data: Path) -> None:
    bomb = (data / "one-gib-of-zeros.bz2").read_bytes()
    text = fault(bomb, ArchiveLimits(unpacked=1 << 20))
    assert text is not None
    assert "unpacks to too much" in text


def test_an_archive_too_deep_or_not_read_here_fails_closed(data: Path, make_tar: Maker) -> None:
    content = b"core"
    for _ in range(6):
        content = make_tar({"in": content})
    assert "too deep" in str(fault(content))
    sparse = (data / "sparse-member.tar.bz2").read_bytes()
    assert "sparse" in str(fault(make_tar({"in": sparse})))


def pack_xz(content: bytes) -> bytes:
    """Pack with a dictionary of 192 MiB, which `xz -d` reads."""
    lzma2 = {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 192 << 20}
    return lzma.compress(content, lzma.FORMAT_XZ, filters=[lzma2])


def pack_zstd(content: bytes) -> bytes:
    """Pack with a window of 256 MiB, which `zstd -d --long=28` reads."""
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 28})
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize("pack", [pack_xz, pack_zstd])
def test_a_stream_that_asks_for_too_much_memory_is_no_plain_file(
    pack: Callable[[bytes], bytes], make_tar: Maker
) -> None:
    text = str(fault(make_tar({"doc/a": pack(ARTEFACT)})))
    assert text.startswith("input-not-scanned: the dependency x.tar.gz: doc/a: ")
    assert "too much memory" in text


def test_a_broken_archive_among_test_data_is_a_plain_file(data: Path, make_tar: Maker) -> None:
    truncated = (data / "truncated.deb").read_bytes()
    file = input_file(make_tar({"tests/bad.deb": truncated}))
    inside = contents(file, JAIL)
    assert inside.fault is None
    assert list(inside.unread) == ["tests/bad.deb"]
    assert input_fault([(file, inside)], {"a": Digest.of(truncated)}) is not None


def test_a_copy_counts_before_an_input_not_scanned(data: Path) -> None:
    pairs = [
        (file, contents(file, JAIL))
        for file in (input_file((data / "truncated.deb").read_bytes()), input_file(ARTEFACT))
    ]
    assert str(input_fault(pairs, PUBLISHED)).startswith("copied-input: ")


def test_of_several_inputs_not_scanned_the_first_is_named(data: Path) -> None:
    broken = [(data / name).read_bytes() for name in ("truncated.deb", "encrypted.zip")]
    files = [input_file(content, f"{n}.bin") for n, content in enumerate(broken)]
    check = input_fault([(file, contents(file, JAIL)) for file in files], PUBLISHED)
    assert str(check).startswith("input-not-scanned: the dependency 0.bin: ")


def test_of_many_broken_archives_some_are_named(data: Path, make_tar: Maker) -> None:
    broken = (data / "truncated.deb").read_bytes()
    file = input_file(make_tar({f"{n:02}.deb": broken for n in range(25)}))
    assert list(contents(file, JAIL).unread) == [f"{n:02}.deb" for n in range(20)]


def test_empty_files_are_no_copies(make_tar: Maker) -> None:
    file = input_file(make_tar({"__init__.py": b""}))
    assert input_fault([(file, contents(file, JAIL))], {"a": Digest.of(b"")}) is None


def test_rows_are_cached_by_digest_and_read_back_equal(make_tar: Maker) -> None:
    cache = Cache()
    file = input_file(make_tar({"a": ARTEFACT}))
    fresh = contents(file, JAIL, cache=cache)

    def never() -> io.BytesIO:
        raise AssertionError

    again = CheckedInput(role=file.role, name=file.name, digest=file.digest, open=never)
    assert contents(again, JAIL, cache=cache) == fresh
    row = json.loads(cache.rows[file.digest])
    assert (row["format"], row["input"]) == (4, file.digest.hex)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: {**row, "format": 2},
        lambda row: {k: v for k, v in row.items() if k != "format"},
        lambda row: {**row, "input": Digest.of(b"another").hex},
        lambda row: [row],
    ],
)
def test_a_row_of_another_format_or_input_is_not_used(
    spoil: Callable[[dict[str, object]], object], make_tar: Maker
) -> None:
    cache = Cache()
    file = input_file(make_tar({"a": ARTEFACT}))
    fresh = contents(file, JAIL, cache=cache)
    row = spoil({**json.loads(cache.rows[file.digest]), "files": {}})
    cache.rows[file.digest] = json.dumps(row).encode()
    assert contents(file, JAIL, cache=cache) == fresh


def test_a_fault_is_never_cached(data: Path) -> None:
    cache = Cache()
    file = input_file((data / "truncated.deb").read_bytes())
    assert contents(file, JAIL, cache=cache).fault
    assert cache.rows == {}


@pytest.mark.parametrize(
    "failing",
    [
        JailFailedError(JailEnd.CRASHED, "a reader crashed", got="signal 11"),
        JailUnavailableError("no jail", got="this machine"),
    ],
)
def test_an_input_that_no_jail_has_read_fails_closed(failing: SamebitsError) -> None:
    file, cache = input_file(b"plain"), Cache()
    check = input_fault([(file, contents(file, OpenJail(failing), cache=cache))], PUBLISHED)
    assert str(check).startswith("input-not-scanned: the dependency x.tar.gz: ")
    assert cache.rows == {}


def test_members_carried_from_a_dependency_are_listed(make_tar: Maker, make_zip: Maker) -> None:
    licence = b"a licence that everybody has, long enough"
    helper = b"a helper that comes from the dependency"
    source = input_file(make_tar({"LICENSE": licence}), "s.tar", Role.SOURCE)
    dependency = input_file(
        make_zip({"LICENSE": licence, "helper.py": helper, "tiny": b"tiny", "empty": b""}), "d.whl"
    )
    rebuilt = make_zip(
        {
            "LICENSE": licence,
            "pkg/helper.py": helper,
            "tiny": b"tiny",
            "empty": b"",
            "own": b"o" * 99,
        }
    )
    found = carried(
        files_in(rebuilt), [(file, contents(file, JAIL)) for file in (source, dependency)]
    )
    assert [c.model_dump(mode="json") for c in found] == [
        {
            "member": "pkg/helper.py",
            "sha256": Digest.of(helper).hex,
            "size": len(helper),
            "input": "d.whl",
            "input_member": "helper.py",
        }
    ]


def test_a_member_of_32_bytes_is_listed_and_a_smaller_one_is_not(make_zip: Maker) -> None:
    files = {"a": b"a" * TINY, "b": b"b" * (TINY - 1)}
    dependency = input_file(make_zip(files), "d.whl")
    rebuilt = files_in(make_zip(files))
    found = carried(rebuilt, [(dependency, contents(dependency, JAIL))])
    assert [one.member for one in found] == ["a"]


def test_a_whole_input_carried_into_the_artefact(make_zip: Maker) -> None:
    whole = b"one file that is an input by itself"
    file = input_file(whole, "logo.bin", Role.TOOLCHAIN)
    (found,) = carried(files_in(make_zip({"l": whole})), [(file, contents(file, JAIL))])
    assert (found.input, found.input_member) == ("logo.bin", "")


def test_an_input_that_takes_too_long_fails_closed(make_tar: Maker) -> None:
    ticks = itertools.count(step=10)
    file = input_file(make_tar({"a": b"x"}))
    limits, clock = ArchiveLimits(seconds=5), lambda: float(next(ticks))
    with file.open() as stream:
        late = read_contents(stream, SearchedInput(digest=file.digest), limits, clock=clock)
    assert "too long to read" in str(late.fault)
