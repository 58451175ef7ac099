"""The builder images that can build wheels, found by the Python that their locks pin."""

from __future__ import annotations

import re
from dataclasses import dataclass

from builders.core.errors import UsageError
from builders.images import ImageCatalogue

_VERSION = re.compile(r"(\d+)\.(\d+)")
_NEEDED = frozenset({"python3-pip", "python3-venv"})


@dataclass(frozen=True, kw_only=True, order=True)
class PythonImage:
    """A builder image, and the version of its Python.

    - `zones`: whether it has the time zone database.
    """

    version: tuple[int, int]
    name: str
    zones: bool = False

    def __str__(self) -> str:
        """Return `3.13`."""
        return f"{self.version[0]}.{self.version[1]}"


def python_images(images: ImageCatalogue) -> tuple[PythonImage, ...]:
    """Return the locked images that have Python, pip and venv, one for each Python, oldest first.

    Raises `UsageError` when there is none.
    """
    found: dict[tuple[int, int], PythonImage] = {}
    for name in images.names():
        if not images.has_lock(name) or not set(images.definition(name).packages) >= _NEEDED:
            continue
        versions = {package.name: package.version for package in images.lock(name).every()}
        if match := _VERSION.match(versions.get("python3", "")):
            version = (int(match[1]), int(match[2]))
            image = PythonImage(version=version, name=name, zones="tzdata" in versions)
            found.setdefault(version, image)
    if not found:
        raise UsageError(
            "no builder image can build wheels",
            got=", ".join(images.names()) or "no image",
            expected="a locked image with python3, python3-pip and python3-venv",
            todo="Run `samebits image lock python-wheel`",
        )
    return tuple(sorted(found.values()))
