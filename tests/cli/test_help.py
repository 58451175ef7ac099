"""The help of every command is drawn without the libraries that only its work needs."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO

from pipelines.cli.main import samebits
from tests.docs.commands import every_command

HEAVY = {
    "asyncio", "boto3", "botocore", "cryptography", "docker", "filelock", "httpx", "jinja2",
    "prefect", "psutil", "pydantic", "requests", "rfc8785", "rich", "s3transfer", "yaml",
}  # fmt: skip
"""What takes longer to import than a help text takes to be read."""
COLUMNS = 80
_PROGRAM = """\
import contextlib, io, json, sys
from pipelines.cli.main import samebits
loaded = {}
for words in json.loads(sys.argv[1]):
    before = set(sys.modules)
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        samebits.main([*words, "--help"], prog_name="samebits", standalone_mode=False)
    assert "Usage: samebits" in shown.getvalue(), words
    loaded[" ".join(words)] = sorted(set(sys.modules) - before)
print(json.dumps(loaded))
"""


def loaded(commands: list[tuple[str, ...]]) -> dict[str, set[str]]:
    """Return the packages that the help of each command loads in one new interpreter."""
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(commands)],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(ended.stdout)
    return {name: {m.partition(".")[0] for m in modules} for name, modules in found.items()}


def test_help_of_every_command_loads_nothing_heavy() -> None:
    commands = list(every_command())
    groups = [words[:n] for words in commands for n in range(len(words))]
    every = list(dict.fromkeys([*groups, *commands]))
    found = loaded(every)
    assert len(found) == len(every)
    assert {name: heavy for name, modules in found.items() if (heavy := modules & HEAVY)} == {}


def test_help_of_every_command_fits_a_terminal_of_80_columns() -> None:
    for words in every_command():
        with redirect_stdout(StringIO()) as shown:
            samebits.main(
                [*words, "--help"], "samebits", standalone_mode=False, terminal_width=COLUMNS
            )
        wide = [line for line in shown.getvalue().splitlines() if len(line) > COLUMNS]
        assert wide == [], words


def test_a_group_shows_the_whole_sentence_of_each_command() -> None:
    for words in {path[:n] for path in every_command() for n in range(len(path))}:
        with redirect_stdout(StringIO()) as shown:
            samebits.main([*words, "--help"], "samebits", standalone_mode=False)
        _, _, commands = shown.getvalue().partition("Commands:")
        assert "..." not in commands, words
