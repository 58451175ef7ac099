"""A site in a folder, in generations: `current` is a link to the newest, and is replaced last.

    format  lock  current -> generations/<n>  generations/<n>/...
    states/<n>.json    what it was made from (`pipelines.portal.site_state`)
    states/<n>.files   the texts of its parts (`pipelines.portal.site_writer`), a blank line between
    building/...  prepared/...  a generation that is made, and what the next one is made from

A generation is made from the one before the current one, which nobody is led to any more: what has
not changed since is left there, what the current one has already is linked, the rest is written.
So a generation costs what has changed, and each is a plain folder that any web server can serve.
After one of which much is new, the one before it is made the same at once, and after one from
nothing there is one that is the same: the next costs no more.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from ctypes import CDLL
from pathlib import Path

from builders.core.errors import NotFoundError, UsageError
from pipelines.portal.site_state import SiteState, read_state
from pipelines.portal.site_writer import SiteWriter, files_in, require_once
from pipelines.storage.files import held, replace

_FORMAT = b"samebits-portal/v1\n"


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

    @property
    def prepared(self) -> Path:
        """The folder that gets all files of one from nothing, too: the next is made from it."""
        return self.root / "prepared"

    def begin(self, before: SiteState | None) -> SiteWriter:
        """Begin a generation after the one `before`, which is the newest; None is from nothing."""
        building = self.building
        shutil.rmtree(building, ignore_errors=True)
        shutil.rmtree(self.prepared, ignore_errors=True)
        if before is None:
            building.mkdir()
            self.prepared.mkdir()
            return SiteWriter(folder=building, prepared=self.prepared)
        there = self._reused(building)
        building.mkdir(exist_ok=True)
        untouched = {*before.parts} & {*there}
        return SiteWriter(
            folder=building,
            current=self._generation(before.number),
            untouched=untouched,
            there=files_in(*(part for part in there if part not in untouched)),
        )

    def finish(self, writer: SiteWriter, state: SiteState) -> None:
        """Make what was written the newest generation, and remove all older ones but one.

        Raises `LookupError` for a file of two parts.
        """
        require_once(*state.parts)
        self._place(writer, state.number, state.parts)
        replace(self._state_file(str(state.number)), state.to_json())
        link = self.root / "next"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("generations", str(state.number)))
        link.replace(self.current)
        if writer.prepared:
            self._rename(writer.prepared, state.number - 1, state.parts)
        for old in [one for one in self._numbers() if one not in {state.number, state.number - 1}]:
            self._remove(old)

    def prepare_next(self, newest: SiteState) -> None:
        """Have the generation before the `newest` one as that is.

        So the next generation, which is made from it, need not link what has changed until now.
        """
        writer = self.begin(newest)
        for part in newest.parts:
            writer.keep(part)
        self._place(writer, newest.number - 1, newest.parts)

    def _place(self, writer: SiteWriter, number: int, parts: Iterable[str]) -> None:
        """Make what was written the generation `number`, with the list of its files."""
        writer.remove_others()
        _sync(writer.folder)  # or a crash could leave empty files that are taken for good ones
        self._rename(writer.folder, number, parts)

    def _rename(self, made: Path, number: int, parts: Iterable[str]) -> None:
        for folder in ("generations", "states"):
            (self.root / folder).mkdir(exist_ok=True)
        self._remove(number)
        made.rename(self._generation(number))
        replace(self._files_list(str(number)), "\n\n".join(parts).encode())

    def _remove(self, number: int) -> None:
        """Remove a generation; its list first, which could be taken for that of another one."""
        self._files_list(str(number)).unlink(missing_ok=True)
        self._state_file(str(number)).unlink(missing_ok=True)
        shutil.rmtree(self._generation(number), ignore_errors=True)

    def _reused(self, building: Path) -> list[str]:
        """Turn the newest generation but the current one into `building`; return its parts."""
        newest = self.current.readlink().name
        for number in sorted(self._numbers(), reverse=True):
            if str(number) == newest:
                continue
            with suppress(OSError):
                parts = self._files_list(str(number)).read_text().split("\n\n")
                self._files_list(str(number)).unlink()
                self._state_file(str(number)).unlink(missing_ok=True)
                self._generation(number).rename(building)
                return parts
        return []

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
