"""The folder in which an image is assembled goes away, whatever its packages left there."""

from __future__ import annotations

import os
from pathlib import Path

from builders.images.assemble import _scratch


def test_a_tree_that_is_too_deep_for_a_recursion_goes_too(tmp_path: Path) -> None:
    with _scratch(tmp_path) as folder:
        here = os.open(".", os.O_RDONLY)
        try:
            os.chdir(folder)
            for _ in range(2000):
                Path("d" * 20).mkdir()
                os.chdir("d" * 20)
        finally:
            os.fchdir(here)
            os.close(here)
    assert list(tmp_path.iterdir()) == []
