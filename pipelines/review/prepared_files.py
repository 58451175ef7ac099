"""What forms of the pages send, as prepared files below the center's home.

One that was signed is removed by the terminal, one that nobody signs after a while.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, UsageError
from pipelines.evidence.statements.people import Decision
from pipelines.review.prepared import KEPT, Prepared, prepared_folder, remove_old
from pipelines.review.reading_room import ReadingRoom
from pipelines.verify.review_subject import ReviewSubject


class PreparedFiles:
    """The prepared files of a reading room, which its reviewer alone may read."""

    def __init__(self, room: ReadingRoom, words: tuple[str, ...]) -> None:
        """Keep files for `room`; `words` name its center on a command line."""
        self._room, self._words = room, words
        self._center = room.session.center
        self._folder = prepared_folder(self._center)
        self._remove_old()

    def write(self, subject: ReviewSubject, form: Mapping[str, str]) -> str:
        """Write what a form says about `subject`, and return the name of the file.

        Raises `UsageError` for what cannot be said.
        """
        content = {
            "text": form.get("text", "").replace("\r\n", "\n").strip("\n "),
            "path": form.get("path"),
            "line": form.get("line"),
        }
        try:
            prepared = Prepared.about(
                subject,
                reviewer=self._room.reviewer,
                says=form.get("says"),
                content={k: v for k, v in content.items() if v} or None,
                question=form.get("question"),
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            got = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise UsageError("that cannot be said", got=ascii(got)[1:-1][:300]) from error
        self._remove_old()
        data = prepared.to_bytes()
        name = f"{prepared.says}-{Digest.of(data).hex[:12]}.json"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.path(name)
        is_new = not path.exists()
        path.touch(mode=0o600)  # one that is prepared again is kept as long as a new one
        if is_new:
            path.write_bytes(data)
        return name

    def read(self, name: str) -> Prepared:
        """Return a file by its name; raises `UsageError`, `NotFoundError` where it is no more."""
        self._remove_old()
        if not self.path(name).exists():
            raise NotFoundError(
                "there is no such prepared file",
                got=ascii(name)[1:-1][:80],
                expected=f"one that was prepared in the last {KEPT.days} days, and not signed yet",
                todo="Prepare it again in the page of the release",
            )
        return Prepared.read(self.path(name))

    def _remove_old(self) -> None:
        remove_old(self._center, datetime.now(UTC))

    def path(self, name: str) -> Path:
        """Return the path of a file by its name, which cannot lead elsewhere."""
        return self._folder / Path(name).name

    def command(self, name: str, prepared: Prepared) -> str:
        """Return the command line that signs a file."""
        verb = str(prepared.says) if isinstance(prepared.says, Decision) else "comment"
        reviewer = self._room.reviewer
        return shlex.join([
            "samebits", "review", verb, str(self._room.path(prepared.release)),
            "--prepared", str(self.path(name)), "--reviewer", reviewer, "--key", f"{reviewer}.key",
            *self._words,
        ])  # fmt: skip
