"""Writes `killers.md`: every check of a bundle, and the lies that go unnoticed without it."""

from __future__ import annotations

from pathlib import Path

from pipelines.bundle.check import CHECKS
from tests.bundle.corpus import BROKEN
from tests.bundle.lies import LIES as LIES_IN_STATEMENTS
from tests.bundle.loglies import LIES as LIES_IN_LOGS

LIES = LIES_IN_STATEMENTS | LIES_IN_LOGS

FILE = Path(__file__).with_name("killers.md")
_ELSEWHERE = {
    "inclusion": ("test_without_a_policy_nothing_passes",),
    "signatures": ("test_without_a_trusted_key_nothing_passes",),
    "builder": (
        "test_the_builder_must_be_the_one_that_the_key_is_trusted_for",
        "test_several_keys_say_nothing_until_their_builder_is_named",
    ),
    "files": (
        "test_a_file_that_no_statement_is_about_is_not_checked",
        "test_a_file_served_in_place_of_the_published_one_is_named_so",
        "test_a_file_that_was_only_rebuilt_is_not_the_published_one",
    ),
    "sealed": ("test_a_seal_that_the_files_do_not_give_is_wrong",),
}
_HEAD = """# Checks of a bundle, and what kills each when it is left out

Written by `python -m tests.bundle.killers` from `lies.py`, `loglies.py`, `corpus.py` and
`test_check.py`.

| check | killers |
|---|---|
"""


def killers() -> dict[str, list[str]]:
    """Return the lies, broken files and tests of every check."""
    found: dict[str, list[str]] = {name: [] for name in CHECKS}
    for name, lie in LIES.items():
        found[lie.check].append(name)
    for name, (check, _) in BROKEN.items():
        found[check].append(f"{name}.tar")
    for check, tests in _ELSEWHERE.items():
        found[check] += tests
    return found


def table() -> str:
    """Return the file."""
    return _HEAD + "".join(f"| {c} | {', '.join(k)} |\n" for c, k in killers().items())


if __name__ == "__main__":
    FILE.write_text(table())
