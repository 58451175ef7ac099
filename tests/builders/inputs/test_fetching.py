from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

from builders.core.digest import Digest
from builders.core.errors import InputMismatchError, InputUnavailableError
from builders.inputs.fetching import fetch_missing
from builders.inputs.vault import Vault
from builders.locators import FetchRequest, PoolLocator, parse_locator
from builders.locators.aptstate import AptStates
from builders.locators.machine import MachineFetcher
from tests.fakes.store import MemoryStore


class ShelfFetcher:
    """Serves what it was given, under pool paths."""

    def __init__(self, **served: bytes) -> None:
        self.served = served
        self.asked: list[str] = []

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        paths = []
        for index, want in enumerate(wants):
            self.asked.append(want.name)
            if want.name not in self.served:
                raise InputUnavailableError(f"{want.locator} is not served")
            (into / str(index)).write_bytes(self.served[want.name])
            paths.append(into / str(index))
        return paths


def want(name: str, content: bytes) -> FetchRequest:
    locator = PoolLocator(suite="trixie", path=PurePosixPath(f"pool/{name}"))
    return FetchRequest(locator=locator, name=name, sha256=Digest.of(content))


@pytest.fixture
def vault() -> Vault:
    return Vault(MemoryStore())


def test_only_what_the_vault_lacks_is_fetched_once(vault: Vault, tmp_path: Path) -> None:
    fetcher = ShelfFetcher(a=b"a", b=b"b", twin=b"a")
    wants = [want("a", b"a"), want("b", b"b"), want("twin", b"a")]
    steps: list[tuple[int, int, str]] = []
    assert (
        fetch_missing(vault, fetcher, wants, tmp_path / "w", lambda *step: steps.append(step)) == 2
    )
    assert fetch_missing(vault, fetcher, wants, tmp_path / "w") == 0
    assert sorted(fetcher.asked) == ["b", "twin"]
    assert [step[:2] for step in steps] == [(1, 2), (2, 2)]
    assert all(vault.has(w.sha256) for w in wants)
    assert not list((tmp_path / "w").iterdir())


def test_progress_counts_through_every_batch(vault: Vault, tmp_path: Path) -> None:
    files = {f"f{n}": str(n).encode() for n in range(120)}
    steps: list[int] = []
    fetcher = ShelfFetcher(**files)
    wants = [want(name, content) for name, content in files.items()]
    fetch_missing(vault, fetcher, wants, tmp_path, lambda done, *_: steps.append(done))
    assert steps == list(range(1, 121))


def test_other_bytes_never_enter_the_vault(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(InputMismatchError, match=r"a \(pool/a\) is not the pinned file"):
        fetch_missing(vault, ShelfFetcher(a=b"evil"), [want("a", b"a")], tmp_path)
    assert not list(vault.digests())
    assert not list(tmp_path.iterdir())


def test_a_missing_file_leaves_nothing_behind(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(InputUnavailableError, match="pool/b"):
        fetch_missing(vault, ShelfFetcher(a=b"a"), [want("a", b"a"), want("b", b"b")], tmp_path)
    assert not list(tmp_path.iterdir())


def test_wants_of_all_kinds_come_back_in_order(states: AptStates, tmp_path: Path) -> None:
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe/file").write_bytes(b"f")
    shelf = ShelfFetcher(git=b"g", pypi=b"p")
    pool = PoolLocator(
        suite="trixie", path=PurePosixPath("pool/main/n/netbase/netbase_6.5_all.deb")
    )
    wants = [
        FetchRequest(locator=locator, name=name, sha256=Digest.of(b""), folder=tmp_path / "recipe")
        for name, locator in (
            ("pypi", parse_locator("pkg:pypi/x@1")),
            ("deb", pool),
            ("git", parse_locator(f"git+https://git.example/x@{'0' * 40}")),
            ("file", parse_locator("file:file")),
            ("pypi", parse_locator("pkg:pypi/y@1")),
        )
    ]
    (tmp_path / "into").mkdir()
    fetcher = MachineFetcher(states, git=shelf, index=shelf)
    found = [path.read_bytes() for path in fetcher.fetch(wants, tmp_path / "into")]
    assert [data[:1] for data in found] == [b"p", b"!", b"g", b"f", b"p"]
    assert len(found[1]) == 12436
