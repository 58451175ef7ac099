"""Completion in a real bash, with the script that `samebits completion` prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundle.test_export import Filled
from tests.command import samebits

ROOT = Path(__file__).parents[2]
RUN = "20260102T030405Z-0a1b2c3d"
PROPOSED = {
    "samebits ev": ["evidence"],
    "samebits evidence check --fi": ["--file"],
    "samebits verify recipes/releases/debian/netb": ["recipes/releases/debian/netbase/6.5.yaml"],
    "samebits evidence show debian/netb": ["debian/netbase@6.5"],
    "samebits evidence show --center CENTER acme/": ["acme/rules@1.10"],
    "samebits evidence show --center CENTER acme/rules@1.10 --run 2026": [RUN],
    "samebits evidence show acme/rules@1.10 --run 2026": [],
}
_ASK = """\
eval "$(samebits completion bash)"
while IFS= read -r line; do
  read -ra COMP_WORDS <<< "$line"
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
  _samebits_completion samebits
  echo "${COMPREPLY[*]}"
done
echo "$COMP_WORDBREAKS" | grep -c @
"""


def test_bash_proposes_what_is_there(tmp_path: Path) -> None:
    filled = Filled(tmp_path / "center", "identical")
    odd = tmp_path / "center/store/public/releases/acme/%zz/1"
    odd.mkdir(parents=True)
    command = tmp_path / "samebits"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m pipelines.cli "$@"\n')
    command.chmod(0o700)
    asked = "".join(f"{line.replace('CENTER', str(filled.file))}\n" for line in PROPOSED)
    ended = subprocess.run(
        ["bash", "-c", _ASK],
        input=asked,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "SAMEBITS_HOME": str(tmp_path / "home"),
        },
    )
    *found, breaks = ended.stdout.splitlines()
    assert dict(zip(PROPOSED, map(str.split, found), strict=True)) == PROPOSED, ended.stderr
    assert breaks == "0", "bash would break a release into two words at its @"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script(shell: str, tmp_path: Path) -> None:
    ended = samebits("completion", shell, home=tmp_path)
    assert ended.code == 0
    assert f"{shell}_complete" in ended.out
