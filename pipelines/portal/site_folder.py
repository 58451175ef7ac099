"""A site in a folder, in generations: `current` is a link to the newest, and is replaced last.

    format  lock  current -> generations/<n>  generations/<n>/...
    states/<n>.json    what it was made from (`pipelines.portal.site_state`)
    states/<n>.files   lines of SHA-256 and path

A generation is made from the one before the current one, which nobody is led to any more: what has
not changed since is left there, what the current one has already is linked, the rest is written.
So a generation costs what has changed, and each is a plain folder that any web server can serve.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ctypes import CDLL
from dataclasses import dataclass, field
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, UsageError
from pipelines.portal.site_file import KeptPath, SiteFile
from pipelines.portal.site_state import SiteState, read_state
from pipelines.storage.files import held, replace

_FORMAT = b"samebits-portal/v1\n"


@dataclass(kw_only=True)
class SiteWriter:
    """Writes the files of a generation that is being made; several processes may, each its own."""

    folder: Path
    current: Path | None = None
    """The generation before, whose files are linked."""
    before: Mapping[str, str] = field(default_factory=dict)
    """What that one has: SHA-256 by path."""
    there: Mapping[str, str] = field(default_factory=dict)
    """What is in the folder already."""
    files: dict[str, str] = field(default_factory=dict)
    """What the generation has so far."""
    _folders: set[str] = field(default_factory=set)

    def put(self, file: SiteFile | KeptPath) -> None:
        """Have a file in the generation; raises `LookupError` for one that it has already."""
        if file.path in self.files:
            message = f"two parts of the portal write {file.path}"
            raise LookupError(message)
        data = file.data if isinstance(file, SiteFile) else None
        digest = self.before[file.path] if data is None else Digest.of(data).hex
        self.files[file.path] = digest
        if self.there.get(file.path) == digest:
            return
        target = self._cleared(file.path)
        if self.current is not None and self.before.get(file.path) == digest:
            os.link(self.current / file.path, target)
        elif data is not None:
            target.write_bytes(data)

    def keep(self, files: Mapping[str, str]) -> None:
        """Have files as they are in the generation before; most of them are there already."""
        for path in files:
            digest = self.before[path]
            if self.there.get(path) == digest and path not in self.files:
                self.files[path] = digest
            else:
                self.put(KeptPath(path))

    def remove_others(self) -> None:
        """Remove what is in the folder, and not in the generation."""
        for path in self.there.keys() - self.files.keys():
            gone = self.folder / path
            gone.unlink(missing_ok=True)
            with suppress(OSError):  # it has other files
                while gone.parent != self.folder:
                    gone = gone.parent
                    gone.rmdir()

    def _cleared(self, path: str) -> Path:
        """Return where a file is written; nothing is there, as it may be linked elsewhere."""
        target = self.folder / path
        parent = path.rpartition("/")[0]
        if parent not in self._folders:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(parent)
        target.unlink(missing_ok=True)
        return target


class SiteFolder:
    """The generations of a site below one folder."""

    def __init__(self, root: Path) -> None:
        """Use the folder `root`, which is made when it is written to."""
        self.root = root

    @property
    def current(self) -> Path:
        """The newest generation: what a web server serves."""
        return self.root / "current"

    def read(self, path: str) -> bytes:
        """Return a file of the current generation; raises `NotFoundError`."""
        try:
            return (self.current / path).read_bytes()
        except OSError as error:
            raise NotFoundError("the portal has no such file", got=path) from error

    def state(self) -> SiteState | None:
        """Return the newest generation; None where there is none that can be gone on from."""
        try:
            number = (self.root / "current").readlink().name
            return read_state(self._state_file(number).read_bytes())
        except OSError:
            return None

    def next_number(self) -> int:
        """Return a number that no generation of the folder has had, as far as that is known."""
        return max(self._numbers(), default=0) + 1

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against other builds; makes it.

        Raises `UsageError` for a folder of something else, `InfrastructureError`.
        """
        marker = self.root / "format"
        if self.root.exists() and any(self.root.iterdir()) and not marker.exists():
            raise UsageError(
                f"{self.root} is not the folder of a portal",
                expected="a folder that is new, empty, or was made by `samebits portal build`",
                todo="Choose another one",
            )
        self.root.mkdir(parents=True, exist_ok=True)
        if not marker.exists():
            replace(marker, _FORMAT, mode=0o644)
        with held(self.root / "lock"):
            yield

    @property
    def building(self) -> Path:
        """The folder in which a generation is made."""
        return self.root / "building"

    def begin(self, before: SiteState | None) -> SiteWriter:
        """Begin a generation after the one `before`, which is the newest."""
        building = self.building
        shutil.rmtree(building, ignore_errors=True)
        there = self._reused(building) if before else {}
        building.mkdir(exist_ok=True)
        return SiteWriter(
            folder=building,
            current=self._generation(before.number) if before else None,
            before=before.all_files() if before else {},
            there=there,
        )

    def finish(self, writer: SiteWriter, state: SiteState) -> None:
        """Make what was written the newest generation, and remove all older ones but the last."""
        writer.remove_others()
        _sync(writer.folder)  # or a crash could leave empty files that are taken for good ones
        for folder in ("generations", "states"):
            (self.root / folder).mkdir(exist_ok=True)
        shutil.rmtree(self._generation(state.number), ignore_errors=True)
        writer.folder.rename(self._generation(state.number))
        listed = "".join(f"{digest} {path}\n" for path, digest in writer.files.items())
        replace(self._files_list(str(state.number)), listed.encode())
        replace(self._state_file(str(state.number)), state.to_json())
        link = self.root / "next"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("generations", str(state.number)))
        link.replace(self.current)
        for old in [one for one in self._numbers() if one not in {state.number, state.number - 1}]:
            shutil.rmtree(self._generation(old), ignore_errors=True)
            self._state_file(str(old)).unlink(missing_ok=True)
            self._files_list(str(old)).unlink(missing_ok=True)

    def _reused(self, building: Path) -> dict[str, str]:
        """Turn the newest generation that is not the current one into `building`; return it."""
        newest = self.current.readlink().name
        for number in sorted(self._numbers(), reverse=True):
            if str(number) == newest:
                continue
            with suppress(OSError):
                listed = self._files_list(str(number)).read_text().splitlines()
                self._files_list(str(number)).unlink()
                self._state_file(str(number)).unlink(missing_ok=True)
                self._generation(number).rename(building)
                return {path: digest for digest, _, path in (one.partition(" ") for one in listed)}
        return {}

    def _numbers(self) -> list[int]:
        folder = self.root / "generations"
        return [int(one.name) for one in folder.glob("*") if one.name.isdecimal()]

    def _generation(self, number: int) -> Path:
        return self.root / "generations" / str(number)

    def _files_list(self, number: str) -> Path:
        return self.root / "states" / f"{number}.files"

    def _state_file(self, number: str) -> Path:
        return self.root / "states" / f"{number}.json"


def _sync(folder: Path) -> None:
    """Have what was written to the file system of a folder on its disk; others take no part."""
    if (syncfs := getattr(CDLL(None), "syncfs", None)) is None:
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(descriptor):
            os.sync()
    finally:
        os.close(descriptor)
