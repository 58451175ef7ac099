"""What the jail says of a source is checked where it counts, and its failures keep their names."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.enums import Role
from builders.core.errors import InfrastructureError, InputMismatchError, SamebitsError
from builders.inputs.input_file import InputFile
from builders.inputs.source_archive import ContentsWriter
from builders.inputs.source_contents import SourceContents
from builders.inputs.source_digest import source_digest
from builders.inputs.source_files import SourceFiles
from builders.jail import JailEnd, JailFailedError, JailUnavailableError, ParserJail
from tests.builders.inputs.test_source_files import HELLO, tar
from tests.fakes.jail import OpenJail

ONE, OTHER = b"one content", b"other content"


def test_the_jail_writes_and_names_what_is_read_without_it(tmp_path: Path) -> None:
    archive = tar(HELLO, ("pkg-1/link", "src/hello.c", 0), ("pkg-1/again.c", HELLO[1], 0o755))
    file = InputFile(role=Role.SOURCE, name="a.tar", sha256=Digest.of(archive))
    jail = ParserJail(["builders.inputs.source_archive:ARCHIVE"])
    trees = []
    for place in (jail, OpenJail()):
        folder = tmp_path / type(place).__name__
        source = SourceFiles.read([file], lambda _: io.BytesIO(archive), folder / "kept", place)
        source.write(folder / "tree")
        trees.append(source.tree)
    jail.close()
    assert trees[0] == trees[1]
    assert sorted(trees[0]) == ["again.c", "link", "src/hello.c"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        *((JailFailedError(end, "no answer", got="x"), InfrastructureError) for end in JailEnd),
        (JailUnavailableError("no jail", got="x"), InfrastructureError),
        (InputMismatchError("a broken archive"), InputMismatchError),
    ],
)
def test_a_source_that_was_not_read_has_no_digest_and_only_its_reader_blames_it(
    error: SamebitsError, raised: type[SamebitsError]
) -> None:
    file = InputFile(role=Role.SOURCE, name="a.tar", sha256=Digest.of(ONE))
    with pytest.raises(raised) as caught:
        source_digest([file], lambda _: io.BytesIO(ONE), OpenJail(error))
    blamed = isinstance(error, InputMismatchError)
    assert isinstance(caught.value, InputMismatchError) is blamed


@pytest.mark.parametrize(
    "written",
    [
        [(Digest.of(OTHER), len(ONE))],
        [(Digest.of(ONE), len(ONE) - 1)],
        [(Digest.of(ONE), len(ONE) + 1)],
        [(Digest.of(ONE), -1)],
        [(Digest.of(ONE), len(ONE)), (Digest.of(ONE), len(ONE))],
    ],
)
def test_contents_are_hashed_again(tmp_path: Path, written: list[tuple[Digest, int]]) -> None:
    contents = SourceContents(tmp_path / "kept")
    with tempfile.TemporaryFile() as output:
        output.write(ONE)
        with pytest.raises(InputMismatchError, match="not the one that was read"):
            contents.take(output, written)


def test_a_content_is_written_once_and_an_unfinished_one_not_at_all() -> None:
    output = io.BytesIO()
    writer = ContentsWriter(output)
    writer.begin().write(b"unfinished")
    for content in (ONE, OTHER, ONE):
        writer.begin().write(content)
        writer.finish(Digest.of(content))
    writer.begin()
    assert output.getvalue() == ONE + OTHER
    assert writer.written == ((Digest.of(ONE), len(ONE)), (Digest.of(OTHER), len(OTHER)))
