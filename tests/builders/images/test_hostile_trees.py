"""What the packages of an image leave or do there: too deep, too long, or without end."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders.core.errors import ImageUnavailableError
from builders.images import assemble
from builders.images.layer import write_layer


def make_deep(folder: Path, name: str, depth: int) -> None:
    """Make folders in folders, deeper than a path can name."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        for _ in range(depth):
            Path(name).mkdir()
            os.chdir(name)
    finally:
        os.fchdir(here)
        os.close(here)


def test_a_tree_that_is_too_deep_for_a_recursion_goes_too(tmp_path: Path) -> None:
    with assemble._scratch(tmp_path) as folder:
        make_deep(folder, "d" * 20, 1200)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["d", "d" * 200])
def test_a_tree_that_is_too_deep_for_an_image_is_one_message(tmp_path: Path, name: str) -> None:
    with assemble._scratch(tmp_path) as folder:
        make_deep(folder, name, 300)
        with pytest.raises(ImageUnavailableError, match="too deep or too long for an image"):
            write_layer(folder, io.BytesIO(), 0, 0)


def test_packages_that_do_not_end_are_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("root", "debs"):
        (tmp_path / name).mkdir()
    endless = ("sh", "-c", "echo Setting up endless; sleep 60")
    monkeypatch.setattr(assemble, "_NAMESPACE", endless)
    monkeypatch.setattr(assemble, "_SECONDS", 0.5, raising=False)
    nothing: Any = SimpleNamespace(every=tuple, epoch=0)
    message = "does not end; got Setting up endless; expected an end within 0.5 seconds"
    with pytest.raises(ImageUnavailableError, match=message):
        assemble._install(tmp_path / "root", tmp_path / "debs", "u", nothing, lambda *_: None)
