"""What others wrote draws nothing: on a terminal, in a log, in HTML, JSON, XML and in Prefect."""

from __future__ import annotations

import importlib
import json
import logging
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from builders.core.enums import Outcome, Verdict
from builders.core.errors import InputUnavailableError
from builders.core.escaping import entry, escaped, json_text, markdown
from builders.core.log_records import EscapedRecord
from pipelines import flows
from pipelines.alarms.alarm import Alarm, ListedAlarm
from pipelines.alarms.cause import AlarmCause
from pipelines.audit.log_audit import Gap, GapKind, LogReport
from pipelines.cli import console
from pipelines.cli.alarm import _lines as alarm_lines
from pipelines.cli.console import styled, unstyled, write
from pipelines.cli.formats.printing import print_results
from pipelines.cli.formats.results import Verified
from pipelines.cli.layout import fitted, table, wrapped
from pipelines.cli.log import _check_lines as log_lines
from pipelines.cli.log import _witness_lines as witness_lines
from pipelines.cli.review import _cells as review_cells
from pipelines.cli.source import drawn_lines
from pipelines.cli.terminal import PlainLines, show, warn
from pipelines.judge.difference import Cause, CauseName
from pipelines.log.witness import WitnessOutcome
from pipelines.verify import report_folder
from tests.cli.test_formats import candidate, finding, report

DRAWN = "  IDENTICAL        netbase_6.5_all.deb"
HOSTILE = [
    "\x1b[2J\x1b[H",
    "\x1b[32m",
    "\x1b]0;title\x07",
    "\r",
    "\b\b\b",
    "\v",
    "\f",
    "\x1c",
    "\x7f",
    "\x85",
    "\x9b2J",
    "\x90q",
    "\u00ad",
    "\u034f",
    "\u061c",
    "\u115f",
    "\u180e",
    "\u200b",
    "\u200d",
    "\u200f",
    "\u202e",
    "\u2028",
    "\u2029",
    "\u2060",
    "\u2066",
    "\u2800",
    "\u3000",
    "\u3164",
    "\ufe0f",
    "\ufeff",
    "\ufff9",
    "\U000e0041",
    "\U000e0100",
    "\udc9b",
    "\n",
    "\n" * 40,
    "\t",
]
"""Each would move, hide or turn round what is shown, or begin a line."""
UNSEEN = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    "\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\uffff\U000e0000-\U000e0fff]"
)
TEXT = st.text() | st.lists(st.sampled_from([*HOSTILE, DRAWN, "a", "\u6f22", " "])).map("".join)


def hostile(mark: str) -> str:
    return f"it failed{mark}{DRAWN}"


def assert_harmless(shown: str) -> None:
    """Nothing but what can be seen and newlines, and no line of ours that others wrote."""
    assert not UNSEEN.search(shown)
    assert DRAWN not in shown.split("\n")
    assert not any(line.startswith(("IDENTICAL", "  IDENTICAL")) for line in shown.split("\n"))


@given(TEXT)
def test_nothing_but_what_can_be_seen_and_newlines_leaves(text: str) -> None:
    for shown in (escaped(text), entry(text), json_text({text: [text]}), markdown(text)):
        assert not UNSEEN.search(shown)
    assert json.loads(json_text(text)) == text
    assert escaped(escaped(text)) == escaped(text)
    assert "\n" not in escaped(text) + markdown(text)
    assert all(line.startswith("| ") for line in entry(text).split("\n")[1:])


@given(TEXT)
def test_what_can_be_printed_and_seen_is_shown_as_it_is(text: str) -> None:
    plain = "".join(c for c in text if c.isprintable() and not UNSEEN.match(c))
    assert escaped(plain) == plain


@given(TEXT, st.integers(20, 100))
def test_no_part_of_a_line_is_wider_than_the_terminal(text: str, columns: int) -> None:
    for part in wrapped(escaped(text), columns):
        assert cell_len(part) <= columns


@pytest.mark.parametrize("mark", HOSTILE, ids=ascii)
def test_what_a_command_prints_draws_nothing(mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = hostile(mark)
    write(text, f"{styled(text, 'green')} {text}")
    write(*fitted([f"- {text}", *table(("NAME", "WHY"), [(text, text)], indent=1)]), err=True)
    PlainLines().step(text, text)
    console.write_json({text: text})
    told = capsys.readouterr()
    assert_harmless(told.out + told.err)


@pytest.mark.parametrize("form", ["text", "json", "junit", "sarif", "github"])
def test_a_failed_build_draws_no_verdict(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    for mark in HOSTILE:
        if mark != "\udc9b":  # no record can hold it
            assert_failed_build(mark, form, capsys)


def assert_failed_build(mark: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = hostile(mark)
    made = report(finding("netbase_6.5_all.deb", Verdict.NOT_CHECKED, text))
    cause = Cause(name=CauseName.CONTENT, detail=text)
    differs = finding(f"a{mark}b", Verdict.DIFFERENT, text).model_copy(update={"causes": (cause,)})
    failed = made.model_copy(update={"outcome": Outcome.BUILD_FAILED})
    results = [
        Verified(recipe=Path(text.replace("/", "")), found=failed),
        Verified(recipe=Path("r.yaml"), found=candidate(differs)),
        Verified(recipe=Path("r.yaml"), found=InputUnavailableError(text, got=text, todo=text)),
    ]
    print_results(results, form)
    told = capsys.readouterr()
    assert_harmless(told.out + told.err)
    assert "it failed" in told.out


@pytest.mark.parametrize("mark", HOSTILE, ids=ascii)
def test_a_log_holds_one_entry_for_each_message(mark: str) -> None:
    text = hostile(mark)
    trace: Any = (ValueError, ValueError(text), None)
    form = logging.Formatter("%(message)s").format
    shown = form(EscapedRecord("x", logging.INFO, "f", 1, "%s: %s", (text, text), None))
    shown += "\n" + form(EscapedRecord("x", logging.INFO, "f", 1, text, (), trace))
    assert_harmless(shown)
    assert "ValueError: it failed" in shown


def test_a_crash_is_escaped_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr("threading.excepthook", None)
    console.escape_crashes()
    for mark in HOSTILE:
        error = ValueError(hostile(mark))
        sys.excepthook(ValueError, error, None)
    told = capsys.readouterr().err
    assert_harmless(told)
    assert told.count("ValueError: it failed") == len(HOSTILE)


@pytest.mark.parametrize("mark", HOSTILE, ids=ascii)
def test_a_page_shows_foreign_text_as_it_is(mark: str) -> None:
    text = f"<b>{hostile(mark)}"
    page = report_folder._TEMPLATES.from_string("<p>{{ text }}</p>").render(text=text)
    assert not UNSEEN.search(page)
    assert "\n" not in page
    assert page.startswith("<p>&lt;b&gt;it failed")


def test_markdown_has_no_links_and_no_markup() -> None:
    text = "[IDENTICAL](https://evil.example) ![](//x) <img> `a` *b* _c_ | www.evil.example"
    shown = markdown(text)
    assert re.sub(r"\\(.)", r"\1", shown) == text
    assert not re.search(r"(?<!\\)[\[\]()<>`*_|.:!]", shown)
    assert markdown("- a\n# b") == r"\- a\\n\# b"


def test_colors_are_ours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def told() -> None:
        write(f"{styled('ok', 'green')} \x1b[32mIDENTICAL\x1b[0m")

    shown = CliRunner().invoke(told, color=True).stdout
    assert shown == "\x1b[32mok\x1b[0m \\x1b[32mIDENTICAL\\x1b[0m\n"
    assert unstyled(styled("ok", "green")) == "ok"
    assert unstyled("\x1b[32mok") == "\x1b[32mok"


@pytest.mark.parametrize("mark", HOSTILE, ids=ascii)
def test_what_peers_and_reviewers_say_draws_nothing(
    mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = hostile(mark)
    heard = Alarm(
        cause=AlarmCause.SUSPECT, release=text, center=text, text=text, leaves=(), record=text
    )
    signed: Any = SimpleNamespace(content=SimpleNamespace(operator=text, reason=text))
    signed.content.to_dict = lambda: {"acknowledgedOn": text}
    listed = ListedAlarm(alarm=heard, by=(signed,), objections=(text,))
    checked = LogReport(gaps=[Gap(kind=GapKind.MISSING, about=text, message=text)])
    log: Any = SimpleNamespace(identity=SimpleNamespace(origin=text))
    refused: Any = SimpleNamespace(
        size=1, reason=text, outcome=WitnessOutcome.REFUSED, origin=text, record=text
    )
    review = dict.fromkeys(("decided_on", "decision", "reviewer", "source", "claim"), text)
    show(
        {},
        *alarm_lines(listed),
        *log_lines(log, checked),
        *witness_lines(text, refused),
        *table(("DECIDED",) * 6, [review_cells({**review, "key": text})], flexible=2),
        *drawn_lines(f"+{text}".replace("\n", "\n+").encode("utf-8", "surrogatepass")),
    )
    warn(InputUnavailableError(text, got=text))
    told = capsys.readouterr()
    assert_harmless(told.out + told.err)
    assert not UNSEEN.search(str(InputUnavailableError(text)))


def test_flow_runs_log_escaped_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "_logRecordFactory", logging.LogRecord)
    importlib.reload(flows)
    assert logging.getLogRecordFactory() is EscapedRecord
