"""Every command in the documentation can be typed, and is run: here, or where the table says."""

from __future__ import annotations

import doctest
import shlex
from pathlib import Path

import click
import pytest

from tests.docs.commands import Line, check_phrase, every_command, lines, parse, script_fault
from tests.docs.pages import GENERATED, PAGES, ROOT, inline_code, name_of
from tests.docs.stories import STORIES, Run, Stage

ELSEWHERE: dict[str, tuple[str, str]] = {
    "bench chain": ("tests/consensus/test_chain_bench.py", 'chain, ["--links"'),
    "verify": ("infra/demo.sh", '.venv/bin/samebits verify --flow "${recipes[@]}"'),
    "replay": ("tests/verify/test_replay.py", 'samebits("replay", "lab/steady@1"'),
    "request sign": ("tests/requests/test_sign.py", 'run(reviewer, "sign"'),
    "rebuild": ("tests/infer/test_real.py", 'samebits("rebuild", recipe, "--out"'),
    "recipe new": ("tests/infer/test_real.py", 'samebits("recipe", "new", SIX, "--out"'),
    "image build": ("tests/docs/test_image_commands.py", '"image", "build"'),
    "image check": ("tests/docs/test_image_commands.py", '"image", "check"'),
    "image lock": ("tests/docs/test_image_commands.py", '"image", "lock"'),
    "review serve": ("tests/review/test_serving.py", '"review", "serve", "--reviewer"'),
    "rules test": ("tests/cli/test_rules_test.py", '"rules", "test"'),
    "rules diff": ("tests/cli/test_rules_diff.py", '"rules", "diff"'),
    "signature show": ("tests/cli/test_signature_show.py", '"signature", "show"'),
    "vault export": ("tests/verify/test_supplies.py", '("vault", "export", archive, recipe'),
    "vault list": ("tests/verify/test_held_inputs.py", 'samebits("vault", "list", home=home'),
    "completion": ("tests/cli/test_completion.py", "samebits completion bash"),
    "evidence export": ("infra/demo-centers.sh", '"$samebits" evidence export'),
    "log prove": ("tests/log/test_command.py", 'house.log("prove", "1", "--out"'),
    "log witness": ("tests/log/test_command.py", '("log", "witness", house.folder / "store"'),
    "consensus": ("infra/demo-centers.sh", '"$samebits" consensus "$release" --publish'),
    "portal build": ("tests/portal/test_command.py", '"build", "--out"'),
    "portal verifier": ("tests/portal/test_verifier_file.py", '"portal", "verifier", "--out"'),
    "portal serve": ("tests/portal/test_command.py", '"portal", "serve"'),
    "alarm list": ("tests/alarms/two_operators.py", 'self.invoke("list", "--json"'),
    "alarm acknowledge": ("tests/alarms/two_operators.py", '"acknowledge", about, "--cause"'),
    "nightly": ("infra/demo-centers.sh", 'for_all "the night" nightly'),
    "cancel": ("tests/flows/test_center_faults.py", 'stand.run("cancel", night'),
    "request list": ("tests/requests/test_requested.py", 'run(reviewer, "list", "--requester"'),
    "request show": ("tests/requests/test_requested.py", 'run(reviewer, "show", "my-own-nonce"'),
    "request cancel": ("tests/requests/test_requested.py", 'run(reviewer, "cancel", digest[:10]'),
    "request new": (
        "tests/requests/test_command.py",
        'reviewer.ask("--wait", "60", "--center-key"',
    ),
    "center up": ("infra/demo-centers.sh", 'for_all "starting" center up'),
    "center down": ("infra/demo-centers.sh", 'for_all "taking down" center down'),
    "center status": ("tests/services/test_status.py", '"center", "status", "--watch"'),
    "center run database": ("pipelines/services/supervisor.py", "service_command(center, DATABASE"),
    "center run signer": ("tests/signer/test_server.py", '"center", "run", "signer", "--center"'),
    "center run server": ("pipelines/services/supervisor.py", "service_command(center, SERVER)"),
    "center run worker": ("pipelines/services/supervisor.py", "service_command(center, WORKER"),
    "center prune": ("tests/nightly/test_prune.py", '("center", "prune", *words'),
    "center deploy": ("tests/flows/test_center.py", 'stand.run("center", "deploy", "--json")'),
    "reap": ("tests/verify/test_faults.py", 'samebits("reap", "--json", home=home)'),
    "bench corpus": ("tests/infer/test_corpus.py", "measure("),
    "bench log": ("tests/log/test_log_bench.py", "figures"),
    "bench looks": ("tests/judge/test_attacks.py", "looks.measure("),
    "bench startup": ("tests/cli/test_startup_bench.py", "measure("),
    "bench night": ("tests/nightly/test_night_bench.py", "Usage("),
}
"""Commands that need an engine, a server, a network or minutes: which file runs them, and the words
in it that do. What it calls of `bench` is what the command calls."""

BY_HAND = {"bench check", "bench consensus", "bench digest", "bench explain", "bench graft",
           "bench joining", "bench memory", "bench overhead", "bench peers", "bench portal",
           "bench rules", "bench store"}  # fmt: skip
"""Measurements, for a machine on which nothing else runs."""

OTHER_PROGRAMS = {
    "tar": "tests/bundle/test_export.py",
    "sha256sum": "tests/bundle/test_export.py",
    "cosign": "tests/bundle/test_export.py",
    "python3": "tests/bundle/test_cosign.py",
    "eval": "tests/cli/test_completion.py",
    "export": "infra/bootstrap.sh",
    "curl": "tests/portal/test_command.py",
    "gpg": "tests/judge/signatures/test_foreign_packages.py",
    "install": "tests/center/test_backup.py",
}
"""What a page has beside our own commands, and the file that runs the same."""

SCRIPTS = {"bash", ".venv/bin/python"}
WRITTEN_BY_HAND = tuple(page for page in PAGES if page != GENERATED)


def ours(page: Path) -> list[Line]:
    return [line for line in lines(page) if line.ours]


def typed(line: Line) -> str:
    """Return what is typed after `samebits`, with single blanks."""
    return " ".join(line.words[1:])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_line_is_one_that_the_command_takes(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[str] = []
    for line in lines(page):
        try:
            if line.ours:
                parse(line.words[1:])
            elif line.words[0] in SCRIPTS:
                faults += filter(None, [script_fault(line.words)])
            elif line.words[0] not in OTHER_PROGRAMS:
                faults.append(f"{line}: which program is that?")
        except click.exceptions.Exit:  # --help and --version
            continue
        except click.ClickException as error:
            faults.append(f"{line}: {error.format_message()}")
    assert not faults


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_a_command_or_option_that_is_not_there(page: Path) -> None:
    for text in inline_code(page):
        if text.startswith("samebits "):
            check_phrase(text)
        elif text.startswith("bash infra/"):
            assert script_fault(tuple(shlex.split(text))) is None


def test_a_wrong_line_is_found() -> None:
    for words in (
        ("verify",),
        ("evidence",),
        ("evidence", "chekc", "b.tar"),
        ("evidence", "check", "b.tar", "--polcy", "p"),
        ("log", "prove", "first"),
        ("policy", "sign", "p.yaml"),
    ):
        with pytest.raises(click.ClickException):
            parse(words)
    for phrase in ("samebits nigthly", "samebits log chekpoint", "samebits verify --all"):
        with pytest.raises(click.ClickException):
            check_phrase(phrase)
    assert script_fault(("bash", "infra/nothing.sh"))
    assert script_fault(("python", "-m", "tests.nothing"))
    assert script_fault(("python", "-m", "tests.mutation", "--nothing"))
    assert script_fault(("bash", "infra/demo.sh", "--nothing"))


def test_every_line_of_every_page_is_run_somewhere() -> None:
    nowhere = [
        f"{name_of(page)}: samebits {typed(line)}"
        for page in WRITTEN_BY_HAND
        for line in ours(page)
        if not _runs_here(page, line) and " ".join(parse(line.words[1:])) not in ELSEWHERE
    ]
    assert not nowhere


def _runs_here(page: Path, line: Line) -> bool:
    story = STORIES.get(name_of(page))
    return story is not None and typed(line) in story.runs


def test_every_command_is_run_somewhere() -> None:
    here = {parse(tuple(shlex.split(line))) for story in STORIES.values() for line in story.runs}
    known = {" ".join(path) for path in here} | ELSEWHERE.keys() | BY_HAND
    assert {" ".join(path) for path in every_command()} == known


@pytest.mark.parametrize(("file", "needle"), ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_the_file_that_runs_a_command_is_there_and_does(file: str, needle: str) -> None:
    assert needle in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize(("program", "file"), OTHER_PROGRAMS.items())
def test_the_file_that_runs_another_program_is_there_and_does(program: str, file: str) -> None:
    assert program in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STORIES)
def test_what_a_page_tells_to_type_ends_as_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, page = STORIES[name], ROOT / name
    told = [line for line in ours(page) if typed(line) in story.runs]
    assert list(dict.fromkeys(typed(line) for line in told)) == list(story.runs)
    stage = Stage(tmp_path, monkeypatch)
    story.prepare(stage)
    for line in told:
        _run(stage, line, story.runs[typed(line)])


def _run(stage: Stage, line: Line, run: Run) -> None:
    if run.first is not None:
        run.first(stage)
    words = list(line.words[1:])
    for part, here in run.replace.items():
        words = [word.replace(part, here) for word in words]
    ended = stage.run(*words, *run.more)
    assert ended.code == run.code, f"{line}\n{ended.out}\n{ended.err}"
    if line.output is not None:
        alike = doctest.OutputChecker().check_output
        assert alike(f"{line.output}\n", ended.out, doctest.ELLIPSIS), f"{line}\n{ended.out}"
