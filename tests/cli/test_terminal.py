"""What people see: real commands in a terminal of 80 columns, and in a pipe."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.command import DATA, Ended, in_terminal, samebits

COLUMNS = 80
NETBASE = DATA.parents[1] / "recipes" / "releases" / "debian" / "netbase" / "6.5.yaml"
ESCAPE = "\x1b"
GREEN = "\x1b[32m"
COMMANDS = {
    "evidence list --center europe.yaml": 0,
    "evidence show debian/netbase@6.5 --center europe.yaml": 0,
    "evidence show debian/hostname@3.25 --center europe.yaml": 0,
    "evidence show lab/example@gone --center europe.yaml": 0,
    "evidence check bundles/netbase.tar --policy policy.dsse.json": 0,
    "evidence check bundles/hostname.tar --policy policy.dsse.json": 1,
    "evidence check bundles/local.tar --policy policy.dsse.json": 1,
    "evidence check bundles/netbase.tar": 2,
    "check recipes/releases/lab/example/out.bin --center europe.yaml": 1,
    "check bundles/netbase.tar --center europe.yaml": 2,
    "check recipes/releases/lab/example/builder.bin --center europe.yaml": 0,
    "consensus debian/hostname@3.25 --center europe.yaml": 1,
    "consensus lab/example@echoed --center europe.yaml": 2,
    "review list lab/example@reviewed --center europe.yaml": 0,
    "log check --center europe.yaml": 0,
    "policy check policy.dsse.json": 0,
    "center status --center europe.yaml": 1,
    "recipe lint draft.yaml": 0,
    "verify --format xml draft.yaml": 64,
    f"evidence show {'b' * 200}": 64,
    f"{'no-command' * 20}": 64,
    "verify --candidates dist draft.yaml": 64,
    "vault list --center europe.yaml": 0,
    "compare recipes/releases/lab/example/out.bin recipes/releases/lab/example/replaced.bin": 1,
    "recipe lint recipes/releases/lab/example/mde.yaml": 64,
}
"""Every command that prints a table or a verdict and needs no engine, with its exit code."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The centers of the first format, as the working folder."""
    folder = tmp_path_factory.mktemp("centers")
    with tarfile.open(DATA / "format-v1" / "centers.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    (folder / "draft.yaml").write_text(f"# draft: {'a long note ' * 20}\n{NETBASE.read_text()}")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def shown(folder: Path) -> dict[str, Ended]:
    """What each command shows in the terminal."""
    return {line: in_terminal(*line.split(), home=folder / "local") for line in COMMANDS}


@pytest.mark.parametrize("line", COMMANDS)
def test_no_line_is_wider_than_the_terminal(line: str, shown: dict[str, Ended]) -> None:
    ended = shown[line]
    assert ended.code == COMMANDS[line], ended.out
    # A moving line of progress is drawn over: what is left of it is what follows the last return.
    lines = [click.unstyle(row).rpartition("\r")[2] for row in ended.out.splitlines()]
    assert [row for row in lines if len(row) > COLUMNS] == []


ANSWERS = {
    "evidence check bundles/netbase.tar --policy policy.dsse.json": "REPRODUCED: ",
    "evidence check bundles/hostname.tar --policy policy.dsse.json": "NOT REPRODUCED: ",
    "evidence check bundles/local.tar --policy policy.dsse.json": "REFUSED: ",
    "evidence check bundles/netbase.tar": "NOT PROVEN: ",
    "check recipes/releases/lab/example/out.bin --center europe.yaml": "NOT REPRODUCED: ",
    "check recipes/releases/lab/example/builder.bin --center europe.yaml": "REPRODUCED: ",
}
"""Commands whose first words are the answer."""
UNSIGNED = ("compare ", "vault ")
"""Commands that check no signature."""


@pytest.mark.parametrize("line", ANSWERS)
def test_the_answer_comes_first(line: str, shown: dict[str, Ended]) -> None:
    assert click.unstyle(shown[line].out).startswith(ANSWERS[line])


@pytest.mark.parametrize("line", COMMANDS)
def test_nothing_is_green_that_was_not_checked_or_did_not_pass(
    line: str, shown: dict[str, Ended]
) -> None:
    if line.startswith(UNSIGNED) or (line in ANSWERS and COMMANDS[line]):
        assert GREEN not in shown[line].out
    elif line in ANSWERS:
        assert GREEN in shown[line].out


def test_a_check_with_nothing_to_check_is_no_ok(shown: dict[str, Ended]) -> None:
    rows = click.unstyle(shown["evidence check bundles/netbase.tar --policy policy.dsse.json"].out)
    statuses = {row.split()[1]: row.split()[0] for row in rows.splitlines() if len(row.split()) > 1}
    assert (statuses["files"], statuses["evidence"]) == ("note", "note")
    assert statuses["signatures"] == "ok"


PIPED = [line for line in COMMANDS if COMMANDS[line] == 0 and not line.startswith("log")]


def test_a_pipe_gets_no_escape_codes_and_whole_rows(folder: Path, shown: dict[str, Ended]) -> None:
    for line in PIPED[::3]:
        ended = samebits(*line.split(), home=folder / "local")
        assert ESCAPE not in ended.out + ended.err
        assert ESCAPE in shown[line].out, "the terminal has colors"
    rows = samebits("evidence", "list", "--center", "europe.yaml", home=folder / "local").out
    header, *runs = rows.splitlines()
    assert header.split() == ["STARTED", "(UTC)", "VERDICT", "RELEASE", "CLAIM", "RUN"]
    assert runs[0].split() == [
        *("2026-11-27", "11:13", "NOT_CHECKED", "lab/example@reviewed"),
        *("8c305136bbc4", "0149d509"),
    ]
    assert [row.split()[:2] for row in runs[:-1]] == sorted(row.split()[:2] for row in runs[:-1])


@pytest.mark.parametrize("words", ["verify --json", "verify --jsn --format json", "vault --json"])
def test_wrong_words_are_a_document_too(words: str, folder: Path) -> None:
    ended = samebits(*words.split(), home=folder / "local")
    assert ended.code == 64
    assert ended.document()["error"]["what"]
    assert ended.err


def test_the_check_of_a_bundle_names_the_command_for_it(shown: dict[str, Ended]) -> None:
    told = " ".join(
        click.unstyle(shown["check bundles/netbase.tar --center europe.yaml"].out).split()
    )
    assert "it is a bundle: `samebits evidence check bundles/netbase.tar` checks" in told


def test_no_color_is_obeyed(folder: Path) -> None:
    words = ("evidence", "show", "debian/netbase@6.5", "--center", "europe.yaml")
    for variable in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        ended = in_terminal(*words, home=folder / "local", env=variable)
        assert ended.code == 0
        assert ESCAPE not in ended.out


def test_wide_shows_whole_digests(folder: Path) -> None:
    words = ("evidence", "list", "lab/example@made", "--center", "europe.yaml", "--wide")
    ended = in_terminal(*words, home=folder / "local")
    claim = "582592f35abcd21aa50e50f0c9d782039b4de6c0a00418a8da531326dd15600d"
    assert f"{claim}  20261127T111815Z-0aaadda4" in ended.out


def test_a_run_is_found_by_the_end_of_its_id(folder: Path) -> None:
    words = ("evidence", "show", "lab/example@made", "--center", "europe.yaml", "--run", "5d1e6059")
    ended = samebits(*words, home=folder / "local")
    assert "run   20261127T111655Z-5d1e6059" in ended.out
