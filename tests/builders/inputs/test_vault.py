from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.errors import InputMismatchError, InputUnavailableError, StoreError
from builders.inputs.vault import Vault
from pipelines.storage.directory import DirectoryStore
from tests.fakes.store import MemoryStore

CONTENT = b"an input"
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def test_an_input_is_kept_by_digest(store: MemoryStore, source: Path, tmp_path: Path) -> None:
    vault = Vault(store)
    assert not vault.has(DIGEST)
    vault.add(source, DIGEST, what="the input")
    assert vault.has(DIGEST)
    assert list(vault.digests()) == [DIGEST]
    assert list(store.objects) == [f"private/vault/sha256/{DIGEST.hex[:2]}/{DIGEST}"]
    vault.stage(DIGEST, tmp_path / "staged")
    assert (tmp_path / "staged").read_bytes() == CONTENT
    with vault.open(DIGEST) as stream:
        assert stream.read() == CONTENT


def test_other_bytes_than_the_pinned_ones_are_refused(store: MemoryStore, source: Path) -> None:
    pinned = Digest.of(b"another")
    with pytest.raises(InputMismatchError, match="the input is not the pinned file") as caught:
        Vault(store).add(source, pinned, what="the input")
    assert caught.value.got == f"sha256 {DIGEST}"
    assert caught.value.expected == str(pinned)
    assert store.objects == {}


def test_an_unknown_input_is_named(store: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(InputUnavailableError, match=str(DIGEST)):
        Vault(store).stage(DIGEST, tmp_path / "staged")
    assert not (tmp_path / "staged").exists()


@pytest.mark.parametrize("damaged", [b"", b"an inpuT", CONTENT[:-1], CONTENT + b"\0"])
def test_a_damaged_copy_is_noticed_when_it_leaves(
    store: MemoryStore, tmp_path: Path, damaged: bytes
) -> None:
    store.put_record(Vault.key(DIGEST), damaged)
    with pytest.raises(InputMismatchError, match="own copy is damaged") as caught:
        Vault(store).stage(DIGEST, tmp_path / "staged")
    assert caught.value.got == f"sha256 {Digest.of(damaged)}"
    assert Vault.key(DIGEST) in str(caught.value)
    assert not (tmp_path / "staged").exists()


class Breaking(io.BytesIO):
    """A stream that ends in an error of the disk."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(errno.EIO, "Input/output error")
        return super().read(3)


def test_a_copy_that_breaks_off_is_not_there(
    store: MemoryStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(store)
    vault.add(source, DIGEST, what="the input")
    monkeypatch.setattr(store, "open", lambda _: Breaking(CONTENT))
    (tmp_path / "run").mkdir()
    with pytest.raises(OSError, match="Input/output error"):
        vault.stage(DIGEST, tmp_path / "run/staged")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_file_is_never_staged_over_another(store: MemoryStore, source: Path) -> None:
    vault = Vault(store)
    vault.add(source, DIGEST, what="the input")
    with pytest.raises(FileExistsError):
        vault.stage(DIGEST, source)


def test_a_file_changed_after_its_check_does_not_enter(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builders.inputs.vault.digest_file", lambda _: Digest.of(b"as it was"))
    vault = Vault(DirectoryStore(tmp_path / "store"))
    with pytest.raises(StoreError, match="does not hold what its name promises"):
        vault.add(source, Digest.of(b"as it was"), what="the input")
    assert list(vault.digests()) == []
