"""What the signer hashes is what it reads, whatever the store does meanwhile."""

from __future__ import annotations

import errno
import io
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from builders.core.digest import Digest
from builders.core.enums import Role
from builders.core.errors import InfrastructureError
from builders.inputs.input_file import InputFile
from builders.inputs.source_digest import source_digest
from builders.inputs.vault import PREFIX, Vault
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.privatekey import PrivateKey
from pipelines.signer.byte_source import ByteSource
from pipelines.signer.orders import Evidence
from pipelines.signer.own_copies import OwnCopies, own_copies
from pipelines.storage.names import Visibility
from tests.fakes.jail import OpenJail
from tests.fakes.store import MemoryStore
from tests.signer.scene import OURS, THEIRS, Scene


class SwappingStore(MemoryStore):
    """Gives other bytes at every second opening: the first is hashed, the second is read."""

    def __init__(self) -> None:
        super().__init__()
        self.swapped: dict[str, bytes] = {}
        self.openings = Counter[str]()

    def open(self, key: str) -> BinaryIO:
        self.openings[key] += 1
        if key in self.swapped and self.openings[key] % 2 == 0:
            return io.BytesIO(self.swapped[key])
        return super().open(key)


@pytest.fixture
def reviewed(make_tar: Callable[..., bytes]) -> bytes:
    """The source that reviewers know."""
    return make_tar({"src/rule": b"match everything\n"})


def run_of(source: dict[str, bytes], reviewed: bytes, scene: Scene) -> dict[str, Any]:
    """Return the evidence of a run of `source`, which the store swaps for what was reviewed."""
    scene.source = source
    evidence = scene.make()
    assert isinstance(scene.store, SwappingStore)
    (fact,) = evidence.report.environment.sources
    scene.store.swapped[Vault.key(fact.sha256)] = reviewed
    scene.store.openings.clear()
    return evidence.to_dict()


def test_a_source_that_is_swapped_once_it_is_hashed_is_not_the_one_that_was_read(
    tmp_path: Path, key: PrivateKey, reviewed: bytes
) -> None:
    scene = Scene(folder=tmp_path, store=SwappingStore())
    evidence = run_of({"src/rule": b"match nothing of ours\n"}, reviewed, scene)
    file = InputFile(role=Role.SOURCE, name="rules.tar", sha256=Digest.of(reviewed))
    known = source_digest([file], lambda _: nullcontext(io.BytesIO(reviewed)), OpenJail())
    evidence["report"]["environment"]["sources"][0]["source_digest"] = str(known)
    with pytest.raises(RefusedError, match="another source digest"):
        scene.signer(key).sign(Evidence.model_validate(evidence))


def test_an_input_that_is_swapped_once_it_is_hashed_hides_no_copy(
    tmp_path: Path, key: PrivateKey, reviewed: bytes
) -> None:
    scene = Scene(folder=tmp_path, store=SwappingStore(), read=False)
    evidence = run_of({"src/copy": OURS}, reviewed, scene)
    with pytest.raises(RefusedError, match=r"another verdict on rules\.bin"):
        scene.signer(key).sign(Evidence.model_validate(evidence))


def test_everything_is_read_once_and_no_copy_is_left(tmp_path: Path, key: PrivateKey) -> None:
    store = SwappingStore()
    scene = Scene(folder=tmp_path / "scene", store=store)
    evidence = scene.make()
    store.openings.clear()
    signer, inputs = scene.signer(key), SwappingStore()
    for name in [name for name in store.objects if name.startswith(PREFIX)]:
        inputs.objects[name] = store.objects.pop(name)
    signer.vault = Vault(inputs)
    signer.scratch = tmp_path / "scratch"
    signer.scratch.mkdir()
    assert signer.sign(evidence)
    assert set(store.openings.values()) == set(inputs.openings.values()) == {1}
    assert not [*signer.scratch.iterdir()]


def test_what_is_grafted_is_what_was_measured(tmp_path: Path) -> None:
    store, digest = SwappingStore(), Digest.of(OURS)
    store.put_cas(Visibility.PRIVATE, OURS)
    store.objects[Vault.key(digest)] = [OURS]
    source = ByteSource(store, OwnCopies(Vault(store), tmp_path), OpenJail())
    opened: list[Callable[[str, Digest], AbstractContextManager[BinaryIO]]]
    opened = [source.output_file, source.shipped_file]
    for opener in opened:
        with opener("out.exe", digest) as read:
            assert read.read() == OURS
    (copy,) = tmp_path.iterdir()
    copy.unlink()
    store.swapped = dict.fromkeys(store.objects, THEIRS)
    for opener, check in zip(opened, ("output-bytes", "shipped-bytes"), strict=True):
        with pytest.raises(RefusedError, match=check), opener("out.exe", digest):
            pass


def test_where_no_copy_can_be_written_it_says_so(tmp_path: Path) -> None:
    store = MemoryStore()
    store.objects[Vault.key(Digest.of(OURS))] = [OURS]
    gone = OwnCopies(Vault(store), tmp_path / "gone")
    with pytest.raises(InfrastructureError, match="cannot write"), gone.open(Digest.of(OURS)):
        pass
    with (
        pytest.raises(InfrastructureError, match="cannot write"),
        own_copies(Vault(store), tmp_path / "gone"),
    ):
        pass


def test_half_a_copy_is_not_taken_for_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, digest = MemoryStore(), Digest.of(OURS)
    store.objects[Vault.key(digest)] = [OURS]
    copies = OwnCopies(Vault(store), tmp_path)

    def full(digest: Digest) -> Iterator[bytes]:
        yield OURS[:5]
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(copies, "pieces", full)
        with pytest.raises(InfrastructureError, match="No space left"), copies.open(digest):
            pass
    with copies.open(digest) as whole:
        assert whole.read() == OURS
