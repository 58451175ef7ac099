from __future__ import annotations

import gzip
import os
import subprocess
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest, digest_file
from builders.core.errors import (
    InfrastructureError,
    InputMismatchError,
    InputUnavailableError,
    SamebitsError,
    StoreError,
    UsageError,
)
from builders.inputs.vault import Vault
from builders.inputs.vault_archive import MARKER, TransferStatus, export_vault, import_vault
from pipelines.storage.directory import DirectoryStore
from tests.fakes.disk import small_disk_at
from tests.fakes.store import MemoryStore

CONTENTS = [b"", b"one", b"two" * 1000, bytes(512), b"x" * 511]
DIGESTS = sorted(Digest.of(c) for c in CONTENTS)


def filled(*contents: bytes, store: MemoryStore | None = None) -> Vault:
    store = store or MemoryStore()
    for content in contents:
        store.put_record(Vault.key(Digest.of(content)), content)
    return Vault(store)


def held(vault: Vault) -> list[bytes]:
    found = []
    for digest in vault.digests():
        with vault.open(digest) as stream:
            found.append(stream.read())
    return found


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk_at(tmp_path / "disk") as mount:
        yield mount


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.tar"
    export_vault(filled(*CONTENTS), None, path)
    return path


def test_a_vault_travels(archive: Path) -> None:
    vault = Vault(MemoryStore())
    carried = import_vault(vault, archive)
    assert carried == TransferStatus(done=5, total=5, copied=sum(map(len, CONTENTS)))
    assert sorted(held(vault)) == sorted(CONTENTS)


def test_the_same_inputs_give_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tar"
    export_vault(filled(*reversed(CONTENTS)), [*reversed(DIGESTS), DIGESTS[0]], other)
    assert other.read_bytes() == archive.read_bytes()
    golden = "cb52f104bd40ac449a85f24b6ee64f306c3f419275adf77e43983e9ac60999de"
    assert digest_file(archive).hex == golden


def test_tar_can_read_it(archive: Path) -> None:
    names = subprocess.run(["tar", "-tf", str(archive)], check=True, capture_output=True, text=True)
    assert names.stderr == ""
    assert names.stdout.split() == [MARKER, *(f"sha256/{d.hex[:2]}/{d}" for d in DIGESTS)]
    with tarfile.open(archive) as tar:
        assert [m.size for m in tar if m.name != MARKER] == [
            len(next(c for c in CONTENTS if Digest.of(c) == d)) for d in DIGESTS
        ]


def test_chosen_inputs_travel_alone(tmp_path: Path) -> None:
    export_vault(filled(*CONTENTS), [Digest.of(b"one")], tmp_path / "a.tar")
    vault = Vault(MemoryStore())
    import_vault(vault, tmp_path / "a.tar")
    assert held(vault) == [b"one"]


def test_an_empty_vault_is_an_archive_too(tmp_path: Path) -> None:
    assert export_vault(Vault(MemoryStore()), None, tmp_path / "a.tar") == TransferStatus(total=0)
    assert import_vault(Vault(MemoryStore()), tmp_path / "a.tar") == TransferStatus(total=0)


def test_what_is_held_is_skipped(archive: Path) -> None:
    store = MemoryStore()
    vault = filled(b"one", b"", store=store)
    carried = import_vault(vault, archive)
    assert (carried.done, carried.held) == (5, 2)
    assert carried.copied == sum(map(len, CONTENTS)) - 3
    assert import_vault(vault, archive) == TransferStatus(done=5, total=5, held=5)


def test_a_broken_off_import_goes_on_where_it_was(archive: Path) -> None:
    store = MemoryStore()
    store.fail_on("put", after=3, times=1)
    with pytest.raises(StoreError, match="out of order"):
        import_vault(Vault(store), archive)
    assert len(store.objects) == 3
    assert import_vault(Vault(store), archive).held == 3
    assert sorted(held(Vault(store))) == sorted(CONTENTS)


def test_progress_is_reported_in_order(archive: Path, tmp_path: Path) -> None:
    steps: list[TransferStatus] = []
    exported = export_vault(filled(*CONTENTS), None, tmp_path / "a.tar", steps.append)
    imported = import_vault(Vault(MemoryStore()), archive, steps.append)
    middle = steps.index(exported) + 1
    for half, last in ((steps[:middle], exported), (steps[middle:], imported)):
        assert half[-1] == last
        assert [s.done for s in half] == sorted(s.done for s in half)
        assert [s.copied for s in half] == sorted(s.copied for s in half)
        assert {s.total for s in half} == {5}


def test_a_damaged_input_is_not_exported(tmp_path: Path) -> None:
    store = MemoryStore()
    store.put_record(Vault.key(Digest.of(b"one")), b"oNe")
    with pytest.raises(InputMismatchError, match="own copy is damaged"):
        export_vault(Vault(store), None, tmp_path / "a.tar")
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputUnavailableError, match=str(DIGESTS[0])):
        export_vault(filled(), [DIGESTS[0]], tmp_path / "a.tar")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_older_archive(archive: Path) -> None:
    before = archive.read_bytes()
    store = MemoryStore()
    vault = filled(*CONTENTS, b"more", store=store)
    store.fail_on("open", after=3)
    with pytest.raises(StoreError):
        export_vault(vault, None, archive)
    assert archive.read_bytes() == before
    assert [p.name for p in archive.parent.iterdir()] == [archive.name]


def test_an_interrupted_export_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(_: TransferStatus) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_vault(filled(*CONTENTS), None, tmp_path / "a.tar", interrupt)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_is_private(archive: Path) -> None:
    assert archive.stat().st_mode & 0o777 == 0o600


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, tmp_path / "none/a.tar", Path("/proc/a.tar"), fifo):
        with pytest.raises(UsageError, match="cannot write"):
            export_vault(filled(b"one"), None, path)
    assert fifo.is_fifo()


def test_a_full_disk_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"No space left on device.*nothing was left"):
        export_vault(filled(os.urandom(4 << 20)), None, small_disk / "a.tar")
    assert list(small_disk.iterdir()) == []
    export_vault(filled(os.urandom(4 << 20)), None, tmp_path / "a.tar")
    vault = Vault(MemoryStore())
    with pytest.raises(InfrastructureError, match="No space left on device"):
        import_vault(vault, tmp_path / "a.tar", scratch=small_disk)
    assert list(small_disk.iterdir()) == []
    assert held(vault) == []


def test_memory_does_not_grow_with_the_vault(tmp_path: Path) -> None:
    vault, other = (Vault(DirectoryStore(tmp_path / name)) for name in ("one", "other"))
    big = tmp_path / "big"
    with big.open("wb") as stream:
        stream.truncate(128 << 20)
    vault.add(big, digest_file(big), what="big")
    tracemalloc.start()
    try:
        export_vault(vault, None, tmp_path / "a.tar")
        import_vault(other, tmp_path / "a.tar", scratch=tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    assert list(other.digests()) == [digest_file(big)]


def member(content: bytes, name: str | None = None, **fields: object) -> bytes:
    digest = Digest.of(content)
    info = tarfile.TarInfo(name or f"sha256/{digest.hex[:2]}/{digest}")
    info.size, info.mode = len(content), 0o444
    for field, value in fields.items():
        setattr(info, field, value)
    return (
        info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
        if info.isreg()
        else info.tobuf(tarfile.GNU_FORMAT)
    )


def resealed(data: bytes, at: int, value: bytes) -> bytes:
    """Put `value` into the header of a member, under a good checksum."""
    header = bytearray(data[:512])
    header[at : at + len(value)] = value
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data[512:]


def archived(*members: bytes) -> bytes:
    return member(b"", MARKER) + b"".join(members) + bytes(1024)


A, B = sorted([b"one", b"two"], key=Digest.of)
NAME = f"sha256/{Digest.of(A).hex[:2]}/{Digest.of(A)}"
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "text": b"no archive at all",
    "zeros": bytes(10240),
    "no-marker": member(A) + bytes(1024),
    "marker-with-content": member(b"x", MARKER) + member(A) + bytes(1024),
    "newer-version": member(b"", "samebits-vault/v2") + member(A) + bytes(1024),
    "marker-alone-without-end": member(b"", MARKER),
    "no-end": archived(member(A))[:-1024],
    "half-an-end": archived(member(A))[:-512],
    "truncated-content": archived(member(A))[:-1500],
    "bytes-after-the-end": archived(member(A)) + b"\0",
    "members-after-the-end": archived(member(A)) + member(B) + bytes(1024),
    "twice": archived(member(A), member(A)),
    "out-of-order": archived(member(B), member(A)),
    "marker-twice": archived(member(b"", MARKER), member(A)),
    "foreign-name": archived(member(A), member(B, "README")),
    "foreign-name-first": archived(member(B, "README"), member(A)),
    "absolute": archived(member(A, "/" + NAME)),
    "dot-dot": archived(member(A, "sha256/../" + NAME[7:])),
    "dot-slash": archived(member(A, "./" + NAME)),
    "upper-case": archived(member(A, NAME.upper().replace("SHA", "sha"))),
    "wrong-folder": archived(member(A, f"sha256/00/{Digest.of(A)}")),
    "long-name": archived(member(A, NAME + "x" * 300)),
    "symlink": archived(member(b"", NAME, type=tarfile.SYMTYPE, linkname="/etc/passwd")),
    "hard-link": archived(member(b"", NAME, type=tarfile.LNKTYPE, linkname="/etc/passwd")),
    "folder": archived(member(b"", NAME, type=tarfile.DIRTYPE)),
    "device": archived(member(b"", NAME, type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    "fifo": archived(member(b"", NAME, type=tarfile.FIFOTYPE)),
    "sparse": archived(resealed(member(A), 156, b"S")),
    "pax-header": archived(member(b"30 path=x\n", "PaxHeader", type=b"x"), member(A)),
    "other-time-of-marker": member(b"", MARKER, mtime=1) + member(A) + bytes(1024),
    "bytes-in-the-end": archived(member(A))[:-1] + b"x",
    "other-time": archived(member(A, mtime=1)),
    "other-owner": archived(member(A, uname="root")),
    "other-mode": archived(member(A, mode=0o777)),
    "bytes-behind-content": archived(member(A)[:-1] + b"x"),
    "bad-checksum": archived(member(A)[:148] + b"000000\0 " + member(A)[156:]),
    "size-beyond-the-end": archived(member(A, size=1 << 50)[:512] + bytes(512)),
    "negative-size": archived(resealed(member(A), 124, b"\xff" * 12)),
    "size-with-spaces": archived(resealed(member(A), 124, b"          3\0")),
    "hidden-in-the-header": archived(resealed(member(A), 500, b"secret")),
    "compressed": gzip.compress(archived(member(A))),
}


@pytest.mark.parametrize("defect", HOSTILE)
def test_a_hostile_archive_is_refused_whole(tmp_path: Path, defect: str) -> None:
    path = tmp_path / "hostile.tar"
    path.write_bytes(HOSTILE[defect])
    vault = Vault(MemoryStore())
    with pytest.raises(UsageError, match=r"is no vault archive; got .*; expected an archive"):
        import_vault(vault, path)
    assert held(vault) == []


def test_the_helper_of_these_tests_makes_good_archives(tmp_path: Path) -> None:
    path = tmp_path / "good.tar"
    path.write_bytes(archived(member(A), member(B)))
    export_vault(filled(A, B), None, tmp_path / "real.tar")
    assert path.read_bytes() == (tmp_path / "real.tar").read_bytes()


def test_a_member_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.tar"
    path.write_bytes(
        archived(member(A), member(b"2wo", f"sha256/{Digest.of(B).hex[:2]}/{Digest.of(B)}"))
    )
    vault = Vault(MemoryStore())
    with pytest.raises(InputMismatchError, match="a member of"):
        import_vault(vault, path)
    assert held(vault) == [A]


def test_a_newer_archive_says_so(tmp_path: Path) -> None:
    path = tmp_path / "newer.tar"
    path.write_bytes(HOSTILE["newer-version"])
    with pytest.raises(UsageError, match="use a newer one"):
        import_vault(Vault(MemoryStore()), path)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "none", tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(UsageError, match="is no vault archive; got"):
            import_vault(Vault(MemoryStore()), path)


def test_sizes_above_the_octal_field_read_back(tmp_path: Path) -> None:
    """A header only: 9 GiB of sparse zeros are skipped because the vault holds them."""
    size = 9 << 30
    info = tarfile.TarInfo(NAME)
    info.size, info.mode = size, 0o444
    path = tmp_path / "huge.tar"
    with path.open("wb") as out:
        out.write(member(b"", MARKER) + info.tobuf(tarfile.GNU_FORMAT))
        out.truncate(1024 + size + 1024)
    assert import_vault(filled(A), path) == TransferStatus(done=1, total=1, held=1)


GOOD = archived(*(member(c) for c in sorted(CONTENTS, key=Digest.of)))


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    data = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(["flip", "cut", "drop", "insert", "copy"])):
            case "flip" if data:
                data[at] ^= draw(st.integers(1, 255))
            case "cut":
                del data[at:]
            case "drop":
                del data[at : at + draw(st.sampled_from([1, 512, 1024]))]
            case "insert":
                data[at:at] = draw(st.binary(max_size=600))
            case _:
                block = at // 512 * 512
                data[block:block] = data[block : block + 512 * draw(st.integers(1, 4))]
    return bytes(data)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mangled() | st.binary(max_size=3000))
def test_no_archive_brings_in_what_was_not_exported(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mangled.tar"
    path.write_bytes(data)
    store = MemoryStore()
    try:
        import_vault(Vault(store), path)
    except SamebitsError:
        assert data != GOOD
    for key, (content,) in store.objects.items():
        assert key == Vault.key(Digest.of(content))
        assert content in CONTENTS
