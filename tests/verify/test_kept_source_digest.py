"""The source digest of an input is read once: inputs never change."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.enums import Role
from builders.inputs.input_file import InputFile
from builders.jail import JailEnd, JailFailedError
from pipelines.center.center import Center
from pipelines.verify.session import Session
from pipelines.verify.steps import _source_digest
from tests.builders.inputs.test_source_files import HELLO, tar
from tests.fakes.jail import OpenJail


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = Session(Center(id="local", home=tmp_path, store=tmp_path / "store"))
    session.__dict__["jail"] = OpenJail()
    return session


def stored(session: Session, name: str, data: bytes) -> InputFile:
    path = session.center.home / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    digest = Digest.of(data)
    session.vault.add(path, digest, what=name)
    return InputFile(role=Role.SOURCE, name=name, sha256=digest)


def test_what_was_read_once_is_not_read_again(session: Session) -> None:
    file = stored(session, "a.tar", tar(HELLO))
    first = _source_digest(session, [file])
    session.__dict__["jail"] = OpenJail(JailFailedError(JailEnd.CRASHED, "no answer", got="x"))
    assert _source_digest(session, [file]) == first


def test_other_files_and_other_names_are_read(session: Session) -> None:
    given = [("a.txt", b"no archive"), ("b.txt", b"no archive"), ("a.txt", b"another")]
    found = {_source_digest(session, [stored(session, name, data)]) for name, data in given}
    assert len(found) == 3


@pytest.mark.parametrize("row", [b"", b"sha256:", b"\xff", b"no digest"])
def test_a_damaged_row_is_read_again(session: Session, row: bytes) -> None:
    file = stored(session, "a.tar", tar(HELLO))
    first = _source_digest(session, [file])
    (kept,) = (session.center.home / "cache/contents").iterdir()
    kept.write_bytes(row)
    assert _source_digest(session, [file]) == first
    assert kept.read_text() == str(first)
