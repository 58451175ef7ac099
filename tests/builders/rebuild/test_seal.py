from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.rebuild.seal import hide_names, seal_digest, seal_files, seal_key

CENTER, RUN = "geneva", "20260102T030405Z-0a1b2c3d"
FILES = {"b.deb": b"second\n", "a.deb": b"first\n", "c-dbgsym.deb": b""}


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in FILES]


def seal(paths: list[Path], center: str = CENTER, run: str = RUN) -> Digest:
    return seal_files(paths, center=center, run=run).digest


def test_the_seal_never_changes_by_accident(paths: list[Path]) -> None:
    sealed = seal_files(paths, center=CENTER, run=RUN)
    key = b'["geneva","20260102T030405Z-0a1b2c3d"]'
    assert seal_key(CENTER, RUN) == key
    assert [(f.name, f.size, str(f.hmac)) for f in sealed.files] == [
        (name, len(FILES[name]), hmac.new(key, FILES[name], hashlib.sha256).hexdigest())
        for name in sorted(FILES)
    ]
    written = ",".join(
        f'{{"hmac":"{f.hmac}","name":"{f.name}","size":{f.size}}}' for f in sealed.files
    )
    assert sealed.digest == Digest.of(f"[{written}]".encode())
    assert str(sealed.digest) == (
        "be5f567ebf2f896dcc12cfa24aa928ac40001eaf3c021de5969fbe84572efd99"
    ), "seals that are already logged can no longer be opened: only if that is meant, write it here"


def test_of_a_private_release_only_who_has_the_secret_can_make_the_seal(paths: list[Path]) -> None:
    key = hmac.digest(b"secret", seal_key(CENTER, RUN), "sha256")
    assert seal_key(CENTER, RUN, b"secret") == key
    sealed = seal_files(paths, center=CENTER, run=RUN, secret=b"secret")
    assert str(sealed.files[0].hmac) == hmac.new(key, FILES["a.deb"], hashlib.sha256).hexdigest()
    assert [file.name for file in sealed.files] == sorted(FILES), "its center knows the names"
    lines = hide_names(sealed.files, key)
    assert {line.name for line in lines} == {
        hmac.new(key, name.encode(), hashlib.sha256).hexdigest() for name in FILES
    }
    assert list(lines) == sorted(lines, key=lambda line: line.name), "not in the order of the files"
    assert sealed.digest == seal_digest(lines) != seal_digest(sealed.files)
    assert sealed.digest != seal(paths)


def test_order_says_nothing(paths: list[Path]) -> None:
    assert seal(paths) == seal(paths[::-1]) == seal(sorted(paths))


def test_folders_say_nothing(paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    moved = [path.rename(tmp_path / "moved" / path.name) for path in paths]
    assert str(seal(moved)) == "be5f567ebf2f896dcc12cfa24aa928ac40001eaf3c021de5969fbe84572efd99"


def test_another_center_or_run_seals_otherwise(paths: list[Path]) -> None:
    seals = [
        seal(paths),
        seal(paths, center="singapore"),
        seal(paths, run="20260102T030405Z-0a1b2c3e"),
        seal(paths, center="genev", run="a" + RUN),
        seal(paths, center=f'{CENTER}","{RUN}', run=""),
    ]
    assert len(set(seals)) == len(seals)


def test_a_seal_binds_bytes_names_and_number(paths: list[Path], tmp_path: Path) -> None:
    whole = seal(paths)
    assert seal(paths[:-1]) != whole
    paths[0].write_bytes(FILES["b.deb"][:-1] + b"\0")
    assert seal(paths) != whole
    paths[0].write_bytes(FILES["b.deb"])
    assert seal(paths) == whole
    paths[0] = paths[0].rename(tmp_path / "b2.deb")
    assert seal(paths) != whole


def test_nothing_built_has_a_seal_too() -> None:
    assert seal_files([], center=CENTER, run=RUN).digest == Digest.of(b"[]")
