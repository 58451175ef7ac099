from __future__ import annotations

import pytest

from builders.locators.aptstate import AptStates


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory) -> AptStates:
    """Private apt states whose lists are fetched once."""
    return AptStates(tmp_path_factory.mktemp("apt"))
