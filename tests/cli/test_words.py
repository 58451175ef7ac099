"""What commands print of numbers, questions and journals."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.core.errors import UsageError
from pipelines.cli import options
from pipelines.cli.console import confirm
from pipelines.cli.main import main
from pipelines.cli.recipe import show_journal, write_draft
from pipelines.cli.terminal import counted, report_lines
from pipelines.infer.journal import RemainingCause, Scalar, SearchJournal
from tests.signer.scene import THEIRS, Scene


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 tries"),
        (1, "1 try"),
        (1.0, "1 try"),
        (1.5, "1.5 tries"),
        (2_000_000, "2000000 tries"),
    ],
)
def test_a_number_agrees_with_its_noun(number: float, said: str) -> None:
    assert counted(number, "try", "tries") == said


def test_a_plural_has_an_s_by_default() -> None:
    assert [counted(n, "bit") for n in (0, 1, 2)] == ["0 bits", "1 bit", "2 bits"]


@pytest.mark.parametrize(("typed", "answer"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_question_takes_an_answer(typed: str, answer: bool) -> None:
    assert _asked(typed) is answer


def test_the_end_of_the_input_is_no_answer_and_no_interruption() -> None:
    with pytest.raises(UsageError, match="Give --yes"):
        _asked("")


def test_an_interrupted_question_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("click.termui.visible_prompt_func", stopped)
    with pytest.raises(click.Abort):
        confirm("sign this?")


def journal_of(**fields: Any) -> SearchJournal:
    return SearchJournal(
        release="pypi/tool@1.0",
        artefact="tool.whl",
        shipped=Digest("1" * 64),
        source=Digest("2" * 64),
        status="different",
        finished=True,
        **fields,
    )


def test_text_of_a_shipped_file_reaches_the_terminal_escaped() -> None:
    hostile = "\x1b[2J"
    cause = RemainingCause(name="times", detail=f"of {hostile}")
    scalar = Scalar(name="path", value=hostile, bits=1, evidence=hostile)
    journal = journal_of(reason=hostile, causes=(cause,), scalars=(scalar,), notes=(hostile,))
    told = CliRunner().invoke(click.command()(lambda: show_journal(journal, None))).stderr
    assert told.count("\\x1b[2J") == 5
    assert "\x1b[2J" not in told


def test_a_recipe_is_replaced_by_force_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "home"))
    out = tmp_path / "r.yaml"
    write_draft("first", out, force=False)
    with pytest.raises(UsageError, match="cannot be written"):
        write_draft("second", out, force=False)
    words = ["recipe", "new", "pkg:pypi/x@1", "--buildinfo", "/gone", "--out", str(out)]
    before = signal.getsignal(signal.SIGTERM)
    for more, said in ((), f"{out} exists"), (("--force",), "only Debian"):
        with pytest.raises(SystemExit):
            main([*words, *more])
        assert said in capsys.readouterr().err
    signal.signal(signal.SIGTERM, before)
    assert out.read_text() == "first"
    write_draft("second", out, force=True)
    assert out.read_text() == "second"


def test_a_journal_is_printed_by_the_name_of_its_form() -> None:
    journal = journal_of(reason="because", bits=1)

    @click.command()
    @options.json
    def print_it() -> None:
        show_journal(journal, None)

    told = json.loads(CliRunner().invoke(print_it, ["--json"]).stdout)
    assert told["schema"] == "samebits/trail/v1"
    assert "schema_" not in told
    assert "0 tries, 0.0 s\n" in CliRunner().invoke(print_it, []).stderr


def _asked(typed: str) -> bool:
    """Return what the command made of what was typed; raises as it does."""
    found: list[bool] = []

    @click.command()
    def ask() -> None:
        found.append(confirm("sign this?"))

    ended = CliRunner().invoke(ask, input=typed, catch_exceptions=True)
    if ended.exception:
        raise ended.exception
    return found[0]


def test_a_failed_build_says_how_its_log_is_read(tmp_path: Path) -> None:
    failed = Scene(folder=tmp_path / "failed", outcome=Outcome.BUILD_FAILED).make().report
    lines = list(report_lines(failed))
    command = f"samebits evidence show acme/rules@1.10 --run {failed.run} --log"
    assert lines[-1] == f"  log   {command}"
    built = Scene(folder=tmp_path / "built").make().report
    assert not any("--log" in line for line in report_lines(built))


def test_an_explained_difference_says_how_it_is_seen(tmp_path: Path) -> None:
    outputs = {"rules.bin": THEIRS, "rules.idx": b"index"}
    made = Scene(folder=tmp_path / "differs", outputs=outputs, explained=True).make()
    differs, told = made.report, made.explanation
    command = f"samebits evidence show acme/rules@1.10 --run {differs.run} --open"
    assert list(report_lines(differs, explanation=told))[-1] == f"  see   {command}"
    assert not any("--open" in line for line in report_lines(differs))
    lines = report_lines(differs, explanation=told, evidence=False)
    assert not any("--open" in line for line in lines)
