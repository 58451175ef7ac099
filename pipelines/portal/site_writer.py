"""Writing the files of a generation; what the folder or the generation before has is not written.

The files of each part of a site, such as a release, are told as one text, a line of SHA-256 and
path for each: so most parts are compared, kept and stored without a look at their files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from builders.core.digest import Digest
from builders.core.frozen_model import duplicate
from pipelines.portal.site_file import KeptPath, SiteFile


def files_in(*parts: str) -> dict[str, str]:
    """Return the files that are listed in the texts of parts: SHA-256 by path."""
    return dict(_files_in(parts))


def require_once(*parts: str) -> None:
    """Raise `LookupError` for a file that is listed twice in the texts of parts."""
    if path := duplicate(path for path, _ in _files_in(parts)):
        message = f"two parts of the portal write {path}"
        raise LookupError(message)


def _files_in(parts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for part in filter(None, parts):
        for line in part.split("\n"):
            digest, _, path = line.partition(" ")
            yield path, digest


@dataclass(kw_only=True)
class SiteWriter:
    """Writes the files of a generation that is being made; several processes may, each its own."""

    folder: Path
    current: Path | None = None
    """The generation before, whose files are linked."""
    prepared: Path | None = None
    """A folder that gets a link to each file of the generation, too."""
    untouched: set[str] = field(default_factory=set)
    """The parts that the folder still has as the generation before has them."""
    there: dict[str, str] = field(default_factory=dict)
    """What else is in the folder, and not known to be of this generation: SHA-256 by path."""
    _folders: set[str] = field(default_factory=set)

    def make(self, files: Iterable[SiteFile | KeptPath], before: str = "") -> str:
        """Have the files of a part in the folder, and return its text.

        `before` is that part in the generation before. Raises `LookupError` for a file that the
        part has twice.
        """
        wanted = list(files)  # all are made before the first is written
        if path := duplicate(file.path for file in wanted):
            message = f"a part of the portal writes {path} twice"
            raise LookupError(message)
        self._touch(before)
        old = files_in(before)
        return "\n".join(f"{self._put(file, old)} {file.path}" for file in wanted)

    def keep(self, part: str) -> None:
        """Have a part as it is in the generation before; most of them are there already."""
        if part in self.untouched:
            self.untouched.remove(part)
        else:
            for path, digest in files_in(part).items():
                self._have(path, digest)

    def add(self, part: str, before: str = "") -> None:
        """Have a part that another process has made; `before` is what it was."""
        self._touch(before)
        if self.there:
            for path in files_in(part):
                self.there.pop(path, None)

    def remove_others(self) -> None:
        """Remove what is in the folder, and not in the generation."""
        for path in self.there | files_in(*self.untouched):
            gone = self.folder / path
            gone.unlink(missing_ok=True)
            with suppress(OSError):  # it has other files
                while gone.parent != self.folder:
                    gone = gone.parent
                    gone.rmdir()

    def _touch(self, part: str) -> None:
        """Note that a part of the generation before is made again."""
        if part in self.untouched:
            self.untouched.remove(part)
            self.there |= files_in(part)

    def _put(self, file: SiteFile | KeptPath, before: Mapping[str, str]) -> str:
        """Have a file in the folder, and return its SHA-256."""
        if isinstance(file, KeptPath):
            self._have(file.path, digest := before[file.path])
        else:
            digest = Digest.of(file.data).hex
            known = self.current is not None and before.get(file.path) == digest
            self._have(file.path, digest, None if known else file.data)
        return digest

    def _have(self, path: str, digest: str, data: bytes | None = None) -> None:
        """Have a file in the folder; one without data is that of the generation before."""
        if self.there.pop(path, None) == digest:
            return
        self._make_folder(path.rpartition("/")[0])
        try:
            self._place(path, data)
        except FileExistsError:  # it may be linked elsewhere, too
            for root in self._roots:
                (root / path).unlink(missing_ok=True)
            self._place(path, data)

    @property
    def _roots(self) -> list[Path]:
        return [self.folder, self.prepared] if self.prepared else [self.folder]

    def _place(self, path: str, data: bytes | None) -> None:
        target = f"{self.folder}/{path}"
        if data is None:
            os.link(f"{self.current}/{path}", target)
        else:
            with open(target, "xb", buffering=0) as file:  # noqa: PTH123  # once for each file
                while data:
                    data = data[file.write(data) :]
        if self.prepared:
            os.link(target, f"{self.prepared}/{path}")

    def _make_folder(self, folder: str) -> None:
        if folder not in self._folders:
            for root in self._roots:
                (root / folder).mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
