"""Keys, and bundles of made-up runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import pytest

from pipelines.evidence.privatekey import PrivateKey, create_key
from tests.bundle.bundles import Altered, Book, Maker, made


@pytest.fixture(scope="package", autouse=True)
def every_bundle() -> Iterator[None]:
    """Check what any test here checks in a browser too, with `SAMEBITS_EVERY_BUNDLE=1`."""
    if not os.environ.get("SAMEBITS_EVERY_BUNDLE"):
        yield
        return
    from tests.bundle.browser_cases import checked_in_a_browser, differences, recorded

    with recorded() as cases:
        yield
    assert differences(cases, checked_in_a_browser(cases)) == []


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    return create_key(tmp_path_factory.mktemp("key"), "statements")


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    return create_key(tmp_path_factory.mktemp("other"), "statements")


@pytest.fixture(scope="session")
def bundle(key: PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Return the bundle of a scene, made once and handed out to be altered."""
    kept: dict[str, Altered] = {}

    def get(scene: str) -> Altered:
        if scene not in kept:
            kept[scene] = made(tmp_path_factory.mktemp(scene), key, scene=scene)
        return replace(
            kept[scene],
            members=dict(kept[scene].members),
            book=Book(),
            policy=deepcopy(kept[scene].policy),
        )

    return get
