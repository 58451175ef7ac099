"""What users name as a rule set: a file, a folder, an archive, or a shipped release."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipelines.cli import options
from pipelines.evidence.release_name import ReleaseName
from pipelines.rules.rule_folder import open_rules
from pipelines.verify.run_files import shipped_files
from pipelines.verify.session import Session


@contextmanager
def opened(session: Session, what: str) -> Iterator[list[tuple[str, BinaryIO]]]:
    """Open the files of a path, or of a release; yield their names and contents.

    A folder is one archive, whose name is empty. Raises `UsageError`, and `NotFoundError` for a
    release whose files are not in the vault.
    """
    path = Path(what)
    if path.exists() or "@" not in what:
        with options.file_errors(path), open_rules(path) as file:
            yield [file]
        return
    with shipped_files(session, ReleaseName.parse(what)) as files:
        yield list(files)
